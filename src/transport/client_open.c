/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/client_int.h"

#include <errno.h>
#include <libssh/server.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "transport/conn.h"
#include "transport/frame.h"
#include "transport/readahead.h"
#include "transport/sock.h"

#define OPEN_NS (20 * NS_PER_S)
#define IN_MAX (8 * 1024 * 1024)
#define SSH_USER "coral"

int
client_lost(struct tp_client *c, const char *doing, struct err *e)
{
	const char *text = c->ssh ? ssh_get_error(c->ssh) : NULL;

	err_set(e, ERR_TRANSPORT, 0, "the connection was lost while %s", doing);
	/* What libssh says of a socket at its end. */
	if (text && strcmp(text, "Success") == 0)
		text = NULL;
	err_why(e, "%s", text && *text ? text : "the agent closed it");
	return err_hint(e, "coral agent status, and the agent's log, say more");
}

int
client_wait(struct tp_client *c, const char *doing, struct err *e)
{
	struct pollfd p = {.fd = c->sock};
	int64_t left = c->deadline - clock_mono();

	/* Some of libssh's calls say "again" of a connection that they found closed, and closed. */
	if (!ssh_is_connected(c->ssh))
		return client_lost(c, doing, e);
	if (readahead_pending(p.fd))
		return 0;
	p.events = conn_interest(c->ssh);
	if (left > 0 && (poll(&p, 1, (int)(left / NS_PER_MS) + 1) != 0 || errno == EINTR))
		return 0;
	err_set(e, ERR_TRANSPORT, ETIMEDOUT, "no answer from the agent while %s", doing);
	err_why(e, "it took longer than %d s", (int)(OPEN_NS / NS_PER_S));
	return err_hint(e, "is it an agent of coral that listens there?");
}

/* "host:port" or "[v6]:port" for libssh's two options. */
static int
set_host(ssh_session ssh, const char *where)
{
	const char *colon = strrchr(where, ':');
	char host[256];
	size_t n;
	int64_t port = 7022;
	unsigned number;

	if (colon && (where[0] == '[' ? colon[-1] == ']' : strchr(where, ':') == colon)) {
		if (str_to_i64(colon + 1, 1, 65535, &port) < 0)
			return -1;
		n = (size_t)(colon - where);
	} else {
		n = strlen(where);
	}
	number = (unsigned)port;
	if (where[0] == '[' && n > 2) {
		where++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(host))
		return -1;
	memcpy(host, where, n);
	host[n] = '\0';
	return ssh_options_set(ssh, SSH_OPTIONS_HOST, host) |
	       ssh_options_set(ssh, SSH_OPTIONS_PORT, &number);
}

static int
set_options(struct tp_client *c, const struct tp_client_opts *o, struct err *e)
{
	const char *home = getenv("HOME");
	char dir[512];
	bool off = false;
	int rc = 0;

	/* Given, or libssh would ask NSS for the home directory, which a static binary lacks. */
	snprintf(dir, sizeof(dir), "%s/.ssh", home ? home : "");
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_PROCESS_CONFIG, &off);
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_USER, SSH_USER);
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_SSH_DIR, dir);
	rc |= o->host ? set_host(c->ssh, o->host)
		      : ssh_options_set(c->ssh, SSH_OPTIONS_HOST, "localhost");
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_KEY_EXCHANGE, CONN_KEX);
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_CIPHERS_C_S, CONN_CIPHERS);
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_CIPHERS_S_C, CONN_CIPHERS);
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_HMAC_C_S, CONN_MACS);
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_HMAC_S_C, CONN_MACS);
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_HOSTKEYS, CONN_HOSTKEYS);
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, CONN_KEYS);
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
	if (o->known_hosts)
		rc |= ssh_options_set(c->ssh, SSH_OPTIONS_KNOWNHOSTS, o->known_hosts);
	rc |= ssh_options_set(c->ssh, SSH_OPTIONS_FD, &c->sock);
	if (rc != 0) {
		err_set(e, ERR_INTERNAL, 0, "cannot set up the connection");
		return err_why(e, "%s", ssh_get_error(c->ssh));
	}
	return 0;
}

