/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_ENTER_H
#define CORAL_TARGET_ENTER_H

/*
 * Entering a target: hold it, read its context, plan, spawn, end.
 *
 * The plan is finished before anything is cloned; code between clone and exec
 * (enter_child.c) only executes it, allocates nothing, and reports
 * {stage, errno} on a pipe.  Not for threads.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "target/target.h"

/* One process, kept from selection to entry: a reused pid is refused. */
struct tgt_hold {
	pid_t pid;
	uint64_t start;
	int pidfd;
	int proc; /* O_PATH of /proc/PID */
	int root; /* O_PATH of its root */
};
/* Waits up to 2 s for a container whose runtime still sets it up. */
int tgt_hold_open(const struct tgt_sys *s, const struct tgt *t, struct tgt_hold *h, struct err *e);
void tgt_hold_close(struct tgt_hold *h);

struct enter_want {
	const char *session_id;
	const char *const *argv; /* NULL: a shell (bash, then sh, in the target); login name "-bash" no */
	const char *const *env;	 /* K=V to add or replace, NULL-terminated; NULL none */
	const char *term;	 /* TERM when a terminal is wanted; NULL: unset nothing */
	const char *workdir;	 /* NULL: the target's cwd, verified, else / */
	const char *user;	 /* NULL: the target's; else NAME|UID[:GROUP] by the container's files */
	const char *namespaces;	 /* NULL or "": all that differ; else "mnt,pid,..." */
	bool privileged;	 /* keep the agent's capabilities, and no filter of the target */
	const struct tgt *target; /* who it is, for its runtime's files; NULL: looked up */
	bool seccomp_copy;	 /* its filters from the process itself, which that interrupts */
	bool block_tiocsti;
	bool tty;
};

struct enter_plan;
/* Reads the context (host procfs only), resolves user, shell, cgroup names.  Creates nothing. */
struct enter_plan *enter_plan_new(const struct tgt_sys *s, const struct tgt_hold *h,
    const struct enter_want *w, struct err *e);
void enter_plan_free(struct enter_plan *p);
/* In a copy of the process that has spawned it: its variables and words are wiped. */
void enter_plan_forget(struct enter_plan *p);
/* Host uid of the session's user: the PTY belongs to it. */
uid_t enter_plan_uid(const struct enter_plan *p);
/* What the user must know before the first byte, or "". */
const char *enter_plan_notice(const struct enter_plan *p);
/* argv as it will be executed (the chosen shell), owned by the plan. */
const char *const *enter_plan_argv(const struct enter_plan *p);
/* What its environment will be, as NAME=value; borrowed. */
const char *const *enter_plan_env(const struct enter_plan *p);
/* New reference: {"entry":"setns|chroot", "namespaces_entered":[...], "uid":, "gid":, "groups":[],
 * "capabilities":"hex", "cwd":, "cgroup":,
 * "items":[{"item":,"state":"cloned|defaulted|denied","why":,"allow":}]};
 * allow is what would have it cloned, null when it is. */
json_t *enter_plan_context(const struct enter_plan *p);

/* The session's processes: how to signal and end all of them, also by someone
 * who only has its description on disk. */
struct enter_tree {
	char session_id[64];
	char v2[1100];	    /* absolute path of the session's cgroup in the v2 tree, or "" */
	char v1[8][1100];   /* likewise freezer, pids; "" unused */
	pid_t leader;	    /* host pid of the command */
	uint64_t leader_start;
	pid_t helper; /* a child of who spawned that is none of them; 0: none.  Not on disk */
	bool reaps; /* the orphans among them become children of who spawned; not on disk */
	uint32_t audit; /* audit session of its processes, when it is their own; else UINT32_MAX */
	bool roams;	/* they can write to cgroup file systems, and so leave ours: see tree.h */
	char oom_file[1200]; /* the container's OOM counter, or "" */
	uint64_t oom_base;   /* and what it said before the session */
};

struct enter_child {
	pid_t pid;  /* waitable child of the caller; its container cannot end before the wait */
	int pidfd;
	struct enter_tree tree;
};

/*
 * Creates the session's cgroup, clones, enters, executes.  stdio[3] become
 * 0, 1, 2 of the command (with tty all three are the slave, which also becomes
 * the controlling terminal).  Returns after the exec succeeded or failed:
 * ERR_NOT_FOUND, ERR_NOT_EXECUTABLE, ERR_PRIVILEGE (naming the capability),
 * ERR_TARGET_GONE; on -1 nothing is left behind.  Blocks at most 5 s.
 * `on_tree` is called before the cgroup is made, with every place where it may
 * be, so that the caller can put the tree on disk; may be NULL.  Leader and audit session
 * are only in out->tree.
 * The caller is not dumpable any more afterwards, and in our own pid namespace adopts the
 * session's orphans, so that it should have no other children: prctl(2).
 */
int enter_spawn(struct enter_plan *p, const int stdio[3],
    int (*on_tree)(void *arg, const struct enter_tree *t, struct err *e), void *arg,
    struct enter_child *out, struct err *e);

/* Signal every process of the tree once.  Returns how many were signalled. */
int enter_tree_signal(const struct tgt_sys *s, const struct enter_tree *t, int signo);
/* The same to those in one process group: a group of that number elsewhere is not touched. */
int enter_tree_signal_group(
    const struct tgt_sys *s, const struct enter_tree *t, pid_t group, int signo);
/*
 * Every process of the tree stands still until it is thawed: by the freezer of the session's own
 * cgroup, where there is one, and by SIGSTOP for those that are not in it.  A frozen tree can be
 * ended; TERM it only takes thawed.  `st` remembers whom signals stopped.  Blocks for a second at
 * most; -1: some did not stand still by then, and all go on.
 */
struct enter_stop {
	struct {
		pid_t pid;
		uint64_t start;
	} * v; /* older first; owned, until thawed */
	size_t n;
};
int enter_tree_freeze(
    const struct tgt_sys *s, const struct enter_tree *t, struct enter_stop *st, struct err *e);
void enter_tree_thaw(const struct tgt_sys *s, const struct enter_tree *t, struct enter_stop *st);
/* New JSON array of {"pid","comm"} of those that are alive, at most 256. */
json_t *enter_tree_list(const struct tgt_sys *s, const struct enter_tree *t);
/*
 * SIGKILL until nothing is left (at most 5 s) and remove the cgroups.  Without a cgroup of its own
 * (read-only cgroupfs) the tree is what carries its audit session, which only CAP_AUDIT_CONTROL
 * outside can change; without audit it is the descendants of the leader, and in our own pid
 * namespace also what we adopted; elsewhere a process that left them (double fork) is missed.  `killed` (may be NULL): new JSON array of
 * {"pid","comm"} of those that were alive.  0, or -1 when something is left.
 */
int enter_tree_end(const struct tgt_sys *s, const struct enter_tree *t, json_t **killed, struct err *e);
/* Whether no cgroup of its own is left, and so no process in one. */
bool enter_tree_gone(const struct enter_tree *t);
/* Whether the kernel's OOM killer struck since the session began: in the container, for a session
 * has no memory limit of its own.  Ask when the command died of SIGKILL. */
bool enter_tree_oom(const struct enter_tree *t);
json_t *enter_tree_to_json(const struct enter_tree *t);
int enter_tree_from_json(const json_t *j, struct enter_tree *t, struct err *e);

#endif
