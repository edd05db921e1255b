/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_CONTEXT_H
#define CORAL_TARGET_CONTEXT_H

/* Everything that is read of the target before it is entered: what it is, not what we make of it.
 */
#include <sched.h>
#include <stdbool.h>
#include "target/enter.h"
#include "target/lsm.h"
#include "target/proc.h"

struct ctx_ns {
	const char *name; /* in /proc/PID/ns and in --namespaces */
	int flag;	  /* CLONE_NEW* */
};
#define CTX_NS_COUNT 8
extern const struct ctx_ns ctx_namespaces[CTX_NS_COUNT];

struct ctx {
	struct proc_status status;
	struct proc_limits limits;
	struct proc_cgroups cgroups, own_cgroups;
	struct proc_idmap uids, gids; /* only when the user namespace differs */
	int differs;		      /* CLONE_NEW* of the namespaces that are not ours */
	bool setgroups_deny;
	char **env; /* owned */
	size_t nenv;
	int oom_score_adj, own_oom, nice;
	int policy;		   /* SCHED_* */
	int ioprio;		   /* ioprio_set(2) */
	unsigned long timerslack;  /* ns */
	long long coredump_filter; /* core(5); -1 not readable */
	unsigned long personality;
	cpu_set_t affinity;
	bool has_affinity;
	struct lsm_label label, own_label;
	int label_errno;     /* why the label could not be read, or 0 */
	uint32_t own_audit;  /* our audit session; UINT32_MAX none */
	int cwd;	     /* O_PATH, or -1 when it cannot be opened */
	char cwd_name[1024]; /* as a link of /proc: for people */
};

int ctx_read(const struct tgt_sys *s, const struct tgt_hold *h, struct ctx *c, struct err *e);
void ctx_fini(struct ctx *c);

/* The flags named in "mnt,pid,...".  ERR_USAGE names an unknown one and all known. */
int ctx_parse_namespaces(const char *list, int *flags, struct err *e);
/* A number in a file of /proc/PID, in base 10 or 16; false when it cannot be read. */
bool ctx_read_number(int pd, const char *name, int base, long long *out);

#endif