static int
refused(struct tp_client *c, bool local, struct err *e)
{
	client_lost(c, "shaking hands", e);
	if (local)
		err_hint(e, "such a socket serves root and the group coral: be one of them, or "
			    "use --agent-addr HOST:PORT; the agent's log says more");
	return -1;
}

/* An agent asks nothing of its client: libssh would keep every question for who looks at them. */
static int
hear_nothing(ssh_session s, ssh_message m, void *arg)
{
	(void)s;
	(void)m;
	(void)arg;
	return 0;
}

static int
handshake(struct tp_client *c, struct err *e)
{
	struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(own);
	bool local;
	int rc;

	/* Asked now: libssh may close a socket that it found dead. */
	local =
	    getsockname(c->sock, (struct sockaddr *)&own, &len) == 0 && own.ss_family == AF_UNIX;
	ssh_set_blocking(c->ssh, 0);
	ssh_set_message_callback(c->ssh, hear_nothing, NULL);
	while ((rc = ssh_connect(c->ssh)) == SSH_AGAIN) {
		if (client_wait(c, "shaking hands", e) < 0)
			return ssh_is_connected(c->ssh) ? -1 : refused(c, local, e);
	}
	if (rc != SSH_OK)
		return refused(c, local, e);
	/* The event exists only now: add_session wants the session's own poll context. */
	c->event = ssh_event_new();
	if (!c->event || ssh_event_add_session(c->event, c->ssh) != SSH_OK)
		return err_set(e, ERR_INTERNAL, 0, "cannot set up the connection");
	return 0;
}

static int
open_channel(struct tp_client *c, struct err *e)
{
	int rc;

	c->channel = ssh_channel_new(c->ssh);
	if (!c->channel)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	client_listen(c);
	while ((rc = ssh_channel_open_session(c->channel)) == SSH_AGAIN) {
		if (client_wait(c, "opening a channel", e) < 0)
			return -1;
	}
	if (rc == SSH_OK) {
		while ((rc = ssh_channel_request_subsystem(c->channel, FRAME_SUBSYSTEM)) ==
		       SSH_AGAIN) {
			if (client_wait(c, "opening a channel", e) < 0)
				return -1;
		}
	}
	if (rc == SSH_OK)
		return 0;
	if (!ssh_is_connected(c->ssh))
		return client_lost(c, "opening a channel", e);
	err_set(e, ERR_TRANSPORT, 0, "the other side does not speak coral's protocol");
	err_why(e, "it refused the channel or its subsystem \"%s\"", FRAME_SUBSYSTEM);
	return err_hint(e, "check that the address is that of a coral agent, not of sshd");
}

struct tp_client *
tp_client_open(const struct tp_client_opts *o, struct err *e)
{
	struct tp_client *c = calloc(1, sizeof(*c));
	int sock = o->sock;

	if (!c || fd_nonblock(sock, true) < 0) {
		err_set(e, ERR_TRANSPORT, errno, "cannot use the connection");
		fd_close(&sock);
		free(c);
		return NULL;
	}
	ssh_init();
	tp_sock_tune(sock);
	/* An agent always reads: its transport is killed when it hangs. */
	tp_sock_impatient(sock);
	c->sock = sock;
	c->deadline = clock_mono() + OPEN_NS;
	buf_init(&c->in, IN_MAX);
	readahead_start(sock);
	c->ssh = ssh_new();
	if (!c->ssh)
		err_set(e, ERR_LIMIT, 0, "out of memory");
	if (c->ssh && set_options(c, o, e) == 0 && handshake(c, e) == 0 &&
	    (o->local || known_hosts_check(c, o, e) == 0) && client_auth(c, o, e) == 0 &&
	    open_channel(c, e) == 0)
		return c;
	tp_client_free(c);
	return NULL;
}
