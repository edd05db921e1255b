/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/log_int.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"

#define LOCK_NS (5 * NS_PER_S)
#define LOCK_AGAIN_MS 2

int
audit_failed(const struct audit_log *l, int sys, const char *doing, struct err *e)
{
	err_set(e, ERR_RECORDING, sys, "the audit log cannot go on");
	err_why(e, "%s in %s: %s", doing, l->path, strerror(sys));
	if (sys == ENOSPC || sys == EDQUOT)
		return err_hint(e, "free space there: coral sessions rm ID");
	if (sys == EBUSY)
		return err_hint(e, "see who holds %s/audit.lock: fuser -v", l->path);
	if (sys == EBADMSG)
		return err_hint(e, "coral audit verify --log; then move " AUDIT_FILE " away");
	return e && *e->hint ? -1 : err_hint(e, "see what %s is and lies on: ls -la, df", l->path);
}

struct audit_log *
audit_log_open(const char *dir, struct err *e)
{
	struct audit_log *l;

	if (fd_make_dir(dir, 0700, e) < 0) {
		if (e)
			e->code = ERR_RECORDING;
		return NULL;
	}
	l = calloc(1, sizeof *l);
	if (!l) {
		err_set(e, ERR_RECORDING, ENOMEM, "cannot open the audit log");
		return NULL;
	}
	l->fd = l->lock = -1;
	l->limit = AUDIT_FILE_MAX;
	str_copy(l->path, dir, sizeof l->path);
	buf_init(&l->line, 2 * AUDIT_LINE_MAX);
	l->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dir >= 0)
		l->lock =
		    openat(l->dir, "audit.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (l->lock >= 0)
		return l;
	audit_failed(l, errno, "opening the lock", e);
	audit_log_close(l);
	return NULL;
}

void
audit_log_close(struct audit_log *l)
{
	if (!l)
		return;
	fd_close(&l->fd);
	fd_close(&l->lock);
	fd_close(&l->dir);
	buf_fini(&l->line);
	free(l);
}

void
audit_log_limit(struct audit_log *l, uint64_t bytes)
{
	l->limit = bytes;
}

const struct buf *
audit_log_last(const struct audit_log *l)
{
	return &l->line;
}

/* A process that holds it and is stopped must not stop everybody. */
static int
take_lock(struct audit_log *l, struct err *e)
{
	int64_t until = clock_mono() + LOCK_NS;

	while (flock(l->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return audit_failed(l, errno, "taking the lock", e);
		if (clock_mono() > until)
			return audit_failed(l, EBUSY, "waiting for others that append", e);
		poll(NULL, 0, LOCK_AGAIN_MS);
	}
	return 0;
}

/* Blocks for the next records too.  What cannot be had for another reason than a lack of room, the
 * record itself may not need. */
static int
allocate(struct audit_log *l, size_t more)
{
	uint64_t need = l->size + more + AUDIT_RESERVE / 2;

	if (need <= l->allocated || l->no_alloc)
		return 0;
	for (;;) {
		if (fallocate(l->fd, FALLOC_FL_KEEP_SIZE, (off_t)l->size,
			(off_t)(need - l->size + AUDIT_RESERVE / 2)) == 0) {
			l->allocated = need + AUDIT_RESERVE / 2;
			return 0;
		}
		if (errno == EINTR)
			continue;
		if (errno == ENOSPC || errno == EDQUOT || errno == EIO)
			return -1;
		l->no_alloc = true;
		return 0;
	}
}

/* All or nothing. */
static int
write_line(struct audit_log *l, struct err *e)
{
	const unsigned char *p = buf_head(&l->line);
	size_t n = l->line.len;
	int sys;

	while (n > 0) {
		ssize_t put = write(l->fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			break;
		p += put;
		n -= (size_t)put;
	}
	if (n == 0)
		return 0;
	sys = errno;
	/* Should this fail, whoever appends next finds a torn line. */
	if (ftruncate(l->fd, (off_t)l->size) == 0)
		l->allocated = l->size;
	l->ino = 0;
	return audit_failed(l, sys ? sys : EIO, "writing " AUDIT_FILE, e);
}

static int
put_torn(struct audit_log *l, char hash[AUDIT_HASH_SIZE], struct err *e)
{
	json_t *rec;
	int rc;

	if (l->cut == 0)
		return 0;
	rec = audit_record_new("log.recovered");
	json_object_set_new(rec, "error",
	    json_sprintf("%llu bytes at byte %llu of %s were no whole record: they are in %s now",
		(unsigned long long)l->cut, (unsigned long long)l->cut_at, AUDIT_FILE, l->torn));
	rc = audit_line(rec, clock_real(), hash, &l->line, hash, e);
	json_decref(rec);
	return rc;
}

static int
make_line(struct audit_log *l, const json_t *rec, char hash[AUDIT_HASH_SIZE], struct err *e)
{
	memcpy(hash, l->head, AUDIT_HASH_SIZE);
	buf_clear(&l->line);
	if (put_torn(l, hash, e) < 0)
		return -1;
	return audit_line(rec, clock_real(), hash, &l->line, hash, e);
}

/* Of the room that is kept, what begins nothing takes no more than a half: ends still have theirs.
 */
static bool
may_use_reserve(const struct audit_log *l, const json_t *rec)
{
	const char *event = json_str(rec, "event");
	struct stat st;

	if (!event || strcmp(event, "denied") != 0)
		return true;
	return fstat(l->fd, &st) == 0 &&
	       (uint64_t)st.st_blocks * 512 > l->size + l->line.len + AUDIT_RESERVE / 4;
}

static int
append(struct audit_log *l, const json_t *rec, bool reserve, struct err *e)
{
	char hash[AUDIT_HASH_SIZE];

	if (audit_tail_find(l, e) < 0)
		return -1;
	if (make_line(l, rec, hash, e) < 0)
		return -1;
	/* A full disk has no room for another file: then this one grows on. */
	if (l->size > 0 && l->size + l->line.len > l->limit && audit_rotate(l, e) < 0 &&
	    (l->ino == 0 || l->failed))
		return -1;
	if (allocate(l, l->line.len) < 0 && (!reserve || !may_use_reserve(l, rec)))
		return audit_failed(l, errno, "making room for " AUDIT_FILE, e);
	if (write_line(l, e) < 0)
		return -1;
	l->size += l->line.len;
	l->cut = 0;
	l->unsynced = true;
	memcpy(l->head, hash, sizeof hash);
	return 0;
}

int
audit_log_put(struct audit_log *l, const json_t *rec, bool reserve, struct err *e)
{
	int rc = 0;

	if (take_lock(l, e) < 0)
		return -1;
	if (l->failed)
		rc = audit_renew(l, e);
	if (rc == 0)
		rc = append(l, rec, reserve, e);
	flock(l->lock, LOCK_UN);
	return rc;
}

int
audit_log_sync(struct audit_log *l, struct err *e)
{
	if (l->failed)
		return audit_failed(l, EIO, "syncing " AUDIT_FILE, e);
	if (!l->unsynced)
		return 0;
	l->failed = l->fd >= 0 && fdatasync(l->fd) < 0;
	if (l->failed)
		return audit_failed(l, errno, "syncing " AUDIT_FILE, e);
	l->unsynced = false;
	return 0;
}
