/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who comes to a session that runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "session/header.h"
#include "session/keeper_int.h"

/* Of it in the answer, with its name. */
#define OPENED_TOKEN 80

static json_t *
opened(const struct keeper_client *c, const uint64_t *received)
{
	const struct keeper *k = c->k;
	json_t *j = session_opened(k);

	json_object_set_new(j, "tty", json_boolean(k->req->tty));
	json_object_set_new(j, "role", json_string(keeper_role_name(c->role)));
	json_object_set_new(j, "keyboard", json_boolean(c == k->keyboard));
	json_object_set_new(j, "detachable", json_boolean(k->rules.disconnect == REQ_DISC_DETACH));
	if (received)
		json_object_set_new(j, "received", json_integer((json_int_t)*received));
	return j;
}

/* Nowhere else is there a copy of the token: what is freed is not wiped. */
static void
open_with_token(struct keeper_client *c, const char *object)
{
	char text[FRAME_DATA_MAX];
	size_t n =
	    (size_t)snprintf(text, sizeof text, "{\"resume\":\"%s\",%s", c->token, object + 1);

	stream_keep(&c->s, 0);
	keeper_client_open(c, FR_OPENED, text, n);
	explicit_bzero(text, sizeof text);
}

void
keeper_say_opened(struct keeper_client *c, const uint64_t *received)
{
	json_t *j = opened(c, received);
	char *text = json_dumps(j, JSON_COMPACT);

	/* A process may be in 65536 groups.  The record has them; without the frame no client can
	 * go on. */
	if (text && strlen(text) + OPENED_TOKEN > FRAME_DATA_MAX) {
		free(text);
		json_object_del(j, "context");
		text = json_dumps(j, JSON_COMPACT);
	}
	if (text && c->token[0])
		open_with_token(c, text);
	else if (text)
		keeper_client_open(c, FR_OPENED, text, strlen(text));
	free(text);
	json_decref(j);
}

static void
take_over(struct keeper_client *c)
{
	struct keeper *k = c->k;
	struct keeper_client *old = k->owner;
	json_t *why;

	if (!old)
		return;
	why = json_pack(
	    "{s:s, s:o, s:s}", "why", "taken_over", "by", json_text(c->user), "id", k->start->id);
	keeper_note_client(old, "taken_over", NULL);
	keeper_client_leave(old, why);
	json_decref(why);
}

static void
begin_owner(struct keeper_client *c, bool resumable)
{
	struct keeper *k = c->k;

	take_over(c);
	loop_timer_clear(k->loop, &k->t_keep);
	k->owner = c;
	if (resumable && k->req->tty && k->rules.disconnect == REQ_DISC_DETACH)
		keeper_token_new(c);
	if (k->keyboard && k->keyboard != c) {
		keeper_tell(k->keyboard, "%s has the keyboard", c->user);
		keeper_input_forget(k->keyboard);
	}
	k->keyboard = c;
	keeper_note_client(c, "attached", NULL);
	keeper_reopen_input(k);
	/* Whose input it was has left, and nobody else's can follow. */
	if (!k->req->tty) {
		k->input_eof = true;
		keeper_write_input(k);
	}
}

/* An owner always has a place, since it takes that of the one before. */
static int
make_room(struct keeper *k, bool owner, struct err *e)
{
	struct keeper_client *first = NULL;
	size_t others = 0, leaving = 0;

	for (struct keeper_client *c = k->clients; c; c = c->next)
		if (!c->leaving) {
			others += c != k->owner;
		} else if (leaving++ == 0) {
			first = c;
		}
	if (!owner && others + 1 >= KEEPER_CLIENTS) {
		err_set(e, ERR_LIMIT, 0, "session %s takes nobody more", k->start->id);
		err_why(e, "%zu look on or have joined", others);
		return err_hint(e, "wait until somebody leaves; coral sessions shows who is there");
	}
	/* Who leaves has a while to take the rest, as long as they are not many. */
	if (leaving >= KEEPER_CLIENTS)
		keeper_client_drop(first);
	return 0;
}

static struct keeper_client *
new_client(struct keeper *k, const struct control_ask *a, struct err *e)
{
	const struct request *r = &a->req;
	struct keeper_client *c;

	if (make_room(k, r->verb == REQ_ATTACH, e) < 0)
		return NULL;
	c = keeper_client_new(k, a->stream, KEEPER_OUT_MAX);
	if (!c) {
		err_set(e, ERR_LIMIT, 0, "session %s has no memory for one more", k->start->id);
		return NULL;
	}
	str_copy(c->user, a->who.user, sizeof c->user);
	str_copy(c->peer, a->peer, sizeof c->peer);
	if (r->rows > 0 && r->cols > 0)
		c->size = (struct winsize){r->rows, r->cols, r->xpixel, r->ypixel};
	return c;
}

int
keeper_client_add(struct keeper *k, struct control_ask *a, struct err *e)
{
	struct keeper_client *c;

	if (a->req.verb == REQ_ATTACH && a->req.token[0] &&
	    (k->phase < KEEPER_DRAINING || k->owner))
		return keeper_resume(k, a, e);
	if (k->phase >= KEEPER_DRAINING) {
		err_set(e, ERR_NO_SESSION, 0, "session %s has ended", k->start->id);
		return err_hint(e, "coral replay %s shows it", k->start->id);
	}
	c = new_client(k, a, e);
	if (!c)
		return -1;
	a->stream = -1;
	if (a->req.verb == REQ_ATTACH) {
		begin_owner(c, a->req.resumable);
	} else {
		c->role = a->req.verb == REQ_JOIN ? KEEPER_JOINED : KEEPER_WATCHING;
		keeper_note_client(c, keeper_role_name(c->role), NULL);
	}
	keeper_tell_others(k, c, "%s %s", c->user,
	    c->role == KEEPER_OWNER    ? "has attached"
	    : c->role == KEEPER_JOINED ? "joined"
				       : "looks on");
	keeper_say_opened(c, NULL);
	keeper_tell_held(c);
	if (k->req->tty && !c->gone)
		keeper_paint(c, PAINTER_SCREEN | PAINTER_SCROLLBACK);
	return 0;
}
