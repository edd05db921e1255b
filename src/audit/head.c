/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/head.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/log_int.h"
#include "audit/peek.h"
#include "base/attr.h"

#define BLOCK (256 * 1024)

static int
cannot(const char *dir, int sys, const char *why, struct err *e)
{
	err_set(e, ERR_IO, sys, "cannot read the last record of the audit log in %s", dir);
	if (why)
		err_why(e, "%s", why);
	return e && *e->hint ? -1 : err_hint(e, "coral audit verify --log");
}

/* What is behind its last newline is no record yet. */
static int
read_lines(int fd, char *block, uint64_t *lines, off_t *last, off_t *end)
{
	off_t at = 0;
	ssize_t n;

	*lines = 0;
	*last = *end = 0;
	while ((n = pread(fd, block, BLOCK, at)) > 0) {
		const char *p = block, *nl;

		for (; (nl = memchr(p, '\n', (size_t)(block + n - p))); p = nl + 1) {
			*last = *end;
			*end = at + (nl + 1 - block);
			++*lines;
		}
		at += n;
	}
	return n < 0 ? -1 : 0;
}

/* As audit_top(), of one file. */
static int
top_of(const char *dir, int dirfd, uint32_t number, struct audit_top *top, struct err *e)
{
	auto_free char *block = malloc(BLOCK);
	char name[AUDIT_NAME_SIZE], prev[AUDIT_HASH_SIZE];
	auto_close int fd = -1;
	struct audit_peek k;
	off_t last, end;

	audit_file_name(number, name);
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || !block || read_lines(fd, block, &top->line, &last, &end) < 0)
		return cannot(dir, errno, NULL, e);
	if (top->line == 0)
		return 0;
	if (end - last > BLOCK || pread(fd, block, (size_t)(end - last), last) != end - last ||
	    !audit_line_check(block, (size_t)(end - last), prev, top->hash) ||
	    !audit_peek(block, (size_t)(end - last), &k))
		return cannot(dir, 0, "it is not as it was written", e);
	memcpy(top->time, k.time, sizeof top->time);
	return 1;
}

int
audit_top(const char *dir, struct audit_top *top, struct err *e)
{
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t last = fd >= 0 ? audit_last_number(fd) : -1;
	int rc;

	*top = (struct audit_top){0};
	if (last < 0)
		return cannot(dir, errno, NULL, e);
	top->file = (uint32_t)last + 1;
	rc = top_of(dir, fd, 0, top, e);
	if (rc != 0 || last == 0)
		return rc;
	top->file = (uint32_t)last;
	return top_of(dir, fd, (uint32_t)last, top, e);
}
