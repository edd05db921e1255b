/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/run_int.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"

#define FIRST_PAUSE (NS_PER_S / 10)
#define LONGEST_PAUSE (10 * NS_PER_S)
#define SHOW_AFTER (1 * NS_PER_S)
#define ANSWER_WITHIN (15 * NS_PER_S)
/* How long the agent keeps a session is its policy: we do not try for ever. */
#define GIVE_UP_AFTER (3600 * NS_PER_S)
/* A connection that lasts less long is one more that failed; but the first ones are forgiven: */
#define STEADY (30 * NS_PER_S)
#define FLAPS_A_TRY 3

static void try_now(void *arg);

bool
client_run_returns(const struct client_run *s)
{
	return s->state == RUN_OPEN && (s->link.s.keeps || client_run_guest(s)) && s->io->again &&
	       s->id[0];
}

int
client_run_give_up(struct client_run *s)
{
	err_set(s->e, ERR_TRANSPORT, 0, "the connection to the agent is lost");
	err_why(s->e, "%s%s%s", s->away.why.what, s->away.why.why[0] ? ": " : "", s->away.why.why);
	if (!client_run_guest(s))
		err_why(s->e, "; the agent keeps the session %s for now", s->id);
	return err_hint(s->e, "coral %s %s%s",
	    client_run_guest(s) ? request_verb_name(s->req->verb) : "attach",
	    s->io->reach ? s->io->reach : "", s->id);
}

/* Nobody has to try again: the agent, or a key, refuses. */
static int
refused(struct client_run *s, const struct err *why)
{
	err_set(s->e, ERR_TRANSPORT, 0, "the connection was lost, and there is no way back");
	err_why(s->e, "%s%s%s", why->what, why->why[0] ? ": " : "", why->why);
	return err_hint(s->e, "%s",
	    why->code == ERR_NO_SESSION ? "coral sessions; the recording tells how far it came"
	    : why->hint[0]		? why->hint
					: "coral sessions");
}

static bool
may_pass(const struct err *why)
{
	switch (why->code) {
	case ERR_TRANSPORT:
	case ERR_TIMEOUT:
	case ERR_LIMIT:
	case ERR_IO:
	case ERR_INTERNAL:
		return true;
	default:
		return false;
	}
}

/* Whether there is a row to write on, and to have painted again afterwards. */
static bool
has_line(const struct client_run *s)
{
	return s->raw && isatty(s->io->out);
}

static void
show(void *arg)
{
	struct client_run *s = arg;
	char text[100];

	snprintf(text, sizeof(text), "connection lost, trying again (%lld s); ^C gives up",
	    (long long)((clock_mono() - s->away.since) / NS_PER_S));
	if (has_line(s))
		client_line_show(s, text);
	else if (!s->away.shown)
		client_run_notice(s, "connection lost, trying again", 29);
	s->away.shown = true;
	loop_timer_set(s->loop, &s->away.line, NS_PER_S, show, s);
}

/* Between half of it and all of it: those whom one network lost do not come back at once. */
static int64_t
pause_before(unsigned tries)
{
	int64_t ns = tries < 7 ? FIRST_PAUSE << tries : LONGEST_PAUSE;
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) < 0)
		r = (uint32_t)clock_mono();
	return ns / 2 + (int64_t)(r % 1024) * (ns / 2 / 1024);
}

void
client_run_go_away(struct client_run *s, const struct err *why)
{
	struct client_away *a = &s->away;

	loop_del(&s->net);
	client_link_drop(&s->link);
	s->lost = false;
	a->why = *why;
	/* Who was leaving anyway has left. */
	if (s->parting) {
		client_run_part(s, client_run_guest(s) ? "left" : "detached");
		return;
	}
	if (!a->since) {
		a->since = clock_mono();
		a->flaps = a->back && a->since - a->back < STEADY ? a->flaps + 1 : 0;
		a->tries = a->flaps / FLAPS_A_TRY;
		loop_timer_set(s->loop, &a->line, SHOW_AFTER, show, s);
	}
	if (clock_mono() - a->since > GIVE_UP_AFTER) {
		client_run_give_up(s);
		client_run_fail(s);
		return;
	}
	loop_timer_set(s->loop, &a->again, pause_before(a->tries++), try_now, s);
}

static void
no_answer(void *arg)
{
	struct client_run *s = arg;
	struct err why;

	err_set(&why, ERR_TRANSPORT, 0, "the agent does not answer");
	client_run_go_away(s, &why);
}

static int
ask(struct client_run *s, struct tp_client *c)
{
	uint16_t size[4];
	struct request r;
	struct err e;
	int rc;

	request_init(&r);
	r.verb = client_run_guest(s) ? s->req->verb : REQ_ATTACH;
	r.resumable = s->link.s.keeps;
	r.tty = s->link.s.keeps || s->req->tty;
	str_copy(r.id, s->id, sizeof(r.id));
	str_copy(r.token, s->token, sizeof(r.token));
	str_copy(r.term, s->req->term, sizeof(r.term));
	str_copy(r.client, s->req->client, sizeof(r.client));
	r.received = s->link.s.arrived;
	client_run_size(s, size);
	r.rows = s->rows = size[0];
	r.cols = s->cols = size[1];
	r.xpixel = size[2];
	r.ypixel = size[3];
	rc = client_link_again(&s->link, c, &r, &e);
	explicit_bzero(r.token, sizeof(r.token));
	request_fini(&r);
	if (rc < 0) {
		client_run_go_away(s, &e);
		return 0;
	}
	return client_run_listen(s);
}

