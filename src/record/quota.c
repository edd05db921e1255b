/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#define PIECE (256 * 1024) /* taken ahead, so that most writes ask for nothing */
#define START (128 * 1024) /* what a session needs at least: its reserve, its header */
#define LOOK (256 * 1024)  /* the room that is left is looked at after so much, or a second */
#define AGAIN_S 2	   /* recordings are not counted more often than that */
#define STALE_S 600	   /* and at the start of a session when that was so long ago */
#define DAY_S (24 * 3600LL)

/* In its file: a host's own, in its own byte order. */
struct count {
	int64_t when; /* seconds since 1970: when it was counted; or the day */
	uint64_t bytes;
};

/* A file, and what of it is taken ahead. */
struct counter {
	int fd; /* -1: not limited */
	uint64_t limit, ahead;
	int64_t when; /* of the count that `ahead` was taken from */
};

struct quota {
	char user[64], state_dir[256];
	struct counter all, own;
	uint64_t free, since; /* to be left; bytes since it was looked at */
	int64_t looked_at;    /* clock_mono */
	int sessions;	      /* the directory */
};

static int
cannot_count(struct err *e)
{
	return err_set(e, ERR_RECORDING, errno, "cannot count what recordings take");
}

/* Blocks while somebody else changes it: microseconds, or the time that counting all takes. */
static int
lock(const struct counter *c, short type)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET};
	int rc;

	do
		rc = fcntl(c->fd, F_OFD_SETLKW, &l);
	while (rc < 0 && errno == EINTR);
	return rc;
}

/* A file that is new, or was cut, counts nothing yet. */
static int
get(const struct counter *c, struct count *n)
{
	ssize_t got = pread(c->fd, n, sizeof *n, 0);

	if (got != (ssize_t)sizeof *n)
		*n = (struct count){0};
	return got < 0 ? -1 : 0;
}

static int
put(const struct counter *c, const struct count *n)
{
	ssize_t done = pwrite(c->fd, n, sizeof *n, 0);

	if (done >= 0 && done != (ssize_t)sizeof *n)
		errno = EIO;
	return done == (ssize_t)sizeof *n ? 0 : -1;
}

