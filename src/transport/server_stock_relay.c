/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server_stock_int.h"

#include <errno.h>
#include <sys/socket.h>

/* Chunks a turn, so that one busy channel does not starve the others. */
#define CHUNKS 8

static void
flush_wire(struct chan *c)
{
	struct buf *w = &c->stock->wire;
	ssize_t put;

	if (c->keeper_deaf)
		buf_clear(w);
	if (!w->len)
		return;
	put = send(c->fd, buf_head(w), w->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (put > 0) {
		buf_consume(w, (size_t)put);
	} else if (put < 0 && errno != EAGAIN && errno != EINTR) {
		c->keeper_deaf = true;
		buf_clear(w);
	}
}

/* Standard input as frames, within the credit; how much was taken. */
static size_t
feed(struct chan *c, const unsigned char *p, size_t n)
{
	struct stock *st = c->stock;
	size_t took = 0;

	flush_wire(c);
	while (took < n && !st->wire.len && !c->keeper_deaf) {
		uint64_t left = st->credit - st->sent;
		size_t k = n - took < FRAME_DATA_MAX ? n - took : FRAME_DATA_MAX;

		if (k > left)
			k = (size_t)left;
		if (k == 0 || frame_put(&st->wire, FR_STDIN, p + took, k) < 0)
			break;
		st->sent += k;
		took += k;
		flush_wire(c);
	}
	return c->keeper_deaf ? n : took;
}

int
stock_on_data(struct chan *c, const void *data, uint32_t len)
{
	size_t took = 0;

	if (c->state == CH_STREAM && !c->held.len)
		took = feed(c, data, len);
	c->waiting = len - took;
	return (int)took;
}

bool
stock_wants_out(const struct chan *c)
{
	const struct stock *st = c->stock;

	return st->wire.len || ((c->held.len || c->waiting) && st->credit > st->sent);
}

bool
stock_wants_in(const struct chan *c)
{
	/* A frame that did not go out whole stays; nothing is read on top of it. */
	return !c->stock->blocked && !c->stock->text.len && !c->stock->over;
}

static void
put_winch(struct stock *st)
{
	unsigned char be[8];

	for (int i = 0; i < 4; i++) {
		be[2 * i] = (unsigned char)(st->size[i] >> 8);
		be[2 * i + 1] = (unsigned char)st->size[i];
	}
	st->winch = frame_put(&st->wire, FR_WINCH, be, sizeof(be)) < 0;
}

void
stock_to_keeper(struct chan *c)
{
	struct stock *st = c->stock;

	if (st->winch)
		put_winch(st);
	flush_wire(c);
	if (!c->held.len && c->waiting && !st->wire.len && st->credit > st->sent)
		chan_take(c);
	if (c->held.len)
		buf_consume(&c->held, feed(c, buf_head(&c->held), c->held.len));
	if (c->peer_eof && !c->held.len && !c->waiting && !st->eof_sent &&
	    frame_put(&st->wire, FR_STDIN_EOF, NULL, 0) == 0) {
		st->eof_sent = true;
		flush_wire(c);
	}
}

static void
broken(struct chan *c, enum err_code code, const char *why)
{
	struct err e;

	err_set(&e, code, 0, "the session ended without a result");
	err_why(&e, "%s", why);
	err_hint(&e, "coral sessions shows what was recorded of it");
	stock_fail(c, &e);
}

static void
take_credit(struct chan *c, const struct frame *f)
{
	struct rd r = {.p = f->data, .n = f->len};
	uint64_t credit = rd_u64(&r);

	if (credit < c->stock->credit)
		broken(c, ERR_PROTOCOL, "its credit went down");
	else
		c->stock->credit = credit;
}

static void
take_error(struct chan *c, const struct frame *f)
{
	struct err e;

	if (err_decode(&e, f->data, f->len))
		stock_fail(c, &e);
	else
		broken(c, ERR_PROTOCOL, "it sent an error that cannot be read");
}

/* A frame that carries no bytes of the command. */
static void
take_control(struct chan *c, const struct frame *f)
{
	struct stock *st = c->stock;

	switch (f->type) {
	case FR_OPENED:
	case FR_RECEIVED:
		break;
	case FR_CREDIT:
		take_credit(c, f);
		break;
	case FR_NOTICE:
		stock_say_line(st, f->data, f->len);
		break;
	case FR_RESULT:
		st->status = stock_status_of(f->data, f->len);
		stock_say_failure(st, f->data, f->len);
		st->over = true;
		frame_put(&st->wire, FR_BYE, NULL, 0);
		flush_wire(c);
		break;
	case FR_LEFT:
		stock_say_left(st, f->data, f->len);
		st->status = 255;
		st->over = true;
		break;
	case FR_ERROR:
		take_error(c, f);
		break;
	default:
		broken(c, ERR_PROTOCOL, "it sent a frame that does not belong here");
	}
}

/* Text and the status go before and after everything else. */
static bool
tell(struct chan *c)
{
	struct stock *st = c->stock;

	if (st->text.len)
		buf_consume(&st->text, chan_write(c, buf_head(&st->text), st->text.len, true));
	if (st->text.len)
		return false;
	if (st->over && !st->told && !c->peer_closed) {
		ssh_channel_request_send_exit_status(c->ssh, st->status);
		st->told = true;
	}
	return !st->over;
}

/* What is in c->out, as far as the peer takes it.  true: more may be read. */
static bool
deliver(struct chan *c)
{
	struct stock *st = c->stock;
	struct frame f;
	int rc;

	while (tell(c)) {
		rc = frame_peek(&c->out, &f);
		if (rc == 0)
			return true;
		if (rc < 0) {
			broken(c, ERR_PROTOCOL, "it sent what is no frame");
			continue;
		}
		if (f.type == FR_STDOUT || f.type == FR_STDERR || f.type == FR_SCREEN) {
			st->frame_off += chan_write(
			    c, f.data + st->frame_off, f.len - st->frame_off, f.type == FR_STDERR);
			st->blocked = st->frame_off < f.len;
			if (st->blocked)
				return false;
			st->frame_off = 0;
		} else {
			take_control(c, &f);
		}
		frame_drop(&c->out, &f);
	}
	return false;
}

void
stock_from_keeper(struct chan *c)
{
	int chunks = CHUNKS;
	ssize_t n;

	while (deliver(c) && c->state == CH_STREAM && chunks-- > 0) {
		if (c->keeper_eof) {
			broken(c, ERR_TRANSPORT, "the keeper of the session is gone");
			continue;
		}
		n = chan_room(c) ? buf_read_fd(&c->out, c->fd, CHUNK) : 0;
		if (n == 0 && !chan_room(c))
			return;
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			c->keeper_eof = true;
		else if (n < 0)
			return;
	}
}
