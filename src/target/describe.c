/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One process by its pid, with no scan. */
#include "target/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/str.h"
#include "target/caps.h"
#include "target/scan.h"

static int
gone(pid_t pid, struct err *e)
{
	err_set(e, ERR_NO_TARGET, 0, "there is no process %d", (int)pid);
	err_why(e, "the process table has no such entry");
	return err_hint(e, "coral ps");
}

static int
refuse(pid_t pid, const char *why, struct err *e)
{
	err_set(e, ERR_DENIED, 0, "process %d is not to be entered", (int)pid);
	err_why(e, "%s", why);
	return err_hint(e, "coral ps shows what can be entered");
}

/* Alive, a whole process, and not a thread of the kernel's. */
static int
check_process(int pd, pid_t pid, struct proc_stat *st, struct err *e)
{
	struct proc_status status;
	pid_t tgid;

	if (pd < 0 || proc_read_stat(pd, st) < 0 || proc_read_status(pd, &status) < 0) {
		if (errno == ENOENT || errno == ESRCH || errno == ENOTDIR)
			return gone(pid, e);
		err_set(e, ERR_PRIVILEGE, errno, "cannot read process %d", (int)pid);
		return err_hint(e, "run as root");
	}
	tgid = status.tgid;
	proc_status_fini(&status);
	if (!proc_alive(st)) {
		err_set(e, ERR_TARGET_GONE, 0, "process %d has ended", (int)pid);
		err_why(
		    e, "it is a zombie: its parent (pid %d) has not waited for it", (int)st->ppid);
		return err_hint(e, "coral ps");
	}
	if (tgid && tgid != st->pid) {
		err_set(e, ERR_NO_TARGET, 0, "%d is not a process", (int)pid);
		err_why(e, "it is a thread of process %d", (int)tgid);
		return err_hint(e, "--pid %d", (int)tgid);
	}
	return 0;
}

/* Its namespaces say whether it is in a container at all: ptrace(2), PTRACE_MODE_READ. */
static int
cannot_look(pid_t pid, struct err *e)
{
	if (errno != EACCES && errno != EPERM)
		return gone(pid, e);
	err_set(e, ERR_PRIVILEGE, errno, "cannot look at the namespaces of process %d", (int)pid);
	return caps_why(e, CAP_BIT(CAP_SYS_PTRACE));
}

/* A bare process' cgroup: in the v2 tree where it is in one, else the freezer's or the first. */
static void
plain_cgroup(const struct proc_cgroups *cg, struct tgt *t)
{
	const char *v2 = proc_cgroup_v2(cg), *v1 = proc_cgroup_v1(cg, "freezer");

	if (v2 && strcmp(v2, "/") != 0)
		v1 = v2;
	if (!v1 && cg->n > 0)
		v1 = cg->v[0].path;
	if (v1 && strlen(v1) < sizeof(t->cgroup))
		str_copy(t->cgroup, v1, sizeof(t->cgroup));
}

static int
describe(struct scan *sc, pid_t pid, struct tgt *out, struct err *e)
{
	auto_close int pd = proc_open(sc->sys->proc, pid);
	struct proc_named named;
	struct proc_stat st;
	bool session = false, infra = false, contained;

	if (check_process(pd, pid, &st, e) < 0)
		return -1;
	if (!sc->sys->standin && !st.kthread && !proc_ns(pd, "mnt"))
		return cannot_look(pid, e);
	contained = scan_identify(sc, pd, out, &session);
	if (!contained && pid == 1)
		return refuse(pid, "it is the host's init", e);
	if (pid == sc->self || (!sc->sys->standin && pid == getpid()))
		return refuse(pid, "it is coral itself", e);
	if (st.kthread)
		return refuse(pid, "it is a thread of the kernel", e);
	out->processes = 1;
	out->frozen = tgt_is_frozen(&sc->rt, &sc->now);
	if (scan_process(pd, &st, out) < 0)
		return gone(pid, e);
	if (contained) {
		proc_read_named(&pd, &named, 1);
		rt_learn(&sc->rt, pd, &st, &named, out, &infra);
	} else {
		str_copy(out->runtime, "process", sizeof(out->runtime));
		plain_cgroup(&sc->now, out);
	}
	/* It may run with more than the container's own processes do: -u, --privileged. */
	if (session)
		return refuse(pid, "it belongs to a coral session, and may have its rights", e);
	if (infra)
		return refuse(pid, "it is a pod's pause process, which only holds namespaces", e);
	return 0;
}

int
tgt_describe(const struct tgt_sys *s, pid_t pid, struct tgt *out, struct err *e)
{
	struct scan *sc;
	int rc = -1;

	memset(out, 0, sizeof(*out));
	if (pid <= 0)
		return gone(pid, e);
	sc = malloc(sizeof(*sc));
	if (!sc)
		return err_set(e, ERR_LIMIT, ENOMEM, "cannot look at process %d", (int)pid);
	if (scan_begin(s, sc, e) == 0)
		rc = describe(sc, pid, out, e);
	scan_fini(sc);
	free(sc);
	return rc;
}
