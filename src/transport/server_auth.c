/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server_int.h"

#include <string.h>

#include "base/str.h"
#include "transport/readahead.h"

#define ASKED_MAX 32 /* requests of any kind before authentication */

static int
give_up(struct srv *s)
{
	s->ending = true;
	return SSH_AUTH_DENIED;
}

/* The broker counts along: what it refuses itself it need not be told. */
static int
refused(struct srv *s)
{
	if (++s->tries < s->conf->max_tries)
		return SSH_AUTH_DENIED;
	ssh_session_set_disconnect_message(s->ssh, "Too many authentication failures");
	return give_up(s);
}

/* The last word on who the target is; later user names are ignored. */
static int
let_in(struct srv *s, const char *user)
{
	s->authed = true;
	s->turns = SRV_TIDY_TURNS;
	str_copy(s->user, user, sizeof(s->user));
	loop_timer_clear(s->loop, &s->login);
	return SSH_AUTH_SUCCESS;
}

static bool
may_ask(struct srv *s, const char *user)
{
	if (s->asked <= ASKED_MAX)
		s->asked++;
	if (s->ending || s->authed)
		return false;
	if (s->asked > ASKED_MAX) {
		give_up(s);
		return false;
	}
	return user && strlen(user) <= REQUEST_NAME_MAX;
}

int
srv_on_none(ssh_session ssh, const char *user, void *arg)
{
	struct srv *s = arg;

	(void)ssh;
	if (!may_ask(s, user) || !s->conf->user)
		return SSH_AUTH_DENIED;
	return let_in(s, user);
}

/* Certificates are left out: libssh's server proves the key within and checks
 * neither signer, validity, principals nor options. */
static const char *
type_of(ssh_key key)
{
	switch (ssh_key_type(key)) {
	case SSH_KEYTYPE_ED25519:
		return "ssh-ed25519";
	case SSH_KEYTYPE_RSA:
		return "ssh-rsa";
	case SSH_KEYTYPE_ECDSA_P256:
		return "ecdsa-sha2-nistp256";
	case SSH_KEYTYPE_ECDSA_P384:
		return "ecdsa-sha2-nistp384";
	case SSH_KEYTYPE_ECDSA_P521:
		return "ecdsa-sha2-nistp521";
	default:
		return NULL;
	}
}

static int
put_str(struct buf *b, const void *p, size_t n)
{
	if (n > UINT16_MAX || buf_put_u16(b, (uint16_t)n) < 0)
		return -1;
	return buf_put(b, p, n);
}

static bool
may_try(struct srv *s, const char *type, ssh_key key)
{
	auto_free unsigned char *blob = NULL;
	char *b64 = NULL;
	struct buf b;
	size_t n = (size_t)-1;
	bool yes = false;

	if (ssh_pki_export_pubkey_base64(key, &b64) != SSH_OK)
		return false;
	blob = malloc(strlen(b64) + 1);
	if (blob)
		n = str_unbase64(blob, b64, strlen(b64));
	buf_init(&b, 64 * 1024);
	if (n != (size_t)-1 && buf_put_u8(&b, PM_KEY) == 0 &&
	    put_str(&b, type, strlen(type)) == 0 && put_str(&b, blob, n) == 0)
		yes = srv_ask(s, buf_head(&b), b.len, NULL) == PM_YES;
	buf_fini(&b);
	ssh_string_free_char(b64);
	return yes;
}

int
srv_sign(void *arg, const unsigned char *hash, size_t n, unsigned char sig[HOSTKEY_SIGNATURE])
{
	struct srv *s = arg;
	unsigned char msg[1 + HOSTKEY_HASH] = {PM_SIGN};
	size_t len;

	if (n != HOSTKEY_HASH)
		return -1;
	memcpy(msg + 1, hash, n);
	if (srv_ask(s, msg, sizeof(msg), &len) != PM_SIGNED || len != 1 + HOSTKEY_SIGNATURE)
		return -1;
	memcpy(sig, s->msg + 1, HOSTKEY_SIGNATURE);
	return 0;
}

void
srv_verify(
    void *arg, const unsigned char *sig, size_t sig_len, const unsigned char *data, size_t data_len)
{
	struct srv *s = arg;
	struct buf b;

	s->proven = false;
	/* The last try was the last: a client may have sent more at once. */
	if (s->authed || s->ending)
		return;
	buf_init(&b, 64 * 1024);
	if (buf_put_u8(&b, PM_VERIFY) == 0 && put_str(&b, sig, sig_len) == 0 &&
	    buf_put(&b, data, data_len) == 0)
		s->proven = srv_ask(s, buf_head(&b), b.len, NULL) == PM_YES;
	buf_fini(&b);
}

int
srv_on_pubkey(ssh_session ssh, const char *user, struct ssh_key_struct *key, char state, void *arg)
{
	struct srv *s = arg;
	const char *type = type_of(key);
	bool proven = s->proven;

	(void)ssh;
	s->proven = false;
	if (!may_ask(s, user))
		return SSH_AUTH_DENIED;
	if (!type)
		return state == SSH_PUBLICKEY_STATE_NONE ? SSH_AUTH_DENIED : refused(s);
	if (state == SSH_PUBLICKEY_STATE_NONE)
		return may_try(s, type, key) ? SSH_AUTH_SUCCESS : refused(s);
	return state == SSH_PUBLICKEY_STATE_VALID && proven ? let_in(s, user) : refused(s);
}

/* libssh writes only to a socket that it has found writable since it wrote last: once for what it
 * wrote, once for what it kept.  It must not hear the client meanwhile, or it goes on answering,
 * and a quick one is through with its keys before it is told why. */
void
srv_say_why(struct srv *s)
{
	if (s->authed || s->tries < s->conf->max_tries)
		return;
	readahead_deafen(s->conf->sock);
	for (int turn = 0; turn < 2; turn++) {
		if (ssh_event_dopoll(s->event, 0) == SSH_ERROR)
			return;
	}
}

void
srv_login_over(void *arg)
{
	((struct srv *)arg)->ending = true;
}
