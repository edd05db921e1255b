/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/client_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "session/embed.h"
#include "transport/mux.h"

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
		err_hint(e, "sudo coral; or be of the group coral, if the host has it; or "
			    "--agent-addr HOST:PORT");
		return;
	}
	/* Root comes here only for a socket of its choice. */
	if (geteuid() == 0) {
		err_why(e, "%s", dial->why);
		err_hint(
		    e, "coral agent start --socket %s; or name no agent: root needs none", path);
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

/* The socket of who listens, or NULL: the address is one of TCP. */
static const char *
socket_of(const struct client_where *w)
{
	if (!w->address || !w->address[0])
		return w->socket;
	return w->address[0] == '/' ? w->address : NULL;
}

/* embedded: the agent is ours alone, and ends with us. */
static struct tp_client *
dial(const struct client_where *w, bool *embedded, struct err *e)
{
	const char *path = socket_of(w);
	struct err why;
	int sock;

	if (!path)
		return open_remote(w, e);
	sock = tp_dial(path, &why);
	*embedded = sock < 0 && path == w->socket && w->embed && geteuid() == 0 &&
		    (why.sys == ENOENT || why.sys == ECONNREFUSED);
	if (*embedded)
		return open_embedded(e);
	if (sock < 0) {
		nothing_listens(path, &why, e);
		return NULL;
	}
	return open_local(sock, e);
}

static void
add_namespace(struct mux_key *k, const char *path)
{
	char id[64] = "";

	if (readlink(path, id, sizeof(id) - 1) < 0)
		id[0] = '\0';
	mux_key_add(k, id);
}

/* All that decides where a connection leads and whose it is. */
static void
key_of(const struct client_where *w, struct mux_key *k)
{
	const char *path = socket_of(w);
	char host[300];

	mux_key_begin(k);
	/* The same path or name is another socket or host in another namespace. */
	add_namespace(k, "/proc/self/ns/mnt");
	if (path) {
		mux_key_add(k, path);
	} else {
		host_with_port(w->address, host, sizeof(host));
		mux_key_add(k, host);
		add_namespace(k, "/proc/self/ns/net");
		mux_key_add(k, w->known_hosts);
		mux_key_add(k, getenv("HOME"));
		mux_key_add(k, getenv("SSH_AUTH_SOCK"));
		for (size_t i = 0; w->identities && w->identities[i]; i++)
			mux_key_add(k, w->identities[i]);
	}
	mux_key_end(k);
}

struct tp_client *
client_connect(const struct client_where *w, struct err *e)
{
	bool embedded = false;
	struct tp_client *c;
	struct mux_key key;
	struct mux m;

	if (!w->share_dir || w->share_ns <= 0)
		return dial(w, &embedded, e);
	key_of(w, &key);
	c = mux_join(&m, w->share_dir, &key, w->fresh);
	if (!c) {
		c = dial(w, &embedded, e);
		if (c && !embedded)
			mux_offer(&m, c, w->share_ns);
		if (m.unsafe.code != ERR_NONE && !embedded)
			err_print(STDERR_FILENO, &m.unsafe);
	}
	mux_close(&m);
	return c;
}

bool
client_connect_again(struct client_where *w, bool shared, const struct err *e)
{
	bool unbegun = (e->code == ERR_TRANSPORT && e->sys == ESHUTDOWN) ||
		       (e->code == ERR_LIMIT && e->sys == EUSERS) ||
		       (e->code == ERR_AUTH && e->sys == EKEYREVOKED);

	if (!shared || w->fresh || !unbegun)
		return false;
	w->fresh = true;
	return true;
}
