/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A target that changes between the moment it was chosen and the moment it is entered. */
#include "container.h"
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include "base/str.h"
#include "enter_kit.h"

/* A process that waits; with `number` not 0 it gets just that one (clone3(2), set_tid). */
static pid_t
start_one(pid_t number)
{
	struct clone_args a = {.exit_signal = SIGCHLD,
	    .set_tid = number ? (uintptr_t)&number : 0,
	    .set_tid_size = number ? 1 : 0};
	pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	/* To kill(2) -1 is everybody. */
	if (pid < 0) {
		printf("Bail out! clone3: %s\n", strerror(errno));
		exit(1);
	}
	return pid;
}

static void
end_one(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int
hold(const struct tgt *t, struct err *e)
{
	struct tgt_hold h;
	int rc;

	*e = (struct err){0};
	rc = tgt_hold_open(&kit_sys, t, &h, e);
	if (rc == 0)
		tgt_hold_close(&h);
	return rc;
}

static uint64_t
ticks_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return ((uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec) /
	       (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void
test_reused(void)
{
	pid_t first = start_one(0), second;
	struct tgt t;
	struct err e = {0};

	is_int(tgt_describe(&kit_sys, first, &t, &e), 0, "a process is chosen");
	is_int(hold(&t, &e), 0, "and held");
	end_one(first);
	is_int(hold(&t, &e), -1, "it ended: refused");
	is_int(e.code, ERR_TARGET_GONE, "as gone");
	while (ticks_now() <= t.start)
		sched_yield();
	second = start_one(first);
	is_int(second, first, "another has its number");
	is_int(hold(&t, &e), -1, "refused");
	ok(e.code == ERR_TARGET_GONE && strstr(e.why, "another process"), "%s", e.why);
	end_one(second);
}

/* Planned, and then gone. */
static int
enter_late(pid_t pid, void (*meanwhile)(pid_t pid), struct err *e)
{
	const char *const argv[] = {"true", NULL};
	char id[32];
	struct enter_want want = {.session_id = id, .argv = argv};
	struct tgt_hold h = {.pidfd = -1, .proc = -1, .root = -1};
	struct enter_plan *p = NULL;
	struct enter_child child;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), io[3] = {null, null, null}, rc = -1;

	*e = (struct err){0};
	snprintf(id, sizeof(id), "late-%d-%d", (int)getpid(), (int)pid);
	if (kit_hold(pid, &h, e) == 0)
		p = enter_plan_new(&kit_sys, &h, &want, e);
	ok(p != NULL, "planned");
	meanwhile(pid);
	if (p)
		rc = enter_spawn(p, io, NULL, NULL, &child, e);
	if (rc == 0)
		waitpid(child.pid, NULL, 0);
	enter_plan_free(p);
	tgt_hold_close(&h);
	close(null);
	return rc;
}

static void
kill_zombie(pid_t pid)
{
	siginfo_t si;

	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
}

static void
kill_box(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	kill(pid, SIGKILL);
	poll(&p, 1, 5000);
	close(fd);
}

static void
test_gone(void)
{
	pid_t pid = start_one(0);
	struct err e;

	is_int(enter_late(pid, end_one, &e), -1, "a bare process that ended is not entered");
	ok(e.code == ERR_TARGET_GONE, "%s: %s", e.what, e.why);
	pid = start_one(0);
	is_int(enter_late(pid, kill_zombie, &e), -1, "nor a zombie");
	ok(e.code == ERR_TARGET_GONE, "%s: %s", e.what, e.why);
	waitpid(pid, NULL, 0);
	pid = box_run("brief", NULL);
	is_int(enter_late(pid, kill_box, &e), -1, "nor a container that ended");
	ok(e.code == ERR_TARGET_GONE, "%s: %s", e.what, e.why);
	ok(*e.hint != '\0', "%s", e.hint);
}

static void
test_moved(void)
{
	pid_t pid = box_run("moved", NULL);
	struct tgt t;
	struct err e = {0};

	is_int(tgt_describe(&kit_sys, pid, &t, &e), 0, "a container's process is chosen");
	ok(t.cgroup[0] != '\0' && hold(&t, &e) == 0, "and held, in %s", t.cgroup);
	box_sh(
	    "for g in /sys/fs/cgroup/coral-test-%d-moved /sys/fs/cgroup/*/coral-test-%d-moved; do "
	    "[ -d $g ] && mkdir $g/inner && "
	    "{ cat ${g%%/*}/cpuset.cpus >$g/inner/cpuset.cpus; cat ${g%%/*}/cpuset.mems "
	    ">$g/inner/cpuset.mems; echo %d >$g/inner/cgroup.procs; } 2>/dev/null; done; true",
	    (int)getpid(), (int)getpid(), (int)pid);
	is_int(hold(&t, &e), 0, "in a cgroup below it is the container's still");
	box_sh(
	    "g=/sys/fs/cgroup; [ -e $g/cgroup.procs ] || g=$(echo $g/*); for g in $g; do echo %d "
	    ">$g/cgroup.procs 2>/dev/null; done; true",
	    (int)pid);
	is_int(hold(&t, &e), -1, "out of it, it is not");
	ok(e.code == ERR_TARGET_GONE && strstr(e.why, "selected"), "%s", e.why);
	box_sh(
	    "for g in /sys/fs/cgroup/coral-test-%d-moved /sys/fs/cgroup/*/coral-test-%d-moved; do "
	    "[ -d $g ] && rmdir $g/inner && echo %d >$g/cgroup.procs; done 2>/dev/null; true",
	    (int)getpid(), (int)getpid(), (int)pid);
}

/* A child that becomes something; back once that has written a byte. */
static pid_t
start_as(void (*become)(const char *name), const char *name)
{
	int ends[2];
	pid_t pid;
	char c;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], 1);
		close(ends[1]);
		become(name);
		_exit(1);
	}
	close(ends[1]);
	ok(read(ends[0], &c, 1) == 1, "%s is there", name);
	close(ends[0]);
	return pid;
}

