/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections that end, and those that come back. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

#include "base/fd.h"
#include "base/str.h"
#include "session/keeper_int.h"

/* To come back to what has ended: longer than the longest pause between two of a client's tries. */
#define BACK_NS (12 * NS_PER_S)

static void
keep_over(void *arg)
{
	struct keeper *k = arg;

	for (const struct keeper_client *c = k->clients; c; c = c->next)
		if (c->role == KEEPER_JOINED && keeper_client_is_here(c)) {
			keeper_keep_later(k);
			return;
		}
	if (k->phase != KEEPER_RUNNING)
		return;
	keeper_tell_all(k, "nobody came back to this session in time: it ends now");
	keeper_stop(k, "disconnected", SIGHUP);
}

void
keeper_keep_later(struct keeper *k)
{
	k->keep_until = clock_mono() + k->rules.keep_ns;
	if (k->phase == KEEPER_RUNNING)
		loop_timer_set(k->loop, &k->t_keep, k->rules.keep_ns, keep_over, k);
}

bool
keeper_owner_returns(const struct keeper *k)
{
	return k->owner && k->owner->token[0] && !k->agent_stops && !k->door.ended_by[0];
}

static void
back_over(void *arg)
{
	struct keeper *k = arg;

	if (k->owner)
		keeper_client_drop(k->owner);
}

void
keeper_await_owner(struct keeper *k)
{
	int64_t left = k->keep_until - clock_mono();

	if (keeper_owner_returns(k) && left > 0)
		loop_timer_set(k->loop, &k->t_back, left < BACK_NS ? left : BACK_NS, back_over, k);
	else
		back_over(k);
}

void
keeper_await_no_more(struct keeper *k)
{
	if (k->phase == KEEPER_TELLING && k->owner && k->owner->fd < 0)
		back_over(k);
}

void
keeper_token_new(struct keeper_client *c)
{
	unsigned char key[32];

	if (getrandom(key, sizeof key, 0) == (ssize_t)sizeof key)
		str_hex(c->token, key, sizeof key);
	explicit_bzero(key, sizeof key);
	c->s.out.max = KEEPER_KEPT_MAX + FRAME_HEAD + FRAME_DATA_MAX + KEEPER_OUT_RESERVE;
}

/* What comes with it later is told why it is of no use. */
void
keeper_token_drop(struct keeper_client *c)
{
	struct keeper *k = c->k;

	if (!c->token[0])
		return;
	memcpy(k->old_tokens[k->old_token++ % KEEPER_OLD_TOKENS], c->token, sizeof c->token);
	memset(c->token, 0, sizeof c->token);
}

/* However many digits are right, it takes as long. */
static bool
same_token(const char *a, const char *b)
{
	unsigned diff = !a[0];

	for (size_t i = 0; i < 64; i++)
		diff |= (unsigned char)a[i] ^ (unsigned char)b[i];
	return diff == 0;
}

static int
refuse(struct keeper *k, const struct control_ask *a, struct err *e)
{
	bool known = false;

	for (size_t i = 0; i < KEEPER_OLD_TOKENS; i++)
		known |= same_token(k->old_tokens[i], a->req.token);
	err_set(e, ERR_DENIED, 0, "cannot go on with session %s", k->start->id);
	err_why(e, "%s",
	    known ? "another terminal has taken this session over, or you left it"
		  : "the connection that it should go on from is not known");
	return err_hint(e, "coral attach %s", k->start->id);
}

/* Everything that it lacks is to be painted. */
static void
open_gap(struct keeper_client *c)
{
	size_t max = c->s.out.max;

	c->gap = true;
	keeper_paint_stop(c);
	buf_clear(&c->s.first);
	buf_fini(&c->s.out);
	buf_init(&c->s.out, max);
	c->s.written = 0;
}

void
keeper_kept_too_much(struct keeper_client *c)
{
	if (c->fd < 0 && !c->gap && c->s.out.len > KEEPER_KEPT_LOST)
		open_gap(c);
}

void
keeper_left_alone(struct keeper *k)
{
	/* A reader of stdin must not wait for ever; who comes back to a terminal types on it. */
	if (!k->req->tty) {
		k->input_eof = true;
		keeper_write_input(k);
	}
	keeper_keep_later(k);
	keeper_catch_up_later(k);
}

