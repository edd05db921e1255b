/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "transport/sock.h"

#define DIAL_NS (10 * NS_PER_S)
#define DEFAULT_PORT "7022"

/* connect(2) with a deadline.  0, or -1 with errno. */
static int
connect_by(int fd, const struct sockaddr *sa, socklen_t len, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int64_t left;
	int rc, soerr = 0;

	if (connect(fd, sa, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -1;
	do {
		left = deadline - clock_mono();
		rc = poll(&p, 1, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0);
	} while (rc < 0 && errno == EINTR);
	if (rc == 0)
		errno = ETIMEDOUT;
	if (rc <= 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &soerr, &size) < 0)
		return -1;
	errno = soerr;
	return soerr ? -1 : 0;
}

static int
dial_unix(const char *path, struct err *e)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd;

	if (str_copy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path))
		return err_set(e, ERR_USAGE, ENAMETOOLONG, "cannot reach an agent at %s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, ERR_TRANSPORT, errno, "cannot reach an agent at %s", path);
	tp_sock_tune(fd);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	err_set(e, ERR_TRANSPORT, errno, "cannot reach an agent at %s", path);
	if (errno == ENOENT || errno == ECONNREFUSED) {
		err_why(e, "%s",
		    errno == ENOENT ? "there is no such socket"
				    : "nobody listens on that socket any more");
		err_hint(e, "coral agent start --socket %s", path);
	} else if (errno == EACCES) {
		err_why(e, "this user may not write to the socket");
		err_hint(e, "ask to be made a member of group coral, or use sudo");
	}
	fd_close(&fd);
	return -1;
}

/* "HOST:PORT", "[v6]:PORT", "HOST" and a bare v6 address, taken apart. */
static int
split_address(const char *address, char *host, size_t size, char *port, size_t port_size)
{
	const char *close = strchr(address, ']'), *colon = strrchr(address, ':');
	const char *start = address, *end = address + strlen(address);
	int64_t n;

	str_copy(port, DEFAULT_PORT, port_size);
	if (*address == '[') {
		if (!close || (close[1] && close[1] != ':'))
			return -1;
		start++;
		end = close;
		colon = close[1] ? close + 1 : NULL;
	} else if (colon && strchr(address, ':') == colon) {
		end = colon;
	} else {
		colon = NULL;
	}
	if (colon && (str_to_i64(colon + 1, 1, 65535, &n) < 0 ||
			 str_copy(port, colon + 1, port_size) >= port_size))
		return -1;
	if (end == start || (size_t)(end - start) >= size)
		return -1;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	return 0;
}

static int
refused(const char *address, const char *host, int sys, struct err *e)
{
	err_set(e, ERR_TRANSPORT, sys, "cannot reach the agent at %s", address);
	switch (sys) {
	case ECONNREFUSED:
		err_why(e, "connection refused: %s is up, and nothing listens on that port", host);
		return err_hint(
		    e, "on that host: coral agent start --listen 0.0.0.0:%s", DEFAULT_PORT);
	case ETIMEDOUT:
		err_why(e, "no answer within %d s", (int)(DIAL_NS / NS_PER_S));
		return err_hint(e, "check the address, and that no firewall drops the port");
	default:
		return -1;
	}
}

static int
dial_one(const struct addrinfo *ai, int64_t deadline)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (connect_by(fd, ai->ai_addr, ai->ai_addrlen, deadline) < 0)
		fd_close(&fd);
	else
		tp_sock_tune(fd);
	return fd;
}

static int
dial_tcp(const char *address, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list, *ai;
	int64_t deadline = clock_mono() + DIAL_NS;
	char host[256], port[8];
	int fd = -1, rc, sys = 0;

	if (split_address(address, host, sizeof(host), port, sizeof(port)) < 0) {
		err_set(e, ERR_USAGE, 0, "\"%s\" is no address of an agent", address);
		err_why(e, "it is not HOST, HOST:PORT, [IPV6]:PORT or an absolute path");
		return err_hint(e, "--agent-addr node-7:%s", DEFAULT_PORT);
	}
	rc = getaddrinfo(host, port, &hints, &list);
	if (rc != 0) {
		err_set(e, ERR_TRANSPORT, 0, "cannot reach the agent at %s", address);
		err_why(e, "the name \"%s\" cannot be resolved: %s", host,
		    rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
		return err_hint(e, "check the name, or give the address itself");
	}
	for (ai = list; ai && fd < 0; ai = ai->ai_next) {
		/* A share of the time for each, so that one dead address does not take all. */
		int64_t now = clock_mono(), share = deadline - now;

		if (ai->ai_next)
			share /= 2;
		fd = dial_one(ai, now + share);
		if (fd < 0)
			sys = errno;
	}
	freeaddrinfo(list);
	if (fd < 0)
		return refused(address, host, sys, e);
	fd_nonblock(fd, false);
	return fd;
}

int
tp_dial(const char *address, struct err *e)
{
	return *address == '/' ? dial_unix(address, e) : dial_tcp(address, e);
}
