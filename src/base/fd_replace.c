/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/attr.h"

static int
create(int dirfd, const char *tmp)
{
	return openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int
fd_replace_file(int dirfd, const char *name, const void *p, size_t n)
{
	char tmp[NAME_MAX + 1];
	auto_close int fd = -1;
	int sys;

	if (snprintf(tmp, sizeof(tmp), ".%s.%d", name, (int)getpid()) >= (int)sizeof(tmp)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = create(dirfd, tmp);
	/* Left by a dead process that had our pid. */
	if (fd < 0 && errno == EEXIST && unlinkat(dirfd, tmp, 0) == 0)
		fd = create(dirfd, tmp);
	if (fd < 0)
		return -1;
	if (fd_write_all(fd, p, n) == 0 && renameat(dirfd, tmp, dirfd, name) == 0)
		return 0;
	sys = errno;
	unlinkat(dirfd, tmp, 0);
	errno = sys;
	return -1;
}
