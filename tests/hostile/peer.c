/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An SSH client that does what stock ones do not, for tests/container/test_peer.py:
 *
 *   peer PORT KEY MODE USER
 *
 * It prints a line for each step and what came of it.
 */
#include <libssh/libssh.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/str.h"
#include "transport/conn.h"
#include "transport/remote_pki.h"

#define CANARY 0x4f65feb3 /* behind the arguments of libssh's packing */
#define CHANNEL_DATA 94	  /* RFC 4254 section 5.2 */
#define CHANNEL_OPEN 90
#define CHANNEL_REQUEST 98
#define FIRST_CHANNEL 43 /* of libssh's server */
#define WAIT_MS 5000

/* libssh packs each packet by this, into the session's buffer: what is wrong here is put in so. */
struct ssh_buffer_struct;
int __real__ssh_buffer_pack(struct ssh_buffer_struct *b, const char *format, size_t argc, ...);
int __wrap__ssh_buffer_pack(struct ssh_buffer_struct *b, const char *format, size_t argc, ...);
int ssh_buffer_pack_va(struct ssh_buffer_struct *b, const char *format, size_t argc, va_list args);
int ssh_packet_send(ssh_session s);

ssh_string __real_ssh_pki_do_sign(
    ssh_session s, struct ssh_buffer_struct *data, const ssh_key k, int digest);
ssh_string __wrap_ssh_pki_do_sign(
    ssh_session s, struct ssh_buffer_struct *data, const ssh_key k, int digest);

static ssh_session ssh;
static ssh_key key;
static struct {
	bool no_packets;
	const char *signature, *public; /* in place of one */
	struct ssh_buffer_struct *out;
	unsigned channel;
} raw;

int
__wrap__ssh_buffer_pack(struct ssh_buffer_struct *b, const char *format, size_t argc, ...)
{
	bool open = strcmp(format, "bsddd") == 0, request = strcmp(format, "bdsb") == 0;
	va_list args, copy;
	int rc;

	va_start(args, argc);
	va_copy(copy, args);
	if (strcmp(format, "bs") == 0) /* RFC 4253 section 10: the session's own buffer */
		raw.out = b;
	/* RFC 4252 section 7 */
	if (strcmp(format, "bsssbsS") == 0 && raw.public) {
		unsigned type = va_arg(copy, unsigned);
		char *user = va_arg(copy, char *), *service = va_arg(copy, char *);
		char *method = va_arg(copy, char *);
		unsigned has_signature = va_arg(copy, unsigned);
		ssh_string other = ssh_string_from_char(raw.public);

		rc = __real__ssh_buffer_pack(b, format, argc, type, user, service, method,
		    has_signature, va_arg(copy, char *), other, CANARY);
		ssh_string_free(other);
		goto out;
	}
	if (open || request) {
		unsigned type = va_arg(copy, unsigned);
		char *kind = open ? va_arg(copy, char *) : NULL;
		unsigned number = va_arg(copy, unsigned);
		unsigned window = open ? va_arg(copy, unsigned) : 0;

		raw.out = b;
		raw.channel = open ? raw.channel : number;
		if (open && raw.no_packets) {
			rc = __real__ssh_buffer_pack(
			    b, format, argc, type, kind, number, window, 0u, CANARY);
			goto out;
		}
	}
	rc = ssh_buffer_pack_va(b, format, argc, args);
out:
	va_end(copy);
	va_end(args);
	return rc;
}

ssh_string
__wrap_ssh_pki_do_sign(ssh_session s, struct ssh_buffer_struct *data, const ssh_key k, int digest)
{
	if (raw.signature)
		return ssh_string_from_char(raw.signature);
	return __real_ssh_pki_do_sign(s, data, k, digest);
}

static int
sign_wrong(void *arg, const unsigned char *p, size_t n, unsigned char sig[HOSTKEY_SIGNATURE])
{
	(void)arg;
	(void)p;
	memset(sig, (int)n, HOSTKEY_SIGNATURE);
	return 0;
}

static void
verify_nothing(
    void *arg, const unsigned char *sig, size_t sig_len, const unsigned char *data, size_t data_len)
{
	(void)arg;
	(void)sig;
	(void)sig_len;
	(void)data;
	(void)data_len;
}

static bool
connect_to(const char *port, const char *user)
{
	bool off = false;
	long seconds = 5; /* some things are not answered */
	int rc;

	ssh = ssh_new();
	rc = ssh_options_set(ssh, SSH_OPTIONS_HOST, "127.0.0.1") |
	     ssh_options_set(ssh, SSH_OPTIONS_PORT_STR, port) |
	     ssh_options_set(ssh, SSH_OPTIONS_USER, user) |
	     ssh_options_set(ssh, SSH_OPTIONS_TIMEOUT, &seconds) |
	     ssh_options_set(ssh, SSH_OPTIONS_SSH_DIR, "/nonexistent") |
	     ssh_options_set(ssh, SSH_OPTIONS_PROCESS_CONFIG, &off) |
	     ssh_options_set(ssh, SSH_OPTIONS_KEY_EXCHANGE, CONN_KEX);
	return rc == 0 && ssh_connect(ssh) == SSH_OK;
}

