/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/embed.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "target/self_seal.h"

/* In the child: become the agent, from a binary that no container can write. */
static _Noreturn void
become_agent(int sock, int status)
{
	char numbers[2][16];
	char *argv[] = {
	    (char *)"coral", (char *)"agent", (char *)"embedded", numbers[0], numbers[1], NULL};
	struct err e = {0};

	setsid();
	snprintf(numbers[0], sizeof numbers[0], "%d", sock);
	snprintf(numbers[1], sizeof numbers[1], "%d", status);
	fd_cloexec(sock, false);
	fd_cloexec(status, false);
	self_seal_exec(argv, false, &e);
	embed_fail(status, &e);
	_exit(125);
}

int
embed_start(struct embed *m, struct err *e)
{
	int sock[2], status[2];
	pid_t pid;

	if (fd_socketpair(SOCK_STREAM, 1 << 20, sock) < 0)
		return err_set(
		    e, ERR_INTERNAL, errno, "cannot make a socket for the embedded agent");
	if (fd_socketpair(SOCK_STREAM, 0, status) < 0) {
		close(sock[0]);
		close(sock[1]);
		return err_set(
		    e, ERR_INTERNAL, errno, "cannot make a socket for the embedded agent");
	}
	pid = fork();
	if (pid == 0) {
		close(sock[0]);
		close(status[0]);
		become_agent(sock[1], status[1]);
	}
	close(sock[1]);
	close(status[1]);
	*m = (struct embed){sock[0], status[0]};
	if (pid > 0)
		return 0;
	close(m->sock);
	close(m->status);
	return err_set(e, ERR_LIMIT, errno, "cannot fork the embedded agent");
}

bool
embed_error(const struct embed *m, struct err *e)
{
	unsigned char wire[ERR_WIRE_MAX];
	struct pollfd p = {.fd = m->status, .events = POLLIN};
	ssize_t n = poll(&p, 1, 2000) > 0 ? read(m->status, wire, sizeof wire) : -1;

	return n > 0 && err_decode(e, wire, (size_t)n);
}

void
embed_fail(int status, const struct err *e)
{
	unsigned char wire[ERR_WIRE_MAX];

	fd_write_all(status, wire, err_encode(e, wire));
}
