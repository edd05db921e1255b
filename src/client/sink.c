/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/client_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"

/* pipe(7): a pipe that polls writable takes this much without blocking. */
#define PAGE 4096

static bool
open_anew(struct client_sink *s)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return false;
	s->fd = fd;
	s->own = true;
	return true;
}

void
client_sink_open(struct client_sink *s, int fd, struct buf *keep)
{
	struct stat st;

	*s = (struct client_sink){
	    .kind = SINK_NONE, .fd = fd, .keep = keep, .tty = fd >= 0 && isatty(fd)};
	if (keep)
		s->kind = SINK_KEEP;
	else if (fd < 0 || fstat(fd, &st) < 0)
		s->fd = -1;
	else if (S_ISSOCK(st.st_mode))
		s->kind = SINK_SOCKET;
	else if (S_ISFIFO(st.st_mode) || s->tty)
		s->kind = open_anew(s) ? SINK_NONBLOCK : SINK_PAGED;
	else
		s->kind = SINK_FILE;
}

void
client_sink_close(struct client_sink *s)
{
	if (s->own)
		close(s->fd);
	s->own = false;
	s->fd = -1;
}

static ssize_t
write_paged(int fd, const void *p, size_t n)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};

	if (poll(&pfd, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, p, n < PAGE ? n : PAGE);
}

static ssize_t
keep_some(struct client_sink *s, const void *p, size_t n)
{
	size_t room = buf_room(s->keep), take = n < room ? n : room;

	if (buf_put(s->keep, p, take) < 0) {
		errno = ENOMEM;
		return -1;
	}
	return (ssize_t)n;
}

static ssize_t
write_once(struct client_sink *s, const void *p, size_t n)
{
	switch (s->kind) {
	case SINK_KEEP:
		return keep_some(s, p, n);
	case SINK_SOCKET:
		return send(s->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	case SINK_PAGED:
		return write_paged(s->fd, p, n);
	case SINK_FILE:
	case SINK_NONBLOCK:
		return write(s->fd, p, n);
	case SINK_NONE:
		break;
	}
	errno = EPIPE;
	return -1;
}

/* tty_io.c, hung_up_tty_write(): EIO says of a terminal what EPIPE says of a pipe. */
static bool
is_gone(const struct client_sink *s, int sys)
{
	return sys == EPIPE || sys == ECONNRESET || (sys == EIO && s->tty);
}

ssize_t
client_sink_write(struct client_sink *s, const void *p, size_t n)
{
	size_t done = 0;

	if (s->broken)
		return (ssize_t)n;
	while (done < n) {
		ssize_t put = write_once(s, (const char *)p + done, n - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN)
			break;
		if (put < 0 && is_gone(s, errno)) {
			s->broken = clock_mono();
			return (ssize_t)n;
		}
		if (put < 0)
			return -1;
		done += (size_t)put;
		s->count += (uint64_t)put;
	}
	return (ssize_t)done;
}
