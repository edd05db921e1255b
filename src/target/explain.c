/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/plan.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"

#define CLONED "cloned"
#define DEFAULTED "defaulted"
#define DENIED "denied"

#define CG_PLACE                                                                                   \
	"mount the host's cgroup file system at " CG_ROOT                                          \
	", writable, in the agent's place, and its cgroup namespace"

/* What is not cloned has `allow`: what would make it so, or why nothing does. */
static void PRINTF_LIKE(5, 6) item(
    json_t *items, const char *name, const char *state, const char *allow, const char *fmt, ...)
{
	char why[1600], safe[2000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	str_vis(safe, sizeof(safe), why);
	if (strcmp(state, CLONED) == 0)
		allow = NULL;
	json_array_append_new(items, json_pack("{s:s,s:s,s:s,s:s?}", "item", name, "state", state,
					 "why", safe, "allow", allow));
}

static void
planned(json_t *items, const char *name, const struct plan_item *it)
{
	item(items, name, it->state, it->allow, "%s", it->why);
}

static json_t *
entered(const struct enter_plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < CTX_NS_COUNT; i++) {
		if (p->job.ns & ctx_namespaces[i].flag)
			json_array_append_new(list, json_string(ctx_namespaces[i].name));
	}
	return list;
}

static void
say_namespaces(const struct enter_plan *p, json_t *items)
{
	int left = p->ctx.differs & ~p->job.ns;
	char names[128] = "";

	for (size_t i = 0; i < CTX_NS_COUNT; i++) {
		if (left & ctx_namespaces[i].flag)
			snprintf(names + strlen(names), sizeof(names) - strlen(names), " %s",
			    ctx_namespaces[i].name);
	}
	if (p->by_chroot)
		item(items, "namespaces", DENIED, "give the agent CAP_SYS_ADMIN",
		    "the agent's own, missing CAP_SYS_ADMIN:%s", names);
	else
		item(items, "namespaces", left ? DEFAULTED : CLONED,
		    "leave --namespaces out, or name them there too",
		    left ? "not entered, as asked:%s" : "%s",
		    left ? names : "all that differ from the agent's");
	if (!p->target_root)
		item(items, "root", DEFAULTED, "name mnt in --namespaces",
		    "the agent's: the mnt namespace is not entered");
	else
		item(items, "root", CLONED, NULL, "%s",
		    p->job.root < 0 ? "shared already"
		    : p->by_chroot  ? "the target's, by chroot"
				    : "the target's");
	if (p->workdir)
		item(items, "cwd", DEFAULTED, "leave -w out", "%s, as asked", p->workdir);
	else if (p->job.cwd < 0)
		item(items, "cwd", DEFAULTED, "choose a directory with -w",
		    "/: the target's cannot be used");
	else
		item(items, "cwd", CLONED, NULL, "%s%s", p->ctx.cwd_name,
		    strcmp(p->ctx.cwd_name, "/") == 0 ? ""
						      : ", or / when that lies outside the root");
}

static void
say_capabilities(const struct enter_plan *p, json_t *items)
{
	const uint64_t *caps = p->job.caps, *theirs = p->ctx.status.caps;
	char allow[300], names[200];

	if (memcmp(caps, theirs, sizeof(p->job.caps)) == 0) {
		item(items, "capabilities", CLONED, NULL, "all five sets");
	} else if (p->privileged) {
		item(items, "capabilities", DEFAULTED, "leave --privileged out",
		    "every one that can be given, as asked");
	} else if (p->why_caps[0] && !p->foreign_ids && !p->by_chroot && !p->cg.devices) {
		item(items, "capabilities", DENIED, CG_PLACE, "%s", p->why_caps);
	} else if (p->by_chroot && p->why_caps[0]) {
		item(items, "capabilities", DENIED,
		    "share the namespaces, or give the agent CAP_SYS_ADMIN", "%s", p->why_caps);
	} else if (p->foreign_ids) {
		item(items, "capabilities", DENIED, "name user in --namespaces", "%s", p->why_caps);
	} else if (p->why_caps[0]) {
		snprintf(allow, sizeof(allow), "give the agent %s",
		    caps_names(names, sizeof(names), theirs[PROC_CAP_BND] & ~caps[PROC_CAP_BND]));
		item(items, "capabilities", DENIED, allow, "%s", p->why_caps);
	} else if (p->as_user) {
		item(items, "capabilities", DEFAULTED, "leave -u out",
		    "those of the user asked for, within the target's bounding set");
	} else {
		item(items, "capabilities", DENIED,
		    "nothing: root gets its bounding set at execve(2), more than the target has",
		    "bounding and inheritable set held at what the target is permitted");
	}
}

static void
say_identity(const struct enter_plan *p, json_t *items)
{
	const struct proc_status *st = &p->ctx.status;
	const char *how = p->as_user ? "of the user asked for" : "the target's";

	item(items, "ids", p->as_user ? DEFAULTED : CLONED, "leave -u out", "%s", how);
	if (p->why_groups[0])
		item(items, "groups", DENIED, "a user namespace whose setgroups file says allow",
		    "%s", p->why_groups);
	else
		item(items, "groups", p->as_user ? DEFAULTED : CLONED, "leave -u out", "%s", how);
	say_capabilities(p, items);
	item(items, "securebits", DEFAULTED, "nothing: prctl(2) tells a process its own only",
	    "0, as with docker exec: the kernel does not show another process's");
	if (p->why_nnp[0])
		item(items, "no_new_privs", DEFAULTED, "give the agent CAP_SYS_ADMIN", "%s",
		    p->why_nnp);
	else
		item(items, "no_new_privs", CLONED, NULL, "%s",
		    st->no_new_privs ? "set" : "not set");
	planned(items, "seccomp", &p->say_seccomp);
	planned(items, "tiocsti", &p->say_tiocsti);
	item(items, "lsm", p->label_state,
	    p->ctx.label.text[0] ? "leave --privileged out" : "run the agent without a label", "%s",
	    p->why_label);
}

