/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <unistd.h>

#include "agent/broker_int.h"
#include "base/fd.h"

/*
 * What a transport may ask, and in which states of its connection.  A message
 * that is malformed, or not permitted now, ends the connection: an honest
 * transport never sends one.
 */
typedef int answer_fn(struct conn *c, struct rd *r);

enum table_bits {
	IN_PRE = 1,   /* before authentication */
	IN_AUTH = 2,  /* after it */
	PRE_ONCE = 4, /* before it, once */
	SIGNED = 8,   /* only after a first key exchange was signed */
};

static int
reply(struct conn *c, const struct buf *b, int fd)
{
	ssize_t n = fd_send_msg(c->monitor, buf_head(b), b->len, &fd, fd >= 0 ? 1 : 0);

	return n == (ssize_t)b->len ? 0 : -1;
}

int
broker_reply(struct conn *c, enum privmsg_type type, const void *p, size_t n)
{
	struct buf b;
	int rc = -1;

	buf_init(&b, 256);
	if (buf_put_u8(&b, (uint8_t)type) == 0 && buf_put(&b, p, n) == 0)
		rc = reply(c, &b, -1);
	buf_fini(&b);
	return rc;
}

static int
answer_heartbeat(struct conn *c, struct rd *r)
{
	(void)c;
	return r->n == 0 ? 0 : -1;
}

static int
answer_open(struct conn *c, struct rd *r)
{
	unsigned char wire[ERR_WIRE_MAX];
	struct err e = {0};
	uint32_t channel = rd_u32(r);
	auto_close int stream = -1;
	struct buf b;
	int rc;

	if (r->bad)
		return -1;
	rc = broker_work_keeper(c, r->p, r->n, &stream, &e);
	buf_init(&b, ERR_WIRE_MAX + 16);
	buf_put_u8(&b, rc == 0 ? PM_STREAM : PM_REFUSED);
	buf_put_u32(&b, channel);
	if (rc < 0)
		buf_put(&b, wire, err_encode(&e, wire));
	rc = reply(c, &b, stream);
	buf_fini(&b);
	return rc;
}

/* One row a message; coral-privsep(7) has the same rows. */
static const struct {
	enum privmsg_type type;
	unsigned bits;
	answer_fn *answer;
} table[] = {
    {PM_HEARTBEAT, IN_PRE | IN_AUTH, answer_heartbeat},
    {PM_SIGN, IN_PRE | IN_AUTH | PRE_ONCE, broker_auth_sign},
    {PM_KEY, IN_PRE | SIGNED, broker_auth_key},
    {PM_VERIFY, IN_PRE | SIGNED, broker_auth_verify},
    {PM_OPEN, IN_AUTH | SIGNED, answer_open},
};

static bool
permitted(struct conn *c, unsigned bits)
{
	bool pre = c->state == CONN_PREAUTH;

	if (!(bits & (pre ? IN_PRE : IN_AUTH)) || ((bits & SIGNED) && !c->has_id))
		return false;
	if (pre && (bits & PRE_ONCE) && c->has_id)
		return false;
	return !pre || ++c->asked <= BROKER_ASKED;
}

void
broker_answer(struct conn *c, const unsigned char *p, size_t n)
{
	struct rd r = {p, n, false};
	uint8_t type = rd_u8(&r);

	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (table[i].type == type && permitted(c, table[i].bits)) {
			if (table[i].answer(c, &r) < 0)
				broker_conn_end(c, "its transport broke the rules");
			return;
		}
	broker_conn_end(c, "its transport asked for what it may not have");
}
