/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/client_int.h"

#include <poll.h>

#define IN_MAX (2 * (FRAME_HEAD + FRAME_DATA_MAX))
#define OUT_MAX (FRAME_HEAD + FRAME_MAX + IN_MAX)
/* What input never takes, so that a resize, a ping or an acknowledgement always fits. */
#define RESERVE (16 * 1024)

void
client_link_init(struct client_link *l, struct tp_client *c)
{
	l->c = c;
	l->asked = false;
	l->whole = 0;
	buf_init(&l->in, IN_MAX);
	buf_init(&l->answer, IN_MAX);
	stream_init(&l->s, OUT_MAX);
}

void
client_link_fini(struct client_link *l)
{
	buf_fini(&l->in);
	buf_fini(&l->answer);
	stream_fini(&l->s);
}

/* Until a new connection is answered, it carries nothing but the question. */
static const unsigned char *
unsent(const struct client_link *l, size_t *n)
{
	*n = 0;
	return l->asked && l->s.first.len == 0 ? NULL : stream_unsent(&l->s, n);
}

int
client_link_push(struct client_link *l, struct err *e)
{
	const unsigned char *p;
	bool wrote = false;
	size_t n;

	while (l->c && (p = unsent(l, &n)) != NULL && n > 0) {
		ssize_t put = tp_client_write(l->c, p, n);

		if (put < 0)
			return err_set(e, ERR_TRANSPORT, 0, "the connection to the agent was lost");
		if (put == 0)
			break;
		stream_sent(&l->s, (size_t)put);
		wrote = true;
	}
	return wrote ? tp_client_turn(l->c, e) : 0;
}

static int
too_much(struct err *e)
{
	return err_set(e, ERR_LIMIT, 0, "too much is waiting to be sent to the agent");
}

int
client_link_send(
    struct client_link *l, enum frame_type type, const void *p, size_t n, struct err *e)
{
	return stream_put(&l->s, type, p, n) < 0 ? too_much(e) : client_link_push(l, e);
}

int
client_link_send_open(struct client_link *l, const struct request *r, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, FRAME_MAX);
	rc = request_encode(r, &b, e);
	if (rc == 0 && stream_first(&l->s, FR_OPEN, buf_head(&b), b.len) < 0)
		rc = too_much(e);
	if (rc == 0)
		rc = client_link_push(l, e);
	buf_fini(&b);
	return rc;
}

unsigned char *
client_link_reserve(struct client_link *l, size_t n)
{
	unsigned char *p = buf_tail(&l->s.out, FRAME_HEAD + n);

	return p ? p + FRAME_HEAD : NULL;
}

int
client_link_commit(struct client_link *l, enum frame_type type, size_t n, struct err *e)
{
	unsigned char *h = buf_tail(&l->s.out, FRAME_HEAD + n);

	if (!h)
		return too_much(e);
	h[0] = (unsigned char)type;
	h[1] = (unsigned char)(n >> 16);
	h[2] = (unsigned char)(n >> 8);
	h[3] = (unsigned char)n;
	buf_added(&l->s.out, FRAME_HEAD + n);
	return client_link_push(l, e);
}

ssize_t
client_link_pull(struct client_link *l)
{
	struct buf *to = l->asked ? &l->answer : &l->in;
	size_t room = buf_room(to);
	unsigned char *tail;
	ssize_t n;

	if (room > CLIENT_CHUNK)
		room = CLIENT_CHUNK;
	tail = room && l->c ? buf_tail(to, room) : NULL;
	if (!tail)
		return 0;
	n = tp_client_read(l->c, tail, room);
	if (n > 0)
		buf_added(to, (size_t)n);
	/* What is not counted yet is when its first frame was understood. */
	if (n > 0 && !l->asked && l->s.keeps)
		stream_came(&l->s, (size_t)n);
	return n;
}

size_t
client_link_room(struct client_link *l, bool was_typed)
{
	size_t have = buf_room(&l->s.out), spare = RESERVE, room;

	if (!l->c || l->asked)
		spare = OUT_MAX - CLIENT_TYPED_MAX;
	room = have > spare ? have - spare : 0;
	if (l->c && !l->asked && !was_typed) {
		size_t now = stream_waits(&l->s) ? 0 : tp_client_room(l->c);

		room = now < room ? now : room;
	}
	if (room <= FRAME_HEAD)
		return 0;
	room -= FRAME_HEAD;
	return room < FRAME_DATA_MAX ? room : FRAME_DATA_MAX;
}

short
client_link_interest(struct client_link *l)
{
	return tp_client_interest(l->c);
}

int
client_link_next(struct client_link *l, struct frame *f, struct err *e)
{
	int rc = frame_peek(&l->in, f);

	if (rc < 0) {
		err_set(
		    e, ERR_PROTOCOL, 0, "the agent sent something that is not coral's protocol");
		err_hint(e, "coral version; and compare with the agent's");
	}
	return rc;
}