static void
say_environment(const struct enter_plan *p, json_t *items)
{
	size_t same = 0;

	/* The plan changes entries in their place, and adds behind them. */
	for (size_t i = 0; i < p->ctx.nenv && i < p->env.n; i++)
		same += strcmp(p->ctx.env[i], p->env.v[i]) == 0;
	if (same == p->ctx.nenv && same == p->env.n)
		item(items, "environment", CLONED, NULL, "the target's, %zu entries", same);
	else
		item(items, "environment", DEFAULTED, "leave out -e, --env-file, -u and -t",
		    "the target's, %zu entries, and %zu as asked", same, p->env.n - same);
}

/* A container runtime's seccomp filter forbids it, and is inherited. */
static bool
may_have_keyring(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) >= 0 ||
	       (errno != EPERM && errno != ENOSYS);
}

static void
say_audit(const struct enter_plan *p, json_t *items)
{
	if (may_have_keyring())
		item(items, "keyring", DEFAULTED, "nothing: the target's keys are its own",
		    "a fresh session keyring");
	else
		item(items, "keyring", DENIED, "a seccomp profile of the agent's that has keyctl",
		    "the agent may not use keyrings, nor may what it starts");
	if (p->job.loginuid[0])
		item(items, "loginuid", DEFAULTED, "nothing: it tells the session from the target",
		    "%s", p->job.loginuid);
	else
		item(items, "loginuid", DENIED, "give the agent CAP_AUDIT_CONTROL",
		    "the agent's stays: missing CAP_AUDIT_CONTROL");
	item(items, "signals", DEFAULTED, "nothing: a command is to find them as after login(1)",
	    "all at their defaults, none blocked");
}

static void
say_scheduling(const struct enter_plan *p, json_t *items)
{
	const struct enter_job *j = &p->job;
	const struct ctx *c = &p->ctx;
	bool same = j->nice == c->nice && j->policy == c->policy && j->ioprio == c->ioprio;

	item(items, "scheduling", same ? CLONED : DEFAULTED,
	    j->nice > c->nice && j->nice > 0
		? "give the agent CAP_SYS_NICE"
		: "nothing: a session does not go before others as the target may",
	    "nice %d, %s, the target's CPUs", j->nice,
	    j->policy == SCHED_BATCH  ? "as a batch process"
	    : j->policy == SCHED_IDLE ? "when idle"
				      : "the ordinary policy");
}

static void
say_limits(const struct enter_plan *p, json_t *items)
{
	char oom[16];

	item(items, "umask", p->ctx.status.has_umask ? CLONED : DEFAULTED,
	    "a kernel that shows it: Linux 4.7 or later", "%04o", (unsigned)p->job.umask);
	item(items, "rlimits", p->why_limits[0] ? DENIED : CLONED,
	    "give the agent CAP_SYS_RESOURCE", "%s",
	    p->why_limits[0] ? p->why_limits : "the target's");
	say_environment(p, items);
	if (p->cg.why[0])
		item(items, "cgroup", p->cg.have ? DEFAULTED : DENIED, CG_PLACE, "%s", p->cg.why);
	else
		item(items, "cgroup", CLONED, NULL, "the target's limits apply");
	snprintf(oom, sizeof(oom), "%d", p->ctx.oom_score_adj);
	if (p->job.keep_oom)
		item(items, "oom_score_adj", DEFAULTED, "give the agent CAP_SYS_RESOURCE",
		    "%s, or the agent's %d where that cannot be lowered", p->job.oom,
		    p->ctx.own_oom);
	else
		item(items, "oom_score_adj", strcmp(p->job.oom, oom) == 0 ? CLONED : DEFAULTED,
		    "nothing: the session is to end before the application", "%s", p->job.oom);
	say_audit(p, items);
	say_scheduling(p, items);
	item(items, "personality", CLONED, NULL, "0x%lx", p->ctx.personality);
}

static json_t *
groups(const struct enter_plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->ngroups; i++)
		json_array_append_new(list, json_integer((json_int_t)p->groups[i]));
	return list;
}

json_t *
enter_plan_context(const struct enter_plan *p)
{
	json_t *items = json_array();
	char caps[24], cwd[2000], cgroup[2000];

	say_namespaces(p, items);
	say_identity(p, items);
	say_limits(p, items);
	snprintf(caps, sizeof(caps), "%016llx", (unsigned long long)p->job.caps[PROC_CAP_EFF]);
	str_vis(cwd, sizeof(cwd),
	    p->workdir	      ? p->workdir
	    : p->job.cwd >= 0 ? p->ctx.cwd_name
			      : "/");
	str_vis(cgroup, sizeof(cgroup), p->cg.path2[0] ? p->cg.path2 : p->cg.freezer);
	return json_pack("{s:s,s:o,s:I,s:I,s:o,s:s,s:s,s:s,s:o}", "entry",
	    p->by_chroot ? "chroot" : "setns", "namespaces_entered", entered(p), "uid",
	    (json_int_t)p->job.uid[1], "gid", (json_int_t)p->job.gid[1], "groups", groups(p),
	    "capabilities", caps, "cwd", cwd, "cgroup", cgroup, "items", items);
}
