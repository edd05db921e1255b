/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the log ends, what its last record is, and the beginning of another file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/log_int.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#define WINDOW_FIRST (8 * 1024)
/* More than is written between two syncs. */
#define WINDOW_MAX (4 * 1024 * 1024)

static int
no_record(const struct audit_log *l, const char *name, struct err *e)
{
	err_set(e, ERR_RECORDING, 0, "the audit log cannot go on");
	err_why(e, "%s/%s does not end with records", l->path, name);
	return err_hint(e, "coral audit verify; then move the file away");
}

static int
open_file(const struct audit_log *l, const char *name, int flags, struct stat *st, struct err *e)
{
	auto_close int fd =
	    openat(l->dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

	if (fd < 0 || fstat(fd, st) < 0)
		return audit_failed(l, errno, "opening a file", e);
	if (S_ISREG(st->st_mode) && st->st_uid == geteuid() && !(st->st_mode & 022))
		return steal_fd(&fd);
	err_set(e, ERR_RECORDING, 0, "the audit log cannot go on");
	err_why(e, "%s/%s is not a file of its own that nobody else may write", l->path, name);
	return err_hint(e, "move it away");
}

/* The last line of p[0..n) that is a record; p[0] begins a line when `whole`.  Where it ends, or 0.
 */
static size_t
last_record(const char *p, size_t n, bool whole, char hash[AUDIT_HASH_SIZE])
{
	char prev[AUDIT_HASH_SIZE];
	const char *end = memrchr(p, '\n', n);

	while (end) {
		const char *before = end > p ? memrchr(p, '\n', (size_t)(end - p)) : NULL;
		const char *line = before ? before + 1 : p;

		if (!before && !whole)
			return 0;
		if (audit_line_check(line, (size_t)(end + 1 - line), prev, hash))
			return (size_t)(end + 1 - p);
		end = before;
	}
	return 0;
}

/* 1: found, *end is behind it.  0: there is none in the whole file. */
static int
find_last(const struct audit_log *l, int fd, uint64_t size, uint64_t *end,
    char hash[AUDIT_HASH_SIZE], const char *name, struct err *e)
{
	for (size_t want = WINDOW_FIRST; want <= WINDOW_MAX; want *= 8) {
		size_t n = size < want ? (size_t)size : want, got;
		auto_free char *window = malloc(n + 1);

		if (!window || pread(fd, window, n, (off_t)(size - n)) != (ssize_t)n)
			return audit_failed(l, window ? EIO : ENOMEM, "reading its end", e);
		got = last_record(window, n, n == size, hash);
		if (got > 0) {
			*end = size - n + got;
			return 1;
		}
		if (n == size)
			return 0;
	}
	return no_record(l, name, e);
}

static int
older_head(struct audit_log *l, struct err *e)
{
	int64_t last = audit_last_number(l->dir);
	char name[AUDIT_NAME_SIZE];
	auto_close int fd = -1;
	struct stat st;
	uint64_t end;

	if (last < 0)
		return audit_failed(l, errno, "listing the files", e);
	if (last == 0) {
		memcpy(l->head, AUDIT_GENESIS, sizeof l->head);
		return 0;
	}
	audit_file_name((uint32_t)last, name);
	fd = open_file(l, name, O_RDONLY, &st, e);
	if (fd < 0)
		return -1;
	if (find_last(l, fd, (uint64_t)st.st_size, &end, l->head, name, e) != 1)
		return e && e->code ? -1 : no_record(l, name, e);
	return 0;
}

/* Nothing is thrown away: it may be more than half a record. */
static int
keep_torn(struct audit_log *l, uint64_t from, uint64_t to)
{
	auto_free char *block = malloc(WINDOW_FIRST);
	auto_close int fd = -1;

	snprintf(l->torn, sizeof l->torn, "torn-%020lld", (long long)clock_real());
	fd = openat(l->dir, l->torn, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	while (block && fd >= 0 && from < to) {
		size_t want = to - from < WINDOW_FIRST ? (size_t)(to - from) : WINDOW_FIRST;
		ssize_t n = pread(l->fd, block, want, (off_t)from);

		if (n <= 0 || fd_write_all(fd, block, (size_t)n) < 0)
			break;
		from += (uint64_t)n;
	}
	if (from == to && fd >= 0 && fdatasync(fd) == 0)
		return 0;
	unlinkat(l->dir, l->torn, 0);
	return -1;
}

static int
cut_torn(struct audit_log *l, uint64_t end, struct err *e)
{
	if (end == l->size)
		return 0;
	if (keep_torn(l, end, l->size) < 0 || ftruncate(l->fd, (off_t)end) < 0)
		return audit_failed(l, errno, "moving a torn record away", e);
	l->cut = l->size - end;
	l->cut_at = end;
	l->size = end;
	return 0;
}

static int
open_current(struct audit_log *l, struct err *e)
{
	struct err why = {0};
	struct stat st;
	uint64_t end = 0;
	int rc = 0;

	fd_close(&l->fd);
	l->ino = 0;
	l->fd = open_file(l, AUDIT_FILE, O_RDWR | O_CREAT | O_APPEND, &st, e);
	if (l->fd < 0)
		return -1;
	l->size = l->allocated = (uint64_t)st.st_size;
	if (l->size == 0 && fsync(l->dir) < 0)
		return audit_failed(l, errno, "syncing the directory", e);
	if (l->size > 0)
		rc = find_last(l, l->fd, l->size, &end, l->head, AUDIT_FILE, &why);
	if (rc == 0)
		rc = older_head(l, &why);
	if (rc < 0) {
		if (e)
			*e = why;
		return -1;
	}
	if (cut_torn(l, end, e) < 0)
		return -1;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

int
audit_tail_find(struct audit_log *l, struct err *e)
{
	struct stat st;

	if (l->fd >= 0 && l->ino != 0 &&
	    fstatat(l->dir, AUDIT_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == l->ino &&
	    st.st_dev == l->dev && (uint64_t)st.st_size == l->size)
		return 0;
	return open_current(l, e);
}

int
audit_rotate(struct audit_log *l, struct err *e)
{
	int64_t last = audit_last_number(l->dir);
	char name[AUDIT_NAME_SIZE];
	struct stat st;

	audit_file_name((uint32_t)(last + 1), name);
	l->failed = fdatasync(l->fd) < 0;
	if (last < 0 || l->failed || ftruncate(l->fd, (off_t)l->size) < 0 ||
	    renameat2(l->dir, AUDIT_FILE, l->dir, name, RENAME_NOREPLACE) < 0)
		return audit_failed(l, errno, "beginning another file", e);
	fd_close(&l->fd);
	l->ino = 0;
	l->fd = open_file(l, AUDIT_FILE, O_RDWR | O_CREAT | O_EXCL | O_APPEND, &st, e);
	if (l->fd < 0)
		return -1;
	if (fsync(l->dir) < 0)
		return audit_failed(l, errno, "syncing the directory", e);
	l->size = l->allocated = 0;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}
