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
grant_more(struct keeper *k)
{
	uint64_t total = k->input_written + FRAME_CREDIT;
	unsigned char wire[8];

	if (total < k->input_granted + CREDIT_STEP || k->stream < 0)
		return;
	for (int i = 0; i < 8; i++)
		wire[i] = (unsigned char)(total >> (56 - 8 * i));
	if (frame_put(&k->out, FR_CREDIT, wire, sizeof wire) < 0)
		return; /* the way out is full: the next write grants */
	k->input_granted = total;
	keeper_flush_out(k);
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
	grant_more(k);
	if (k->input_eof && k->input_q.len == 0 && k->input >= 0)
		end_input(k);
}

static int
take_stdin(struct keeper *k, const struct frame *f)
{
	struct err e = {0};

	if (k->input_received + f->len > k->input_granted || k->input_eof)
		return -1;
	if (k->rules.record_input && !(k->master >= 0 && pty_is_secret(k->master)) &&
	    cast_data(k->cast, CAST_STDIN, clock_mono(), f->data, f->len, &e) < 0) {
		keeper_record_trouble(k, &e);
		return TAKE_LATER;
	}
	k->input_received += f->len;
	k->input_last = f->data[f->len - 1];
	if (buf_put(&k->input_q, f->data, f->len) < 0)
		return -1;
	keeper_write_input(k);
	return 0;
}

static int
take(struct keeper *k, const struct frame *f)
{
	switch (f->type) {
	case FR_STDIN:
		return take_stdin(k, f);
	case FR_STDIN_EOF:
		if (!k->input_eof)
			cast_event(k->cast, clock_mono(), "stdin_eof", NULL, NULL);
		k->input_eof = true;
		keeper_write_input(k);
		return 0;
	case FR_WINCH:
		return keeper_take_winch(k, f);
	case FR_SIGNAL:
		return keeper_take_signal(k, f);
	case FR_BYE:
		if (k->phase == KEEPER_TELLING)
			keeper_client_lost(k);
		return 0;
	default:
		return -1;
	}
}

void
keeper_take_frames(struct keeper *k)
{
	struct frame f;
	int rc = 0;

	while (k->stream >= 0 && (rc = frame_peek(&k->in, &f)) > 0) {
		/* After the end only the farewell counts; the rest crossed it on the way. */
		bool late = k->phase >= KEEPER_TELLING && f.type != FR_BYE;

		rc = late ? 0 : take(k, &f);
		if (rc != 0 || k->stream < 0)
			break;
		frame_drop(&k->in, &f);
	}
	/* Half of a frame for which there will never be room: nothing would be heard any more, not
	 * even the client's end. */
	if (rc == 0 && buf_room(&k->in) < FRAME_DATA_MAX + FRAME_HEAD)
		rc = -1;
	if (rc < 0 && k->stream >= 0) {
		log_warn("the client broke the session protocol");
		keeper_client_lost(k);
	}
}
