/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/log_int.h"
#include "base/attr.h"
#include "base/fd.h"
#include "base/str.h"

#define BLOCK (64 * 1024)

/* What is longer than any record is told as one bad line, and its rest left out. */
struct audit_reader {
	char path[512];
	int dir, fd;
	uint32_t *numbers; /* of the files that are still to be read, 0 the current one */
	size_t n, at;
	uint32_t last; /* the highest of them so far */
	bool renewed;  /* what was read of a file is in the next one as well */
	char name[AUDIT_NAME_SIZE];
	struct buf in;
	size_t used; /* of `in`, by the last entry */
	bool skipping;
	uint64_t line, offset; /* of what comes next: its place in the file */
	struct audit_verdict v;
};

static int
cannot(const struct audit_reader *r, const char *what, struct err *e)
{
	int sys = errno;

	err_set(e, ERR_IO, sys, "cannot read the audit log in %s", r->path);
	err_why(e, "%s: %s", what, strerror(sys));
	if (sys == EACCES)
		return err_hint(e, "run as root, on the agent's host");
	return e && *e->hint ? -1 : err_hint(e, "see what is there, and move it away: ls -la");
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int
add_number(struct audit_reader *r, uint32_t number)
{
	uint32_t *more;

	if ((r->n & (r->n + 1)) == 0) {
		more = realloc(r->numbers, (2 * r->n + 2) * sizeof *more);
		if (!more)
			return -1;
		r->numbers = more;
	}
	r->numbers[r->n++] = number;
	return 0;
}

/* All numbers above `after`, in order, then the current file. */
static int
list_files(struct audit_reader *r, uint32_t after, struct err *e)
{
	int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	int rc = dir ? 0 : -1;

	r->n = r->at = 0;
	r->last = after;
	while (rc == 0 && (d = readdir(dir)))
		if (audit_file_number(d->d_name) > after)
			rc = add_number(r, audit_file_number(d->d_name));
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	if (r->n > 1)
		qsort(r->numbers, r->n, sizeof *r->numbers, by_number);
	if (r->n > 0)
		r->last = r->numbers[r->n - 1];
	if (rc == 0)
		rc = add_number(r, 0);
	return rc < 0 ? cannot(r, "listing it", e) : 0;
}

struct audit_reader *
audit_read_open(const char *dir, struct err *e)
{
	struct audit_reader *r = calloc(1, sizeof *r);

	if (!r) {
		err_set(e, ERR_LIMIT, ENOMEM, "cannot read the audit log");
		return NULL;
	}
	r->fd = -1;
	str_copy(r->path, dir, sizeof r->path);
	buf_init(&r->in, BLOCK + 2 * AUDIT_LINE_MAX);
	memcpy(r->v.head, AUDIT_GENESIS, sizeof r->v.head);
	r->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir < 0 && errno == ENOENT) {
		err_set(e, ERR_IO, ENOENT, "there is no audit log in %s", dir);
		err_why(e, "no agent has run with this state directory");
		err_hint(e, geteuid() == 0
				? "CORAL_STATE_DIR names another one"
				: "sudo coral audit: the host's; or CORAL_STATE_DIR names another");
	} else if (r->dir < 0) {
		cannot(r, "opening it", e);
	} else if (list_files(r, 0, e) == 0) {
		return r;
	}
	audit_read_close(r);
	return NULL;
}

void
audit_read_after(struct audit_reader *r, uint32_t number, const struct audit_verdict *v)
{
	while (r->at + 1 < r->n && r->numbers[r->at] <= number)
		r->at++;
	r->v = *v;
}

void
audit_read_close(struct audit_reader *r)
{
	if (!r)
		return;
	fd_close(&r->fd);
	fd_close(&r->dir);
	buf_fini(&r->in);
	free(r->numbers);
	free(r);
}

/* As it is written, a line that ends there and is the last one that was read. */
static bool
is_behind_head(const struct audit_reader *r, uint64_t at)
{
	char prev[AUDIT_HASH_SIZE], hash[AUDIT_HASH_SIZE];
	size_t n = at < AUDIT_LINE_MAX ? (size_t)at : AUDIT_LINE_MAX;
	auto_free char *p = malloc(n + 1);
	const char *before;

	if (!p || n == 0 || pread(r->fd, p, n, (off_t)(at - n)) != (ssize_t)n)
		return false;
	before = memrchr(p, '\n', n - 1);
	before = before ? before + 1 : p;
	return audit_line_check(before, (size_t)(p + n - before), prev, hash) &&
	       strcmp(hash, r->v.head) == 0;
}

/* Where its first line is that was not read. */
static int
find_place(struct audit_reader *r, struct err *e)
{
	bool on = r->renewed && is_behind_head(r, r->offset);

	r->renewed = false;
	if (!on) {
		r->line = r->offset = 0;
		r->v.files++;
	}
	return on && lseek(r->fd, (off_t)r->offset, SEEK_SET) < 0 ? cannot(r, r->name, e) : 0;
}

/* Of the current file one cannot know which it is before it is open: when there is no other number
 * by then, it follows the last one that was listed. */
