/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/keeper_int.h"

static void
flush_fired(void *arg)
{
	struct keeper *k = arg;
	struct err e = {0};

	if (k->cast && !k->record_broken && cast_flush(k->cast, clock_mono(), &e) < 0)
		keeper_record_trouble(k, &e);
}

static void
sync_fired(void *arg)
{
	struct keeper *k = arg;
	struct err e = {0};

	if (k->cast && !k->record_broken && cast_sync(k->cast, clock_mono(), true, &e) < 0)
		keeper_record_trouble(k, &e);
}

/* At most 1 s of what is on the way to the disk, and no wake-up in an idle session. */
void
keeper_sync_later(struct keeper *k)
{
	if (k->t_sync.at == 0)
		loop_timer_set(k->loop, &k->t_sync, NS_PER_S - 100 * NS_PER_MS, sync_fired, k);
}

static void
flush_later(struct keeper *k)
{
	int64_t due = cast_flush_due(k->cast);

	if (due > 0 && k->t_flush.at == 0)
		loop_timer_set(k->loop, &k->t_flush, due - clock_mono(), flush_fired, k);
}

/* Where output is read to, and the frame made that goes to the owner. */
static struct buf *
place_of(struct keeper *k)
{
	return k->owner && !k->owner->gap ? &k->owner->s.out : &k->spare;
}

static void
keep_or_send(struct keeper_client *c, enum frame_type type, size_t n)
{
	c->delivered[type == FR_STDERR] += n;
	if (c->fd >= 0)
		keeper_client_flush(c);
	else
		keeper_kept_too_much(c);
}

/* A frame whose payload already stands in its place. */
static void
deliver_in_place(struct keeper_source *s, unsigned char *p, size_t n)
{
	struct keeper *k = s->k;
	struct keeper_client *owner = k->owner;

	p[0] = (unsigned char)s->frame;
	p[1] = (unsigned char)(n >> 16);
	p[2] = (unsigned char)(n >> 8);
	p[3] = (unsigned char)n;
	keeper_fit_sent(k);
	if (owner && !owner->gap)
		buf_added(&owner->s.out, FRAME_HEAD + n);
	for (struct keeper_client *c = k->clients; c && !s->redactor; c = c->next)
		if (c != owner)
			keeper_share(c, p, FRAME_HEAD + n);
	if (owner && !owner->gap)
		keep_or_send(owner, s->frame, n);
	if (s->redactor)
		keeper_redact_share(s);
	for (struct keeper_client *c = k->clients; c; c = c->next)
		if (c->shared) {
			c->shared = false;
			keeper_client_flush(c);
		}
	keeper_catch_up_later(k);
}

static void
hold(struct keeper_source *s, const unsigned char *p, size_t n)
{
	s->held = malloc(n);
	s->held_len = s->held ? n : 0;
	if (s->held)
		memcpy(s->held, p, n);
	else
		s->k->record_broken = true;
}

static int
release_held(struct keeper_source *s, struct err *e)
{
	struct keeper *k = s->k;
	unsigned char *p;

	if (s->redactor && keeper_redact_again(s, e) < 0)
		return -1;
	if (s->redactor)
		keeper_redact_share(s);
	if (!s->held)
		return 0;
	if (!s->redactor &&
	    cast_data(k->cast, s->stream, clock_mono(), s->held, s->held_len, e) < 0)
		return -1;
	p = buf_tail(place_of(k), FRAME_HEAD + s->held_len);
	if (p) {
		memcpy(p + FRAME_HEAD, s->held, s->held_len);
		deliver_in_place(s, p, s->held_len);
	}
	free(steal_ptr(&s->held));
	return 0;
}

static void
give_up_recording(struct keeper *k)
{
	k->record_broken = true;
	k->blocked_since = 0;
	for (size_t i = 0; i < COUNT_OF(k->output); i++)
		free(steal_ptr(&k->output[i].held));
	/* What policy limits was announced: there is time to save a file. */
	if (cast_is_full(k->cast))
		keeper_full(k);
	else
		keeper_stop_now(k, "recording");
}

static void
try_again(void *arg)
{
	struct keeper *k = arg;
	struct err e = {0};

	if (release_held(&k->output[0], &e) == 0 && release_held(&k->output[1], &e) == 0 &&
	    cast_flush(k->cast, clock_mono(), &e) == 0) {
		k->blocked_since = 0;
		keeper_redact_anew(k);
		k->failure.code = ERR_NONE;
		keeper_tell_all(k, "recording works again: the session goes on");
		keeper_write_input(k);
		keeper_maybe_finish(k);
		return;
	}
	if (clock_mono() - k->blocked_since > KEEPER_BLOCK_NS || k->phase != KEEPER_RUNNING)
		give_up_recording(k);
	else
		loop_timer_set(k->loop, &k->t_block, NS_PER_S / 2, try_again, k);
}

