/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"

/* At most `max` bytes of a regular file. */
static int
read_whole(int fd, size_t max, struct buf *out)
{
	size_t got = 0;
	ssize_t n;
	char probe;

	for (;;) {
		n = got < max ? buf_read_fd(out, fd, max - got) : read(fd, &probe, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		if (got == max) {
			errno = EFBIG;
			return -1;
		}
		got += (size_t)n;
	}
}

int
rootfs_read(int rootfd, const char *path, size_t max, struct buf *out)
{
	struct open_how how = {
	    .flags = O_PATH | O_CLOEXEC,
	    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	auto_close int held = -1, fd = -1;
	size_t before = out->len;
	struct stat st;
	char link[32];

	/* Looked at before it is opened: opening alone makes some devices act, and the
	 * container's device rules do not bind us. */
	held = (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
	if (held < 0 || fstat(held, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", held);
	fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || read_whole(fd, max, out) < 0) {
		out->len = before;
		return -1;
	}
	return 0;
}
