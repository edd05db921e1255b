/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/frame.h"

#include <stdbool.h>
#include <string.h>

/* What each type may carry: [min, max] bytes of payload; max 0 with min 0 is an empty frame. */
static const struct shape {
	bool known;
	uint32_t min, max;
} shapes[] = {
    [FR_OPEN] = {true, 1, FRAME_MAX},
    [FR_STDIN] = {true, 1, FRAME_DATA_MAX},
    [FR_STDIN_EOF] = {true, 0, 0},
    [FR_WINCH] = {true, 8, 8},
    [FR_SIGNAL] = {true, 1, 16},
    [FR_BYE] = {true, 0, 0},
    [FR_PING] = {true, 0, 0},
    [FR_DETACH] = {true, 0, 0},
    [FR_HANGUP] = {true, 0, 0},
    [FR_KEYBOARD] = {true, 0, 0},
    [FR_WHO] = {true, 0, 0},
    [FR_REPAINT] = {true, 0, 0},
    [FR_OPENED] = {true, 2, FRAME_DATA_MAX},
    [FR_STDOUT] = {true, 1, FRAME_DATA_MAX},
    [FR_STDERR] = {true, 1, FRAME_DATA_MAX},
    [FR_CREDIT] = {true, 8, 8},
    [FR_NOTICE] = {true, 1, FRAME_DATA_MAX},
    [FR_RESULT] = {true, 2, FRAME_DATA_MAX},
    [FR_ERROR] = {true, 1, ERR_WIRE_MAX},
    [FR_DATA] = {true, 1, FRAME_DATA_MAX},
    [FR_END] = {true, 0, 0},
    [FR_RESUMED] = {true, 8, 8},
    [FR_SCREEN] = {true, 1, FRAME_DATA_MAX},
    [FR_LEFT] = {true, 2, FRAME_DATA_MAX},
    [FR_RECEIVED] = {true, 8, 8},
};

static bool
fits(unsigned type, size_t len)
{
	return type < COUNT_OF(shapes) && shapes[type].known && len >= shapes[type].min &&
	       len <= shapes[type].max;
}

int
frame_put(struct buf *b, enum frame_type type, const void *data, size_t len)
{
	unsigned char *p;

	if (!fits((unsigned)type, len))
		return -1;
	p = buf_tail(b, FRAME_HEAD + len);
	if (!p)
		return -1;
	p[0] = (unsigned char)type;
	p[1] = (unsigned char)(len >> 16);
	p[2] = (unsigned char)(len >> 8);
	p[3] = (unsigned char)len;
	if (len)
		memcpy(p + FRAME_HEAD, data, len);
	buf_added(b, FRAME_HEAD + len);
	return 0;
}

int
frame_peek(const struct buf *b, struct frame *f)
{
	const unsigned char *p;
	uint32_t len;

	if (b->len == 0)
		return 0;
	p = buf_head(b);
	/* An unknown type is refused on its first byte: no more is read for it. */
	if (p[0] >= COUNT_OF(shapes) || !shapes[p[0]].known)
		return -1;
	if (b->len < FRAME_HEAD)
		return 0;
	len = (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	if (!fits(p[0], len))
		return -1;
	if (b->len - FRAME_HEAD < len)
		return 0;
	f->type = p[0];
	f->len = len;
	f->data = p + FRAME_HEAD;
	return 1;
}

void
frame_drop(struct buf *b, const struct frame *f)
{
	buf_consume(b, FRAME_HEAD + f->len);
}
