/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/client_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "session/embed.h"

#define PORT 7022

/* HOST, HOST:PORT, [V6]:PORT or V6 as one spelling, so that known_hosts has one entry. */
static void
host_with_port(const char *address, char *out, size_t size)
{
	const char *colon = strchr(address, ':'), *bracket = strchr(address, ']');

	if (bracket ? bracket[1] == ':' : colon && !strchr(colon + 1, ':'))
		str_copy(out, address, size);
	else if (bracket || !colon)
		snprintf(out, size, "%s:%d", address, PORT);
	else
		snprintf(out, size, "[%s]:%d", address, PORT);
}

static struct tp_client *
open_remote(const struct client_where *w, struct err *e)
{
	char host[300];
	struct tp_client_opts o = {
	    .host = host,
	    .known_hosts = w->known_hosts,
	    .trust_new = w->ask ? client_ask_trust : NULL,
	    .identities = w->identities,
	    .passphrase = w->ask ? client_ask_passphrase : NULL,
	};

	host_with_port(w->address, host, sizeof(host));
	o.sock = tp_dial(w->address, e);
	return o.sock < 0 ? NULL : tp_client_open(&o, e);
}

static struct tp_client *
open_local(int sock, struct err *e)
{
	struct tp_client_opts o = {.sock = sock, .local = true};

	return tp_client_open(&o, e);
}

static void
nothing_listens(const char *path, const struct err *dial, struct err *e)
{
	int sys = dial->sys;

	err_set(e, ERR_TRANSPORT, sys, "no agent answers at %s", path);
	if (sys == EACCES || sys == EPERM) {
		err_why(e, "you may not open that socket (%s)", dial->why);
		err_hint(e, "ask for membership of the group coral; or --agent-addr HOST:PORT");
		return;
	}
	err_why(e, "%s; and only root can enter containers without an agent (you are uid %u)",
	    dial->why, (unsigned)geteuid());
	err_hint(
	    e, "sudo coral agent start; or --agent-addr HOST:PORT; or run this command as root");
}

static struct tp_client *
open_embedded(struct err *e)
{
	struct embed m;
	struct tp_client *c;

	if (embed_start(&m, e) < 0)
		return NULL;
	c = open_local(m.sock, e);
	if (!c)
		embed_error(&m, e);
	close(m.status);
	return c;
}

struct tp_client *
client_connect(const struct client_where *w, struct err *e)
{
	const char *path = w->socket;
	struct err dial;
	int sock;

	if (w->address && w->address[0]) {
		if (w->address[0] != '/')
			return open_remote(w, e);
		path = w->address;
	}
	sock = tp_dial(path, &dial);
	if (sock < 0 && path == w->socket && w->embed && geteuid() == 0 &&
	    (dial.sys == ENOENT || dial.sys == ECONNREFUSED)) {
		return open_embedded(e);
	}
	if (sock < 0) {
		nothing_listens(path, &dial, e);
		return NULL;
	}
	return open_local(sock, e);
}
