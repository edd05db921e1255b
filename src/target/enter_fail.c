/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/str.h"

static const struct {
	const char *what;
	uint64_t caps; /* whose lack gives EPERM */
} stages[ENTER_STAGE_COUNT] = {
    [ENTER_FDS] = {"close the agent's descriptors", 0},
    [ENTER_OOM] = {"set the OOM score", CAP_BIT(CAP_SYS_RESOURCE)},
    [ENTER_CGROUP] = {"join the container's cgroup", CAP_BIT(CAP_DAC_OVERRIDE)},
    [ENTER_LSM] = {"take over the container's security label", 0},
    [ENTER_RLIMIT] = {"set the container's limits", CAP_BIT(CAP_SYS_RESOURCE)},
    [ENTER_GROUPS] = {"set the groups", CAP_BIT(CAP_SETGID)},
    [ENTER_SETNS] = {"enter the container's namespaces", 0},
    [ENTER_ROOT] = {"enter the container's root directory", CAP_BIT(CAP_SYS_CHROOT)},
    [ENTER_BOUNDING] = {"drop capabilities from the bounding set", CAP_BIT(CAP_SETPCAP)},
    [ENTER_GID] = {"set the group", CAP_BIT(CAP_SETGID)},
    [ENTER_UID] = {"set the user", CAP_BIT(CAP_SETUID)},
    [ENTER_CAPS] = {"set the capabilities", CAP_BIT(CAP_SETPCAP)},
    [ENTER_SECUREBITS] = {"clear the securebits", CAP_BIT(CAP_SETPCAP)},
    [ENTER_NNP] = {"set no_new_privs", 0},
    [ENTER_WORKDIR] = {"change the working directory", 0},
    [ENTER_SECCOMP] = {"install the seccomp filter", 0},
    [ENTER_CLONE] = {"start a process in the container", 0},
    [ENTER_TTY] = {"make the terminal the controlling one", 0},
    [ENTER_STDIO] = {"pass the standard streams on", 0},
    [ENTER_EXEC] = {"execute the command", 0},
};

static int
not_executable(const char *path, bool loader, int sys, struct err *e)
{
	err_set(e, ERR_NOT_EXECUTABLE, sys, "cannot execute %.200s in the container", path);
	if (loader) {
		err_why(e, "%s is there, but its interpreter or loader is not", path);
		return err_hint(e, "use a program that is linked statically, or whose first line "
				   "names an interpreter of the container");
	}
	if (sys == ENOEXEC) {
		err_why(e, "%s is neither a program for this machine nor a script with #!", path);
		return err_hint(e, "sh %.200s runs it as a script", path);
	}
	err_why(e, "%s: %s", path, strerrordesc_np(sys));
	return err_hint(e, "name a program that its user may execute: ls -ld %.200s there", path);
}

static int
fail_exec(const struct enter_plan *p, const struct enter_report *r, struct err *e)
{
	const char *name = p->argv.v[0];
	size_t at = r->extra >= 0 && (size_t)r->extra < p->candidates.n ? (size_t)r->extra : 0;
	const char *path = p->candidates.v[at], *dirs;
	bool loader = false;
	char shown[600];

	/* ENOENT is also what a program gives whose interpreter is missing: execve(2). */
	for (size_t i = 0; r->sys == ENOENT && !loader && i < p->candidates.n; i++) {
		loader = plan_is_program(p, p->candidates.v[i]);
		if (loader)
			path = p->candidates.v[i];
	}
	if (r->sys != ENOENT || loader) {
		str_vis(shown, sizeof(shown), path);
		not_executable(shown, loader, r->sys, e);
		/* The label takes effect in execve(2), which then speaks for it. */
		if (p->job.label_len && (r->sys == EACCES || r->sys == EPERM))
			err_why(e, "; or it may not be started as %.200s", p->ctx.label.text);
		return -1;
	}
	str_vis(shown, sizeof(shown), name);
	err_set(e, ERR_NOT_FOUND, ENOENT, "command not found in the container: %.200s", shown);
	if (strchr(name, '/')) {
		err_why(e, "no such file there");
	} else {
		dirs = proc_environ_get(p->env.v, "PATH");
		str_vis(shown, sizeof(shown),
		    dirs && *dirs ? dirs : "the usual directories (it has no PATH)");
		err_why(e, "not in %s", shown);
	}
	return err_hint(e, "name a program that the container has, by its full path");
}

