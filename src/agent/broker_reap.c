/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Process 1 inherits the orphans of its pid namespace: those of a session in a container that
 * shares it, too.  Nobody else waits for them. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/broker_int.h"

#define AGAIN_NS (20 * NS_PER_MS)

static bool
is_ours(const struct broker *b, pid_t pid)
{
	if (pid == b->audit.pid)
		return true;
	for (const struct worker *w = b->workers; w; w = w->next)
		if (w->pid == pid)
			return true;
	for (const struct conn *c = b->conns; c; c = c->next)
		if (c->pid == pid)
			return true;
	return false;
}

static void
again(void *arg)
{
	broker_reap(arg);
}

void
broker_reap(struct broker *b)
{
	for (;;) {
		siginfo_t si = {.si_pid = 0};

		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == 0)
			return;
		/* Its pidfd tells its owner, this turn; but it hides who comes after it. */
		if (is_ours(b, si.si_pid)) {
			loop_timer_set(b->loop, &b->t_reap, AGAIN_NS, again, b);
			return;
		}
		waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | WNOHANG);
	}
}
