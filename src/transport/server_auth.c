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

static void
tell_failed(struct srv *s)
{
	const unsigned char failed = PM_AUTH_FAILED;

	srv_ask(s, &failed, 1);
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

static int
ask_key(struct srv *s, enum privmsg_type what, const char *user, const char *type, ssh_key key)
{
	auto_free unsigned char *blob = NULL;
	char *b64 = NULL;
	struct buf b;
	size_t n = (size_t)-1;
	int rc = -1;

	if (ssh_pki_export_pubkey_base64(key, &b64) != SSH_OK)
		return -1;
	blob = malloc(strlen(b64) + 1);
	if (blob)
		n = str_unbase64(blob, b64, strlen(b64));
	buf_init(&b, 64 * 1024);
	if (n != (size_t)-1 && buf_put_u8(&b, (uint8_t)what) == 0 &&
	    put_str(&b, user, strlen(user)) == 0 && put_str(&b, type, strlen(type)) == 0 &&
	    put_str(&b, blob, n) == 0)
		rc = srv_ask(s, buf_head(&b), b.len);
	buf_fini(&b);
	ssh_string_free_char(b64);
	return rc;
}

int
srv_on_pubkey(ssh_session ssh, const char *user, struct ssh_key_struct *key, char state, void *arg)
{
	struct srv *s = arg;
	const char *type = type_of(key);

	(void)ssh;
	if (!may_ask(s, user) || !type)
		return SSH_AUTH_DENIED;
	if (state == SSH_PUBLICKEY_STATE_NONE) {
		if (ask_key(s, PM_KEY, user, type, key) != PM_YES)
			return refused(s);
		s->probed = true;
		return SSH_AUTH_SUCCESS;
	}
	if (state != SSH_PUBLICKEY_STATE_VALID) {
		tell_failed(s);
		return refused(s);
	}
	if (ask_key(s, PM_AUTHED, user, type, key) != PM_YES)
		return refused(s);
	return let_in(s, user);
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
	struct srv *s = arg;

	/* libssh answers a bad signature with silence: it ends here, and counts. */
	if (s->probed)
		tell_failed(s);
	s->ending = true;
}
