/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "pty/pty.h"
#include "screen/answer.h"
#include "session/keeper_int.h"

/* Grant in steps, so that bulk input costs one frame back per step. */
#define CREDIT_STEP (FRAME_CREDIT / 4)

void
keeper_grant(struct keeper_client *c, bool anew)
{
	size_t queued = c->k->input_q.len + c->typed.len;
	/* What waits may be another's who had the keyboard before: then it is granted later. */
	size_t waits = queued < c->input_received ? queued : (size_t)c->input_received;
	uint64_t total = c->input_received - waits + FRAME_CREDIT;
	unsigned char wire[8];

	/* Without room the next write grants. */
	if (c->fd < 0 || buf_room(&c->s.out) < KEEPER_OUT_RESERVE ||
	    (total < c->input_granted + CREDIT_STEP && !anew))
		return;
	if (total > c->input_granted)
		c->input_granted = total;
	for (int i = 0; i < 8; i++)
		wire[i] = (unsigned char)(c->input_granted >> (56 - 8 * i));
	keeper_client_put(c, FR_CREDIT, wire, sizeof wire);
}

static void
close_input(struct keeper *k)
{
	loop_del(&k->input_src);
	if (k->input != k->master)
		fd_close(&k->input);
	k->input = -1;
}

/* Asked anew each time: the command may turn the echo off and on as it likes. */
static int
record(struct keeper *k, const unsigned char *p, size_t n, struct err *e)
{
	int64_t now = clock_mono();

	if (k->master >= 0 && pty_is_secret(k->master)) {
		if (!cast_seals(k->cast) && !k->rules.record_input)
			return 0;
		keeper_sync_later(k);
		return cast_secret(k->cast, now, p, n, e);
	}
	if (cast_secret_end(k->cast, now, e) < 0)
		return -1;
	return k->rules.record_input ? cast_data(k->cast, CAST_STDIN, now, p, n, e) : 0;
}

/* Into the record, and on its way to the command; false: not now. */
static bool
feed(struct keeper *k, const unsigned char *p, size_t n)
{
	struct err e = {0};

	if (k->blocked_since || k->record_broken || !buf_tail(&k->input_q, n))
		return false;
	if (record(k, p, n, &e) < 0) {
		keeper_record_trouble(k, &e);
		return false;
	}
	k->input_last = p[n - 1];
	return buf_put(&k->input_q, p, n) == 0;
}

static void
end_of_typing(struct keeper *k)
{
	if (!k->input_eof)
		cast_event(k->cast, clock_mono(), "stdin_eof", NULL, NULL);
	k->input_eof = true;
}

/* What found no room behind what was typed before; true: some of it did. */
static bool
feed_typed(struct keeper_client *c)
{
	struct keeper *k = c->k;
	size_t before = c->typed.len;

	if (k->input_eof)
		buf_clear(&c->typed);
	while (c->typed.len > 0) {
		size_t n = c->typed.len < FRAME_DATA_MAX ? c->typed.len : FRAME_DATA_MAX;

		if (!feed(k, buf_head(&c->typed), n))
			break;
		buf_consume(&c->typed, n);
	}
	if (before > 0 && c->typed.len == 0) {
		keeper_input_forget(c);
		if (c->input_eof)
			end_of_typing(k);
	}
	return c->typed.len < before;
}

/* A megabyte that is seldom needed. */
void
keeper_input_forget(struct keeper_client *c)
{
	buf_fini(&c->typed);
	buf_init(&c->typed, FRAME_CREDIT);
}

