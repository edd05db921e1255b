/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is remembered of real containers never hides one that came, went or shares a name. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"
#include "target/find.h"
#include "target/scan.h"
#include "target/target.h"

#define BOXES 4

static char top[200], dir[64];
static struct tgt_sys sys;
static pid_t boxes[BOXES];

static void
box_dir(int n, char *dst, size_t size)
{
	snprintf(dst, size, "%s/%064x", top, (unsigned)n + 1);
}

static void
stop(int n)
{
	char path[300];

	if (boxes[n] > 0) {
		kill(boxes[n], SIGKILL);
		waitpid(boxes[n], NULL, 0);
		boxes[n] = 0;
	}
	box_dir(n, path, sizeof(path));
	rmdir(path);
}

static void
clean(void)
{
	char path[300];

	for (int i = 0; i < BOXES; i++)
		stop(i);
	rmdir(top);
	*strrchr(top, '/') = '\0';
	rmdir(top);
	snprintf(path, sizeof(path), "%s/targets", dir);
	unlink(path);
	rmdir(dir);
}

/* A container with namespaces and a cgroup, called `service` in its environment. */
static void
start_called(int n, const char *service)
{
	struct clone_args args = {.flags = CLONE_NEWPID | CLONE_NEWNS, .exit_signal = SIGCHLD};
	char path[300], name[100], *env[] = {name, NULL};
	char *argv[] = {(char[]){"box"}, (char[]){"sleep"}, NULL};
	int ready[2], cg;
	char byte;

	snprintf(name, sizeof(name), "SERVICE_NAME=%s", service);
	box_dir(n, path, sizeof(path));
	mkdir(path, 0755);
	strcat(path, "/cgroup.procs");
	cg = open(path, O_WRONLY | O_CLOEXEC);
	if (cg < 0 || pipe2(ready, O_CLOEXEC) < 0)
		exit(99);
	boxes[n] = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (boxes[n] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(cg, "0", 1) == 1)
			execve("/proc/self/exe", argv, env);
		_exit(1);
	}
	/* Ended by its exec: then its environment is its own. */
	close(ready[1]);
	if (boxes[n] < 0 || read(ready[0], &byte, 1) != 0)
		exit(99);
	close(ready[0]);
	close(cg);
}

static void
start(int n, const char *service)
{
	char name[80];

	snprintf(name, sizeof(name), "%s-%d", service, (int)getpid());
	start_called(n, name);
}

static int
find(const char *service, bool quick, struct err *e)
{
	char name[100];
	struct tgt_query q = {.service = name};
	struct tgt t = {.pid = 0};

	snprintf(name, sizeof(name), "%s-%d", service, (int)getpid());
	memset(e, 0, sizeof(*e));
	if (quick)
		return find_quick(&sys, &q, &t) ? t.pid : 0;
	return tgt_find(&sys, &q, &t, NULL, e) < 0 ? -(int)e->code : t.pid;
}

static struct scan_mark
mark(void)
{
	static struct scan sc;
	struct scan_mark m = {.good = false};
	struct err e;

	if (scan_begin(&sys, &sc, &e) == 0)
		scan_mark_now(&sc, &m);
	scan_fini(&sc);
	return m;
}

/* Facts are believed when their processes have settled, and nobody came: there are others on this
 * machine.  In a pid namespace of our own their forks are counted, and their pids are not seen:
 * then nothing need be believed, but what is has to be right. */
static void
remembered(const char *service, bool asked, int want, const char *name)
{
	static bool noisy;
	struct scan_mark before = mark(), after;
	time_t end = time(NULL) + 20;
	struct err e;
	int pid;

	while ((pid = find(service, true, &e)) == 0 && time(NULL) <= end && !noisy) {
		if (asked)
			find(service, false, &e);
		else
			tgt_remember(&sys, &e);
		usleep(50 * 1000);
	}
	after = mark();
	noisy = noisy || (pid == 0 && !scan_mark_range(&before, &after, UINT64_MAX));
	if (pid == 0 && noisy)
		ok(true, "%s # SKIP processes begin in other pid namespaces", name);
	else
		is_int(pid, want, name);
}

