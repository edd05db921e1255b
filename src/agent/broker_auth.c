/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/broker_int.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/str.h"
#include "transport/userauth.h"

/*
 * Who somebody is does not rest on a transport's word.  The broker signs the
 * hash of the first key exchange, which is the session's id from then on, and
 * lets in whose listed key made a signature over that id.
 */
struct offered {
	char type[64];
	const unsigned char *blob;
	size_t len;
};

/* A hash and nothing else: what a person or a certificate signs is longer. */
int
broker_auth_sign(struct conn *c, struct rd *r)
{
	unsigned char sig[HOSTKEY_SIGNATURE];

	if (hostkey_sign(&c->b->hostkey, r->p, r->n, sig) < 0)
		return -1;
	if (!c->has_id) {
		memcpy(c->id, r->p, sizeof c->id);
		c->has_id = true;
	}
	return broker_reply(c, PM_SIGNED, sig, sizeof sig);
}

static int
read_key(struct rd *r, struct offered *key)
{
	uint16_t n = rd_u16(r);
	const unsigned char *p = rd_bytes(r, n);

	if (!p || n == 0 || n >= sizeof key->type || memchr(p, 0, n))
		return -1;
	memcpy(key->type, p, n);
	key->type[n] = '\0';
	key->len = rd_u16(r);
	key->blob = rd_bytes(r, key->len);
	return r->bad || r->n != 0 ? -1 : 0;
}

static bool
find_key(const struct authkeys *keys, const struct offered *key, struct policy_who *who)
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
lookup_key(struct conn *c, const struct offered *key, struct policy_who *who)
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

/* "ssh-ed25519 SHA256:...", as ssh-keygen -l shows it, for the audit log. */
static void
remember_refused(struct conn *c, const struct offered *key)
{
	unsigned char raw[SHA256_SIZE];
	char text[48];
	struct sha256 h;

	sha2_init(&h);
	sha2_update(&h, key->blob, key->len);
	sha2_final(&h, raw);
	text[str_base64(text, raw, sizeof raw) - 1] = '\0'; /* without its padding */
	snprintf(c->refused, sizeof c->refused, "%.40s SHA256:%s", key->type, text);
}

/* Every key that is not allowed is a try, as with sshd(8): nobody tries out a list of them. */
static int
refuse(struct conn *c)
{
	if (++c->tries > BROKER_TRIES)
		return -1;
	if (c->tries == BROKER_TRIES)
		log_warn("%s has used up its %d tries to authenticate", c->peer, BROKER_TRIES);
	return broker_reply(c, PM_NO, NULL, 0);
}

int
broker_auth_key(struct conn *c, struct rd *r)
{
	struct offered key;
	struct policy_who who;

	if (read_key(r, &key) < 0)
		return -1;
	if (lookup_key(c, &key, &who))
		return broker_reply(c, PM_YES, NULL, 0);
	remember_refused(c, &key);
	return refuse(c);
}

/* Of this connection, by a listed key, and good: in that order, so that libcrypto meets no key
 * that is not listed. */
static bool
proven(struct conn *c, const unsigned char *sig, size_t sig_len, const struct rd *data)
{
	struct userauth u;
	struct offered key;
	struct policy_who who;

	if (userauth_parse(&u, data->p, data->n) < 0 || memcmp(u.id, c->id, sizeof c->id) != 0)
		return false;
	str_copy(key.type, u.key_type, sizeof key.type);
	key.blob = u.blob;
	key.len = u.blob_len;
	if (!lookup_key(c, &key, &who) || !userauth_verify(&u, data->p, data->n, sig, sig_len))
		return false;
	c->key = malloc(key.len);
	if (!c->key)
		return false;
	memcpy(c->key, key.blob, key.len);
	c->key_len = key.len;
	str_copy(c->key_type, key.type, sizeof c->key_type);
	c->who = who;
	return true;
}

/* A connection may last for hours, and the person's right to it end before. */
int
broker_auth_still(struct conn *c, struct err *e)
{
	struct offered key = {.blob = c->key, .len = c->key_len};
	struct policy_who now;

	if (!c->key)
		return 0;
	str_copy(key.type, c->key_type, sizeof key.type);
	if (lookup_key(c, &key, &now) && strcmp(now.user, c->who.user) == 0) {
		c->who = now;
		return 0;
	}
	/* With another key it may be another's again. */
	err_set(e, ERR_AUTH, EKEYREVOKED, "the agent takes nothing more on this connection");
	err_why(e, "the key of %s that it was made with is not one of those listed any more",
	    c->who.user);
	return err_hint(e, "connect anew with a key that is listed");
}

int
broker_auth_verify(struct conn *c, struct rd *r)
{
	uint16_t n = rd_u16(r);
	const unsigned char *sig = rd_bytes(r, n);

	if (!sig)
		return -1;
	if (!proven(c, sig, n, r)) {
		str_copy(c->refused, "by a signature that proves no listed key", sizeof c->refused);
		return refuse(c);
	}
	if (broker_limits_enter(c->b, &c->who, &c->over) < 0) {
		broker_conn_end(c, "its user has too many");
		return 0;
	}
	c->state = CONN_AUTHED;
	c->b->unauthed--;
	loop_timer_clear(c->b->loop, &c->t_login);
	log_info("%s is %s", c->peer, c->who.user);
	return broker_reply(c, PM_YES, NULL, 0);
}
