/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "session/control.h"
#include "session/keeper_int.h"

/* Of the terminal itself: a program in it may have set another size than its typist has. */
static void
put_size(const struct keeper *k, json_t *j)
{
	struct winsize ws;

	if (k->master < 0 || ioctl(k->master, TIOCGWINSZ, &ws) < 0)
		return;
	json_object_set_new(j, "rows", json_integer(ws.ws_row));
	json_object_set_new(j, "cols", json_integer(ws.ws_col));
}

static json_t *
status(const struct keeper *k)
{
	json_t *clients = keeper_clients_json(k);
	bool nobody = json_array_size(clients) == 0;
	int64_t since = k->last_typed ? k->last_typed : k->started;
	json_t *j = json_pack(
	    "{s:b, s:b, s:o}", "detached", nobody, "frozen", k->frozen, "attached", clients);

	if (k->master >= 0)
		json_object_set_new(
		    j, "idle_s", json_integer((json_int_t)((clock_mono() - since) / NS_PER_S)));
	put_size(k, j);
	if (k->frozen)
		json_object_set_new(j, "frozen_by", json_text(k->door.frozen_by));
	return j;
}

static int
is_over(const struct keeper *k, struct err *e)
{
	err_set(e, ERR_NO_SESSION, 0, "session %s is ending", k->start->id);
	err_why(e, "its cause is \"%s\"", k->cause);
	return err_hint(e, "coral sessions show %s", k->start->id);
}

static json_t *
kill_session(struct keeper *k, const struct control_ask *a)
{
	char text[160];

	snprintf(text, sizeof text, "%s ends this session", a->who.user);
	str_copy(k->door.ended_by, a->who.user, sizeof k->door.ended_by);
	keeper_tell_all(k, text);
	keeper_stop(k, "signal", SIGTERM);
	return json_pack("{s:s}", "ending", k->start->id);
}

/* A moderator's freeze is not its owner's to end. */
static int
may_thaw(const struct keeper *k, const struct control_ask *a, struct err *e)
{
	const char *by = k->door.frozen_by;

	if (!k->frozen || a->moderates || strcmp(by, a->who.user) == 0)
		return 0;
	err_set(e, ERR_DENIED, 0, "session %s was frozen by %s", k->start->id, by);
	err_why(e, "%s lacks the right \"moderate\", and so thaws only what %s froze", a->who.user,
	    a->who.user);
	return err_hint(e, "ask %s; coral kill %s ends it", by, k->start->id);
}

static json_t *
freeze_session(struct keeper *k, const struct control_ask *a, bool on, struct err *e)
{
	bool was = k->frozen;

	if (!on && may_thaw(k, a, e) < 0)
		return NULL;
	if (keeper_freeze(k, a->who.user, on, e) < 0)
		return NULL;
	if (on && was && a->moderates)
		keeper_freeze_anew(k, a->who.user);
	return json_pack("{s:s, s:b, s:b}", "id", k->start->id, "frozen", on, "was", was);
}

/* The keeper's part takes the stream. */
static json_t *
add_client(struct keeper *k, struct control_ask *a, struct err *e)
{
	bool anew = a->req.token[0] == '\0';

	if (keeper_client_add(k, a, e) < 0)
		return NULL;
	/* Who comes back to a session that nobody used for long has not been idle. */
	if (anew && a->req.verb != REQ_WATCH)
		keeper_typed(k);
	if (anew)
		keeper_limits_again(k);
	return json_pack("{s:s}", "taken", k->start->id);
}

static json_t *
do_it(struct keeper *k, struct control_ask *a, struct err *e)
{
	enum request_verb v = a->req.verb;

	if (v == REQ_SESSIONS)
		return status(k);
	if (v == REQ_ATTACH || v == REQ_WATCH || v == REQ_JOIN)
		return add_client(k, a, e);
	/* Nobody waits any more for who may come back to what has ended. */
	if (v == REQ_KILL && k->phase == KEEPER_TELLING && !keeper_client_is_here(k->owner)) {
		keeper_await_no_more(k);
		return json_pack("{s:s}", "ending", k->start->id);
	}
	if (k->phase != KEEPER_RUNNING) {
		is_over(k, e);
		return NULL;
	}
	return v == REQ_KILL ? kill_session(k, a) : freeze_session(k, a, v == REQ_FREEZE, e);
}

static void
knocked(void *arg, short revents)
{
	struct keeper *k = arg;
	struct control_ask a;
	struct err e = {0};
	int fd = control_accept(k->door.fd, &a);
	json_t *answer;

	(void)revents;
	if (fd < 0)
		return;
	answer = do_it(k, &a, &e);
	if (!answer && e.code == ERR_NONE)
		err_set(&e, ERR_INTERNAL, 0, "cannot answer");
	control_answer(fd, answer, &e);
	json_decref(answer);
	control_ask_fini(&a);
}

int
keeper_door_open(struct keeper *k, struct err *e)
{
	k->door.fd = control_listen(k->start->conf, k->start->id, e);
	if (k->door.fd < 0)
		return -1;
	k->door.src = loop_add_in(k->loop, k->door.fd, knocked, k);
	return 0;
}

void
keeper_door_close(struct keeper *k)
{
	loop_del(&k->door.src);
	control_close(k->start->conf, k->start->id, &k->door.fd);
}
