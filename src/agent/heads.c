/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/heads.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/str.h"

/* RFC 3164: facility authpriv, severity notice. */
#define PRIORITY (10 * 8 + 5)
#define WAIT_S 5

static int
reach(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval wait = {.tv_sec = WAIT_S};
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || str_copy(a.sun_path, path, sizeof a.sun_path) >= sizeof a.sun_path ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0 ||
	    connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
		return -1;
	return steal_fd(&fd);
}

static int
failed(const char *path, struct err *e)
{
	err_set(e, ERR_IO, errno, "cannot send the log's head to %s", path);
	return err_hint(
	    e, "see that the system's log listens there, or let audit.heads name a URL");
}

int
heads_syslog(
    const char *path, const struct audit_top *top, const struct heads_from *from, struct err *e)
{
	auto_close int fd = reach(path);
	char when[32] = "", node[128], text[512];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	if (fd < 0)
		return failed(path, e);
	if (localtime_r(&now, &tm))
		strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
	str_vis(node, sizeof node, from->node);
	n = snprintf(text, sizeof text,
	    "<%d>%s coral[%d]: audit head=%s file=%u line=%llu time=%s node=%s", PRIORITY, when,
	    (int)getpid(), top->hash, top->file, (unsigned long long)top->line, top->time, node);
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return failed(path, e);
	return 0;
}
