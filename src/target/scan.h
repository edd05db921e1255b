/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_SCAN_H
#define CORAL_TARGET_SCAN_H

/*
 * Which process belongs to which container.  They are found in the cgroup
 * trees where these can be trusted to show all, else by every directory of
 * /proc.  Such a directory keeps its inode number while its process lives, so
 * what was learnt of (pid, inode) is kept in a file and only new pairs are
 * looked at again.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "target/proc.h"
#include "target/runtime.h"
#include "target/target.h"

#define SCAN_HOST UINT32_MAX /* in no container that we list */
#define SCAN_GROUPS_MAX 65536

struct scan_member {
	pid_t pid;
	uint32_t group; /* index, or SCAN_HOST */
	uint64_t ino;	/* 0 not known: it came from a cgroup */
	bool session;	/* of a session of ours: never the one to enter */
	bool fresh;	/* too young to be believed later: it may yet be moved */
};

struct scan_group {
	struct tgt t;	   /* t.cgroup is the key */
	uint64_t best_ino; /* of t.pid; 0 not chosen yet */
	size_t key_hash;
	bool learnt; /* names are known */
	bool infra;
	bool merged; /* another group is the same container */
	bool fresh;  /* its first process may not be itself yet: learn again */
	bool first;  /* of a pid namespace: with it all of them die */
};

/* How far the kernel had given out pids.  (scan_mark.c) */
struct scan_mark {
	bool good;
	int64_t at;	/* clock ticks since boot */
	uint64_t last;	/* pid given out */
	uint64_t forks; /* since boot */
};

struct scan {
	const struct tgt_sys *sys;
	struct rt_ctx rt;
	struct proc_cgroups own; /* the agent's */
	uint64_t own_pid, own_mnt;
	bool inside; /* we are in a container */
	pid_t self;
	struct proc_cgroups now; /* scratch */
	int64_t boot_ticks;	 /* now, in clock ticks since boot */

	struct scan_member *m;
	size_t nm;
	struct scan_group *g;
	size_t ng, groom;
	uint32_t *hash; /* index + 1 */
	size_t hash_size;
	bool cached;	  /* the file was there and good */
	bool news;	  /* something was learnt of a container */
	size_t inspected; /* processes looked at */

	bool own_numbers;	/* the pids in this procfs are those of our own namespace */
	bool everyone;		/* m holds all processes, not just those of containers */
	bool partly;		/* only the asked one's groups were settled */
	struct scan_mark mark;	/* before the members were listed */
	struct scan_mark base;	/* what began before it had settled when the groups were learnt */
	struct scan_mark later; /* to become the base when it is old enough */
	bool moved;		/* base or later */
};

/* Everything is looked at again unless `use_cache`.  Where a cgroup carries the whole id `only`
 * (NULL: none), the names of no other are learnt, see `partly`.  scan_fini also after -1. */
int scan_run(
    const struct tgt_sys *s, bool use_cache, const char *only, struct scan *out, struct err *e);
void scan_fini(struct scan *sc);
void scan_forget(struct scan *sc); /* members and groups */
/* The agent's own place, without the processes; for one pid. */
int scan_begin(const struct tgt_sys *s, struct scan *out, struct err *e);

/* The lines of a process: v2 first, then the freezer, then the others as they come; or NULL. */
const struct proc_cgroup *scan_line(const struct proc_cgroups *cg, size_t rank);
enum scan_say {
	SCAN_NO,      /* not by this line */
	SCAN_ASK,     /* if the process' namespaces are not ours */
	SCAN_YES,     /* t is filled in as scan_identify() does */
	SCAN_MONITOR, /* beside a container: whatever the lines after it say */
};
/* What one line alone tells. */
enum scan_say scan_judge(
    const struct scan *sc, const struct proc_cgroup *c, struct tgt *t, bool *session);
/* Put a process into its group. */
void scan_inspect(struct scan *sc, struct scan_member *m);
/* Fill sc->m from the cgroup trees; false when they may not show everybody.  (scan_cgroup.c) */
bool scan_by_cgroups(struct scan *sc);
/* Fill sc->m from all of /proc, believing what sc->m holds already. */
int scan_by_proc(struct scan *sc, struct err *e);

/* The inode number of /proc/PID, or 0. */
uint64_t scan_ino(const struct scan *sc, const struct scan_member *m);
bool scan_own_numbers(const struct scan *sc);
/* Where pids stand now; false when that cannot be known. */
bool scan_mark_now(const struct scan *sc, struct scan_mark *m);
/* All processes that began between the two have pids above from->last, up to to->last, which
 * are at most `max`. */
bool scan_mark_range(const struct scan_mark *from, const struct scan_mark *to, uint64_t max);

/* Where a process is contained: true with runtime, id, name, pod_uid and cgroup set. */
bool scan_identify(struct scan *sc, int pd, struct tgt *t, bool *session);
/* Fill in what is asked of the process itself: pid, start, comm, uid, namespaces. */
int scan_process(int pd, const struct proc_stat *st, struct tgt *t);
/* The container that we are in, as far as its cgroup tells; only to say why it is not listed. */
bool scan_own_container(struct scan *sc, struct tgt *t);
/* Named and meant to be seen. */
bool scan_listed(const struct scan_group *g);
/* The group with that key, made when it is new; SCAN_HOST when there are too many. */
uint32_t scan_group_of(struct scan *sc, const struct tgt *t);
/* Choose the process to enter of every group, or of those with the id `only`, and learn names.
 * (scan_best.c) */
int scan_settle(struct scan *sc, const char *only, struct err *e);
bool scan_is_young(const struct scan *sc, uint64_t start);

bool tgt_is_frozen(const struct rt_ctx *c, const struct proc_cgroups *cg);

/* Members sorted by pid and groups from the file into `sc` (empty before), or only its marks
 * without `facts`; false: no use. */
bool cache_load(struct scan *sc, bool facts);
/* Best effort: a cache that cannot be written is only slow. */
void cache_save(const struct scan *sc);
/* What follows the file's own checks, for the fuzzer as well. */
bool cache_parse(struct scan *sc, const unsigned char *p, size_t n);

/* The file's groups one by one, without the members.  cache_close() also after false. */
struct cache_view {
	unsigned char *text;
	struct rd groups;
	uint32_t ngroups;
	struct scan_mark base;
	bool fresh; /* some group is to be learnt again */
};
bool cache_open(struct scan *sc, struct cache_view *v);
void cache_close(struct cache_view *v);
bool cache_view_parse(struct cache_view *v, const unsigned char *p, size_t n);
/* From r = v->groups on; g->t.cgroup is "" at the end.  False: the file is bad.
 * What was in g before stays where nothing is written. */
bool cache_next(struct rd *r, struct scan_group *g);

/* 0, or -1 when the namespaces of other processes are hidden from us. */
int scan_check_sight(const struct tgt_sys *s, struct err *e);

#endif