static void
owner_lost(struct keeper_client *c)
{
	struct keeper *k = c->k;

	keeper_note_client(c, "detached", "lost");
	keeper_tell_others(k, c, "%s has lost the connection", c->user);
	if (!c->token[0]) {
		keeper_client_drop(c);
	} else {
		/* Or is to begin: that would come behind what is kept from now on. */
		bool painting = keeper_is_painting(c) || c->t_paint.linked;

		keeper_client_unplug(c);
		if (painting)
			open_gap(c);
	}
	keeper_left_alone(k);
	if (k->phase == KEEPER_TELLING)
		keeper_await_owner(k);
}

static void
end_without_client(struct keeper_client *c)
{
	struct keeper *k = c->k;

	keeper_client_drop(c);
	/* Nobody types any more: a reader of stdin must not wait for ever. */
	k->input_eof = true;
	if (k->phase != KEEPER_RUNNING)
		return;
	if (k->rules.disconnect == REQ_DISC_HANGUP)
		keeper_stop(k, "disconnected", SIGHUP);
	else
		keeper_stop_now(k, "disconnected");
}

static void
onlooker_lost(struct keeper_client *c)
{
	struct keeper *k = c->k;
	bool typed = c == k->keyboard;

	keeper_note_client(c, "left", "lost");
	keeper_client_drop(c);
	keeper_tell_others(k, c, "%s has left", c->user);
	if (typed)
		keeper_give_keyboard(k, k->owner);
}

/* Its connection: the session, or what its owner is still owed of it. */
static bool
outlives(const struct keeper *k)
{
	if (k->phase != KEEPER_RUNNING)
		return keeper_owner_returns(k);
	return k->rules.disconnect == REQ_DISC_DETACH;
}

void
keeper_client_lost(struct keeper_client *c)
{
	struct keeper *k = c->k;

	if (c->gone || c->fd < 0)
		return;
	if (!c->leaving && c->role == KEEPER_OWNER && outlives(k))
		owner_lost(c);
	else if (c->leaving || k->phase >= KEEPER_TELLING)
		keeper_client_drop(c);
	else if (c->role != KEEPER_OWNER)
		onlooker_lost(c);
	else
		end_without_client(c);
}

static void
go_on(struct keeper_client *c)
{
	unsigned char wire[8];

	for (int i = 0; i < 8; i++)
		wire[i] = (unsigned char)(c->s.arrived >> (56 - 8 * i));
	keeper_client_open(c, FR_RESUMED, wire, sizeof wire);
	if (c == c->k->keyboard && c->size.ws_row > 0)
		keeper_resize(c->k, &c->size);
	keeper_fit(c);
}

/* The counts begin anew; what the client sent and was not heard, it sends again. */
static void
start_anew(struct keeper_client *c)
{
	uint64_t received = c->s.arrived;

	open_gap(c);
	c->gap = false;
	c->restarted = true;
	c->delivered[0] = c->delivered[1] = 0;
	/* Nothing new comes before it, however soon after the last one. */
	c->next_paint = 0;
	keeper_say_opened(c, &received);
	keeper_grant(c, true);
	keeper_paint(c, PAINTER_SCREEN | PAINTER_SCROLLBACK);
	if (c->k->phase == KEEPER_TELLING && !c->gone) {
		keeper_put_result(c);
		keeper_client_flush(c);
	}
}

int
keeper_resume(struct keeper *k, struct control_ask *a, struct err *e)
{
	struct keeper_client *c = k->owner;

	if (!c || !same_token(c->token, a->req.token) || strcmp(c->user, a->who.user) != 0)
		return refuse(k, a, e);
	keeper_client_unplug(c);
	loop_timer_clear(k->loop, k->phase < KEEPER_TELLING ? &k->t_keep : &k->t_back);
	c->opened = false;
	c->fd = steal_fd(&a->stream);
	str_copy(c->peer, a->peer, sizeof c->peer);
	if (a->req.rows > 0 && a->req.cols > 0)
		c->size = (struct winsize){a->req.rows, a->req.cols, a->req.xpixel, a->req.ypixel};
	keeper_note_client(c, "reconnected", NULL);
	keeper_tell_others(k, c, "%s is back", c->user);
	if (!k->keyboard)
		k->keyboard = c;
	if (keeper_is_painting(c) || c->gap || stream_resume(&c->s, a->req.received) < 0)
		start_anew(c);
	else
		go_on(c);
	keeper_tell_held(c);
	return 0;
}
