/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/stream.h"

#include <string.h>

void
stream_init(struct stream *s, size_t max)
{
	memset(s, 0, sizeof *s);
	buf_init(&s->first, FRAME_MAX + FRAME_HEAD);
	buf_init(&s->out, max);
}

void
stream_fini(struct stream *s)
{
	buf_fini(&s->first);
	buf_fini(&s->out);
}

void
stream_trim(struct stream *s)
{
	buf_trim(&s->first);
	buf_trim(&s->out);
}

int
stream_first(struct stream *s, enum frame_type type, const void *p, size_t n)
{
	return frame_put(&s->first, type, p, n);
}

void
stream_keep(struct stream *s, uint64_t arrived)
{
	s->keeps = true;
	s->base = 0;
	s->arrived = arrived;
	s->told = 0;
	s->owes = arrived > 0;
	s->written = 0;
}

int
stream_put(struct stream *s, enum frame_type type, const void *p, size_t n)
{
	return frame_put(&s->out, type, p, n);
}

const unsigned char *
stream_unsent(const struct stream *s, size_t *n)
{
	if (s->first.len > 0) {
		*n = s->first.len;
		return buf_head(&s->first);
	}
	*n = s->out.len - s->written;
	return *n > 0 ? buf_head(&s->out) + s->written : NULL;
}

void
stream_sent(struct stream *s, size_t n)
{
	if (s->first.len > 0) {
		buf_consume(&s->first, n);
		return;
	}
	if (s->keeps)
		s->written += n;
	else
		buf_consume(&s->out, n);
}

bool
stream_waits(const struct stream *s)
{
	return s->first.len > 0 || s->out.len > s->written;
}

static uint64_t
count_of(const struct frame *f)
{
	struct rd r = {.p = f->data, .n = f->len};

	return rd_u64(&r);
}

int
stream_acknowledged(struct stream *s, const struct frame *f)
{
	uint64_t n = count_of(f);

	if (!s->keeps)
		return -1;
	/* Said before a new connection told us more. */
	if (n < s->base)
		return 0;
	if (n - s->base > s->written)
		return -1;
	buf_consume(&s->out, (size_t)(n - s->base));
	s->written -= (size_t)(n - s->base);
	s->base = n;
	return 0;
}

void
stream_came(struct stream *s, size_t n)
{
	s->arrived += n;
}

void
stream_heard(struct stream *s, const struct frame *f)
{
	if (f->type != FR_RECEIVED)
		s->owes = true;
}

int
stream_tell(struct stream *s)
{
	unsigned char wire[8];

	for (int i = 0; i < 8; i++)
		wire[i] = (unsigned char)(s->arrived >> (56 - 8 * i));
	if (stream_put(s, FR_RECEIVED, wire, sizeof wire) < 0)
		return -1;
	s->told = s->arrived;
	s->owes = false;
	return 0;
}

bool
stream_should_tell(const struct stream *s)
{
	return s->keeps && s->owes && s->arrived - s->told >= STREAM_ACK_BYTES;
}

int
stream_resume(struct stream *s, uint64_t theirs)
{
	if (!s->keeps || theirs < s->base || theirs - s->base > s->out.len)
		return -1;
	buf_clear(&s->first);
	buf_consume(&s->out, (size_t)(theirs - s->base));
	s->base = theirs;
	s->written = 0;
	return 0;
}
