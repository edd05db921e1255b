/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/plan.h"

#include <linux/ioprio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"

#define OOM_LEAST 500 /* the session goes before the application */
#define TERM_MAX 32

int
strv_add(struct strv *s, const char *text)
{
	char *copy = strdup(text);

	if (copy && s->n + 2 > s->room) {
		size_t room = s->room ? s->room * 2 : 16;
		char **v = realloc(s->v, room * sizeof(*v));

		if (v) {
			s->v = v;
			s->room = room;
		}
	}
	if (!copy || s->n + 2 > s->room) {
		free(copy);
		return -1;
	}
	s->v[s->n++] = copy;
	s->v[s->n] = NULL;
	return 0;
}

int
strv_set(struct strv *s, const char *key, const char *value)
{
	size_t klen = strlen(key), size = klen + strlen(value) + 2;
	auto_free char *entry = malloc(size);

	if (!entry)
		return -1;
	snprintf(entry, size, "%s=%s", key, value);
	for (size_t i = 0; i < s->n; i++) {
		if (strncmp(s->v[i], entry, klen + 1) == 0) {
			free(s->v[i]);
			s->v[i] = steal_ptr(&entry);
			return 0;
		}
	}
	return strv_add(s, entry);
}

void
strv_fini(struct strv *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strv){0};
}

