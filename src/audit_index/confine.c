/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "audit_index/index.h"
#include "base/fd.h"

#define ADDRESS_SPACE (1UL << 30)
/* Of Landlock's third version: linux/landlock.h of Debian 12 may lack it. */
#define TRUNCATE (1ULL << 14)
#define REFER (1ULL << 13)
#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES                                                                                     \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |                             \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | TRUNCATE)

static int
allow_below(int rules, int dirfd, uint64_t what)
{
	struct landlock_path_beneath_attr a = {.allowed_access = what, .parent_fd = dirfd};

	return (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0);
}

/* All there is to forbid in the first version, and two that came later. */
static int
set_landlock(int dirfd, int at)
{
	struct landlock_ruleset_attr a = {.handled_access_fs = (1ULL << 13) - 1};
	long version =
	    syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	auto_close int rules = -1;

	/* A kernel without it: the filter of system calls is what there is. */
	if (version < 1)
		return 0;
	if (version >= 2)
		a.handled_access_fs |= REFER;
	if (version >= 3)
		a.handled_access_fs |= TRUNCATE;
	rules = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof a, 0);
	if (rules < 0 || allow_below(rules, dirfd, READS) < 0 ||
	    allow_below(rules, at, (READS | WRITES) & a.handled_access_fs) < 0)
		return -1;
	return (int)syscall(SYS_landlock_restrict_self, rules, 0);
}

/* What the reader of the log, SQLite, malloc(3) and, for many files, qsort(3) do. */
static const int calls[] = {SCMP_SYS(access), SCMP_SYS(brk), SCMP_SYS(chmod),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(close), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(fcntl), SCMP_SYS(fdatasync),
    SCMP_SYS(flock), SCMP_SYS(fstat), SCMP_SYS(fsync), SCMP_SYS(ftruncate), SCMP_SYS(futex),
    SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(geteuid), SCMP_SYS(getpid),
    SCMP_SYS(getrandom), SCMP_SYS(gettid), SCMP_SYS(gettimeofday), SCMP_SYS(lseek), SCMP_SYS(lstat),
    SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(munmap), SCMP_SYS(nanosleep),
    SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
    SCMP_SYS(read), SCMP_SYS(readlink), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(stat), SCMP_SYS(sysinfo), SCMP_SYS(time), SCMP_SYS(uname),
    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(write), SCMP_SYS(writev)};

static int
set_filter(void)
{
	const struct scmp_arg_cmp not_exec = {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; i < COUNT_OF(calls) && rc == 0; i++) {
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
		if (rc == -EDOM) /* this architecture has no such call */
			rc = 0;
	}
	if (rc == 0)
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &not_exec);
	if (rc == 0)
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &not_exec);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	errno = -rc;
	return rc < 0 ? -1 : 0;
}

static int
limit(int what, rlim_t value)
{
	struct rlimit now, rl = {value, value};

	if (getrlimit(what, &now) == 0 && now.rlim_max < value)
		rl.rlim_cur = rl.rlim_max = now.rlim_max;
	return setrlimit(what, &rl);
}

/* The files are the caller's own: no capability is needed for them. */
static int
drop_rights(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_capset, &head, none);
}

int
index_confine(int dirfd, int at, struct err *e)
{
	const char *step = "limits";
	int rc;

	rc = limit(RLIMIT_CORE, 0) < 0 || limit(RLIMIT_NOFILE, 64) < 0 ? -1 : 0;
#ifndef __SANITIZE_ADDRESS__
	if (rc == 0)
		rc = limit(RLIMIT_AS, ADDRESS_SPACE);
#endif
	if (rc == 0) {
		step = "giving up rights";
		rc = drop_rights();
	}
	if (rc == 0) {
		step = "Landlock";
		rc = set_landlock(dirfd, at);
	}
	if (rc == 0) {
		step = "the filter of system calls";
		rc = set_filter();
	}
	return rc < 0 ? err_set(e, ERR_PRIVILEGE, errno, "cannot be confined: %s", step) : 0;
}
