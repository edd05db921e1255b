/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names out of many environs, some of which never answer. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/str.h"
#include "tap.h"
#include "target/proc.h"

#define MANY 64
#define LATE_MS 250

static pid_t pids[MANY];
static size_t started;

static void
stop_all(void)
{
	for (size_t i = 0; i < started; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	started = 0;
}

/* A directory whose files never answer, until *server is closed: FUSE without anybody to serve. */
static int
mute_dir(int *server)
{
	char dir[] = "/tmp/coral-named-XXXXXX", options[100];
	int fd;

	*server = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", *server);
	if (*server < 0 || !mkdtemp(dir) || mount("mute", dir, "fuse", 0, options) < 0)
		exit(99);
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	return fd;
}

static _Noreturn void
be_child(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(STDOUT_FILENO, "", 1) != 1)
		exit(1);
	for (;;)
		pause();
}

/* /proc/PID of a process that is called name-i. */
static int
start(unsigned i)
{
	char name[64], *env[] = {(char[]){"HOSTNAME=host"}, name, NULL}, byte;
	char *argv[] = {(char[]){"child"}, (char[]){"-"}, NULL};
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int ready[2];

	snprintf(name, sizeof(name), "SERVICE_NAME=name-%u", i);
	if (pipe2(ready, O_CLOEXEC) < 0)
		exit(99);
	pids[started] = fork();
	if (pids[started] == 0) {
		dup2(ready[1], STDOUT_FILENO);
		execve("/proc/self/exe", argv, env);
		_exit(1);
	}
	close(ready[1]);
	if (pids[started++] < 0 || read(ready[0], &byte, 1) != 1)
		exit(99);
	close(ready[0]);
	return proc_open(proc, pids[started - 1]);
}

static size_t
entries(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[8192];
	long got;
	size_t n = 0;

	while ((got = syscall(SYS_getdents64, fd, text, sizeof(text))) > 0)
		for (long at = 0; at < got; n++)
			at += *(unsigned short *)(void *)(text + at + 16);
	return n;
}

static void
comes_back_to(const char *path, size_t before, const char *what)
{
	int64_t end = clock_mono() + 10 * NS_PER_S;

	while (entries(path) > before && clock_mono() < end)
		usleep(1000);
	is_int(entries(path), before, what);
}

static void
close_all(const int *pd, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(pd[i]);
}

static void
some_are_held_up(void)
{
	static const bool held[] = {true, false, true, true, false, false, true};
	size_t n = COUNT_OF(held), fds, tasks = entries("/proc/self/task");
	struct proc_named v[COUNT_OF(held)];
	int pd[COUNT_OF(held)], server;
	int64_t begun, took;

	pd[0] = mute_dir(&server);
	for (unsigned i = 1; i < n; i++)
		pd[i] = held[i] ? fcntl(pd[0], F_DUPFD_CLOEXEC, 3) : start(i);
	fds = entries("/proc/self/fd");
	begun = clock_mono();
	proc_read_named(pd, v, n);
	took = (clock_mono() - begun) / NS_PER_MS;
	for (unsigned i = 0; i < n; i++) {
		char want[32] = "";

		if (!held[i])
			snprintf(want, sizeof(want), "name-%u", i);
		is_str(v[i].value[PROC_SERVICE_NAME], want, held[i] ? "held up" : "named");
	}
	ok(took >= 4 * LATE_MS && took < 7 * LATE_MS, "each is waited for once: %d ms", (int)took);
	is_int(entries("/proc/self/task"), tasks + 4, "as many threads are left behind");
	is_int(entries("/proc/self/fd"), fds + 4, "  with a descriptor each");
	close(server);
	comes_back_to("/proc/self/task", tasks, "and gone with what held them");
	comes_back_to("/proc/self/fd", fds - 1, "  their descriptors as well");
	stop_all();
	close_all(pd, n);
}

static void
many(void)
{
	size_t fds, tasks = entries("/proc/self/task");
	struct proc_named v[MANY];
	int pd[MANY];
	bool good = true;

	for (unsigned i = 0; i < MANY; i++)
		pd[i] = start(i);
	fds = entries("/proc/self/fd");
	kill(pids[3], SIGKILL);
	waitpid(pids[3], NULL, 0);
	proc_read_named(pd, v, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		char want[32] = "";

		if (i != 3)
			snprintf(want, sizeof(want), "name-%u", i);
		good = good && strcmp(v[i].value[PROC_SERVICE_NAME], want) == 0 &&
		       strcmp(v[i].value[PROC_HOSTNAME], i == 3 ? "" : "host") == 0 &&
		       !*v[i].value[PROC_CORAL_SERVICE];
	}
	ok(good, "each has its own, who ended has none");
	comes_back_to("/proc/self/task", tasks, "no thread stays");
	is_int(entries("/proc/self/fd"), fds, "and no descriptor");
	pids[3] = pids[--started];
	stop_all();
	close_all(pd, MANY);
}

static void
what_is_taken(void)
{
	static const char text[] = "XSERVICE_NAME=no\0SERVICE_NAME\0SERVICE_NAME=yes\0"
				   "SERVICE_NAME=later\0CORAL_SERVICE=\0HOSTNAME=cut";
	struct proc_named v;
	char longest[600];

	proc_take_named(text, sizeof(text) - 1, &v);
	is_str(v.value[PROC_SERVICE_NAME], "yes", "the first of a name, whole");
	is_str(v.value[PROC_CORAL_SERVICE], "", "an empty one");
	proc_take_named(text, sizeof(text) - 3, &v);
	is_str(v.value[PROC_HOSTNAME], "c", "no end to the last");
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "HOSTNAME=", 9);
	proc_take_named(longest, sizeof(longest), &v);
	is_int(strlen(v.value[PROC_HOSTNAME]), PROC_NAMED_MAX - 1, "cut");
	proc_take_named(longest, 0, &v);
	is_str(v.value[PROC_HOSTNAME], "", "nothing");
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "-") == 0)
		be_child();
	atexit(stop_all);
	what_is_taken();
	some_are_held_up();
	many();
	return done_testing();
}