static void
on_dialed(void *arg, short revents)
{
	struct client_run *s = arg;
	struct client_away *a = &s->away;
	struct tp_client *c;
	struct err why;

	(void)revents;
	loop_del(&a->dialed);
	c = client_dial_take(steal_ptr(&a->dial), &why);
	if (!c && may_pass(&why)) {
		client_run_go_away(s, &why);
		return;
	}
	if (!c ? refused(s, &why) < 0 : ask(s, c) < 0) {
		client_run_fail(s);
		return;
	}
	if (!s->link.c)
		return;
	loop_timer_set(s->loop, &a->again, ANSWER_WITHIN, no_answer, s);
	client_run_pump(s);
}

static void
try_now(void *arg)
{
	struct client_run *s = arg;
	struct client_away *a = &s->away;
	struct err why;

	a->dial = client_dial_start(s->io->again, s->io->again_arg);
	if (a->dial)
		a->dialed = loop_add_in(s->loop, client_dial_fd(a->dial), on_dialed, s);
	if (a->dialed)
		return;
	client_dial_abandon(steal_ptr(&a->dial));
	err_set(&why, ERR_LIMIT, 0, "cannot dial the agent");
	client_run_go_away(s, &why);
}

/* Connected again; `painted`: the agent sends a repaint anyway. */
static int
return_to(struct client_run *s, bool painted)
{
	struct client_away was = s->away;
	uint16_t size[4];
	char text[100];

	loop_timer_clear(s->loop, &s->away.again);
	loop_timer_clear(s->loop, &s->away.line);
	if (was.shown)
		client_line_hide(s);
	s->away = (struct client_away){.back = clock_mono(), .flaps = was.flaps};
	if (client_run_pulse(s) < 0)
		return err_set(s->e, ERR_INTERNAL, 0, "cannot start the session's clock");
	if (was.dropped) {
		snprintf(text, sizeof(text),
		    "%llu bytes typed meanwhile were too many, and are lost",
		    (unsigned long long)was.dropped);
		client_run_notice(s, text, strlen(text));
	}
	if (client_run_size(s, size) && (size[0] != s->rows || size[1] != s->cols) &&
	    client_run_send_size(s) < 0)
		return -1;
	if (painted || !(was.stale || (was.shown && has_line(s))))
		return 0;
	return client_run_send(s, FR_REPAINT, NULL, 0);
}

static int
resumed(struct client_run *s, const struct frame *f)
{
	struct err e;

	if (client_link_resume(&s->link, f, &e) < 0) {
		if (e.code != ERR_TRANSPORT) {
			*s->e = e;
			return -1;
		}
		client_run_lost(s, &e);
	}
	return return_to(s, false);
}

/* Nobody kept anything for us: we are a newcomer once more. */
static int
readmitted(struct client_run *s, const struct frame *f)
{
	static const char gap[] = "connected again; what came meanwhile is left out";
	struct err e;

	if (client_link_renew(&s->link, f, &e) < 0) {
		if (e.code != ERR_TRANSPORT) {
			*s->e = e;
			return -1;
		}
		client_run_lost(s, &e);
	}
	s->gap = true;
	s->part = 0;
	s->sent = 0;
	s->credit = FRAME_CREDIT;
	if (!s->tty)
		client_run_notice(s, gap, sizeof(gap) - 1);
	return return_to(s, true);
}

/* We were away for longer than the agent keeps what it sends. */
static int
reopened(struct client_run *s, const struct frame *f)
{
	json_t *j = client_run_object(f, "answer", s->e);
	const char *token = json_str(j, "resume");
	int64_t received = json_int(j, "received", -1);
	struct err e = {0};
	int rc = 0;

	if (!j)
		return -1;
	if (!client_is_token(token) || received < 0)
		rc = err_set(s->e, ERR_PROTOCOL, 0, "the agent's answer cannot be read");
	else
		str_copy(s->token, token, sizeof(s->token));
	json_decref(j);
	if (rc < 0)
		return -1;
	if (client_link_restart(&s->link, f, (uint64_t)received, &e) < 0) {
		if (e.code != ERR_TRANSPORT) {
			*s->e = e;
			return -1;
		}
		client_run_lost(s, &e);
	}
	s->part = 0;
	s->gap = true;
	return return_to(s, true);
}

static int
on_error(struct client_run *s, const struct frame *f)
{
	struct err why;

	if (!err_decode(&why, f->data, f->len))
		return err_set(
		    s->e, ERR_PROTOCOL, 0, "the agent sent an error that cannot be read");
	if (!may_pass(&why))
		return refused(s, &why);
	client_run_go_away(s, &why);
	return 0;
}

int
client_run_answer(struct client_run *s)
{
	struct frame f;
	int rc = client_link_answer(&s->link, &f, s->e);

	if (rc <= 0)
		return rc;
	switch (f.type) {
	case FR_RESUMED:
		return resumed(s, &f);
	case FR_OPENED:
		return client_run_guest(s) ? readmitted(s, &f) : reopened(s, &f);
	case FR_ERROR:
		return on_error(s, &f);
	default:
		return err_set(
		    s->e, ERR_PROTOCOL, 0, "the agent answered with frame %u out of turn", f.type);
	}
}

void
client_run_away_end(struct client_run *s)
{
	if (s->away.shown)
		client_line_hide(s);
	loop_del(&s->away.dialed);
	client_dial_abandon(steal_ptr(&s->away.dial));
}
