/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_PLAN_H
#define CORAL_TARGET_PLAN_H

/* The inside of struct enter_plan, for the files that fill it in; others include enter.h. */
#include "target/caps.h"
#include "target/cgroup.h"
#include "target/context.h"
#include "target/enter.h"
#include "target/enter_child.h"
#include "target/seccomp.h"

/* NULL-terminated strings, owned. */
struct strv {
	char **v;
	size_t n, room;
};
int strv_add(struct strv *s, const char *text); /* copies; -1 out of memory */
/* "K=V" in place of the entry for K, or a new one. */
int strv_set(struct strv *s, const char *key, const char *value);
void strv_fini(struct strv *s);

#define PLAN_CLONED "cloned"
#define PLAN_DEFAULTED "defaulted"
#define PLAN_DENIED "denied"
/* One item of --explain. */
struct plan_item {
	const char *state, *allow; /* allow: what would make it cloned; NULL nothing to say */
	char why[1400];
};

struct enter_plan {
	struct tgt_sys sys;   /* its descriptor is the caller's */
	struct tgt_hold hold; /* copies of the caller's */
	struct ctx ctx;
	struct cg cg;
	struct enter_job job;
	char session_id[64];

	int root;	  /* the root that names are looked up in: hold.root, or ours */
	bool target_root; /* it is hold.root */
	bool foreign_ids; /* another user namespace, and we do not enter it */
	bool by_chroot;	  /* without a right to enter namespaces: into the root alone */
	uid_t uid;	  /* ours numbering */
	gid_t gid;
	gid_t *groups; /* our numbering */
	size_t ngroups;
	bool as_user; /* -u */
	bool privileged;
	struct strv argv, env, candidates;
	char *workdir;

	char home[1024], user[256]; /* of -u; "" unknown */
	char why_caps[256], why_limits[256], why_groups[128];
	const char *label_state; /* as explained */
	char why_label[LSM_LABEL_MAX + 128];
	char notice[256];

	struct sc_set filters; /* those of job, owned */
	struct plan_item say_seccomp, say_tiocsti;
	char why_nnp[128]; /* no_new_privs is set although the target has it not */
};

/* Which namespaces, or the rung below; and whose root. */
int plan_namespaces(struct enter_plan *p, const struct enter_want *w, struct err *e);
/* Capabilities that would act on what is not the target's: in namespaces that the rung below
 * leaves out, nobody there gave them; on devices, where its device rules are out of reach. */
uint64_t plan_foreign_caps(const struct enter_plan *p);
/* The security label.  One that cannot be taken over is a refusal. */
int plan_label(struct enter_plan *p, const struct enter_want *w, struct err *e);
/* -u or the target's ids, groups and capability sets. */
int plan_identity(struct enter_plan *p, const struct enter_want *w, struct err *e);
/* What may be raised is limited by our own rights: limits, OOM score, scheduling, loginuid. */
void plan_limits(struct enter_plan *p);
int plan_environment(struct enter_plan *p, const struct enter_want *w, struct err *e);
int plan_command(struct enter_plan *p, const struct enter_want *w, struct err *e);
/* The filters, after the identity: which depends on its capabilities. */
int plan_seccomp(struct enter_plan *p, const struct enter_want *w, struct err *e);
/* A regular file that someone may execute, looked up in the plan's root. */
bool plan_is_program(const struct enter_plan *p, const char *path);
/* Fill in e from what the child said. */
int plan_failure(const struct enter_plan *p, const struct enter_report *r, struct err *e);

#endif
