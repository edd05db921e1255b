/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/enter_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "target/context.h"

#define SIGNALS 64
/* The second stage runs on this one while the first still uses the real one. */
static char stack2[32 * 1024] __attribute__((aligned(64)));

static void
tell(const struct enter_job *job, enum enter_stage stage, int sys, int extra)
{
	struct enter_report r = {stage, sys, extra};

	syscall(SYS_write, job->report, &r, sizeof(r));
}

static _Noreturn void
die(const struct enter_job *job, enum enter_stage stage, int extra)
{
	tell(job, stage, errno, extra);
	for (;;)
		syscall(SYS_exit_group, 127);
}

static int
put(int dir, const char *file, const char *text, size_t n)
{
	int fd = (int)syscall(SYS_openat, dir, file, O_WRONLY | O_CLOEXEC, 0);
	long put;

	if (fd < 0)
		return -1;
	put = syscall(SYS_write, fd, text, n);
	syscall(SYS_close, fd);
	return put == (long)n ? 0 : -1;
}

/* Into the host's procfs: the container's may be anything.  Only a process itself may do it, by
 * the credentials that it opened the file with; what it wrote stays through clone and setuid and
 * ends with the exec: proc_pid_attr(5). */
static void
set_label(const struct enter_job *job)
{
	int fd = -1;
	struct statfs fs;

	if (!job->label_len)
		return;
	if (job->label_apparmor)
		fd = (int)syscall(
		    SYS_openat, job->proc, "self/attr/apparmor/exec", O_WRONLY | O_CLOEXEC, 0);
	if (!job->label_apparmor || (fd < 0 && errno == ENOENT))
		fd = (int)syscall(SYS_openat, job->proc, "self/attr/exec", O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0 || syscall(SYS_fstatfs, fd, &fs) < 0)
		die(job, ENTER_LSM, 0);
	if (fs.f_type != PROC_SUPER_MAGIC && !job->standin) {
		errno = ENOTSUP;
		die(job, ENTER_LSM, 0);
	}
	if (syscall(SYS_write, fd, job->label, job->label_len) != (long)job->label_len)
		die(job, ENTER_LSM, 0);
	syscall(SYS_close, fd);
}

static int
close_others(const int *keep, size_t nkeep)
{
	unsigned from = 0;

	for (size_t i = 0; i < nkeep; i++) {
		unsigned fd = (unsigned)keep[i];

		if (fd > from && syscall(SYS_close_range, from, fd - 1, 0) < 0)
			return -1;
		if (fd >= from)
			from = fd + 1;
	}
	return (int)syscall(SYS_close_range, from, ~0U, 0);
}

/* Dispositions that were ignored would stay so in the command. */
static void
reset_signals(void)
{
	/* The kernel's struct sigaction; all zero is SIG_DFL without flags. */
	const unsigned long dfl[4] = {0};

	for (int s = 1; s <= SIGNALS; s++)
		syscall(SYS_rt_sigaction, s, dfl, NULL, SIGNALS / 8);
}

/* While our privileges over the host still count. */
static void
set_limits(const struct enter_job *job)
{
	if (job->oom[0] && put(job->proc, "self/oom_score_adj", job->oom, strlen(job->oom)) < 0 &&
	    !job->keep_oom)
		die(job, ENTER_OOM, 0);
	/* Not fatal: a kernel without audit, or one already set; it is an identity for others. */
	if (job->loginuid[0])
		put(job->proc, "self/loginuid", job->loginuid, strlen(job->loginuid));
	set_label(job);
	for (size_t i = 0; i < job->ncg; i++) {
		if (syscall(SYS_write, job->cg[i], "0", 1) != 1)
			die(job, ENTER_CGROUP, (int)i);
	}
	if (job->set_affinity)
		syscall(SYS_sched_setaffinity, 0, sizeof(job->affinity), &job->affinity);
	/* What is more than the agent may give is left: it is a preference. */
	if (job->set_policy)
		syscall(SYS_sched_setscheduler, 0, job->policy, &(struct sched_param){0});
	if (job->set_ioprio)
		syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, job->ioprio);
	syscall(SYS_prctl, PR_SET_TIMERSLACK, job->timerslack, 0, 0, 0);
	if (job->coredump[0])
		put(job->proc, "self/coredump_filter", job->coredump, strlen(job->coredump));
	if (job->set_nice)
		syscall(SYS_setpriority, PRIO_PROCESS, 0, job->nice);
	if (job->set_personality)
		syscall(SYS_personality, job->personality);
	for (size_t i = 0; i < job->nlim; i++) {
		if (syscall(SYS_prlimit64, 0, job->lim[i].resource, &job->lim[i].value, NULL) < 0)
			die(job, ENTER_RLIMIT, (int)i);
	}
	if (job->set_groups && syscall(SYS_setgroups, job->ngroups, job->groups) < 0)
		die(job, ENTER_GROUPS, 0);
}

