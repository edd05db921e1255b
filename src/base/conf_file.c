/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* Whoever may write the file decides what we do. */
static int
check(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		err_set(e, ERR_CONFIG, errno, "cannot look at %s", path);
		return err_hint(e, "ls -lL %s", path);
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_CONFIG, 0, "cannot use %s", path);
		err_why(e, "it is not a regular file");
		return err_hint(e, "ls -lL %s", path);
	}
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		err_set(e, ERR_CONFIG, 0, "%s is not trusted", path);
		err_why(
		    e, "it belongs to uid %u, which is neither root nor you", (unsigned)st.st_uid);
		return err_hint(e, "chown %u %s", (unsigned)geteuid(), path);
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		err_set(e, ERR_CONFIG, 0, "%s is not trusted", path);
		err_why(e, "its mode is %04o: others may write it", (unsigned)st.st_mode & 07777);
		return err_hint(e, "chmod go-w %s", path);
	}
	return 0;
}

static int
slurp(int fd, struct buf *out)
{
	ssize_t n;

	do {
		n = buf_read_fd(out, fd, 65536);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 && errno == ENOBUFS)
		errno = EFBIG;
	return n < 0 ? -1 : 0;
}

/* A symbolic link is followed: Kubernetes mounts a ConfigMap's files as links. */
int
conf_read_file(const char *path, struct buf *out, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int why = errno;
	struct stat st;

	/* A link that leads nowhere is a mistake, not an absent file. */
	if (fd < 0 && why == ENOENT && lstat(path, &st) < 0 && errno == ENOENT)
		return 0;
	if (fd < 0) {
		err_set(e, ERR_CONFIG, why, "cannot open %s", path);
		return err_hint(e, "ls -lL %s", path);
	}
	if (check(fd, path, e) < 0)
		return -1;
	if (slurp(fd, out) < 0) {
		err_set(e, ERR_CONFIG, errno, "cannot read %s", path);
		return err_hint(
		    e, "at most %zu bytes are read: remove what is not needed", out->max - 1);
	}
	return 1;
}