/* A process of that name, which waits. */
static void
called(const char *name)
{
	prctl(PR_SET_NAME, name);
	if (write(1, "", 1) != 1)
		return;
	for (;;)
		pause();
}

/* One that was executed under another name. */
static void
disguised(const char *name)
{
	execl("/bin/busybox", "sh", "-c", "echo \"$0\" >/proc/$$/comm; echo; kill -STOP $$", name,
	    NULL);
}

/* A runtime's process has rights that its container's processes never have. */
static void
test_not_started(void)
{
	static const char *const names[] = {"runc:[1:CHILD]", "runc:[2:INIT]", "crun"};
	struct tgt t;
	struct err e = {0};
	pid_t pid;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pid = start_as(called, names[i]);
		ok(tgt_describe(&kit_sys, pid, &t, &e) == 0, "%s is chosen", names[i]);
		is_int(hold(&t, &e), -1, "and refused");
		ok(e.code == ERR_DENIED && strstr(e.why, names[i]), "%s", e.why);
		end_one(pid);
	}
	pid = start_as(called, "runc");
	is_int(tgt_describe(&kit_sys, pid, &t, &e), 0, "one called runc is chosen");
	is_int(hold(&t, &e), 0, "and held: its user may run runc");
	end_one(pid);
	pid = start_as(disguised, "runc:[2:INIT]");
	is_int(tgt_describe(&kit_sys, pid, &t, &e), 0, "a program that calls itself runc:[2:INIT]");
	is_int(hold(&t, &e), 0, "keeps nobody out: it was executed");
	end_one(pid);
	waitpid(pid, NULL, 0);
}

int
main(void)
{
	kit_start();
	test_reused();
	test_not_started();
	test_gone();
	test_moved();
	return done_testing();
}