#define HELD "recording failed: the session is held until it works again, 30 s at most"

static void
say_held(const struct keeper *k, char *out, size_t size)
{
	if (k->failure.code == ERR_LIMIT)
		snprintf(out, size, "%s: the session is held until there is some, 30 s at most",
		    k->failure.what);
	else
		snprintf(out, size, HELD);
}

void
keeper_tell_held(struct keeper_client *c)
{
	char text[ERR_WHAT_SIZE + 80];

	say_held(c->k, text, sizeof text);
	if (c->k->blocked_since)
		keeper_tell(c, "%s", text);
}

/* The record cannot go on: nothing more is taken from the command until it can, or it ends. */
void
keeper_record_trouble(struct keeper *k, const struct err *e)
{
	char text[ERR_WHAT_SIZE + 80];

	k->failure = *e;
	if (k->record_broken || cast_is_lost(k->cast) || cast_is_full(k->cast) ||
	    !k->rules.on_failure_block || k->phase != KEEPER_RUNNING) {
		give_up_recording(k);
		return;
	}
	if (k->blocked_since)
		return;
	k->blocked_since = clock_mono();
	say_held(k, text, sizeof text);
	keeper_tell_all(k, text);
	loop_timer_set(k->loop, &k->t_block, NS_PER_S / 2, try_again, k);
}

bool
keeper_output_over(const struct keeper *k)
{
	return k->output[0].fd < 0 && k->output[1].fd < 0;
}

static void
source_over(struct keeper_source *s)
{
	struct keeper *k = s->k;

	loop_del(&s->src);
	if (s->fd == k->master) {
		if (k->input == k->master) {
			loop_del(&k->input_src);
			k->input = -1;
		}
		k->master = -1;
	}
	fd_close(&s->fd);
	keeper_maybe_finish(k);
}

void
keeper_output_bound(struct keeper *k)
{
	for (size_t i = 0; i < COUNT_OF(k->output); i++) {
		struct keeper_source *s = &k->output[i];
		int n = 0;

		if (s->fd < 0 || ioctl(s->fd, FIONREAD, &n) < 0)
			continue;
		/* A terminal ends by itself: the kernel hangs it up with its session leader.  But
		 * a neighbour may open it again. */
		s->bounded = true;
		s->left = s->fd == k->master ? KEEPER_LAST_TTY : (size_t)n;
		if (k->owner)
			k->owner->s.out.max +=
			    (s->left < KEEPER_LAST_MAX ? s->left : KEEPER_LAST_MAX) +
			    2 * (FRAME_DATA_MAX + FRAME_HEAD);
		if (s->left == 0)
			source_over(s);
	}
}

static int
record(struct keeper_source *s, const unsigned char *p, size_t n, struct err *e)
{
	if (s->redactor)
		return keeper_redact_take(s, p, n, e);
	return cast_data(s->k->cast, s->stream, s->k->last_output, p, n, e);
}

static void
record_and_send(struct keeper_source *s, unsigned char *p, size_t n)
{
	struct keeper *k = s->k;
	struct err e = {0};

	if (k->record_broken)
		return;
	if (record(s, p + FRAME_HEAD, n, &e) < 0) {
		hold(s, p + FRAME_HEAD, n);
		keeper_record_trouble(k, &e);
		return;
	}
	deliver_in_place(s, p, n);
	keeper_limits_passed(k, n);
	keeper_sync_later(k);
	keeper_tidy_later(k, n);
	flush_later(k);
}

/*
 * Read straight into the place of the frame that will carry it, record, then
 * let it go: bytes that the recorder did not take never become part of it.
 */
void
keeper_output_ready(struct keeper_source *s)
{
	struct keeper *k = s->k;
	unsigned char *p = buf_tail(place_of(k), FRAME_HEAD + FRAME_DATA_MAX);
	size_t piece = keeper_limits_piece(k);
	size_t want = s->bounded && s->left < piece ? s->left : piece;
	ssize_t n;

	if (!p)
		return;
	n = read(s->fd, p + FRAME_HEAD, want);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* EIO: the last slave of a PTY is closed, and all was read */
		source_over(s);
		return;
	}
	k->last_output = clock_mono();
	record_and_send(s, p, (size_t)n);
	if (s->bounded && (s->left -= (size_t)n) == 0)
		source_over(s);
}
