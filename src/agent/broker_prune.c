/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that removes what the policy keeps no longer: forked now and then, and soon gone. */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/broker_int.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "session/prune.h"

#define NICE 19
#define FILES_MAX 64
#define OFTEN_NS NS_PER_S
#define SELDOM_NS (3600 * NS_PER_S)
#define SIZE_NS (60 * NS_PER_S)

/* A tenth of the shortest time that something is kept. */
static int64_t
interval(const struct policy_retention *r)
{
	int64_t least = SELDOM_NS;

	if (r->age_ns > 0 && r->age_ns / 10 < least)
		least = r->age_ns / 10;
	if (r->log_ns > 0 && r->log_ns / 10 < least)
		least = r->log_ns / 10;
	if (r->size > 0 && SIZE_NS < least)
		least = SIZE_NS;
	return least < OFTEN_NS ? OFTEN_NS : least;
}

static int
enter_sandbox(const struct broker *b, struct err *e)
{
	struct tp_sandbox sb;
	size_t n;
	const int *calls = prune_calls(&n);

	if (tp_sandbox_init_calls(&sb, b->conf->runtime_dir, calls, n, e) < 0)
		return -1;
	sb.uid = geteuid();
	sb.gid = getegid();
	sb.with_parent = true;
	if (str_copy(sb.root, b->conf->state_dir, sizeof sb.root) >= sizeof sb.root)
		return err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot use %s", b->conf->state_dir);
	if (tp_sandbox_enter(&sb, -1, -1, FILES_MAX, e) < 0)
		return -1;
	return sb.enabled;
}

static void
tell(void *arg, const struct prune_item *item)
{
	(void)arg;
	if (item->failed)
		log_error_of(item->failed, "removing what is kept no longer");
}

/* The record of each removal is in the audit log; here stands how much it was. */
static _Noreturn void
become_pruner(const struct broker *b)
{
	static struct conf conf;
	struct prune_job job = {.conf = &conf, .keep = policy_retention(b->policy), .tell = tell};
	struct prune_sum sum;
	struct err e = {0};
	sigset_t none;
	int caged;

	prctl(PR_SET_NAME, "coral-prune");
	log_open("prune", LOG_LV_INFO);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpriority(PRIO_PROCESS, 0, NICE);
	conf = *b->conf;
	caged = enter_sandbox(b, &e);
	if (caged > 0)
		str_copy(conf.state_dir, "/", sizeof conf.state_dir);
	if (caged < 0 || prune_run(&job, &sum, &e) < 0) {
		/* Somebody does it by hand. */
		if (e.code != ERR_LIMIT)
			log_error_of(&e, "removing what is kept no longer");
		_exit(1);
	}
	if (sum.recordings > 0 || sum.logs > 0)
		log_info("removed %zu recordings and %zu files of the audit log, %llu bytes",
		    sum.recordings, sum.logs, (unsigned long long)sum.bytes);
	_exit(0);
}

static void
prune_now(void *arg)
{
	struct broker *b = arg;
	pid_t pid = fork();

	if (pid == 0)
		become_pruner(b);
	if (broker_work_watch(b, pid, WORK_PRUNE) < 0)
		log_err("cannot start the process that removes what is kept no longer");
	broker_prune_plan(b);
}

void
broker_prune_plan(struct broker *b)
{
	struct policy_retention r = policy_retention(b->policy);

	loop_timer_clear(b->loop, &b->t_prune);
	if (!b->embedded && !b->stopping && (r.age_ns > 0 || r.size > 0 || r.log_ns > 0))
		loop_timer_set(b->loop, &b->t_prune, interval(&r), prune_now, b);
}
