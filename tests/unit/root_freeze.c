/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A tree without a freezer stands still by signals, and does not notice afterwards. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "target/enter.h"
#include "target/proc.h"
#include "tap.h"

static struct tgt_sys sys;
static struct seen {
	atomic_int ready, leader, child, stops;
	atomic_int sleeper; /* stopped by its parent: a job after ^Z */
} * seen;

static _Noreturn void
count(atomic_int *n)
{
	for (;;) {
		atomic_fetch_add(n, 1);
		poll(NULL, 0, 1);
	}
}

static _Noreturn void
be_leader(void)
{
	pid_t child = fork(), job;
	int status;

	if (child == 0)
		count(&seen->child);
	job = fork();
	if (job == 0)
		count(&seen->sleeper);
	kill(job, SIGSTOP);
	waitpid(job, &status, WUNTRACED);
	atomic_store(&seen->ready, 1);
	/* As a shell waits: it hears of a job that stopped, if it stands still when it looks. */
	for (;;) {
		if (waitpid(-1, &status, WNOHANG | WUNTRACED) > 0 && WIFSTOPPED(status))
			atomic_fetch_add(&seen->stops, 1);
		atomic_fetch_add(&seen->leader, 1);
		poll(NULL, 0, 1);
	}
}

static uint64_t
start_of(pid_t pid)
{
	int pd = proc_open(sys.proc, pid);
	struct proc_stat st = {0};

	proc_read_stat(pd, &st);
	fd_close(&pd);
	return st.start;
}

static bool
goes_on(atomic_int *n)
{
	int was = atomic_load(n);

	for (int i = 0; i < 500 && atomic_load(n) < was + 3; i++)
		poll(NULL, 0, 2);
	return atomic_load(n) >= was + 3;
}

static bool
stands(atomic_int *n)
{
	int was = atomic_load(n);

	poll(NULL, 0, 50);
	return atomic_load(n) == was;
}

int
main(void)
{
	struct enter_tree t = {.session_id = "01", .audit = UINT32_MAX};
	struct enter_stop st;
	struct err e = {0};

	seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!ok(seen != MAP_FAILED && tgt_sys_open(&sys, "/proc", NULL, &e) == 0, "ready"))
		return done_testing();
	t.leader = fork();
	if (t.leader == 0)
		be_leader();
	t.leader_start = start_of(t.leader);
	while (!atomic_load(&seen->ready))
		poll(NULL, 0, 1);
	ok(goes_on(&seen->leader) && goes_on(&seen->child), "a shell and its job run");
	ok(stands(&seen->sleeper), "another job was stopped");
	for (int i = 0; i < 20; i++) {
		if (enter_tree_freeze(&sys, &t, &st, &e) < 0)
			ok(false, "not frozen: %s", e.why);
		if (i == 0) {
			is_int(st.n, 2, "two are stopped");
			ok(stands(&seen->leader) && stands(&seen->child), "they stand still");
		}
		enter_tree_thaw(&sys, &t, &st);
		if (!goes_on(&seen->leader) || !goes_on(&seen->child))
			ok(false, "they do not go on, time %d", i);
	}
	ok(!st.v && st.n == 0, "nothing is kept");
	is_int(atomic_load(&seen->stops), 0, "no stop was seen by the one that waits");
	ok(stands(&seen->sleeper), "and what stood still before stands still");
	is_int(enter_tree_freeze(&sys, &t, &st, &e), 0, "frozen once more");
	is_int(enter_tree_end(&sys, &t, NULL, &e), 0, "a frozen one is ended");
	enter_tree_thaw(&sys, &t, &st);
	ok(waitpid(t.leader, NULL, 0) == t.leader, "and gone");
	tgt_sys_close(&sys);
	return done_testing();
}