static void
write_queue(struct keeper *k)
{
	while (k->input_q.len > 0 && k->input >= 0 && !k->frozen) {
		ssize_t n = buf_write_fd(&k->input_q, k->input);

		if (n > 0) {
			k->input_written += (uint64_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			close_input(k);
		break;
	}
	if (k->input < 0) {
		/* The command closed its stdin: what comes is taken and dropped, as a pipe would.
		 */
		k->input_written += k->input_q.len;
		buf_clear(&k->input_q);
	}
}

void
keeper_write_input(struct keeper *k)
{
	do
		write_queue(k);
	while (k->keyboard && feed_typed(k->keyboard));
	if (k->keyboard)
		keeper_grant(k->keyboard, false);
	if (k->input_eof && k->input_q.len == 0 && k->input >= 0 &&
	    (k->input != k->master || keeper_eof(k)))
		close_input(k);
}

void
keeper_reopen_input(struct keeper *k)
{
	if (k->master < 0 || k->input >= 0)
		return;
	k->input = k->master;
	k->input_eof = false;
	loop_timer_clear(k->loop, &k->t_eof);
	keeper_watch_input(k);
}

/* Keys of somebody who does not type here. */
static int
drop_stdin(struct keeper_client *c, const struct frame *f)
{
	struct keeper *k = c->k;

	c->input_received += f->len;
	keeper_grant(c, false);
	if (c->told_deaf || screen_answers_only(f->data, f->len))
		return 0;
	c->told_deaf = true;
	if (c->role == KEEPER_WATCHING)
		keeper_tell(c, "you look on: what you type goes nowhere");
	else if (c == k->keyboard)
		keeper_tell(c, "the command's standard input has ended");
	else
		keeper_tell(c, "%s has the keyboard: ~k asks for it",
		    k->keyboard ? k->keyboard->user : "nobody");
	return 0;
}

static int
take_stdin(struct keeper_client *c, const struct frame *f)
{
	struct keeper *k = c->k;

	if (c->input_received + f->len > c->input_granted || c->input_eof)
		return -1;
	if (c != k->keyboard || k->input_eof)
		return drop_stdin(c, f);
	c->input_received += f->len;
	c->last_typed = clock_mono();
	keeper_typed(k);
	/* What comes behind it is heard, whether the command reads or not. */
	if ((c->typed.len > 0 || !feed(k, f->data, f->len)) &&
	    buf_put(&c->typed, f->data, f->len) < 0)
		return -1;
	keeper_write_input(k);
	return 0;
}

static void
take_eof(struct keeper_client *c)
{
	struct keeper *k = c->k;

	c->input_eof = true;
	if (c != k->keyboard || c->typed.len > 0)
		return;
	end_of_typing(k);
	keeper_write_input(k);
}

static void
leave(struct keeper_client *c)
{
	struct keeper *k = c->k;
	bool owner = c->role == KEEPER_OWNER, typed = c == k->keyboard;
	json_t *why =
	    json_pack("{s:s, s:s}", "why", owner ? "detached" : "left", "id", k->start->id);

	keeper_note_client(c, owner ? "detached" : "left", owner ? "asked" : NULL);
	keeper_tell_others(k, c, owner ? "%s has detached" : "%s has left", c->user);
	keeper_client_leave(c, why);
	json_decref(why);
	if (owner)
		keeper_left_alone(k);
	else if (typed)
		keeper_give_keyboard(k, k->owner);
}

static void
take_detach(struct keeper_client *c)
{
	if (c->role != KEEPER_OWNER || c->k->rules.disconnect == REQ_DISC_DETACH)
		leave(c);
	else
		keeper_tell(c, "this session ends with its connection: ~. leaves and ends it");
}

static void
take_hangup(struct keeper_client *c)
{
	if (c->role != KEEPER_OWNER) {
		leave(c);
		return;
	}
	/* It waits for the end, or goes for good. */
	keeper_token_drop(c);
	keeper_stop(c->k, "disconnected", SIGHUP);
}

static int
take_received(struct keeper_client *c, const struct frame *f)
{
	/* After a gap one may be under way that speaks of the stream before it. */
	if (stream_acknowledged(&c->s, f) < 0 && !c->restarted)
		return -1;
	keeper_client_flush(c);
	/* What a burst grew is of no use from here on. */
	if (c->s.out.len == 0 && c->s.out.cap > KEEPER_OUT_MAX)
		keeper_tidy_later(c->k, c->s.out.cap);
	return 0;
}

/* What has nothing to do with the command. */
static int
take_own(struct keeper_client *c, const struct frame *f)
{
	bool tty = c->k->req->tty;

	switch (f->type) {
	case FR_PING:
		c->tell_later = true;
		return 0;
	case FR_RECEIVED:
		return take_received(c, f);
	case FR_DETACH:
		take_detach(c);
		return 0;
	case FR_HANGUP:
		take_hangup(c);
		return 0;
	case FR_WHO:
		keeper_who(c);
		return 0;
	case FR_KEYBOARD:
		if (tty)
			keeper_ask_keyboard(c);
		return 0;
	case FR_REPAINT:
		if (tty)
			keeper_paint(c, PAINTER_SCREEN);
		return 0;
	default:
		return -1;
	}
}

static int
take(struct keeper_client *c, const struct frame *f)
{
	switch (f->type) {
	case FR_STDIN:
		return take_stdin(c, f);
	case FR_STDIN_EOF:
		take_eof(c);
		return 0;
	case FR_WINCH:
		return keeper_take_winch(c, f);
	case FR_SIGNAL:
		return c == c->k->keyboard ? keeper_take_signal(c->k, f) : 0;
	case FR_BYE:
		return 0;
	default:
		return take_own(c, f);
	}
}

/* After the end only the farewell counts; the rest crossed it on the way. */
static int
take_late(struct keeper_client *c, const struct frame *f)
{
	if (f->type == FR_BYE)
		keeper_client_drop(c);
	return f->type == FR_PING || f->type == FR_RECEIVED ? take_own(c, f) : 0;
}

static bool
is_heard(const struct keeper_client *c)
{
	return !c->gone && !c->leaving;
}

void
keeper_take_frames(struct keeper_client *c)
{
	struct frame f;
	int rc = 0;

	while (is_heard(c) && (rc = frame_peek(&c->in, &f)) > 0) {
		stream_heard(&c->s, &f);
		rc = c->k->phase >= KEEPER_TELLING ? take_late(c, &f) : take(c, &f);
		if (rc != 0 || !is_heard(c))
			break;
		frame_drop(&c->in, &f);
	}
	if (!is_heard(c)) {
		buf_clear(&c->in);
		return;
	}
	/* One answer to all that were asked in one breath. */
	if (c->tell_later)
		keeper_client_flush(c);
	/* Half of a frame for which there will never be room: nothing would be heard any more, not
	 * even the client's end. */
	if (rc == 0 && buf_room(&c->in) < FRAME_DATA_MAX + FRAME_HEAD)
		rc = -1;
	if (rc < 0) {
		log_warn("a client broke the session protocol");
		keeper_token_drop(c);
		keeper_client_lost(c);
	}
}