static bool
term_ok(const char *term)
{
	size_t n =
	    strspn(term, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-");

	return n > 0 && n <= TERM_MAX && term[n] == '\0';
}

static int
of_user(struct enter_plan *p)
{
	static const char *const names[] = {"USER", "LOGNAME"};

	if (p->home[0] && strv_set(&p->env, "HOME", p->home) < 0)
		return -1;
	for (size_t i = 0; p->user[0] && i < COUNT_OF(names); i++) {
		if (proc_environ_get(p->env.v, names[i]) &&
		    strv_set(&p->env, names[i], p->user) < 0)
			return -1;
	}
	return 0;
}

int
plan_environment(struct enter_plan *p, const struct enter_want *w, struct err *e)
{
	for (size_t i = 0; i < p->ctx.nenv; i++) {
		if (strv_add(&p->env, p->ctx.env[i]) < 0)
			goto memory;
	}
	/* An empty one too must be a vector for execve(2). */
	if (!p->env.v && !(p->env.v = calloc(2, sizeof(*p->env.v))))
		goto memory;
	if (p->as_user && of_user(p) < 0)
		goto memory;
	if (w->term && term_ok(w->term) && strv_set(&p->env, "TERM", w->term) < 0)
		goto memory;
	for (size_t i = 0; w->env && w->env[i]; i++) {
		const char *eq = strchr(w->env[i], '=');
		auto_free char *key = NULL;

		if (!eq || eq == w->env[i]) {
			err_set(e, ERR_USAGE, 0, "bad environment entry \"%.64s\"", w->env[i]);
			err_why(e, "it is not NAME=VALUE");
			return err_hint(e, "-e NAME=VALUE");
		}
		key = strndup(w->env[i], (size_t)(eq - w->env[i]));
		if (!key || strv_set(&p->env, key, eq + 1) < 0)
			goto memory;
	}
	return 0;
memory:
	return err_set(e, ERR_INTERNAL, 0, "out of memory for the environment");
}

static void
clamp(struct enter_plan *p, int res, struct rlimit *v, const struct rlimit *own)
{
	size_t at = strlen(p->why_limits);
	static const char *const names[RLIM_NLIMITS] = {[RLIMIT_CPU] = "cpu",
	    [RLIMIT_FSIZE] = "fsize",
	    [RLIMIT_DATA] = "data",
	    [RLIMIT_STACK] = "stack",
	    [RLIMIT_CORE] = "core",
	    [RLIMIT_RSS] = "rss",
	    [RLIMIT_NPROC] = "nproc",
	    [RLIMIT_NOFILE] = "nofile",
	    [RLIMIT_MEMLOCK] = "memlock",
	    [RLIMIT_AS] = "as",
	    [RLIMIT_LOCKS] = "locks",
	    [RLIMIT_SIGPENDING] = "sigpending",
	    [RLIMIT_MSGQUEUE] = "msgqueue",
	    [RLIMIT_NICE] = "nice",
	    [RLIMIT_RTPRIO] = "rtprio",
	    [RLIMIT_RTTIME] = "rttime"};

	v->rlim_max = own->rlim_max;
	if (v->rlim_cur > v->rlim_max)
		v->rlim_cur = v->rlim_max;
	snprintf(p->why_limits + at, sizeof(p->why_limits) - at, "%s%s",
	    at ? ", " : "held at the agent's own hard limit (no CAP_SYS_RESOURCE): ",
	    names[res] ? names[res] : "?");
}

static void
plan_rlimits(struct enter_plan *p, bool may_raise)
{
	for (int r = 0; r < (int)RLIM_NLIMITS; r++) {
		struct rlimit v = p->ctx.limits.v[r], own;

		if (!p->ctx.limits.has[r] || getrlimit((__rlimit_resource_t)r, &own) < 0)
			continue;
		if (v.rlim_max > own.rlim_max && !may_raise)
			clamp(p, r, &v, &own);
		if (v.rlim_cur != own.rlim_cur || v.rlim_max != own.rlim_max)
			p->job.lim[p->job.nlim++] = (struct enter_limit){r, v};
	}
}

/* Not above what anyone may have: a real-time target's session is an ordinary process. */
static void
plan_scheduling(struct enter_job *j, const struct ctx *c, bool may_raise)
{
	bool ordinary = c->policy == SCHED_BATCH || c->policy == SCHED_IDLE;
	bool calm = IOPRIO_PRIO_CLASS(c->ioprio) == IOPRIO_CLASS_BE ||
		    IOPRIO_PRIO_CLASS(c->ioprio) == IOPRIO_CLASS_IDLE;
	int now = getpriority(PRIO_PROCESS, 0);
	cpu_set_t cpus;

	j->nice = c->nice > 0 ? c->nice : 0;
	j->set_nice = j->nice > now || (j->nice < now && may_raise);
	if (!j->set_nice)
		j->nice = now;
	j->policy = ordinary ? c->policy : SCHED_OTHER;
	j->set_policy = sched_getscheduler(0) != j->policy;
	j->ioprio = c->ioprio > 0 && calm ? c->ioprio : 0;
	j->set_ioprio = (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) != j->ioprio;
	j->timerslack = c->timerslack;
	CPU_ZERO(&cpus);
	j->set_affinity = c->has_affinity && sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
			  !CPU_EQUAL(&cpus, &c->affinity);
	j->affinity = c->affinity;
}

void
plan_limits(struct enter_plan *p)
{
	uint64_t own = caps_effective();
	struct enter_job *j = &p->job;
	const struct ctx *c = &p->ctx;
	int oom = c->oom_score_adj > OOM_LEAST ? c->oom_score_adj : OOM_LEAST;

	plan_rlimits(p, own & CAP_BIT(CAP_SYS_RESOURCE));
	snprintf(j->oom, sizeof(j->oom), "%d", oom);
	/* Below what a process with CAP_SYS_RESOURCE set takes that capability: proc(5). */
	j->keep_oom = c->own_oom > oom;
	/* loginuid can be set once; then only with CAP_AUDIT_CONTROL: audit_setloginuid(3). */
	if (c->own_audit == UINT32_MAX || (own & CAP_BIT(CAP_AUDIT_CONTROL)))
		snprintf(j->loginuid, sizeof(j->loginuid), "%u", (unsigned)p->uid);
	plan_scheduling(j, c, own & CAP_BIT(CAP_SYS_NICE));
	if (c->coredump_filter >= 0)
		snprintf(j->coredump, sizeof(j->coredump), "0x%llx",
		    (unsigned long long)c->coredump_filter);
	j->personality = c->personality;
	j->set_personality = (unsigned long)personality(0xffffffff) != c->personality;
	j->set_securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != 0;
}
