/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/embed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "target/self_seal.h"

/* In the child: become the agent, from a binary that no container can write. */
static _Noreturn void
become_agent(int sock)
{
	char number[16];
	char *argv[] = {(char *)"coral", (char *)"agent", (char *)"embedded", number, NULL};
	struct err e = {0};

	setsid();
	snprintf(number, sizeof number, "%d", sock);
	fd_cloexec(sock, false);
	self_seal_exec(argv, &e);
	err_print(STDERR_FILENO, &e);
	_exit(125);
}

int
embed_start(pid_t *pid, struct err *e)
{
	int pair[2];

	if (fd_socketpair(SOCK_STREAM, 1 << 20, pair) < 0)
		return err_set(e, ERR_INTERNAL, errno, "cannot make a socket for the embedded agent");
	*pid = fork();
	if (*pid == 0) {
		close(pair[0]);
		become_agent(pair[1]);
	}
	close(pair[1]);
	if (*pid < 0) {
		close(pair[0]);
		return err_set(e, ERR_LIMIT, errno, "cannot fork the embedded agent");
	}
	return pair[0];
}
