/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/archive_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "record/compress.h"
#include "record/store_dir.h"

/* Whether there will be something to do later. */
typedef bool job_fn(const struct archive *a, int sessdir, const char *id);

int64_t
archive_age(const struct stat *st)
{
	return clock_real() - (st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec);
}

static bool
compress(const struct archive *a, int sessdir, const char *id)
{
	char name[STORE_CAST_SIZE];
	struct err e = {0};
	struct stat st;

	store_cast_name(id, name);
	/* Of one that is live the end will be told. */
	if (a->compress_ns < 0 || store_is_live(sessdir) ||
	    fstatat(sessdir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (archive_age(&st) < a->compress_ns)
		return true;
	if (compress_recording(sessdir, id, &e) >= 0)
		return false;
	log_error_of(&e, "archiving recordings");
	return true;
}

/* Each for all of them, in this order: whatever ends the process while it renders, all that can be
 * compressed was. */
static job_fn *const jobs[] = {compress, archive_index};

static bool
for_all(const struct archive *a, job_fn *job)
{
	int copy = openat(a->sessions, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	bool later = false;
	struct dirent *d;

	if (!dir) {
		log_err("cannot list the recordings to archive");
		fd_close(&copy);
		return true;
	}
	while ((d = readdir(dir))) {
		auto_close int sessdir = -1;

		if (store_id_valid(d->d_name))
			sessdir = openat(a->sessions, d->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sessdir >= 0)
			later |= job(a, sessdir, d->d_name);
	}
	closedir(dir);
	return later;
}

bool
archive_run(const struct archive *a)
{
	bool later = false;

	for (size_t i = 0; i < COUNT_OF(jobs); i++)
		later |= for_all(a, jobs[i]);
	return later;
}

const int *
archive_calls(size_t *n)
{
	static const int calls[] = {SYS_brk, SYS_clock_gettime, SYS_close, SYS_exit, SYS_exit_group,
	    SYS_fcntl, SYS_flock, SYS_fstat, SYS_fstatfs, SYS_fsync, SYS_futex, SYS_getdents64,
	    SYS_geteuid, SYS_getpid, SYS_getrandom, SYS_gettid, SYS_lseek, SYS_madvise, SYS_mremap,
	    SYS_munmap, SYS_newfstatat, SYS_openat, SYS_poll, SYS_pread64, SYS_read, SYS_renameat,
	    SYS_renameat2, SYS_restart_syscall, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_setitimer,
	    SYS_unlinkat, SYS_utimensat, SYS_write, SYS_writev};

	*n = COUNT_OF(calls);
	return calls;
}
