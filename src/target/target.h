/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_TARGET_H
#define CORAL_TARGET_TARGET_H

/*
 * Finding containers in /proc, with no runtime socket.  Everything read here
 * is input from an enemy: bounded, parsed strictly.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

/* The host's procfs, cgroupfs and runtime state, held open. */
struct tgt_sys {
	int proc; /* O_PATH|O_DIRECTORY */
	char proc_path[256];
	bool standin;	  /* --proc-root names something that is not procfs (tests) */
	char cache[256];  /* file for the scan cache, or "": none.  Root-only directory. */
	unsigned settled; /* seconds after which a process stays where it is; 5 */
};
int tgt_sys_open(struct tgt_sys *s, const char *proc_root, const char *cache, struct err *e);
void tgt_sys_close(struct tgt_sys *s);

struct tgt {
	pid_t pid;	  /* the process to enter, in the agent's numbering */
	uint64_t start;	  /* field 22 of stat, clock ticks since boot */
	char runtime[24]; /* docker containerd cri-o podman lxc nspawn runc (any other), process */
	char id[72];	  /* container id; "" for a bare process */
	char container[254]; /* name; "" unknown */
	char service[254];   /* name users know it by */
	char pod[254], ns[254], pod_uid[64];
	char image[512];
	char project[128];	 /* compose project */
	char provenance[16];	 /* explicit, annotation, discovered, default */
	char comm[32];		 /* made harmless */
	uid_t uid;		 /* host numbering */
	bool frozen;		 /* paused */
	bool preferred;		 /* its pod's default-container annotation names it */
	uint64_t ns_pid, ns_mnt; /* inode numbers; 0 unreadable */
	char cgroup[1024];  /* its path in the v2 tree, else in the freezer/first v1 hierarchy */
	uint32_t processes; /* how many were seen in it */
};

struct tgt_list {
	struct tgt *v;
	size_t n;
};
void tgt_list_fini(struct tgt_list *l);

struct tgt_query {
	pid_t pid; /* alone decides when not 0 */
	/* Each "" or NULL when not given.  word matches service, container name, pod,
	 * compose service, or an id prefix of at least 4 characters. */
	const char *word, *service, *pod, *ns, *container;
};

/* Every container, sorted by service, then container, then pid.  Never the agent's own
 * container's processes, pause processes, or host pid 1.  May scan /proc; see tgt_sys.cache. */
int tgt_list_all(const struct tgt_sys *s, struct tgt_list *out, struct err *e);
/* Learn them for tgt_sys.cache, so that whoever asks next need not.  What has not settled yet is
 * believed only when this, or a search, was done again `settled` seconds later. */
int tgt_remember(const struct tgt_sys *s, struct err *e);
/*
 * Exactly one; whose whole id (64 hexadecimal digits) is asked for is meant, whatever others are
 * called; several of one pod are decided by the pod's default-container annotation (provenance
 * "annotation").  ERR_NO_TARGET (why: what exists), ERR_AMBIGUOUS (why: the
 * candidates, one a line), ERR_TARGET_GONE.  With `candidates` not NULL the
 * ambiguous ones are put there as well (caller frees).
 */
int tgt_find(const struct tgt_sys *s, const struct tgt_query *q, struct tgt *out,
    struct tgt_list *candidates, struct err *e);
/* What is known of one process, without a scan. */
int tgt_describe(const struct tgt_sys *s, pid_t pid, struct tgt *out, struct err *e);
/* New reference: service, container, container_id, pod, namespace, pod_uid, image, uid, pid,
 * runtime, provenance, state ("running", "paused"). */
json_t *tgt_to_json(const struct tgt *t);

#endif
