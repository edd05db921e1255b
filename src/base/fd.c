/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"

void
fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static int
set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return -1;
	return fcntl(fd, set, on ? flags | flag : flags & ~flag) < 0 ? -1 : 0;
}

int
fd_nonblock(int fd, bool on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int
fd_cloexec(int fd, bool on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

/* After a failed read or write: true when it is to be tried again. */
static bool
retry(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	if (errno == EINTR)
		return true;
	if (errno != EAGAIN)
		return false;
	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

int
fd_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t put = write(fd, at, n);

		if (put < 0) {
			if (!retry(fd, POLLOUT))
				return -1;
			continue;
		}
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

ssize_t
fd_read_full(int fd, void *p, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = read(fd, (char *)p + have, n - have);

		if (got < 0) {
			if (!retry(fd, POLLIN))
				return -1;
			continue;
		}
		if (got == 0) {
			if (have == 0)
				return 0;
			errno = EPIPE;
			return -1;
		}
		have += (size_t)got;
	}
	return (ssize_t)n;
}

/* 0 at the end of the file, -1 with errno. */
static int
slurp(int fd, size_t max, struct buf *out)
{
	size_t got = 0, want;
	char probe;
	ssize_t n;

	for (;;) {
		want = max - got < buf_room(out) ? max - got : buf_room(out);
		if (want > 16384)
			want = 16384;
		/* Full: only the end of the file may follow. */
		n = want ? buf_read_fd(out, fd, want) : read(fd, &probe, 1);
		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (want == 0) {
			errno = EFBIG;
			return -1;
		}
		got += (size_t)n;
	}
}

int
fd_read_file(int dirfd, const char *path, size_t max, struct buf *out)
{
	size_t before = out->len;
	struct stat st;
	int fd, rc = -1;

	fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		;
	else if (S_ISDIR(st.st_mode))
		errno = EISDIR;
	else if (!S_ISREG(st.st_mode))
		errno = EINVAL;
	else
		rc = slurp(fd, max, out);
	if (rc < 0)
		out->len = before;
	fd_close(&fd);
	return rc;
}

/* What of the path is not there, made.  `path` is writable and comes back whole. */
static int
make_parts(char *path, mode_t mode)
{
	struct stat st;
	char *p = path;

	for (;;) {
		char was;

		p += strspn(p, "/");
		p += strcspn(p, "/");
		was = *p;
		*p = '\0';
		if (mkdir(path, mode) < 0 && errno != EEXIST) {
			int saved = errno;

			/* Some file systems say EROFS or EACCES of a directory that is there. */
			if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
				*p = was;
				errno = saved;
				return -1;
			}
		}
		*p = was;
		if (!was)
			return 0;
	}
}

static int
check_dir(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, ERR_IO, errno, "cannot open directory %s", path);
	if (st.st_uid != geteuid()) {
		err_set(e, ERR_IO, 0, "directory %s is not safe to use", path);
		err_why(e, "it belongs to uid %u; this process is uid %u", (unsigned)st.st_uid,
		    (unsigned)geteuid());
		return err_hint(e, "remove it, or name another directory");
	}
	if (st.st_mode & 022) {
		err_set(e, ERR_IO, 0, "directory %s is not safe to use", path);
		err_why(e, "others may write to it (mode %04o)", (unsigned)st.st_mode & 07777);
		return err_hint(e, "chmod go-w %s", path);
	}
	return 0;
}

static int
no_dir(const char *path, int sys, struct err *e)
{
	err_set(e, ERR_IO, sys, "cannot make directory %s", path);
	if (sys == ENOSPC || sys == EDQUOT)
		return -1;
	return err_hint(e, "make it yourself, or name another: CORAL_STATE_DIR for recordings, "
			   "CORAL_RUNTIME_DIR for the socket");
}

int
fd_make_dir(const char *path, mode_t mode, struct err *e)
{
	char copy[PATH_MAX];
	size_t n = str_copy(copy, path, sizeof(copy));

	if (n == 0 || n >= sizeof(copy))
		return no_dir(path, n ? ENAMETOOLONG : ENOENT, e);
	/* A trailing slash would follow a symbolic link. */
	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	if (make_parts(copy, mode) < 0)
		return no_dir(path, errno, e);
	return check_dir(copy, e);
}

static bool
kept(int fd, const int *keep, size_t nkeep)
{
	for (size_t i = 0; i < nkeep; i++) {
		if (keep[i] == fd)
			return true;
	}
	return false;
}

void
fd_close_from(int first, const int *keep, size_t nkeep)
{
	int fd, end = (int)sysconf(_SC_OPEN_MAX);
	unsigned from = first > 0 ? (unsigned)first : 0;
	bool done = true;

	for (;;) {
		unsigned next = UINT_MAX;

		for (size_t i = 0; i < nkeep; i++) {
			if (keep[i] >= 0 && (unsigned)keep[i] >= from && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		}
		if (next > from && close_range(from, next == UINT_MAX ? next : next - 1, 0) < 0)
			done = false;
		if (next == UINT_MAX)
			break;
		from = next + 1;
	}
	/* Linux before 5.9, or a filter that does not know the call. */
	for (fd = first > 0 ? first : 0; !done && fd < end; fd++) {
		if (!kept(fd, keep, nkeep))
			close(fd);
	}
}
