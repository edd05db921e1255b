/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/broker_int.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define DEFAULT_PORT 7022
#define BACKLOG 256

static void
accept_unix(void *arg, short revents)
{
	struct broker *b = arg;
	struct policy_who who;
	struct err e = {0};
	struct conn *c;
	bool over;
	int sock = accept4(b->unix_sock, NULL, NULL, SOCK_CLOEXEC);

	(void)revents;
	if (sock < 0)
		return;
	if (b->conn_count >= BROKER_CONNS || broker_who(b, sock, &who, &e) < 0) {
		log_warn("refused a connection on the unix socket: %s", e.what);
		if (e.code == ERR_AUTH)
			broker_audit_refused(b, who.user, "unix", e.what);
		close(sock);
		return;
	}
	if (broker_limits_enter(b, &who, &over) < 0) {
		close(sock);
		return;
	}
	c = broker_conn_start(b, sock, &who, "unix");
	if (c)
		c->over = over;
}

/* Random early drop, so that a flood cannot keep every honest caller out. */
static bool
too_many_startups(const struct broker *b)
{
	size_t over = b->unauthed - BROKER_STARTUPS_START;
	unsigned char dice = 0;

	if (b->unauthed < BROKER_STARTUPS_START)
		return false;
	if (b->unauthed >= BROKER_STARTUPS_FULL || getrandom(&dice, 1, GRND_NONBLOCK) != 1)
		return true;
	/* 30 % at START, rising to all at FULL. */
	return dice < 77 + (over * 179) / (BROKER_STARTUPS_FULL - BROKER_STARTUPS_START);
}

static void
peer_text(const struct sockaddr_storage *ss, char *out, size_t size)
{
	char ip[INET6_ADDRSTRLEN] = "?";

	if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const void *)ss;

		inet_ntop(AF_INET6, &a->sin6_addr, ip, sizeof ip);
		snprintf(out, size, "[%s]:%u", ip, ntohs(a->sin6_port));
	} else {
		const struct sockaddr_in *a = (const void *)ss;

		inet_ntop(AF_INET, &a->sin_addr, ip, sizeof ip);
		snprintf(out, size, "%s:%u", ip, ntohs(a->sin_port));
	}
}

/* An IPv6 host has a /64 to choose its addresses from. */
static void
source_of(const struct sockaddr_storage *ss, unsigned char out[8])
{
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)ss)->sin6_addr;
	const void *v4 = &((const struct sockaddr_in *)ss)->sin_addr;

	memset(out, 0, 8);
	if (ss->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6))
		memcpy(out + 4, v6->s6_addr + 12, 4);
	else if (ss->ss_family == AF_INET6)
		memcpy(out, v6->s6_addr, 8);
	else
		memcpy(out + 4, v4, 4);
}

static bool
too_many_of(const struct broker *b, const unsigned char source[8])
{
	size_t n = 0;

	for (const struct conn *c = b->conns; c; c = c->next)
		n += c->state == CONN_PREAUTH && memcmp(c->source, source, 8) == 0;
	return n >= BROKER_STARTUPS_EACH;
}

static void
accept_tcp(void *arg, short revents)
{
	struct broker *b = arg;
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof ss;
	unsigned char source[8];
	struct conn *c;
	char peer[80];
	int one = 1;
	int sock = accept4(b->tcp_sock, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC);

	(void)revents;
	if (sock < 0)
		return;
	peer_text(&ss, peer, sizeof peer);
	source_of(&ss, source);
	if (b->conn_count >= BROKER_CONNS || too_many_of(b, source) || too_many_startups(b)) {
		log_warn("dropped %s: too many connections that are not authenticated", peer);
		close(sock);
		return;
	}
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(sock, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	c = broker_conn_start(b, sock, NULL, peer);
	if (c)
		memcpy(c->source, source, sizeof c->source);
}

int
broker_listen_unix(struct broker *b, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const char *path = b->conf->socket;
	bool group = b->group != (gid_t)-1;

	if (strlen(path) >= sizeof a.sun_path)
		return err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot listen on %s", path);
	str_copy(a.sun_path, path, sizeof a.sun_path);
	b->unix_sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The lock says that no agent lives: what lies there is stale. */
	unlink(path);
	if (b->unix_sock < 0 || bind(b->unix_sock, (struct sockaddr *)&a, sizeof a) < 0 ||
	    chmod(path, group ? 0660 : 0600) < 0 ||
	    (group && chown(path, (uid_t)-1, b->group) < 0) || listen(b->unix_sock, BACKLOG) < 0) {
		err_set(e, ERR_IO, errno, "cannot listen on %s", path);
		return err_hint(e, "--socket PATH or CORAL_RUNTIME_DIR names another place");
	}
	b->unix_src = loop_add_in(b->loop, b->unix_sock, accept_unix, b);
	log_info("listening on %s", path);
	return 0;
}

/* "HOST:PORT" with a numeric host: an agent asks no resolver. */
static int
parse_listen(const char *text, struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_in *v4 = (void *)ss;
	struct sockaddr_in6 *v6 = (void *)ss;
	char host[64];
	const char *colon = strrchr(text, ':');
	const char *end = strrchr(text, ']');
	int64_t port = DEFAULT_PORT;
	size_t n;

	if (colon && end && colon < end)
		colon = NULL;
	n = colon ? (size_t)(colon - text) : strlen(text);
	if (n >= sizeof host || (colon && str_to_i64(colon + 1, 0, 65535, &port) < 0))
		return -1;
	memcpy(host, text, n);
	host[n] = '\0';
	memset(ss, 0, sizeof *ss);
	if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
		host[n - 1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*len = sizeof *v6;
		return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ? 0 : -1;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	*len = sizeof *v4;
	return inet_pton(
		   AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &v4->sin_addr) == 1
		   ? 0
		   : -1;
}

int
broker_listen_tcp(struct broker *b, struct err *e)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int one = 1;

	if (parse_listen(b->conf->listen, &ss, &len) < 0) {
		err_set(e, ERR_CONFIG, 0, "cannot listen on %s", b->conf->listen);
		err_why(e, "it is not an address and a port");
		return err_hint(
		    e, "--listen 127.0.0.1:7022, or --listen [::]:7022 for every interface");
	}
	b->tcp_sock = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (b->tcp_sock >= 0)
		setsockopt(b->tcp_sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (b->tcp_sock < 0 || bind(b->tcp_sock, (struct sockaddr *)&ss, len) < 0 ||
	    listen(b->tcp_sock, BACKLOG) < 0)
		return err_set(e, ERR_IO, errno, "cannot listen on %s", b->conf->listen);
	b->tcp_src = loop_add_in(b->loop, b->tcp_sock, accept_tcp, b);
	log_info("listening on %s", b->conf->listen);
	return 0;
}

void
broker_unlisten(struct broker *b)
{
	loop_del(&b->unix_src);
	loop_del(&b->tcp_src);
	if (b->unix_sock >= 0)
		unlink(b->conf->socket);
	fd_close(&b->unix_sock);
	fd_close(&b->tcp_sock);
}
