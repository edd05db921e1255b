/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/readahead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/attr.h"

#define AHEAD (128 * 1024)

/* One for the process, because recv(2) has no room for a context. */
static struct {
	int fd;
	unsigned char *data;
	size_t off, len;
	bool deaf;
} ahead = {.fd = -1};

void
readahead_start(int fd)
{
	if (ahead.fd >= 0)
		return;
	ahead.off = ahead.len = 0;
	ahead.deaf = false;
	ahead.fd = fd;
}

void
readahead_stop(int fd)
{
	if (fd >= 0 && fd != ahead.fd)
		return;
	free(ahead.data);
	ahead.data = NULL;
	ahead.off = ahead.len = 0;
	ahead.fd = -1;
}

void
readahead_deafen(int fd)
{
	if (fd >= 0 && fd == ahead.fd)
		ahead.deaf = true;
}

void
readahead_trim(int fd)
{
	if (fd >= 0 && fd == ahead.fd && ahead.len == 0)
		free(steal_ptr(&ahead.data));
}

bool
readahead_pending(int fd)
{
	return fd >= 0 && fd == ahead.fd && ahead.len > 0 && !ahead.deaf;
}

ssize_t
__wrap_recv(int fd, void *p, size_t n, int flags)
{
	ssize_t got;

	if (fd < 0 || fd != ahead.fd || flags)
		return recvfrom(fd, p, n, flags, NULL, NULL);
	if (!ahead.data && !(ahead.data = malloc(AHEAD)))
		return recvfrom(fd, p, n, flags, NULL, NULL);
	if (ahead.len == 0) {
		got = recvfrom(fd, ahead.data, AHEAD, 0, NULL, NULL);
		if (got <= 0)
			return got;
		ahead.off = 0;
		ahead.len = (size_t)got;
	}
	if (n > ahead.len)
		n = ahead.len;
	memcpy(p, ahead.data + ahead.off, n);
	ahead.off += n;
	ahead.len -= n;
	return (ssize_t)n;
}

int
__wrap_poll(struct pollfd *v, nfds_t n, int timeout_ms)
{
	struct timespec ts = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

	if (n == 1 && ahead.deaf && v->fd == ahead.fd)
		v->events = (short)(v->events & ~POLLIN);
	/* What else is asked for waits until this is read: libssh goes on asking for POLLOUT while
	 * it reads, and that was a system call for every 4 KiB. */
	if (n == 1 && readahead_pending(v->fd) && (v->events & POLLIN)) {
		v->revents = POLLIN;
		return 1;
	}
	return ppoll(v, n, timeout_ms < 0 ? NULL : &ts, NULL);
}