static int
find_id(const char *id, bool word, struct err *e)
{
	struct tgt_query q = {.word = word ? id : NULL, .container = word ? NULL : id};
	struct tgt t = {.pid = 0};

	memset(e, 0, sizeof(*e));
	return tgt_find(&sys, &q, &t, NULL, e) < 0 ? -(int)e->code : t.pid;
}

/* With how many names it takes to find the one with that id. */
static size_t
names_learnt(const char *id)
{
	static struct scan sc;
	struct err e;
	size_t n = 0;

	if (scan_run(&sys, false, id, &sc, &e) == 0)
		for (size_t i = 0; i < sc.ng; i++)
			n += sc.g[i].learnt;
	scan_fini(&sc);
	return n;
}

/* An id is nobody's name, and finds its container before others are asked for theirs. */
static void
by_id(const char *cache)
{
	char path[300], none[65];
	const char *id;
	struct err e;

	box_dir(0, path, sizeof(path));
	id = strrchr(path, '/') + 1;
	memset(none, 'e', 64);
	none[64] = '\0';
	start(0, "first");
	start_called(2, id);
	for (int known = 0; known < 2; known++) {
		if (!known)
			unlink(cache);
		is_int(find_id(id, false, &e), boxes[0], known ? "-c ID, remembered" : "-c ID");
		is_int(find_id(id, true, &e), boxes[0], "  and as a word");
		is_int(find_id(none, false, &e), -ERR_NO_TARGET, "  nobody's");
	}
	is_int(names_learnt(id), 1, "no other name is asked for");
	ok(names_learnt(none) >= 3, "but when nobody has that id");
	start_called(3, none);
	is_int(find_id(none, true, &e), boxes[3], "then it may be a name");
	stop(0);
	stop(2);
	stop(3);
}

/* Nobody has asked yet, and the first to ask finds it remembered. */
static void
ahead(const char *cache)
{
	struct err e;

	unlink(cache);
	is_int(tgt_remember(&sys, &e), 0, "looked for all");
	is_int(access(cache, F_OK), 0, "  and kept what was found");
	remembered("second", false, boxes[1], "believed when it has settled");
}

/* Of the cgroup tree that a target is known by. */
static const char *
tree(void)
{
	if (access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0)
		return "";
	return access("/sys/fs/cgroup/unified", F_OK) == 0 ? "/unified" : "/freezer";
}

int
main(int argc, char **argv)
{
	char cache[100];
	struct err e;

	if (argc > 1 && strcmp(argv[1], "sleep") == 0)
		for (;;)
			pause();
	strcpy(dir, "/tmp/coral-find-XXXXXX");
	snprintf(top, sizeof(top), "/sys/fs/cgroup%s/coral-find-%d", tree(), (int)getpid());
	if (!mkdtemp(dir) || mkdir(top, 0755) < 0) {
		perror(top);
		return 99;
	}
	strcat(top, "/docker");
	mkdir(top, 0755);
	atexit(clean);
	snprintf(cache, sizeof(cache), "%s/targets", dir);
	if (tgt_sys_open(&sys, NULL, cache, &e) < 0)
		return 99;
	sys.settled = 1;
	start(0, "first");
	is_int(find("first", true, &e), 0, "nothing is remembered yet");
	is_int(find("first", false, &e), boxes[0], "found");
	remembered("first", true, boxes[0], "and then remembered rightly");
	start(1, "second");
	is_int(find("first", true, &e), 0, "somebody came: all is looked at");
	is_int(find("first", false, &e), boxes[0], "  the first is still found");
	is_int(find("second", false, &e), boxes[1], "  and the one that came");
	remembered("second", true, boxes[1], "until it is remembered as well");
	start(2, "first");
	is_int(find("first", false, &e), -ERR_AMBIGUOUS, "a second of the same name is not missed");
	stop(2);
	is_int(find("first", false, &e), boxes[0], "when it is gone the name is plain again");
	remembered("first", true, boxes[0], "and remembered");
	stop(0);
	is_int(find("first", true, &e), 0, "gone, and not remembered against the truth");
	is_int(find("first", false, &e), -ERR_NO_TARGET, "  not found");
	remembered("second", true, boxes[1], "the other is");
	by_id(cache);
	ahead(cache);
	tgt_sys_close(&sys);
	return done_testing();
}
