/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_SERVER_STOCK_INT_H
#define CORAL_TRANSPORT_SERVER_STOCK_INT_H

#include "transport/server_int.h"

struct stock {
	struct request req; /* until it is asked */
	struct buf wire;    /* frames for the keeper */
	struct buf text;    /* lines for the peer's stderr, before anything else */
	uint64_t credit, sent;
	size_t frame_off; /* of the first frame in c->out, delivered */
	uint16_t size[4]; /* rows, cols, xpixel, ypixel */
	bool tty, winch, eof_sent;
	bool blocked; /* the first frame in c->out waits for the peer */
	bool over;    /* status is known */
	bool told;    /* and was sent */
	int status;
};

/* server_stock_text.c: what a person reads. */
void stock_say_error(struct stock *st, const struct err *e);
void stock_say_line(struct stock *st, const void *p, size_t n);
/* Why the session goes on without this client: FR_LEFT. */
void stock_say_left(struct stock *st, const void *json, size_t n);
/* What a session failed of, if it did, and its exit status: of a FR_RESULT. */
void stock_say_failure(struct stock *st, const void *json, size_t n);
int stock_status_of(const void *json, size_t n);
/* "INT" -> 2; 0 unknown. */
int stock_signal_number(const char *name);

#endif
