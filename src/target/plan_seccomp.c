/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which filters a session gets, and whether they can be installed. */
#include "target/plan.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/attr.h"
#include "base/str.h"
#include "target/runtime.h"

static void PRINTF_LIKE(4, 5)
    say(struct plan_item *it, const char *state, const char *allow, const char *fmt, ...)
{
	va_list ap;

	it->state = state;
	it->allow = allow;
	va_start(ap, fmt);
	vsnprintf(it->why, sizeof(it->why), fmt, ap);
	va_end(ap);
}

static const char *
cache_dir(const struct tgt_sys *s, char dir[sizeof(s->cache)])
{
	char *slash;

	str_copy(dir, s->cache, sizeof(s->cache));
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return NULL;
	*slash = '\0';
	return dir;
}

/* The profile in the runtime's file.  1: taken, or there is none in it; 0: no such file, or it is
 * of no use, and `why` says so. */
static int
from_file(struct enter_plan *p, const struct tgt *t, bool *notifies, char path[RT_PATH_MAX],
    char why[256])
{
	enum rt_schema schema;
	struct sc_profile profile;
	struct err e = {0};
	struct rt_ctx c;
	const json_t *in;
	json_t *j = NULL;
	char dir[sizeof(p->sys.cache)];
	int rc = 1;

	if (rt_open(&p->sys, &c) == 0)
		j = rt_config(&c, p->hold.proc, &p->ctx.cgroups, t, &schema, path);
	rt_close(&c);
	if (!j) {
		str_copy(why, "no file of its runtime was found that is surely its own", 256);
		return 0;
	}
	in = json_object_get(json_object_get(j, schema == RT_OCI ? "linux" : "config"), "seccomp");
	if (in && !json_is_null(in)) {
		rc = schema == RT_OCI ? sc_profile_oci(in, &profile, &e)
				      : sc_profile_runc(in, &profile, &e);
		if (rc == 0) {
			rc = sc_compile_kept(&profile, cache_dir(&p->sys, dir), &p->filters, &e);
			*notifies = profile.notifies;
			sc_profile_fini(&profile);
		}
		if (rc < 0)
			snprintf(why, 256, "%.100s: %.140s", path, e.why);
		rc = rc == 0;
	}
	json_decref(j);
	return rc;
}

static const char *
copy_hint(void)
{
	return sc_may_copy() ? "--seccomp=copy reads them from the process"
			     : "run the agent on the host: it can read the runtime's files there, "
			       "and copy from the process with --seccomp=copy";
}

static int
builtin(struct enter_plan *p, struct err *e)
{
	struct sc_profile profile;
	char dir[sizeof(p->sys.cache)];
	int rc;

	if (sc_profile_builtin(p->job.caps[PROC_CAP_BND], &profile) < 0)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot plan the entry");
	rc = sc_compile_kept(&profile, cache_dir(&p->sys, dir), &p->filters, e);
	sc_profile_fini(&profile);
	return rc;
}

static int
by_file(struct enter_plan *p, const struct tgt *t, struct err *e)
{
	int theirs = p->ctx.status.seccomp_filters;
	struct plan_item *it = &p->say_seccomp;
	char path[RT_PATH_MAX], why[256] = "";
	bool notifies = false;
	const char *note;

	if (!from_file(p, t, &notifies, path, why)) {
		say(it, PLAN_DEFAULTED, copy_hint(), "a built-in filter like the runtimes': %s",
		    why);
		return builtin(p, e);
	}
	note = notifies ? "; its supervisor is not there: those calls give ENOSYS" : "";
	if (theirs < 0)
		say(it, PLAN_CLONED, NULL, "from %s%s", path, note);
	else if ((size_t)theirs == p->filters.n)
		say(it, notifies ? PLAN_DEFAULTED : PLAN_CLONED,
		    "nothing: a supervisor answers for the process that it was started with",
		    "from %s%s", path, note);
	else
		say(it, PLAN_DEFAULTED, copy_hint(),
		    "%zu of %d, from %s: the application added its own%s", p->filters.n, theirs,
		    path, note);
	return 0;
}

static int
by_copy(struct enter_plan *p, struct err *e)
{
	bool notifies;

	if (sc_copy(p->sys.proc, p->hold.pid, &p->filters, e) < 0)
		return -1;
	notifies = sc_set_notifies(&p->filters);
	say(&p->say_seccomp, notifies ? PLAN_DEFAULTED : PLAN_CLONED,
	    "nothing: a supervisor answers for the process that it was started with",
	    "%zu filter%s, from the process%s", p->filters.n, p->filters.n == 1 ? "" : "s",
	    notifies ? "; its supervisor is not there: those calls give ENOSYS" : "");
	return 0;
}

static int
theirs(struct enter_plan *p, const struct enter_want *w, struct err *e)
{
	const struct proc_status *st = &p->ctx.status;
	struct plan_item *it = &p->say_seccomp;
	struct tgt found;

	if (w->privileged && st->seccomp) {
		say(it, PLAN_DEFAULTED, "leave --privileged out",
		    "none: with --privileged no filter of the target is taken");
		return 0;
	}
	if (st->seccomp == 1) {
		say(it, PLAN_DEFAULTED, "nothing: in strict mode a process may read, write and end",
		    "a built-in filter like the runtimes': the target is in strict mode");
		return builtin(p, e);
	}
	if (st->seccomp == 0 || st->seccomp_filters == 0) {
		say(it, PLAN_CLONED, NULL, "the target has no filter");
		return 0;
	}
	if (w->seccomp_copy)
		return by_copy(p, e);
	if (w->target)
		return by_file(p, w->target, e);
	if (tgt_describe(&p->sys, p->hold.pid, &found, NULL) < 0)
		memset(&found, 0, sizeof(found));
	return by_file(p, &found, e);
}

