/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_ENTER_CHILD_H
#define CORAL_TARGET_ENTER_CHILD_H

/*
 * What happens between clone and exec, and nothing else.  The job is finished
 * before the clone; here nothing is allocated, locked, looked up or formatted,
 * and every kernel call is made directly: after setns(2) the C library's idea
 * of the world (files, locale, credentials of threads) is not ours any more.
 */
#include <linux/filter.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include "target/lsm.h"
#include "target/proc.h"

enum enter_stage {
	ENTER_PID, /* not a failure: extra is the pid of the command */
	ENTER_FDS,
	ENTER_OOM,
	ENTER_CGROUP, /* extra: which of job.cg */
	ENTER_RLIMIT, /* extra: which of job.lim */
	ENTER_LSM,
	ENTER_GROUPS,
	ENTER_SETNS, /* extra: the one that failed, or 0 */
	ENTER_ROOT,
	ENTER_BOUNDING,
	ENTER_GID,
	ENTER_UID,
	ENTER_CAPS,
	ENTER_SECUREBITS,
	ENTER_NNP,
	ENTER_WORKDIR,
	ENTER_CLONE,
	ENTER_SECCOMP, /* extra: which of job.filters; nfilters: giving the capability back */
	ENTER_TTY,
	ENTER_STDIO,
	ENTER_EXEC, /* extra: which of job.candidates */
	ENTER_STAGE_COUNT
};

struct enter_report {
	int32_t stage, sys, extra;
};

struct enter_limit {
	int resource;
	struct rlimit value;
};

struct enter_filter {
	struct sock_fprog prog;
	unsigned flags;
};

#define ENTER_CG_MAX 17
#define ENTER_FILTERS_MAX 17
#define ENTER_KEEP_MAX (ENTER_CG_MAX + 12)
struct enter_job {
	int report;   /* a pipe, close-on-exec: ends when the command runs */
	int stdio[3]; /* none below 3 */
	bool tty;

	int proc;	      /* host procfs */
	bool standin;	      /* which is none (tests) */
	int target;	      /* /proc/PID of the target, for the single-step way into namespaces */
	int pidfd, root, cwd; /* root, cwd: -1 leave */
	int ns;		      /* CLONE_NEW* */
	int cg[ENTER_CG_MAX]; /* cgroup.procs files to write ourselves into */
	size_t ncg;
	int keep[ENTER_KEEP_MAX]; /* every descriptor named here, ascending */
	size_t nkeep;
	int inside[6]; /* those still needed after the namespaces are entered, ascending */
	size_t ninside;

	struct enter_limit lim[RLIM_NLIMITS];
	size_t nlim;
	char oom[16], loginuid[16];    /* "" leave */
	bool keep_oom;		       /* ours, where it cannot be lowered */
	char coredump[24];	       /* "" leave */
	char label[LSM_LABEL_MAX + 8]; /* for the exec: "exec PROFILE" or a context */
	size_t label_len;	       /* 0 leave */
	bool label_apparmor;
	bool set_nice, set_affinity, set_personality, set_securebits, set_policy, set_ioprio;
	int nice, policy, ioprio;
	unsigned long timerslack;
	cpu_set_t affinity;
	unsigned long personality;

	const gid_t *groups; /* our numbering: set before the user namespace is entered */
	size_t ngroups;
	bool set_groups;
	uid_t uid[3]; /* real, effective, saved; numbering inside */
	gid_t gid[3];
	uint64_t caps[PROC_CAPS];
	unsigned last_cap;
	bool no_new_privs;
	struct enter_filter filters[ENTER_FILTERS_MAX]; /* oldest first */
	size_t nfilters;
	bool filters_first; /* before the container sees us: they permit what is left to do */
	bool borrow_admin;  /* to install them; given back before the command runs */
	mode_t umask;
	const char *workdir; /* NULL: cwd, else / */

	char *const *candidates; /* paths to try, NULL-terminated */
	char *const *argv, *const *envp;
};

/* Never returns: executes the command, or reports and exits. */
_Noreturn void enter_child(const struct enter_job *job);

#endif
