/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_SCAN_H
#define CORAL_TARGET_SCAN_H

/*
 * Which process belongs to which container.  A directory of /proc keeps its
 * inode number while its process lives, so what was learnt of (pid, inode) is
 * kept in a file and only new pairs are looked at again.
 */
#include <stdbool.h>
#include <stdint.h>
#include "target/proc.h"
#include "target/runtime.h"
#include "target/target.h"

#define SCAN_HOST UINT32_MAX /* in no container that we list */
#define SCAN_GROUPS_MAX 65536

struct scan_member {
	pid_t pid;
	uint32_t group; /* index, or SCAN_HOST */
	uint64_t ino;
	bool session; /* of a session of ours: never the one to enter */
	bool fresh;   /* too young to be believed later: it may yet be moved */
};

struct scan_group {
	struct tgt t;	   /* t.cgroup is the key */
	uint64_t best_ino; /* of t.pid; 0 not chosen yet */
	size_t key_hash;
	bool learnt; /* names are known */
	bool infra;
	bool merged; /* another group is the same container */
	bool fresh;  /* its first process may not be itself yet: learn again */
};

struct scan {
	const struct tgt_sys *sys;
	struct rt_ctx rt;
	struct proc_cgroups own; /* the agent's */
	uint64_t own_pid, own_mnt;
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
};

/* Everything is looked at again unless `use_cache`.  scan_fini also after -1. */
int scan_run(const struct tgt_sys *s, bool use_cache, struct scan *out, struct err *e);
void scan_fini(struct scan *sc);
/* The agent's own place, without the processes; for one pid. */
int scan_begin(const struct tgt_sys *s, struct scan *out, struct err *e);

/* Where a process is contained: true with runtime, id, name, pod_uid and cgroup set. */
bool scan_identify(struct scan *sc, int pd, struct tgt *t, bool *session);
/* Fill in what is asked of the process itself: pid, start, comm, uid, namespaces. */
int scan_process(int pd, const struct proc_stat *st, struct tgt *t);
/* Named and meant to be seen. */
bool scan_listed(const struct scan_group *g);
/* The group with that key, made when it is new; SCAN_HOST when there are too many. */
uint32_t scan_group_of(struct scan *sc, const struct tgt *t);
/* Choose the process to enter of every group, and learn names.  (scan_best.c) */
int scan_settle(struct scan *sc, struct err *e);
bool scan_is_young(const struct scan *sc, uint64_t start);

bool tgt_is_frozen(const struct rt_ctx *c, const struct proc_cgroups *cg);

/* Members sorted by pid and groups from the file into `sc` (empty before); false: no use. */
bool cache_load(struct scan *sc);
/* Best effort: a cache that cannot be written is only slow. */
void cache_save(const struct scan *sc);
/* What follows the file's own checks, for the fuzzer as well. */
bool cache_parse(struct scan *sc, const unsigned char *p, size_t n);

#endif
