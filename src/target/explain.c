/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define CLONED "cloned"
#define DEFAULTED "defaulted"
#define DENIED "denied"

static void PRINTF_LIKE(4, 5)
    item(json_t *items, const char *name, const char *state, const char *fmt, ...)
{
	char why[1600], safe[2000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	str_vis(safe, sizeof(safe), why);
	json_array_append_new(
	    items, json_pack("{s:s,s:s,s:s}", "item", name, "state", state, "why", safe));
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
	if (left)
		item(items, "namespaces", DEFAULTED, "not entered, as asked:%s", names);
	else
		item(items, "namespaces", CLONED, "all that differ");
	if (!p->target_root)
		item(items, "root", DEFAULTED, "the agent's: the mnt namespace is not entered");
	else
		item(items, "root", CLONED, "%s",
		    p->job.root >= 0 ? "the target's" : "shared already");
	if (p->workdir)
		item(items, "cwd", DEFAULTED, "%s, as asked", p->workdir);
	else if (p->job.cwd < 0)
		item(items, "cwd", DEFAULTED, "/: the target's cannot be used");
	else
		item(items, "cwd", CLONED, "%s, or / when it lies outside the root",
		    p->ctx.cwd_name);
}

static void
say_identity(const struct enter_plan *p, json_t *items)
{
	const struct proc_status *st = &p->ctx.status;
	const char *how = p->as_user ? "of the user asked for" : "the target's";

	item(items, "ids", p->as_user ? DEFAULTED : CLONED, "%s", how);
	item(items, "groups",
	    p->why_groups[0] ? DENIED
	    : p->as_user     ? DEFAULTED
			     : CLONED,
	    "%s", p->why_groups[0] ? p->why_groups : how);
	if (memcmp(p->job.caps, st->caps, sizeof(p->job.caps)) == 0)
		item(items, "capabilities", CLONED, "all five sets");
	else if (p->why_caps[0])
		item(items, "capabilities", DENIED, "%s", p->why_caps);
	else
		item(items, "capabilities", DEFAULTED, "%s",
		    p->as_user ? "those of the user asked for, within the target's bounding set"
			       : "not as the target's: see the sets");
	item(items, "securebits", DEFAULTED, "0: the kernel does not show another process's");
	item(items, "no_new_privs", CLONED, "%s", st->no_new_privs ? "set" : "not set");
	if (st->seccomp == 0)
		item(items, "seccomp", CLONED, "the target has no filter");
	else
		item(items, "seccomp", DENIED,
		    "not cloned: the target has %d filter%s, the session none", st->seccomp_filters,
		    st->seccomp_filters == 1 ? "" : "s");
	if (!p->ctx.label[0] || strcmp(p->ctx.label, "unconfined") == 0)
		item(items, "lsm", CLONED, "the target has no label");
	else
		item(items, "lsm", DENIED, "not cloned: the target runs as %s", p->ctx.label);
}

static void
say_limits(const struct enter_plan *p, json_t *items)
{
	char oom[16];

	item(items, "umask", p->ctx.status.has_umask ? CLONED : DEFAULTED, "%04o",
	    (unsigned)p->job.umask);
	item(items, "rlimits", p->why_limits[0] ? DEFAULTED : CLONED, "%s",
	    p->why_limits[0] ? p->why_limits : "the target's");
	item(items, "environment", CLONED, "the target's, %zu entries", p->ctx.nenv);
	if (!p->cg.have)
		item(items, "cgroup", DENIED, "%s", p->cg.why);
	else if (p->cg.why[0])
		item(items, "cgroup", DEFAULTED, "%s", p->cg.why);
	else
		item(items, "cgroup", CLONED, "the target's limits apply");
	snprintf(oom, sizeof(oom), "%d", p->ctx.oom_score_adj);
	item(items, "oom_score_adj", strcmp(p->job.oom, oom) == 0 ? CLONED : DEFAULTED,
	    "%s: the session is to end before the application", p->job.oom);
	item(items, "keyring", DEFAULTED, "a fresh session keyring");
	if (p->job.loginuid[0])
		item(items, "loginuid", DEFAULTED, "%s", p->job.loginuid);
	else
		item(items, "loginuid", DENIED, "the agent's stays: missing CAP_AUDIT_CONTROL");
	item(items, "signals", DEFAULTED, "all at their defaults, none blocked");
	item(items, "scheduling", p->job.nice == p->ctx.nice ? CLONED : DEFAULTED,
	    "nice %d, the target's CPUs", p->job.nice);
	item(items, "personality", CLONED, "0x%lx", p->ctx.personality);
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
	return json_pack("{s:o,s:I,s:I,s:o,s:s,s:s,s:s,s:o}", "namespaces_entered", entered(p),
	    "uid", (json_int_t)p->job.uid[1], "gid", (json_int_t)p->job.gid[1], "groups", groups(p),
	    "capabilities", caps, "cwd", cwd, "cgroup", cgroup, "items", items);
}
