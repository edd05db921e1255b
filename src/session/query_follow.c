/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/query_int.h"
#include "transport/frame.h"

#define LOOK_MS 1000	  /* for the end, which a killed keeper does not write */
#define LOOK_OFTEN_MS 100 /* where the kernel does not tell of what is written */

/* Told of every write(2), or -1. */
static int
watch(int file)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (fd >= 0 && inotify_add_watch(fd, path, IN_MODIFY) < 0)
		fd_close(&fd);
	return fd;
}

/* False: the client is gone. */
static bool
wait_for_more(int stream, int news)
{
	struct pollfd p[] = {{.fd = stream, .events = POLLRDHUP}, {.fd = news, .events = POLLIN}};
	char events[4096];

	poll(p, COUNT_OF(p), news < 0 ? LOOK_OFTEN_MS : LOOK_MS);
	while (news >= 0 && read(news, events, sizeof(events)) > 0)
		;
	return !(p[0].revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* A line that is being written may be taken back when there is no room for its end. */
static size_t
whole_lines(const char *block, size_t n)
{
	const char *nl = memrchr(block, '\n', n);

	return nl ? (size_t)(nl + 1 - block) : n == FRAME_DATA_MAX ? n : 0;
}

int
query_follow(const struct keeper_start *s, const char *id, int fd, struct err *e)
{
	auto_free char *block = malloc(FRAME_DATA_MAX);
	auto_close int news = watch(fd);
	off_t at = 0;
	bool live;

	if (!block)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot read the recording of %s", id);
	do {
		ssize_t n;
		size_t part;

		/* First: what is written before the end is read after it was seen. */
		live = store_live(s->conf->state_dir, id);
		while ((n = pread(fd, block, FRAME_DATA_MAX, at)) > 0) {
			part = live ? whole_lines(block, (size_t)n) : (size_t)n;
			if (part == 0)
				break;
			if (query_send_bytes(s->stream, block, part) < 0)
				return err_set(e, ERR_TRANSPORT, errno, "the client went away");
			at += (off_t)part;
		}
		if (n < 0 && errno != EINTR)
			return err_set(e, ERR_IO, errno, "cannot read the recording of %s", id);
		if (live && !wait_for_more(s->stream, news))
			return err_set(e, ERR_TRANSPORT, 0, "the client went away");
	} while (live);
	return 0;
}
