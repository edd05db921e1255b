/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * After a sync that failed the kernel takes for written what never reached the disk, and no later
 * sync tells of it: fsync(2).  It has the bytes still, as a rule, and the chain says whether it
 * does: they are written once more, to another file, which takes the place of the first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/log_int.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"

#define AGAIN_NS NS_PER_S
#define BLOCK (64 * 1024)
#define FRESH AUDIT_FILE ".new"

struct copy {
	int from, to;
	uint64_t at;
	char last[AUDIT_HASH_SIZE]; /* of the line before; "" none yet */
};

/* The whole lines in the buffer. */
static int
copy_lines(struct copy *c, struct buf *b)
{
	char prev[AUDIT_HASH_SIZE], hash[AUDIT_HASH_SIZE];
	const char *p = (const char *)buf_head(b), *end = p + b->len, *nl;
	size_t n;

	for (; (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1) {
		if (!audit_line_check(p, (size_t)(nl + 1 - p), prev, hash) ||
		    (c->last[0] && strcmp(prev, c->last) != 0)) {
			errno = EBADMSG;
			return -1;
		}
		memcpy(c->last, hash, sizeof hash);
	}
	n = (size_t)(p - (const char *)buf_head(b));
	if (fd_write_all(c->to, buf_head(b), n) < 0)
		return -1;
	buf_consume(b, n);
	return 0;
}

static int
copy_all(struct copy *c, uint64_t size)
{
	struct buf b;
	int rc = 0;

	buf_init(&b, BLOCK + AUDIT_LINE_MAX);
	while (rc == 0 && c->at < size) {
		size_t want = size - c->at < BLOCK ? (size_t)(size - c->at) : BLOCK;
		unsigned char *p = buf_tail(&b, want);
		ssize_t n = p ? pread(c->from, p, want, (off_t)c->at) : -1;

		if (n <= 0) {
			errno = !p ? EBADMSG : n == 0 ? EIO : errno;
			rc = -1;
			break;
		}
		buf_added(&b, (size_t)n);
		c->at += (uint64_t)n;
		rc = copy_lines(c, &b);
	}
	if (rc == 0 && b.len > 0) {
		errno = EBADMSG;
		rc = -1;
	}
	buf_fini(&b);
	return rc;
}

static int
renew(struct audit_log *l, const char **doing)
{
	auto_close int to = -1;
	struct copy c = {.from = l->fd};

	*doing = "writing once more what was not synced";
	unlinkat(l->dir, FRESH, 0);
	to = openat(l->dir, FRESH, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	c.to = to;
	if (to < 0 || copy_all(&c, l->size) < 0)
		return -1;
	/* What others appended, or a file of before. */
	if (c.last[0] && memcmp(c.last, l->head, sizeof c.last) != 0) {
		errno = EBADMSG;
		return -1;
	}
	*doing = "syncing " AUDIT_FILE;
	if (fdatasync(to) < 0 || renameat2(l->dir, FRESH, l->dir, AUDIT_FILE, 0) < 0)
		return -1;
	return fsync(l->dir);
}

int
audit_renew(struct audit_log *l, struct err *e)
{
	int64_t now = clock_mono();
	const char *doing;
	int sys;

	/* Everybody who asks meanwhile hears the same. */
	if (now < l->renew_at)
		return audit_failed(l, l->renew_sys, "syncing " AUDIT_FILE, e);
	l->renew_at = now + AGAIN_NS;
	l->renew_sys = EIO;
	if (audit_tail_find(l, e) < 0)
		return -1;
	if (renew(l, &doing) < 0) {
		l->renew_sys = sys = errno;
		unlinkat(l->dir, FRESH, 0);
		return audit_failed(l, sys, doing, e);
	}
	l->ino = 0;
	l->failed = l->unsynced = false;
	l->renew_at = 0;
	return 0;
}
