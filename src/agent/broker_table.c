/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/broker_int.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/*
 * What a transport may ask, and in which states of its connection.  A message
 * that is malformed, or not permitted now, ends the connection: an honest
 * transport never sends one.
 */
typedef int answer_fn(struct conn *c, struct rd *r);

static int
reply(struct conn *c, const struct buf *b, int fd)
{
	ssize_t n = fd_send_msg(c->monitor, buf_head(b), b->len, &fd, fd >= 0 ? 1 : 0);

	return n == (ssize_t)b->len ? 0 : -1;
}

static int
reply_type(struct conn *c, enum privmsg_type type, const char *name)
{
	struct buf b;
	int rc;

	buf_init(&b, 256);
	buf_put_u8(&b, (uint8_t)type);
	if (name) {
		buf_put_u16(&b, (uint16_t)strlen(name));
		buf_put_str(&b, name);
	}
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

struct offered_key {
	char type[64];
	const unsigned char *blob;
	size_t len;
};

static int
read_key(struct rd *r, struct offered_key *key)
{
	uint16_t n = rd_u16(r); /* the SSH user names a target, not a person */
	const unsigned char *p;

	rd_bytes(r, n);
	n = rd_u16(r);
	p = rd_bytes(r, n);
	if (!p || n == 0 || n >= sizeof key->type || memchr(p, 0, n))
		return -1;
	memcpy(key->type, p, n);
	key->type[n] = '\0';
	key->len = rd_u16(r);
	key->blob = rd_bytes(r, key->len);
	return r->bad || r->n != 0 ? -1 : 0;
}

static bool
find_key(const struct authkeys *keys, const struct offered_key *key, struct policy_who *who)
{
	const struct authkey *k = authkeys_find(keys, key->type, key->blob, key->len);

	if (!k)
		return false;
	*who = (struct policy_who){.uid = (uid_t)-1};
	str_copy(who->user, k->user, sizeof who->user);
	str_copy(who->roles, k->roles, sizeof who->roles);
	return true;
}

/* Both sources are read anew each time: a key taken out of the file is out. */
static bool
lookup_key(struct conn *c, const struct offered_key *key, struct policy_who *who)
{
	const char *path = c->b->conf->authorized_keys;
	const char *listed = policy_keys(c->b->policy);
	struct authkeys file = {0}, policy = {0};
	struct err e = {0};
	bool found;

	if (path[0] && authkeys_load(&file, path, &e) < 0 && !(e.sys == ENOENT && listed[0]))
		log_error_of(&e, "reading the authorized keys");
	if (listed[0] && authkeys_parse(&policy, listed, strlen(listed), "policy.yaml", &e) < 0)
		log_error_of(&e, "reading the policy's keys");
	found = find_key(&file, key, who) || find_key(&policy, key, who);
	authkeys_fini(&file);
	authkeys_fini(&policy);
	return found;
}

/* Every key that is not allowed is a try, as with sshd(8): nobody tries out a list of them. */
static int
refuse_key(struct conn *c)
{
	if (++c->tries > BROKER_TRIES)
		return -1;
	if (c->tries == BROKER_TRIES)
		log_warn("%s has used up its %d tries to authenticate", c->peer, BROKER_TRIES);
	return reply_type(c, PM_NO, NULL);
}

static int
answer_key(struct conn *c, struct rd *r)
{
	struct offered_key key;
	struct policy_who who;

	if (read_key(r, &key) < 0)
		return -1;
	if (!lookup_key(c, &key, &who))
		return refuse_key(c);
	return reply_type(c, PM_YES, NULL);
}

static int
answer_authed(struct conn *c, struct rd *r)
{
	struct offered_key key;

	if (read_key(r, &key) < 0)
		return -1;
	if (!lookup_key(c, &key, &c->who))
		return refuse_key(c);
	c->state = CONN_AUTHED;
	c->b->unauthed--;
	loop_timer_clear(c->b->loop, &c->t_login);
	log_info("%s is %s", c->peer, c->who.user);
	return reply_type(c, PM_YES, c->who.user);
}

static int
answer_auth_failed(struct conn *c, struct rd *r)
{
	if (r->n != 0 || ++c->tries > BROKER_TRIES)
		return -1;
	return reply_type(c, PM_YES, NULL);
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

static const struct {
	enum privmsg_type type;
	unsigned states;
	answer_fn *answer;
} table[] = {
    {PM_HEARTBEAT, CONN_PREAUTH | CONN_AUTHED, answer_heartbeat},
    {PM_KEY, CONN_PREAUTH, answer_key},
    {PM_AUTHED, CONN_PREAUTH, answer_authed},
    {PM_AUTH_FAILED, CONN_PREAUTH, answer_auth_failed},
    {PM_OPEN, CONN_AUTHED, answer_open},
};

void
broker_answer(struct conn *c, const unsigned char *p, size_t n)
{
	struct rd r = {p, n, false};
	uint8_t type = rd_u8(&r);

	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (table[i].type == type && (table[i].states & c->state)) {
			if (table[i].answer(c, &r) < 0)
				broker_conn_end(c, "its transport broke the rules");
			return;
		}
	broker_conn_end(c, "its transport asked for what it may not have");
}
