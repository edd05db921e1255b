/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLIENT_ESCAPE_H
#define CORAL_CLIENT_ESCAPE_H

/*
 * The escapes in what a person types: a character, "~", as the first one of a
 * line, and one more that says what to do.  Nothing in a line, nothing in a
 * paste; what the terminal itself answers to a program is no part of a line.
 * Pure: bytes and times go in, bytes and a wish come out.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_ESCAPE_NONE (-1)
#define CLIENT_ESCAPE_DEFAULT '~'
/* More than this in one read was not typed, nor is what follows within a moment. */
#define CLIENT_ESCAPE_TYPED 16
#define CLIENT_ESCAPE_MOMENT (50 * 1000000LL)

enum client_wish {
	WISH_NOTHING,
	WISH_QUIT,
	WISH_DETACH,
	WISH_KEYBOARD,
	WISH_WHO,
	WISH_SUSPEND,
	WISH_HELP,
};

struct client_escape {
	int ch;		/* or CLIENT_ESCAPE_NONE */
	bool first;	/* the next character is the first one of a line */
	bool held;	/* ch came, and waits for the next */
	bool pasting;	/* between the marks of a bracketed paste */
	uint8_t marked; /* bytes of such a mark that came */
	int64_t pasted; /* when the last long read came, or 0 */
};

void client_escape_init(struct client_escape *s, int ch);
/*
 * Take p[0..n), read at `now` in one piece of `whole` bytes (>= n: the caller
 * comes back with the rest after a wish).  What is to go on is put at `out`,
 * which holds n+1 bytes, *put of them.  Returns how much of p was taken: all,
 * or up to the end of an escape, and then *wish says which.
 */
size_t client_escape_take(struct client_escape *s, const unsigned char *p, size_t n, size_t whole,
    int64_t now, unsigned char *out, size_t *put, enum client_wish *wish);

#endif