/* One by one, for kernels before 5.8: the user namespace last where we may, for it takes our
 * rights over the others away; first where only its rights open the others. */
static void
join_singly(const struct enter_job *job)
{
	int fds[CTX_NS_COUNT], left = job->ns;
	char path[16] = "ns/";

	for (size_t i = 0; i < CTX_NS_COUNT; i++) {
		fds[i] = -1;
		if (!(left & ctx_namespaces[i].flag))
			continue;
		memcpy(path + 3, ctx_namespaces[i].name, strlen(ctx_namespaces[i].name) + 1);
		fds[i] = (int)syscall(SYS_openat, job->target, path, O_RDONLY | O_CLOEXEC, 0);
		if (fds[i] < 0)
			die(job, ENTER_SETNS, ctx_namespaces[i].flag);
	}
	for (int pass = 0; pass < 3; pass++) {
		for (size_t i = 0; i < CTX_NS_COUNT; i++) {
			int flag = ctx_namespaces[i].flag;

			if (!(left & flag) || (flag == CLONE_NEWUSER) != (pass == 1))
				continue;
			if (syscall(SYS_setns, fds[i], flag) == 0)
				left &= ~flag;
			else if (errno != EPERM || pass > 0)
				die(job, ENTER_SETNS, flag);
		}
	}
}

/* A pidfd is readable when its process has ended: pidfd_open(2). */
static bool
has_ended(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	struct timespec now = {0, 0};

	return syscall(SYS_ppoll, &p, 1, &now, NULL, 0) > 0;
}

static void
enter_namespaces(const struct enter_job *job)
{
	/* setns(2) refuses what is gone; a root directory that we hold would still be there. */
	if (!job->ns && has_ended(job->pidfd)) {
		errno = ESRCH;
		die(job, ENTER_SETNS, 0);
	}
	if (job->ns && syscall(SYS_setns, job->pidfd, job->ns) < 0) {
		if (errno != EINVAL)
			die(job, ENTER_SETNS, 0);
		join_singly(job);
	}
	/* From here on a name like /proc/self/fd/N is the container's to resolve. */
	if (close_others(job->inside, job->ninside) < 0)
		die(job, ENTER_FDS, 0);
}

/* getcwd(2): a directory outside our root reads "(unreachable)..." */
static bool
cwd_is_inside(void)
{
	char path[4096];

	return syscall(SYS_getcwd, path, sizeof(path)) > 1 && path[0] == '/';
}

static void
enter_root(const struct enter_job *job)
{
	if (job->root >= 0 && (syscall(SYS_fchdir, job->root) < 0 || syscall(SYS_chroot, ".") < 0))
		die(job, ENTER_ROOT, 0);
	if (job->cwd < 0 || syscall(SYS_fchdir, job->cwd) < 0 || !cwd_is_inside()) {
		if (syscall(SYS_chdir, "/") < 0)
			die(job, ENTER_ROOT, 0);
	}
	if (job->root >= 0)
		syscall(SYS_close, job->root);
	if (job->cwd >= 0)
		syscall(SYS_close, job->cwd);
}

/* The sets themselves; `more` is permitted and effective besides. */
static int
put_caps(const struct enter_job *job, uint64_t more)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	for (int w = 0; w < 2; w++) {
		d[w].effective = (uint32_t)((job->caps[PROC_CAP_EFF] | more) >> (32 * w));
		d[w].permitted = (uint32_t)((job->caps[PROC_CAP_PRM] | more) >> (32 * w));
		d[w].inheritable = (uint32_t)(job->caps[PROC_CAP_INH] >> (32 * w));
	}
	return (int)syscall(SYS_capset, &head, d);
}

static void
set_caps(const struct enter_job *job)
{
	if (put_caps(job, job->borrow_admin ? 1ULL << CAP_SYS_ADMIN : 0) < 0)
		die(job, ENTER_CAPS, 0);
	syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (unsigned c = 0; c <= job->last_cap; c++) {
		if ((job->caps[PROC_CAP_AMB] >> c & 1) &&
		    syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) < 0)
			die(job, ENTER_CAPS, (int)c);
	}
}

/* A change of credentials makes us dumpable where fs.suid_dumpable is 1, and takes the
 * parent-death signal away: prctl(2). */
