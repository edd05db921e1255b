/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/client_int.h"

#include <string.h>

bool
client_is_token(const char *s)
{
	return s && strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

void
client_link_keep(struct client_link *l, const struct frame *opened)
{
	stream_keep(&l->s, l->in.len - FRAME_HEAD - opened->len);
	l->whole = 0;
}

int
client_link_tell(struct client_link *l, struct err *e)
{
	if (stream_tell(&l->s) < 0)
		return err_set(e, ERR_LIMIT, 0, "the agent acknowledges nothing");
	return client_link_push(l, e);
}

/* The bytes of our stream from position `at` on, which is kept. */
static unsigned char *
kept(struct client_link *l, uint64_t at)
{
	return l->s.out.data + l->s.out.off + (at - l->s.base);
}

static size_t
length_of(const unsigned char *head)
{
	return FRAME_HEAD + ((size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3]);
}

/* The first frame that begins at `to` or after it.  `to` is in what is kept, which ends with a
 * whole frame. */
static void
advance(struct client_link *l, uint64_t to)
{
	while (l->whole < to)
		l->whole += length_of(kept(l, l->whole));
}

static bool
is_kept(const struct client_link *l, uint64_t at)
{
	return at >= l->s.base && at - l->s.base <= l->s.out.len;
}

int
client_link_acknowledged(struct client_link *l, const struct frame *f, struct err *e)
{
	struct rd r = {.p = f->data, .n = f->len};
	uint64_t n = rd_u64(&r);

	/* Without keeping count it only says that the agent is there. */
	if (!l->s.keeps)
		return 0;
	if (is_kept(l, n))
		advance(l, n);
	if (stream_acknowledged(&l->s, f) == 0)
		return 0;
	err_set(e, ERR_PROTOCOL, 0, "the agent acknowledged what was not sent");
	return err_why(e, "%llu bytes; there were %llu", (unsigned long long)n,
	    (unsigned long long)(l->s.base + l->s.written));
}

void
client_link_drop(struct client_link *l)
{
	tp_client_free(l->c);
	l->c = NULL;
	l->asked = false;
	buf_clear(&l->answer);
	buf_clear(&l->s.first);
	if (l->s.keeps)
		return;
	/* What is left of either stream is no beginning of the next one. */
	buf_clear(&l->in);
	buf_clear(&l->s.out);
}

int
client_link_again(
    struct client_link *l, struct tp_client *c, const struct request *r, struct err *e)
{
	l->c = c;
	l->asked = true;
	return client_link_send_open(l, r, e);
}

int
client_link_answer(struct client_link *l, struct frame *f, struct err *e)
{
	int rc = frame_peek(&l->answer, f);

	if (rc < 0)
		err_set(
		    e, ERR_PROTOCOL, 0, "the agent sent something that is not coral's protocol");
	return rc;
}

/* What came behind the answer belongs to the stream. */
static int
take_rest(struct client_link *l, const struct frame *f, struct err *e)
{
	size_t head = FRAME_HEAD + f->len, rest = l->answer.len - head;
	int rc = 0;

	if (rest > 0)
		rc = buf_put(&l->in, buf_head(&l->answer) + head, rest);
	buf_fini(&l->answer);
	buf_init(&l->answer, l->in.max);
	l->asked = false;
	return rc < 0 ? err_set(e, ERR_PROTOCOL, 0, "the agent's answer is too long") : 0;
}

static int
not_ours(uint64_t n, struct err *e)
{
	err_set(e, ERR_PROTOCOL, 0, "the agent goes on from where the session never was");
	return err_why(e, "byte %llu of what was typed", (unsigned long long)n);
}

int
client_link_resume(struct client_link *l, const struct frame *f, struct err *e)
{
	struct rd r = {.p = f->data, .n = f->len};
	uint64_t n = rd_u64(&r);

	if (!is_kept(l, n))
		return not_ours(n, e);
	advance(l, n);
	stream_resume(&l->s, n);
	stream_came(&l->s, l->answer.len - FRAME_HEAD - f->len);
	if (take_rest(l, f, e) < 0)
		return -1;
	return client_link_push(l, e);
}

/* What we acknowledged of the stream that is gone must not be taken for the new one's, also in a
 * frame of which the first bytes have arrived. */
static void
unsay(struct client_link *l, uint64_t from)
{
	uint64_t end = l->s.base + l->s.out.len, at = l->whole;

	while (at < end) {
		unsigned char *p = kept(l, at);
		size_t n = length_of(p);

		for (size_t i = FRAME_HEAD; p[0] == FR_RECEIVED && i < n; i++) {
			if (at + i >= from)
				p[i] = 0;
		}
		at += n;
	}
}

int
client_link_restart(struct client_link *l, const struct frame *f, uint64_t received, struct err *e)
{
	size_t rest = l->answer.len - FRAME_HEAD - f->len;

	if (!is_kept(l, received))
		return not_ours(received, e);
	unsay(l, received);
	advance(l, received);
	stream_resume(&l->s, received);
	stream_keep(&l->s, rest);
	l->whole -= received;
	buf_clear(&l->in);
	return take_rest(l, f, e) < 0 ? -1 : client_link_push(l, e);
}

int
client_link_renew(struct client_link *l, const struct frame *f, struct err *e)
{
	return take_rest(l, f, e) < 0 ? -1 : client_link_push(l, e);
}
