/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/client_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "transport/fingerprint.h"

#define PROMPTS 3

static const char *const defaults[] = {"id_ed25519", "id_ecdsa", "id_rsa"};

struct auth {
	struct tp_client *c;
	const struct tp_client_opts *o;
	struct err *e;
};

static void
note(struct tp_client *c, ssh_key key, const char *path, const char *why)
{
	unsigned char *hash = NULL;
	char *fp = NULL;
	size_t n = 0, at = strlen(c->tried);

	if (key && ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &n) == SSH_OK)
		fp = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, n);
	snprintf(c->tried + at, sizeof(c->tried) - at, "\n%s%s%s%s%s", fp ? fp : "", fp ? " " : "",
	    path, why ? ": " : "", why ? why : "");
	ssh_string_free_char(fp);
	ssh_clean_pubkey_hash(&hash);
}

struct ask {
	const struct tp_client_opts *o;
	const char *path;
	int64_t spent;
};

static int
ask_passphrase(const char *prompt, char *out, size_t size, int echo, int verify, void *arg)
{
	struct ask *a = arg;
	char text[512];
	int64_t since = clock_mono();
	int rc;

	(void)prompt;
	(void)echo;
	(void)verify;
	if (!a->o->passphrase)
		return -1;
	snprintf(text, sizeof(text), "Passphrase of %s: ", a->path);
	rc = a->o->passphrase(a->o->arg, text, out, size);
	a->spent += clock_mono() - since;
	return rc;
}

/* 1 in, 0 not with this key, -1 lost. */
static int
prove(const struct auth *a, ssh_key key)
{
	int rc;

	while ((rc = ssh_userauth_publickey(a->c->ssh, NULL, key)) == SSH_AUTH_AGAIN) {
		if (client_wait(a->c, "proving a key", a->e) < 0)
			return -1;
	}
	if (rc == SSH_AUTH_ERROR)
		return client_lost(a->c, "proving a key", a->e);
	return rc == SSH_AUTH_SUCCESS;
}

/* Would this key do?  Asked with the public half, before a passphrase is. */
static int
probe(const struct auth *a, ssh_key pub)
{
	int rc;

	while ((rc = ssh_userauth_try_publickey(a->c->ssh, NULL, pub)) == SSH_AUTH_AGAIN) {
		if (client_wait(a->c, "offering a key", a->e) < 0)
			return -1;
	}
	if (rc == SSH_AUTH_ERROR)
		return client_lost(a->c, "offering a key", a->e);
	return rc == SSH_AUTH_SUCCESS;
}

static ssh_key
load_private(const struct auth *a, const char *path)
{
	struct ask ask = {.o = a->o, .path = path};
	ssh_key key = NULL;
	int rc = SSH_ERROR, left = a->o->passphrase ? PROMPTS : 1;

	while (rc == SSH_ERROR && left-- > 0)
		rc = ssh_pki_import_privkey_file(
		    path, NULL, a->o->passphrase ? ask_passphrase : NULL, &ask, &key);
	a->c->deadline += ask.spent;
	return rc == SSH_OK ? key : NULL;
}

static int
try_file(const struct auth *a, const char *path)
{
	char pub_path[4096];
	ssh_key pub = NULL, key;
	int rc = 1;

	if (access(path, R_OK) < 0) {
		note(a->c, NULL, path, strerrordesc_np(errno));
		return 0;
	}
	snprintf(pub_path, sizeof(pub_path), "%s.pub", path);
	if (ssh_pki_import_pubkey_file(pub_path, &pub) == SSH_OK)
		rc = probe(a, pub);
	if (rc == 0)
		note(a->c, pub, path, NULL);
	ssh_key_free(pub);
	if (rc <= 0)
		return rc;
	key = load_private(a, path);
	if (!key) {
		note(a->c, NULL, path, "needs its passphrase, or is no private key");
		return 0;
	}
	rc = prove(a, key);
	if (rc == 0)
		note(a->c, key, path, NULL);
	ssh_key_free(key);
	return rc;
}

static int
try_defaults(const struct auth *a)
{
	const char *home = getenv("HOME");
	char path[4096];
	int rc = 0;

	if (!home)
		return 0;
	for (size_t i = 0; i < COUNT_OF(defaults) && rc == 0; i++) {
		snprintf(path, sizeof(path), "%s/.ssh/%s", home, defaults[i]);
		if (access(path, F_OK) == 0)
			rc = try_file(a, path);
	}
	return rc;
}

static int
try_agent(const struct auth *a)
{
	const char *path = getenv("SSH_AUTH_SOCK");
	int rc;

	if (!path || !*path)
		return 0;
	while ((rc = ssh_userauth_agent(a->c->ssh, NULL)) == SSH_AUTH_AGAIN) {
		if (client_wait(a->c, "offering the keys of ssh-agent", a->e) < 0)
			return -1;
	}
	if (rc == SSH_AUTH_SUCCESS)
		return 1;
	/* An agent that does not answer is no reason to give up: files may do. */
	return ssh_is_connected(a->c->ssh) ? 0 : client_lost(a->c, "offering keys", a->e);
}

static int
nobody(const struct auth *a)
{
	char keys[sizeof(a->c->tried)] = "";

	client_agent_list(keys, sizeof(keys));
	err_set(a->e, ERR_AUTH, 0, "the agent at %s accepts none of your keys",
	    a->o->host ? a->o->host : "the socket");
	if (!keys[0] && !a->c->tried[0])
		err_why(a->e, "there is none: no ssh-agent, and no key file in ~/.ssh");
	else
		err_why(a->e, "tried:%s%s", keys, a->c->tried);
	return err_hint(a->e,
	    "have your public key added to the agent's authorized_keys, or name another with "
	    "--identity FILE");
}

int
client_auth(struct tp_client *c, const struct tp_client_opts *o, struct err *e)
{
	struct auth a = {.c = c, .o = o, .e = e};
	int rc;

	/* Also over TCP: the answer says which methods go on. */
	while ((rc = ssh_userauth_none(c->ssh, NULL)) == SSH_AUTH_AGAIN) {
		if (client_wait(c, "authenticating", e) < 0)
			return -1;
	}
	if (rc == SSH_AUTH_SUCCESS)
		return 0;
	if (rc == SSH_AUTH_ERROR)
		return client_lost(c, "authenticating", e);
	if (o->local) {
		err_set(e, ERR_AUTH, 0, "the agent does not accept this user");
		err_why(e, "it knows the caller by the socket, and lets in root and group coral");
		return err_hint(e, "ask to be made a member of group coral, or use sudo");
	}
	rc = try_agent(&a);
	for (size_t i = 0; rc == 0 && o->identities && o->identities[i]; i++)
		rc = try_file(&a, o->identities[i]);
	if (rc == 0 && !o->identities)
		rc = try_defaults(&a);
	if (rc == 0)
		rc = nobody(&a);
	return rc < 0 ? -1 : 0;
}
