/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "record/source.h"
#include "record/store_dir.h"
#include "replay/archive_int.h"
#include "replay/grep.h"
#include "replay/sidecar.h"

#define AGAIN_NS (24 * 3600 * NS_PER_S)
/* Of the processor, for one of them: many times what it should take. */
#define CPU_S 60
#define CPU_BYTES ((int64_t)1 << 20) /* a second more for each */
/* Left free, beyond what it may take: live sessions end where there is no room. */
#define SPARE ((uint64_t)4 << 20)
#define SHARE 16

struct target {
	int sessdir, fd;
	const char *id;
	struct stat st;
	struct sidecar_home home;
	char tried[64];
};

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Whether there is a recording that no compressing will change any more. */
static bool
is_due(const struct archive *a, struct target *t, bool *later)
{
	char name[STORE_CAST_SIZE + 8];
	struct stat side;

	store_cast_name(t->id, name);
	if (store_is_live(t->sessdir))
		return false;
	if (fstatat(t->sessdir, name, &t->st, AT_SYMLINK_NOFOLLOW) == 0) {
		/* Where it stays as it is for another reason, that is told already. */
		if (a->compress_ns >= 0)
			return false;
		*later = archive_age(&t->st) < ARCHIVE_INDEX_NS;
	} else {
		snprintf(name + strlen(name), sizeof(name) - strlen(name), STORE_ZST);
		if (fstatat(t->sessdir, name, &t->st, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
	}
	/* The index's time is when it was found good; of the recording, also what brings back the
	 * time of its contents changes the other. */
	snprintf(t->home.name, sizeof(t->home.name), "%s.index", t->id);
	if (*later || !S_ISREG(t->st.st_mode) ||
	    (fstatat(t->sessdir, t->home.name, &side, AT_SYMLINK_NOFOLLOW) == 0 &&
		!is_before(&side.st_mtim, &t->st.st_ctim)))
		return false;
	t->fd = openat(t->sessdir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	return t->fd >= 0 && sidecar_home_at(t->sessdir, t->id, t->fd, &t->home) == 0;
}

/* Of the recording, where it is worth an index and there is room for one; else -1. */
static int64_t
size_of(const struct target *t)
{
	struct source *s = source_open_fd(fcntl(t->fd, F_DUPFD_CLOEXEC, 3), t->id, NULL);
	int64_t size = s ? source_size(s) : -1;
	struct statfs fs;

	source_close(s);
	if (size < GREP_INDEX_LEAST || fstatfs(t->fd, &fs) < 0)
		return -1;
	return (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < (uint64_t)size / SHARE + SPARE ? -1
											     : size;
}

/* Who is killed by what it reads leaves this behind: all else goes on, and it is not tried again
 * and again. */
static bool
mark_tried(struct target *t)
{
	auto_close int fd = -1;
	struct stat st;

	snprintf(t->tried, sizeof(t->tried), ".%s.tried", t->home.name);
	if (fstatat(t->sessdir, t->tried, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    archive_age(&st) < AGAIN_NS)
		return false;
	unlinkat(t->sessdir, t->tried, 0);
	fd = openat(
	    t->sessdir, t->tried, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd >= 0;
}

/* SIGPROF, which ends us, when this process was at work for so long.  Not RLIMIT_CPU: prlimit(2)
 * reaches other processes of our uid. */
static void
set_limit(int64_t s)
{
	struct itimerval v = {.it_value.tv_sec = s};

	setitimer(ITIMER_PROF, &v, NULL);
}

static void
make(struct target *t, int64_t size)
{
	int fd = fcntl(t->fd, F_DUPFD_CLOEXEC, 3);
	struct sidecar *x = NULL;
	struct cast_reader *r;
	struct err e;

	set_limit(CPU_S + size / CPU_BYTES);
	r = fd < 0 ? NULL : cast_open_fd(fd, t->id, &e);
	/* One that is damaged has none: to tell of that is for who verifies it. */
	if (r && grep_make_index(r, t->fd, &t->home, &e) == 0)
		x = sidecar_open(&t->home, t->fd);
	if (x && utimensat(t->sessdir, t->home.name, NULL, AT_SYMLINK_NOFOLLOW) == 0)
		unlinkat(t->sessdir, t->tried, 0);
	sidecar_free(x);
	cast_close(r);
	set_limit(0);
}

bool
archive_index(const struct archive *a, int sessdir, const char *id)
{
	struct target t = {.sessdir = sessdir, .fd = -1, .id = id, .home.dir = -1};
	bool later = false;
	int64_t size;

	if (is_due(a, &t, &later)) {
		size = size_of(&t);
		if (size > 0 && mark_tried(&t))
			make(&t, size);
	}
	sidecar_home_fini(&t.home);
	fd_close(&t.fd);
	return later;
}