static int
open_name(struct audit_reader *r, struct err *e)
{
	int64_t last = 0;
	int sys;

	for (;;) {
		audit_file_name(r->numbers[r->at], r->name);
		r->fd = openat(
		    r->dir, r->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		sys = errno;
		if (r->numbers[r->at] == 0)
			last = audit_last_number(r->dir);
		if (last >= 0 && last <= r->last)
			break;
		fd_close(&r->fd);
		if (last < 0 || list_files(r, r->last, e) < 0)
			return last < 0 ? cannot(r, "listing it", e) : -1;
	}
	errno = sys;
	return 0;
}

/* 1, or 0: it is not there (yet). */
static int
open_next(struct audit_reader *r, struct err *e)
{
	struct stat st;

	if (open_name(r, e) < 0)
		return -1;
	if (r->fd < 0 && errno == ENOENT)
		return 0;
	if (r->fd < 0 || fstat(r->fd, &st) < 0)
		return cannot(r, r->name, e);
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return cannot(r, "not a regular file", e);
	}
	r->skipping = false;
	return find_place(r, e) < 0 ? -1 : 1;
}

/* The current file has become another: it was begun anew, and this one has a number; or it was
 * written once more (log_renew.c), and this one is gone. */
static bool
was_rotated(const struct audit_reader *r)
{
	struct stat here, there;

	return fstat(r->fd, &here) == 0 &&
	       fstatat(r->dir, AUDIT_FILE, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (here.st_ino != there.st_ino || here.st_dev != there.st_dev);
}

/* At the end of a file: 1 there is another, 0 not now. */
static int
leave_file(struct audit_reader *r, struct err *e)
{
	bool last = r->at + 1 >= r->n;
	struct stat st, other;
	int64_t number = 0;
	char name[AUDIT_NAME_SIZE];

	if (last && !was_rotated(r))
		return 0;
	if (last) {
		/* Which number it has now: what comes after it is still to be read. */
		number = audit_last_number(r->dir);
		for (; number > r->last; number--) {
			audit_file_name((uint32_t)number, name);
			if (fstat(r->fd, &st) == 0 &&
			    fstatat(r->dir, name, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
			    st.st_ino == other.st_ino)
				break;
		}
		if (number < 0)
			return cannot(r, "listing it", e);
		r->renewed = number <= r->last;
		if (list_files(r, r->renewed ? r->last : (uint32_t)number, e) < 0)
			return -1;
	} else {
		r->at++;
	}
	/* A torn end of a file that is followed by another never becomes whole. */
	r->v.torn = false;
	fd_close(&r->fd);
	return 1;
}

static void
say_bad(struct audit_reader *r, const char *why)
{
	if (r->v.bad++ > 0)
		return;
	str_copy(r->v.bad_file, r->name, sizeof r->v.bad_file);
	str_copy(r->v.why, why, sizeof r->v.why);
	r->v.bad_line = r->line;
}

static void
judge(struct audit_reader *r, struct audit_entry *x)
{
	const char *prev = x->prev;

	x->good = false;
	r->v.records++;
	if (!audit_line_check(x->text, x->len + 1, x->prev, x->hash)) {
		x->prev[0] = x->hash[0] = '\0';
		say_bad(r, "its hash is not that of its bytes");
		return;
	}
	if (r->v.records == 1) {
		memcpy(r->v.before, prev, sizeof r->v.before);
		r->v.begins = strcmp(prev, AUDIT_GENESIS) == 0;
	} else if (strcmp(prev, r->v.head) != 0) {
		say_bad(r, "it does not follow the record before it");
	}
	x->good = r->v.records == 1 || strcmp(prev, r->v.head) == 0;
	memcpy(r->v.head, x->hash, sizeof r->v.head);
}

/* 1: `x` is the line at the front of what was read.  0: there is none. */
static int
take_line(struct audit_reader *r, struct audit_entry *x)
{
	const char *p, *end;

	for (;;) {
		p = (const char *)buf_head(&r->in);
		end = r->in.len ? memchr(p, '\n', r->in.len) : NULL;
		if (!end && r->in.len > AUDIT_LINE_MAX) {
			r->skipping = true;
			buf_consume(&r->in, AUDIT_LINE_MAX);
			r->offset += AUDIT_LINE_MAX;
			continue;
		}
		if (!end)
			return 0;
		*x = (struct audit_entry){.text = p, .len = (size_t)(end - p), .file = r->name};
		x->fd = r->fd;
		x->number = r->numbers[r->at];
		x->line = ++r->line;
		x->offset = r->offset;
		r->used = x->len + 1;
		r->offset += r->used;
		r->skipping = false;
		judge(r, x);
		return 1;
	}
}

int
audit_next(struct audit_reader *r, struct audit_entry *x, struct err *e)
{
	buf_consume(&r->in, r->used);
	r->used = 0;
	for (;;) {
		ssize_t n;
		int rc;

		if (take_line(r, x))
			return 1;
		if (r->fd < 0 && (rc = open_next(r, e)) <= 0) {
			if (rc < 0 || r->at + 1 >= r->n)
				return rc;
			r->at++; /* gone since it was listed */
			continue;
		}
		n = buf_read_fd(&r->in, r->fd, BLOCK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot(r, r->name, e);
		if (n > 0)
			continue;
		r->v.torn = r->in.len > 0 || r->skipping;
		rc = leave_file(r, e);
		if (rc <= 0)
			return rc;
		if (r->in.len > 0 && !r->renewed) {
			r->v.records++;
			r->line++;
			say_bad(r, "it has no end");
		}
		buf_clear(&r->in);
	}
}

void
audit_verdict(const struct audit_reader *r, struct audit_verdict *v)
{
	*v = r->v;
}
