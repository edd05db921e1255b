/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/client_int.h"

#include <poll.h>

#define IN_MAX (2 * (FRAME_HEAD + FRAME_DATA_MAX))
#define OUT_MAX (FRAME_HEAD + FRAME_MAX + IN_MAX)

void
client_link_init(struct client_link *l, struct tp_client *c)
{
	l->c = c;
	buf_init(&l->in, IN_MAX);
	buf_init(&l->out, OUT_MAX);
}

void
client_link_fini(struct client_link *l)
{
	buf_fini(&l->in);
	buf_fini(&l->out);
}

int
client_link_push(struct client_link *l, struct err *e)
{
	bool wrote = false;

	while (l->out.len > 0) {
		ssize_t n = tp_client_write(l->c, buf_head(&l->out), l->out.len);

		if (n < 0)
			return err_set(e, ERR_TRANSPORT, 0, "the connection to the agent was lost");
		if (n == 0)
			break;
		buf_consume(&l->out, (size_t)n);
		wrote = true;
	}
	return wrote ? tp_client_turn(l->c, e) : 0;
}

int
client_link_send(
    struct client_link *l, enum frame_type type, const void *p, size_t n, struct err *e)
{
	if (frame_put(&l->out, type, p, n) < 0)
		return err_set(e, ERR_LIMIT, 0, "too much is waiting to be sent to the agent");
	return client_link_push(l, e);
}

int
client_link_send_open(struct client_link *l, const struct request *r, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, FRAME_MAX);
	rc = request_encode(r, &b, e);
	if (rc == 0)
		rc = client_link_send(l, FR_OPEN, buf_head(&b), b.len, e);
	buf_fini(&b);
	return rc;
}

unsigned char *
client_link_reserve(struct client_link *l, size_t n)
{
	unsigned char *p = buf_tail(&l->out, FRAME_HEAD + n);

	return p ? p + FRAME_HEAD : NULL;
}

int
client_link_commit(struct client_link *l, enum frame_type type, size_t n, struct err *e)
{
	unsigned char *h = l->out.data + l->out.off + l->out.len;

	h[0] = (unsigned char)type;
	h[1] = (unsigned char)(n >> 16);
	h[2] = (unsigned char)(n >> 8);
	h[3] = (unsigned char)n;
	buf_added(&l->out, FRAME_HEAD + n);
	return client_link_push(l, e);
}

ssize_t
client_link_pull(struct client_link *l)
{
	size_t room = buf_room(&l->in);
	unsigned char *tail;
	ssize_t n;

	if (room > CLIENT_CHUNK)
		room = CLIENT_CHUNK;
	tail = room ? buf_tail(&l->in, room) : NULL;
	if (!tail)
		return 0;
	n = tp_client_read(l->c, tail, room);
	if (n > 0)
		buf_added(&l->in, (size_t)n);
	return n;
}

size_t
client_link_room(struct client_link *l)
{
	size_t room = l->out.len == 0 ? tp_client_room(l->c) : 0;

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
