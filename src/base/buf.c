/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define MIN_ALLOC 64

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
buf_fini(struct buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

void
buf_clear(struct buf *b)
{
	b->off = b->len = 0;
}

void
buf_trim(struct buf *b)
{
	size_t cap = b->len < MIN_ALLOC ? MIN_ALLOC : b->len;
	unsigned char *data = NULL;

	if (b->len > 0 && (b->cap / 2 < cap || !(data = malloc(cap))))
		return;
	if (data)
		memcpy(data, b->data + b->off, b->len);
	free(b->data);
	b->data = data;
	b->off = 0;
	b->cap = data ? cap : 0;
}

/* Contiguous room for n bytes, the cap apart: vsnprintf() needs one past it. */
static unsigned char *
reserve(struct buf *b, size_t n)
{
	size_t need, cap;
	unsigned char *data;

	if (__builtin_add_overflow(b->len, n, &need))
		return NULL;
	if (b->data && n <= b->cap - b->off - b->len)
		return b->data + b->off + b->len;
	/* Moving is worth it only when it frees at least what it copies. */
	if (b->data && need <= b->cap && b->off >= b->len) {
		memmove(b->data, b->data + b->off, b->len);
		b->off = 0;
		return b->data + b->len;
	}
	cap = b->cap < MIN_ALLOC ? MIN_ALLOC : b->cap;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (cap > b->max && cap > MIN_ALLOC)
		cap = b->max > need ? b->max : need;
	if (cap < MIN_ALLOC)
		cap = MIN_ALLOC;
	data = malloc(cap);
	if (!data)
		return NULL;
	if (b->len)
		memcpy(data, b->data + b->off, b->len);
	free(b->data);
	b->data = data;
	b->off = 0;
	b->cap = cap;
	return data + b->len;
}

unsigned char *
buf_tail(struct buf *b, size_t n)
{
	return n <= buf_room(b) ? reserve(b, n) : NULL;
}

void
buf_added(struct buf *b, size_t n)
{
	b->len += n;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		buf_clear(b);
		return;
	}
	b->off += n;
	b->len -= n;
}

int
buf_put(struct buf *b, const void *p, size_t n)
{
	unsigned char *tail;

	if (n == 0)
		return 0;
	tail = buf_tail(b, n);
	if (!tail)
		return -1;
	memcpy(tail, p, n);
	b->len += n;
	return 0;
}

static int
put_be(struct buf *b, uint64_t v, size_t bytes)
{
	unsigned char *tail = buf_tail(b, bytes);
	size_t i;

	if (!tail)
		return -1;
	for (i = 0; i < bytes; i++)
		tail[i] = (unsigned char)(v >> (8 * (bytes - 1 - i)));
	b->len += bytes;
	return 0;
}

int
buf_put_u8(struct buf *b, uint8_t v)
{
	return put_be(b, v, 1);
}

int
buf_put_u16(struct buf *b, uint16_t v)
{
	return put_be(b, v, 2);
}

int
buf_put_u32(struct buf *b, uint32_t v)
{
	return put_be(b, v, 4);
}

int
buf_put_u64(struct buf *b, uint64_t v)
{
	return put_be(b, v, 8);
}

int
buf_put_str(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	unsigned char *tail;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n > buf_room(b))
		return -1;
	tail = reserve(b, (size_t)n + 1);
	if (!tail)
		return -1;
	va_start(ap, fmt);
	vsnprintf((char *)tail, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

char *
buf_cstr(struct buf *b)
{
	unsigned char *tail = buf_tail(b, 1);

	if (!tail)
		return NULL;
	*tail = '\0';
	return (char *)b->data + b->off;
}

ssize_t
buf_read_fd(struct buf *b, int fd, size_t n)
{
	unsigned char *tail;
	ssize_t got;

	if (n > buf_room(b))
		n = buf_room(b);
	if (n == 0) {
		errno = ENOBUFS;
		return -1;
	}
	tail = buf_tail(b, n);
	if (!tail) {
		errno = ENOMEM;
		return -1;
	}
	got = read(fd, tail, n);
	if (got > 0)
		b->len += (size_t)got;
	return got;
}

ssize_t
buf_write_fd(struct buf *b, int fd)
{
	ssize_t put;

	if (b->len == 0)
		return 0;
	put = write(fd, b->data + b->off, b->len);
	if (put > 0)
		buf_consume(b, (size_t)put);
	return put;
}

const unsigned char *
rd_bytes(struct rd *r, size_t n)
{
	const unsigned char *p = r->p;

	if (r->bad || n > r->n) {
		r->bad = true;
		return NULL;
	}
	/* Nothing of nothing is no error, yet NULL says error. */
	if (n == 0)
		return p ? p : (const unsigned char *)"";
	r->p += n;
	r->n -= n;
	return p;
}

static uint64_t
rd_be(struct rd *r, size_t bytes)
{
	const unsigned char *p = rd_bytes(r, bytes);
	uint64_t v = 0;

	while (p && bytes-- > 0)
		v = v << 8 | *p++;
	return v;
}

uint8_t
rd_u8(struct rd *r)
{
	return (uint8_t)rd_be(r, 1);
}

uint16_t
rd_u16(struct rd *r)
{
	return (uint16_t)rd_be(r, 2);
}

uint32_t
rd_u32(struct rd *r)
{
	return (uint32_t)rd_be(r, 4);
}

uint64_t
rd_u64(struct rd *r)
{
	return rd_be(r, 8);
}
