/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_BUF_H
#define CORAL_BASE_BUF_H

/*
 * A byte queue with a hard cap: put at the end, consume from the front.
 * Everything sized by a peer lives in one.  A put over the cap changes nothing
 * and returns -1.  Integers are big-endian.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"

struct buf {
	unsigned char *data;
	size_t off, len; /* live bytes are data[off .. off+len) */
	size_t cap;	 /* allocated */
	size_t max;	 /* never more live bytes than this */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b); /* frees, wipes nothing; b may be reused after buf_init */
void buf_clear(struct buf *b);
/* Memory that its bytes do not need is given back, until more is put. */
void buf_trim(struct buf *b);

static inline const unsigned char *
buf_head(const struct buf *b)
{
	return b->data + b->off;
}

static inline size_t
buf_room(const struct buf *b)
{
	return b->max - b->len;
}

/* Room for n more bytes, contiguous; NULL over the cap or out of memory. */
unsigned char *buf_tail(struct buf *b, size_t n);
/* The caller wrote n bytes at buf_tail(). */
void buf_added(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n);

int buf_put(struct buf *b, const void *p, size_t n);
int buf_put_u8(struct buf *b, uint8_t v);
int buf_put_u16(struct buf *b, uint16_t v);
int buf_put_u32(struct buf *b, uint32_t v);
int buf_put_u64(struct buf *b, uint64_t v);
int buf_put_str(struct buf *b, const char *s); /* bytes only, no NUL, no length */
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* NUL-terminate in place (not counted in len); NULL when over the cap. */
char *buf_cstr(struct buf *b);

/* One read(2) of at most n bytes; as read(2), and ENOBUFS when there is no room. */
ssize_t buf_read_fd(struct buf *b, int fd, size_t n);
/* One write(2) from the front, consumed; as write(2). */
ssize_t buf_write_fd(struct buf *b, int fd);

/* A reader over bytes that someone else owns.  After the first short read
 * every later one yields 0 and `bad` stays set: check once at the end. */
struct rd {
	const unsigned char *p;
	size_t n;
	bool bad;
};

uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
/* n bytes, or NULL (and bad). */
const unsigned char *rd_bytes(struct rd *r, size_t n);

#endif