static int
fail_seccomp(const struct enter_plan *p, const struct enter_report *r, struct err *e)
{
	if (r->extra == (int)p->job.nfilters)
		err_why(
		    e, "it forbids to give CAP_SYS_ADMIN back, which only installing it needed");
	else if (r->sys == EACCES)
		return caps_why(e, CAP_BIT(CAP_SYS_ADMIN));
	else
		err_why(e, "filter %d of %zu, %u instructions: %s", r->extra + 1, p->job.nfilters,
		    r->extra >= 0 && (size_t)r->extra < p->job.nfilters
			? (unsigned)p->job.filters[r->extra].prog.len
			: 0,
		    strerrordesc_np(r->sys));
	return err_hint(e, "--privileged leaves the target's filter out");
}

static uint64_t
setns_caps(const struct enter_plan *p)
{
	uint64_t need = CAP_BIT(CAP_SYS_ADMIN);

	/* setns(2): a mount namespace asks for both. */
	return p->job.ns & CLONE_NEWNS ? need | CAP_BIT(CAP_SYS_CHROOT) : need;
}

static int
fail_cgroup(const struct enter_plan *p, const struct enter_report *r, struct err *e)
{
	const char *path = p->cg.path2;

	if (r->extra >= 0 && (size_t)r->extra < p->cg.nv1)
		path = p->cg.v1[r->extra].path;
	return err_why(e, "%s: %s", path, strerrordesc_np(r->sys));
}

static int
fail_label(const struct enter_plan *p, const struct enter_report *r, struct err *e)
{
	const struct lsm_label *l = &p->ctx.label;

	err_set(e, ERR_PRIVILEGE, r->sys, "cannot take over the container's %s %.200s",
	    lsm_name(l->kind), l->text);
	if (r->sys == ENOTSUP)
		err_why(e, "%s is not a procfs any more", p->sys.proc_path);
	else if (r->sys == ENOENT || r->sys == EINVAL)
		err_why(e, "the kernel does not know it here: %s", strerrordesc_np(r->sys));
	else
		err_why(e, "the agent runs as \"%.200s\", which may not: %s",
		    p->ctx.own_label.text[0] ? p->ctx.own_label.text : "unconfined",
		    strerrordesc_np(r->sys));
	return err_hint(e,
	    "%s; to enter without it, which is more than the container has: "
	    "--privileged",
	    l->kind == LSM_APPARMOR ? "run the agent unconfined, or let its profile change_profile"
				    : "let the agent's domain setexec and transition");
}

static int
fail_setns(const struct enter_plan *p, const struct enter_report *r, struct err *e)
{
	for (size_t i = 0; i < CTX_NS_COUNT; i++) {
		if (r->extra == ctx_namespaces[i].flag)
			err_why(
			    e, "%s namespace: %s", ctx_namespaces[i].name, strerrordesc_np(r->sys));
	}
	return r->sys == EPERM || r->sys == EACCES ? caps_why(e, setns_caps(p)) : -1;
}

int
plan_failure(const struct enter_plan *p, const struct enter_report *r, struct err *e)
{
	bool known = r->stage > 0 && r->stage < ENTER_STAGE_COUNT;
	const char *what = known ? stages[r->stage].what : "enter the container";
	bool denied = r->sys == EPERM || r->sys == EACCES;

	if (r->stage == ENTER_EXEC)
		return fail_exec(p, r, e);
	if (r->stage == ENTER_LSM)
		return fail_label(p, r, e);
	if (r->stage == ENTER_WORKDIR) {
		err_set(
		    e, ERR_USAGE, r->sys, "cannot change to %.200s in the container", p->workdir);
		return err_hint(e, "-w names a directory that the session's user may enter");
	}
	/* Of a namespace whose first process ended, setns(2) and clone(2) say so. */
	if (r->sys == ESRCH || (r->stage == ENTER_CLONE && r->sys == ENOMEM)) {
		err_set(e, ERR_TARGET_GONE, 0, "process %d is gone", (int)p->hold.pid);
		err_why(e, "its container ended while it was entered");
		return err_hint(e, "coral ps lists what can be entered now");
	}
	err_set(e,
	    denied	       ? ERR_PRIVILEGE
	    : r->sys == EAGAIN ? ERR_LIMIT
			       : ERR_IO,
	    r->sys, "cannot %s", what);
	if (r->stage == ENTER_CGROUP)
		return fail_cgroup(p, r, e);
	if (r->stage == ENTER_SETNS)
		return fail_setns(p, r, e);
	if (r->stage == ENTER_SECCOMP)
		return fail_seccomp(p, r, e);
	if (r->stage == ENTER_CLONE && r->sys == EAGAIN)
		return err_why(
		    e, "the container's pids.max or its user's limit of processes is reached");
	if (denied && known && stages[r->stage].caps)
		return caps_why(e, stages[r->stage].caps);
	return -1;
}