static void
stay_hidden(void)
{
	syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static void
set_identity(const struct enter_job *job)
{
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
	syscall(SYS_umask, job->umask);
	for (unsigned c = 0; c <= job->last_cap; c++) {
		if (!(job->caps[PROC_CAP_BND] >> c & 1) &&
		    syscall(SYS_prctl, PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			die(job, ENTER_BOUNDING, (int)c);
	}
	if (job->set_securebits && syscall(SYS_prctl, PR_SET_SECUREBITS, 0, 0, 0, 0) < 0)
		die(job, ENTER_SECUREBITS, 0);
	syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (syscall(SYS_setresgid, job->gid[0], job->gid[1], job->gid[2]) < 0)
		die(job, ENTER_GID, 0);
	if (syscall(SYS_setresuid, job->uid[0], job->uid[1], job->uid[2]) < 0)
		die(job, ENTER_UID, 0);
	stay_hidden();
	/* Again, so that it belongs to the user; over his quota, the first one stays. */
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
	set_caps(job);
	if (job->workdir && (syscall(SYS_chdir, job->workdir) < 0 || !cwd_is_inside()))
		die(job, ENTER_WORKDIR, 0);
	if (job->no_new_privs && syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die(job, ENTER_NNP, 0);
}

/* From here on only what the filters permit can be done. */
static void
install_filters(const struct enter_job *job)
{
	for (size_t i = 0; i < job->nfilters; i++) {
		const struct enter_filter *f = &job->filters[i];
		long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f->flags, &f->prog);

		/* Kernels before 4.17 do not know the flags, and need none. */
		if (rc < 0 && errno == EINVAL && f->flags)
			rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f->prog);
		if (rc < 0)
			die(job, ENTER_SECCOMP, (int)i);
	}
	if (job->borrow_admin && put_caps(job, 0) < 0)
		die(job, ENTER_SECCOMP, (int)job->nfilters);
}

static _Noreturn void
execute(const struct enter_job *job)
{
	int worst = ENOENT, at = 0, i;

	for (i = 0; job->candidates[i]; i++) {
		syscall(SYS_execve, job->candidates[i], job->argv, job->envp);
		if (errno == ENOENT || errno == ENOTDIR)
			continue;
		if (worst == ENOENT) {
			worst = errno;
			at = i;
		}
		/* As a shell searches: what may not be executed is passed over. */
		if (errno != EACCES)
			break;
	}
	errno = worst;
	die(job, ENTER_EXEC, at);
}

/* What is called from the clone on, plan_seccomp.c asks the filters for.
 *
 * In the container's sight from its first moment, and not dumpable; but who has CAP_SYS_PTRACE in
 * our user namespace may seize it all the same.  So it has nothing but what the command gets; where
 * the filters forbid what is left to do they come last, and what they need is held until then. */
static int
stage2(void *arg)
{
	const struct enter_job *job = arg;
	const uint64_t none = 0;

	stay_hidden();
	if (syscall(SYS_setsid) < 0 ||
	    (job->tty && syscall(SYS_ioctl, job->stdio[0], TIOCSCTTY, 0) < 0))
		die(job, ENTER_TTY, 0);
	for (int i = 0; i < 3; i++) {
		if (syscall(SYS_dup3, job->stdio[i], i, 0) < 0)
			die(job, ENTER_STDIO, i);
	}
	if ((job->report > 3 && syscall(SYS_close_range, 3, job->report - 1, 0) < 0) ||
	    syscall(SYS_close_range, job->report + 1, ~0U, 0) < 0)
		die(job, ENTER_FDS, 0);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, SIGNALS / 8);
	if (!job->filters_first)
		install_filters(job);
	execute(job);
}

_Noreturn void
enter_child(const struct enter_job *job)
{
	int pid;

	stay_hidden();
	reset_signals();
	if (close_others(job->keep, job->nkeep) < 0)
		die(job, ENTER_FDS, 0);
	set_limits(job);
	enter_namespaces(job);
	stay_hidden();
	enter_root(job);
	set_identity(job);
	if (job->filters_first)
		install_filters(job);
	if (!(job->ns & CLONE_NEWPID))
		stage2((void *)(uintptr_t)job);
	/* A pid namespace takes effect on children: the command is one more, and CLONE_PARENT makes
	 * it our parent's child.  Not vfork: a stop signal from inside must not reach the waiter.
	 */
	pid = clone(stage2, stack2 + sizeof(stack2), CLONE_VM | CLONE_PARENT | SIGCHLD,
	    (void *)(uintptr_t)job);
	if (pid < 0)
		die(job, ENTER_CLONE, 0);
	tell(job, ENTER_PID, 0, pid);
	for (;;)
		syscall(SYS_exit_group, 0);
}