/* Before the newest filter where there is one: the session then has as many as the target. */
static int
block_tty(struct enter_plan *p, struct err *e)
{
	const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sc_set *s = &p->filters;

	if (s->n > 0 && sc_prepend(&s->v[s->n - 1], sc_tty, sc_tty_len) == 0)
		return 0;
	/* Which mitigations a session runs with is not for this filter to change. */
	if (sc_set_add(s, &allow, 1, SECCOMP_FILTER_FLAG_SPEC_ALLOW) == 0 &&
	    sc_prepend(&s->v[s->n - 1], sc_tty, sc_tty_len) == 0)
		return 0;
	return err_set(e, ERR_LIMIT, errno, "cannot add the filter against TIOCSTI");
}

static int
forbidden(const char *call, struct err *e)
{
	err_set(e, ERR_DENIED, 0, "cannot start a command under the target's seccomp filter");
	err_why(e, "it forbids %s, which the start of any command needs", call);
	return err_hint(e, "without --seccomp=copy only the container's own filter is applied; "
			   "--privileged leaves that out as well");
}

static void
hand_over(struct enter_plan *p)
{
	struct enter_job *j = &p->job;

	for (j->nfilters = 0; j->nfilters < p->filters.n; j->nfilters++) {
		const struct sc_filter *f = &p->filters.v[j->nfilters];

		j->filters[j->nfilters] = (struct enter_filter){
		    .prog = {.len = (unsigned short)f->n, .filter = f->insn}, .flags = f->flags};
	}
}

/* What enter_child.c calls behind install_filters(), as it calls it. */
static bool
permit_the_rest(const struct sc_set *s)
{
	const uint64_t pointer = 0x7ffd0000a000;
	const struct {
		int nr;
		uint64_t args[6];
	} rest[] = {
	    {SYS_clone, {CLONE_VM | CLONE_PARENT | SIGCHLD, pointer}},
	    {SYS_write, {3, pointer, sizeof(struct enter_report)}},
	    {SYS_exit_group, {0}},
	    {SYS_prctl, {PR_SET_DUMPABLE}},
	    {SYS_prctl, {PR_SET_PDEATHSIG, SIGKILL}},
	    {SYS_setsid, {0}},
	    {SYS_ioctl, {3, TIOCSCTTY}},
	    {SYS_dup3, {3, 2}},
	    {SYS_close_range, {4, ~0U}},
	    {SYS_rt_sigprocmask, {SIG_SETMASK, pointer, 0, 8}},
	};

	for (size_t i = 0; i < COUNT_OF(rest); i++) {
		if (!sc_set_permits_call(s, rest[i].nr, rest[i].args))
			return false;
	}
	return true;
}

/* Without no_new_privs the kernel asks for CAP_SYS_ADMIN where we are then: seccomp(2). */
static int
how_to_install(struct enter_plan *p, struct err *e)
{
	const uint64_t admin = CAP_BIT(CAP_SYS_ADMIN), *caps = p->job.caps;
	bool mine = (p->job.ns & CLONE_NEWUSER) || (caps_permitted() & admin);

	hand_over(p);
	if (!p->job.nfilters)
		return 0;
	if (!p->job.no_new_privs && !mine) {
		p->job.no_new_privs = true;
		str_copy(p->why_nnp,
		    "set: a filter cannot be installed otherwise without CAP_SYS_ADMIN",
		    sizeof(p->why_nnp));
	}
	p->job.borrow_admin =
	    !p->job.no_new_privs && !(caps[PROC_CAP_EFF] & caps[PROC_CAP_PRM] & admin);
	if (p->job.borrow_admin && !sc_set_permits(&p->filters, SYS_capset))
		return forbidden("capset", e);
	if (!sc_set_permits(&p->filters, SYS_execve))
		return forbidden("execve", e);
	p->job.filters_first = permit_the_rest(&p->filters);
	return 0;
}

int
plan_seccomp(struct enter_plan *p, const struct enter_want *w, struct err *e)
{
	if (w->privileged && w->seccomp_copy) {
		err_set(e, ERR_USAGE, 0, "--privileged and --seccomp=copy exclude each other");
		err_why(e, "a privileged session runs without the target's seccomp filter");
		return err_hint(e, "leave one out");
	}
	if (theirs(p, w, e) < 0)
		return -1;
	if (!w->block_tiocsti)
		say(&p->say_tiocsti, PLAN_CLONED, NULL, "allowed, as the policy says");
	else if (block_tty(p, e) < 0)
		return -1;
	else
		say(&p->say_tiocsti, PLAN_DENIED, "defaults.tiocsti: allow in the agent's policy",
		    "blocked, and TIOCLINUX: nothing may type into a terminal as if it were you");
	return how_to_install(p, e);
}
