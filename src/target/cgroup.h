/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_CGROUP_H
#define CORAL_TARGET_CGROUP_H

/*
 * A session's cgroup: a child of the target's in the v2 tree, else in the v1
 * freezer hierarchy; every other v1 hierarchy is joined where the target is.
 * Paths come from /proc/PID/cgroup and never lead out of the cgroup file system.
 */
#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "target/enter.h"
#include "target/proc.h"

#define CG_ROOT "/sys/fs/cgroup"
#define CG_PREFIX "coral-"
#define CG_PATH_MAX 1100
/* Processes and threads of one session; and never more than half of what its container may have,
 * so that a fork bomb in a session leaves room for the application. */
#define CG_PIDS_MAX 4096

/* Where the file systems are mounted. */
struct cg_fs {
	char v2[256]; /* "" none */
	char v1[256]; /* directory that holds one directory for each hierarchy; "" none */
};
void cg_fs_find(const char *root, struct cg_fs *fs);

#define CG_V1_MAX 16
struct cg_v1 {
	char name[64]; /* controllers */
	char path[CG_PATH_MAX];
	int procs; /* cgroup.procs, opened for writing; -1 */
};
struct cg {
	int target2, own2; /* directories in the v2 tree: the target's, the session's; -1 */
	int procs2;	   /* cgroup.procs of the one to join */
	char path2[CG_PATH_MAX];
	struct cg_v1 v1[CG_V1_MAX]; /* those where the target is not where we are */
	size_t nv1;
	char freezer[CG_PATH_MAX]; /* the target's in v1; "" none */
	char pids[CG_PATH_MAX];	   /* likewise */
	char pids_root[CG_PATH_MAX];
	char freezer_root[CG_PATH_MAX]; /* top of its hierarchy, where nothing freezes */
	char oom_file[CG_PATH_MAX + 32];
	bool have;     /* the target's cgroup is joined somewhere, or is ours already */
	bool devices;  /* so is the one that has its device rules */
	char why[256]; /* what is short of a child of the target's cgroup; "" nothing */
};

/* Opens what is there; creates nothing.  Never fails: `why` says what cannot be had. */
void cg_open(const struct cg_fs *fs, const struct proc_cgroups *target,
    const struct proc_cgroups *own, struct cg *c);
void cg_close(struct cg *c);
/* The target is paused: whoever joins it stops. */
bool cg_is_frozen(const struct cg *c);
/* Fill in t's paths with every place where cg_create() may make one: to be noted on disk first. */
void cg_announce(const struct cg *c, struct enter_tree *t);
/* Make coral-<id> and fill in t's paths.  Without one the target's own is joined, and why says so.
 */
int cg_create(struct cg *c, struct enter_tree *t, struct err *e);

/* Take a process that must die out of a v1 freezer: frozen there, it would not even be killed. */
void cg_thaw_out(const struct cg *c, pid_t pid);

/* "/a/b": absolute, no "..", no empty part, not over the cap. */
bool cg_path_ok(const char *path);
/* ROOT/.../coral-<id>, of this very session. */
bool cg_session_path_ok(const char *path, const char *id);
/* How often the OOM killer struck, from memory.events or memory.oom_control. */
unsigned long long cg_oom_count(const char *file);
/* Remove dir and all below it, deepest first.  0, or -1 with errno; ENOENT is success. */
int cg_rmdir(const char *path);
/* Append the pids in dir and below.  Returns how many, at most max; 0 when it is gone. */
size_t cg_pids(const char *path, pid_t *out, size_t max);
bool cg_has_file(const char *dir, const char *file);
/* Whether the process of that /proc directory sees a cgroup file system that is not read-only. */
bool cg_writable_from(int pd);
/* Write a word to a file in a cgroup; 0 or -1 with errno. */
int cg_write(const char *dir, const char *file, const char *word);

#endif
