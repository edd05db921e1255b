/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "pty/pty.h"
#include "session/keeper_int.h"

/* What take() may say beside 0 and -1: not now, the frame stays where it is. */
#define TAKE_LATER 1

/* Grant in steps, so that bulk input costs one frame back per step. */
#define CREDIT_STEP (FRAME_CREDIT / 4)

static void
grant_more(struct keeper_client *c)
{
	const struct buf *q = &c->k->input_q;
	/* What waits may be another's who had the keyboard before: then it is granted later. */
	size_t waits = q->len < c->input_received ? q->len : (size_t)c->input_received;
	uint64_t total = c->input_received - waits + FRAME_CREDIT;
	unsigned char wire[8];

	if (total < c->input_granted + CREDIT_STEP || c->gone)
		return;
	for (int i = 0; i < 8; i++)
		wire[i] = (unsigned char)(total >> (56 - 8 * i));
	if (stream_put(&c->s, FR_CREDIT, wire, sizeof wire) < 0)
		return; /* the way out is full: the next write grants */
	c->input_granted = total;
	keeper_client_flush(c);
}

static void
close_input(struct keeper *k)
{
	loop_del(&k->input_src);
	if (k->input != k->master)
		fd_close(&k->input);
	k->input = -1;
}

/* End of input on a terminal is what the user would type for it. */
static void
end_input(struct keeper *k)
{
	struct termios t;
	unsigned char eof[2], last = k->input_last;
	size_t n;

	if (k->input == k->master && tcgetattr(k->master, &t) == 0 && (t.c_lflag & ICANON)) {
		eof[0] = eof[1] = t.c_cc[VEOF];
		/* After half a line the first one only hands that over: termios(3). */
		n = last == '\0' || last == '\n' || last == '\r' || last == eof[0] ? 1 : 2;
		if (write(k->master, eof, n) < 0 && errno == EAGAIN)
			return;
	}
	close_input(k);
}

void
keeper_write_input(struct keeper *k)
{
	while (k->input_q.len > 0 && k->input >= 0) {
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
	if (k->keyboard)
		grant_more(k->keyboard);
	if (k->input_eof && k->input_q.len == 0 && k->input >= 0)
		end_input(k);
}

static int
take_stdin(struct keeper_client *c, const struct frame *f)
{
	struct keeper *k = c->k;
	struct err e = {0};

	if (c->input_received + f->len > c->input_granted || c->input_eof)
		return -1;
	if (k->rules.record_input && !(k->master >= 0 && pty_is_secret(k->master)) &&
	    cast_data(k->cast, CAST_STDIN, clock_mono(), f->data, f->len, &e) < 0) {
		keeper_record_trouble(k, &e);
		return TAKE_LATER;
	}
	c->input_received += f->len;
	keeper_typed(k);
	k->input_last = f->data[f->len - 1];
	if (buf_put(&k->input_q, f->data, f->len) < 0)
		return -1;
	keeper_write_input(k);
	return 0;
}

static void
take_eof(struct keeper_client *c)
{
	struct keeper *k = c->k;

	c->input_eof = true;
	if (!k->input_eof)
		cast_event(k->cast, clock_mono(), "stdin_eof", NULL, NULL);
	k->input_eof = true;
	keeper_write_input(k);
}

static int
take(struct keeper_client *c, const struct frame *f)
{
	struct keeper *k = c->k;

	switch (f->type) {
	case FR_STDIN:
		return take_stdin(c, f);
	case FR_STDIN_EOF:
		take_eof(c);
		return 0;
	case FR_WINCH:
		return keeper_take_winch(k, f);
	case FR_SIGNAL:
		return keeper_take_signal(k, f);
	case FR_BYE:
		if (k->phase == KEEPER_TELLING)
			keeper_client_lost(c);
		return 0;
	default:
		return -1;
	}
}

void
keeper_take_frames(struct keeper_client *c)
{
	struct frame f;
	int rc = 0;

	while (!c->gone && (rc = frame_peek(&c->in, &f)) > 0) {
		/* After the end only the farewell counts; the rest crossed it on the way. */
		bool late = c->k->phase >= KEEPER_TELLING && f.type != FR_BYE;

		rc = late ? 0 : take(c, &f);
		if (rc != 0 || c->gone)
			break;
		frame_drop(&c->in, &f);
	}
	/* Half of a frame for which there will never be room: nothing would be heard any more, not
	 * even the client's end. */
	if (rc == 0 && buf_room(&c->in) < FRAME_DATA_MAX + FRAME_HEAD)
		rc = -1;
	if (rc < 0 && !c->gone) {
		log_warn("the client broke the session protocol");
		keeper_client_lost(c);
	}
}

void
keeper_take_all_frames(struct keeper *k)
{
	for (struct keeper_client *c = k->clients; c; c = c->next)
		keeper_take_frames(c);
}