static uint64_t
bytes_of_session(int sessions, const char *id)
{
	int fd = openat(sessions, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	uint64_t sum = 0;
	struct dirent *d;
	struct stat st;

	if (!dir) {
		fd_close(&fd);
		return 0;
	}
	while ((d = readdir(dir)))
		if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	closedir(dir);
	return sum;
}

/* As du(1) does. */
static void
count_all(const struct quota *q, struct count *n)
{
	int fd = openat(q->sessions, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;

	if (!dir) {
		fd_close(&fd);
		return;
	}
	n->when = clock_real() / NS_PER_S;
	n->bytes = 0;
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.')
			n->bytes += bytes_of_session(fd, d->d_name);
	closedir(dir);
}

static bool
is_older(const struct count *n, int64_t seconds)
{
	int64_t now = clock_real() / NS_PER_S;

	return n->when == 0 || n->when > now || now - n->when >= seconds;
}

static int
no_room_for_all(const struct quota *q, const struct count *n, struct err *e)
{
	char has[STR_SIZE_MAX], may[STR_SIZE_MAX];

	str_size(has, n->bytes);
	str_size(may, q->all.limit);
	err_set(e, ERR_LIMIT, 0, "recordings have taken all the room that policy gives them");
	err_why(e, "%s of %s (limits.host_bytes) in %s/sessions", has, may, q->state_dir);
	return err_hint(e, "remove what is not needed any more: coral sessions rm ID");
}

static int
no_room_for_user(const struct quota *q, struct err *e)
{
	char may[STR_SIZE_MAX];

	str_size(may, q->own.limit);
	err_set(e, ERR_LIMIT, 0, "%s has no room for recordings today", q->user);
	err_why(e, "policy gives %s a day (limits.user_day_bytes), from 00:00 UTC on", may);
	return err_hint(e, "wait until 00:00 UTC, or have the limit raised");
}

static uint64_t
left_of(const struct counter *c, const struct count *n)
{
	return n->bytes < c->limit ? c->limit - n->bytes : 0;
}

/* At least `need`, and a piece where there is one; *got is 0 when there is not enough. */
static int
take_ahead(struct counter *c, struct count *n, uint64_t need, bool *got)
{
	uint64_t more = left_of(c, n) < need + PIECE ? left_of(c, n) : need + PIECE;

	*got = more >= need;
	if (!*got)
		return 0;
	n->bytes += more;
	if (put(c, n) < 0)
		return -1;
	c->ahead += more;
	return 0;
}

/* What was taken ahead yesterday, or before all was counted anew, is in that count no more. */
static void
drop_old(struct counter *c, const struct count *n, uint64_t *need)
{
	if (c->when != n->when) {
		*need += c->ahead;
		c->ahead = 0;
	}
	c->when = n->when;
}

static int
ask_all(struct quota *q, uint64_t need, int64_t stale_s, struct err *e)
{
	struct count n;
	bool got = false;
	int rc = get(&q->all, &n);

	if (rc == 0 && is_older(&n, stale_s))
		count_all(q, &n);
	drop_old(&q->all, &n, &need);
	rc = rc < 0 ? rc : take_ahead(&q->all, &n, need, &got);
	if (rc == 0 && !got && is_older(&n, AGAIN_S)) {
		count_all(q, &n);
		drop_old(&q->all, &n, &need);
		rc = take_ahead(&q->all, &n, need, &got);
		/* Others need not count it again at once. */
		if (rc == 0 && !got)
			rc = put(&q->all, &n);
	}
	if (rc < 0)
		return cannot_count(e);
	return got ? 0 : no_room_for_all(q, &n, e);
}

static int
ask_own(struct quota *q, uint64_t need, struct err *e)
{
	int64_t day = clock_real() / NS_PER_S / DAY_S;
	struct count n;
	bool got = false;

	if (get(&q->own, &n) < 0)
		return cannot_count(e);
	if (n.when != day)
		n = (struct count){.when = day};
	drop_old(&q->own, &n, &need);
	if (take_ahead(&q->own, &n, need, &got) < 0)
		return cannot_count(e);
	return got ? 0 : no_room_for_user(q, e);
}

static int
take_from(struct quota *q, struct counter *c, uint64_t n, int64_t stale_s, struct err *e)
{
	int rc = 0;

	if (c->fd < 0)
		return 0;
	if (n > c->ahead) {
		if (lock(c, F_WRLCK) < 0)
			return cannot_count(e);
		rc = c == &q->all ? ask_all(q, n - c->ahead, stale_s, e)
				  : ask_own(q, n - c->ahead, e);
		lock(c, F_UNLCK);
	}
	if (rc == 0)
		c->ahead -= n;
	return rc;
}

static int
look_at_room(struct quota *q, uint64_t n, struct err *e)
{
	int64_t now = clock_mono();
	char is[STR_SIZE_MAX], others[STR_SIZE_MAX];
	struct statvfs fs;
	uint64_t has;

	q->since += n;
	if (q->free == 0 || (q->since < LOOK && now - q->looked_at < NS_PER_S))
		return 0;
	if (fstatvfs(q->sessions, &fs) < 0)
		return cannot_count(e);
	has = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (has >= q->free + n) {
		q->since = 0;
		q->looked_at = now;
		return 0;
	}
	str_size(is, has);
	str_size(others, q->free);
	err_set(e, ERR_LIMIT, 0, "the disk has no room left for recordings");
	err_why(e, "%s are free in %s, and policy leaves %s to others (limits.host_free)", is,
	    q->state_dir, others);
	return err_hint(e, "free space there, as by coral sessions rm ID");
}

int
quota_take(struct quota *q, uint64_t n, struct err *e)
{
	if (!q)
		return 0;
	if (look_at_room(q, n, e) < 0 || take_from(q, &q->all, n, INT64_MAX, e) < 0)
		return -1;
	if (take_from(q, &q->own, n, 0, e) == 0)
		return 0;
	if (q->all.fd >= 0)
		q->all.ahead += n;
	return -1;
}

/* What cannot be counted is written nevertheless. */
static void
count_one(struct counter *c, uint64_t n)
{
	uint64_t ahead = n < c->ahead ? n : c->ahead;
	struct count now;

	if (c->fd < 0)
		return;
	c->ahead -= ahead;
	if (n == ahead || lock(c, F_WRLCK) < 0)
		return;
	if (get(c, &now) == 0) {
		now.bytes += n - ahead;
		(void)put(c, &now);
	}
	lock(c, F_UNLCK);
}

void
quota_count(struct quota *q, uint64_t n)
{
	if (!q)
		return;
	count_one(&q->all, n);
	count_one(&q->own, n);
}

void
quota_give_back(struct quota *q, uint64_t n)
{
	if (q && q->all.fd >= 0)
		q->all.ahead += n;
	if (q && q->own.fd >= 0)
		q->own.ahead += n;
}

/* What is no plain name is spelt out, so that two never share a file. */
static void
file_of(const char *user, char out[256])
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-";
	size_t n = (size_t)snprintf(out, 256, "user-");

	for (; *user && n < 250; user++)
		if (strchr(plain, *user))
			out[n++] = *user;
		else
			n += (size_t)snprintf(out + n, 256 - n, "%%%02x", (unsigned char)*user);
	out[n] = '\0';
}

static int
open_counter(const char *state_dir, const char *name, int *fd, struct err *e)
{
	auto_close int dir = -1;
	char path[512];

	snprintf(path, sizeof path, "%s/usage", state_dir);
	if (fd_make_dir(path, 0700, e) < 0) {
		if (e)
			e->code = ERR_RECORDING;
		return -1;
	}
	dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	*fd = dir < 0 ? -1 : openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *fd < 0 ? cannot_count(e) : 0;
}

static int
open_all(struct quota *q, const struct quota_limits *l, struct err *e)
{
	char path[512], name[256];

	snprintf(path, sizeof path, "%s/sessions", q->state_dir);
	if (fd_make_dir(path, 0700, e) < 0) {
		if (e)
			e->code = ERR_RECORDING;
		return -1;
	}
	q->sessions = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (q->sessions < 0)
		return cannot_count(e);
	file_of(q->user, name);
	if ((l->host && open_counter(q->state_dir, "host", &q->all.fd, e) < 0) ||
	    (l->user_day && q->user[0] && open_counter(q->state_dir, name, &q->own.fd, e) < 0))
		return -1;
	return 0;
}

int
quota_open(struct quota **out, const char *state_dir, const char *user,
    const struct quota_limits *l, struct err *e)
{
	struct quota *q;

	*out = NULL;
	if (!l->host && !l->host_free && !(l->user_day && user[0]))
		return 0;
	q = calloc(1, sizeof *q);
	if (!q)
		return cannot_count(e);
	str_copy(q->user, user, sizeof q->user);
	str_copy(q->state_dir, state_dir, sizeof q->state_dir);
	q->all = (struct counter){.fd = -1, .limit = l->host};
	q->own = (struct counter){.fd = -1, .limit = l->user_day};
	q->free = l->host_free;
	q->sessions = -1;
	q->since = LOOK;
	if (open_all(q, l, e) == 0 && look_at_room(q, START, e) == 0 &&
	    take_from(q, &q->all, START, STALE_S, e) == 0 &&
	    take_from(q, &q->own, START, 0, e) == 0) {
		quota_give_back(q, START);
		*out = q;
		return 0;
	}
	quota_close(q);
	return -1;
}

/* What was taken ahead is others' again. */
static void
close_counter(struct counter *c)
{
	struct count n;

	if (c->fd >= 0 && c->ahead > 0 && lock(c, F_WRLCK) == 0) {
		if (get(c, &n) == 0 && n.when == c->when) {
			n.bytes -= n.bytes < c->ahead ? n.bytes : c->ahead;
			(void)put(c, &n);
		}
	}
	fd_close(&c->fd);
}

void
quota_close(struct quota *q)
{
	if (!q)
		return;
	close_counter(&q->all);
	close_counter(&q->own);
	fd_close(&q->sessions);
	free(q);
}