static bool
login(void)
{
	int rc = ssh_userauth_publickey(ssh, NULL, key);

	printf("login %s\n", rc == SSH_AUTH_SUCCESS ? "yes" : "no");
	return rc == SSH_AUTH_SUCCESS;
}

static ssh_channel
open_channel(void)
{
	ssh_channel c = ssh_channel_new(ssh);

	return c && ssh_channel_open_session(c) == SSH_OK ? c : NULL;
}

static void
run(const char *what, const char *command)
{
	ssh_channel c = open_channel();
	char out[256] = "";
	int n = -1;

	if (c && ssh_channel_request_exec(c, command) == SSH_OK)
		n = ssh_channel_read_timeout(c, out, sizeof(out) - 1, 0, WAIT_MS);
	out[strcspn(out, "\n")] = '\0';
	printf("%s %s %d %s\n", what, c ? "open" : "refused", n, out);
}

/* libssh's server would not answer one at all: how soon, and for how long? */
static void
bad_signature(void)
{
	static const struct remote_pki wrong = {.sign = sign_wrong, .verify = verify_nothing};

	remote_pki_set(&wrong);
	for (int i = 0; i < 10 && ssh_is_connected(ssh); i++) {
		int64_t t = clock_mono();
		int rc = ssh_userauth_publickey(ssh, NULL, key);

		printf("%s %lld\n",
		    rc == SSH_AUTH_DENIED    ? "denied"
		    : rc == SSH_AUTH_SUCCESS ? "let-in"
					     : "error",
		    (long long)((clock_mono() - t) / NS_PER_MS));
		/* Who is in is not answered any more. */
		if (rc == SSH_AUTH_SUCCESS)
			return;
	}
}

/* The name of a probe counts for nothing. */
static void
switch_user(const char *user)
{
	ssh_key public = NULL;

	ssh_pki_export_privkey_to_pubkey(key, &public);
	printf("probe %d\n", ssh_userauth_try_publickey(ssh, "nowhere", public));
	printf("login %d\n", ssh_userauth_publickey(ssh, user, key));
	run("after", "hostname");
}

static void
many_channels(void)
{
	int n = 0;

	while (n < 100 && open_channel())
		n++;
	printf("channels %d\n", n);
}

static void
after_close(void)
{
	ssh_channel c = open_channel();

	ssh_channel_request_exec(c, "cat >/tmp/late");
	ssh_channel_close(c);
	for (int i = 0; i < 3; i++) {
		__real__ssh_buffer_pack(
		    raw.out, "bds", 3, CHANNEL_DATA, raw.channel, "late", CANARY);
		ssh_packet_send(ssh);
	}
	run("another", "echo alive");
}

/* Not by libssh: it asks for none before its login, and takes no answer. */
static void
before_login(void)
{
	printf("none %d\n", ssh_userauth_none(ssh, NULL));
	__real__ssh_buffer_pack(
	    raw.out, "bsddd", 5, CHANNEL_OPEN, "session", 0, 64000, 32000, CANARY);
	printf("open %d\n", ssh_packet_send(ssh));
	__real__ssh_buffer_pack(raw.out, "bdsbs", 5, CHANNEL_REQUEST, FIRST_CHANNEL, "exec", 0,
	    "touch /tmp/early", CANARY);
	printf("exec %d\n", ssh_packet_send(ssh));
	printf("none %d\n", ssh_userauth_none(ssh, NULL));
}

static void
environment(void)
{
	ssh_channel c = open_channel();
	char name[32];
	int taken = 0;

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "LC_%c%c", 'A' + i / 26, 'A' + i % 26);
		taken += ssh_channel_request_env(c, name, "C") == SSH_OK;
	}
	printf("environment %d\n", taken);
}

int
main(int argc, char **argv)
{
	const char *mode = argc == 5 ? argv[3] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	ssh_init();
	if (argc != 5 || ssh_pki_import_privkey_file(argv[2], NULL, NULL, NULL, &key) != SSH_OK ||
	    !connect_to(argv[1], argv[4])) {
		fprintf(stderr, "peer PORT KEY MODE USER: %s\n", ssh ? ssh_get_error(ssh) : "");
		return 1;
	}
	raw.signature = strcmp(mode, "no-signature") == 0 ? "driftwood" : NULL;
	raw.public = strcmp(mode, "no-key") == 0 ? "driftwood" : NULL;
	if (strcmp(mode, "bad-signature") == 0 || raw.signature || raw.public)
		bad_signature();
	else if (strcmp(mode, "switch-user") == 0)
		switch_user(argv[4]);
	else if (strcmp(mode, "before-login") == 0)
		before_login();
	else if (!login())
		return 1;
	else if (strcmp(mode, "channels") == 0)
		many_channels();
	else if (strcmp(mode, "after-close") == 0)
		after_close();
	else if (strcmp(mode, "environment") == 0)
		environment();
	raw.no_packets = strcmp(mode, "no-packets") == 0;
	if (raw.no_packets)
		run("no-packets", "echo in");
	printf("%s\n", ssh_is_connected(ssh) ? "connected" : "lost");
	return 0;
}
