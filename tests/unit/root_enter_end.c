/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ending: nothing of a session stays, whatever happens to its container. */
#include "container.h"
#include <sys/syscall.h>
#include "base/str.h"
#include "enter_kit.h"
#include "target/cgroup.h"

static void
test_ending(pid_t pid)
{
	static const char *const argv[] = {"/bin/sh", "-c",
	    "for i in 1 2 3; do setsid sh -c 'setsid sleep 1000001 & setsid sleep 1000001 &' & "
	    "done; "
	    "wait; echo ready; sleep 1000001",
	    NULL};
	struct run r = {.want = {.argv = argv}};
	struct enter_tree back;
	json_t *killed = NULL, *j;
	int from = -1;
	char line[16] = "";

	is_int(kit_spawn(pid, &r, &from), 0, "a command that scatters");
	while (!strstr(line, "ready")) {
		size_t n = strlen(line);

		if (read(from, line + n, sizeof(line) - 1 - n) <= 0)
			break;
	}
	j = enter_tree_to_json(&r.child.tree);
	is_int(enter_tree_from_json(j, &back, &r.e), 0, "the tree's description reads back");
	ok(memcmp(&back, &r.child.tree, sizeof(back)) == 0, "the same");
	json_decref(j);
	ok(enter_tree_signal(&kit_sys, &back, 0) >= 2, "its processes can be signalled");
	is_int(enter_tree_end(&kit_sys, &back, &killed, &r.e), 0, "all are ended");
	ok(json_array_size(killed) >= 2, "%zu were listed", json_array_size(killed));
	ok(access(back.v2[0] ? back.v2 : back.v1[0], F_OK) < 0, "the cgroup is gone");
	kit_drain(from, r.out, sizeof(r.out));
	waitpid(r.child.pid, &r.status, 0);
	ok(WIFSIGNALED(r.status), "the command was killed");
	is_int(box_sh("grep -l '[1]000001' /proc/[0-9]*/cmdline >/dev/null 2>&1") != 0, 1,
	    "no survivor");
	is_int(enter_tree_end(&kit_sys, &back, NULL, &r.e), 0, "ending twice is well");
	close(from);
	fd_close(&r.child.pidfd);
	json_decref(killed);
}

/* A terminal's foreground group outlives its processes as a number: it may be anybody's then. */
static void
test_signal_group(pid_t pid)
{
	static const char *const argv[] = {"/bin/sh", "-c", "echo ready; exec sleep 1000003", NULL};
	struct run r = {.want = {.argv = argv}};
	pid_t stranger = fork();
	int from = -1;
	char line[8] = "";

	if (stranger == 0) {
		setpgid(0, 0);
		pause();
		_exit(0);
	}
	setpgid(stranger, stranger);
	is_int(kit_spawn(pid, &r, &from), 0, "a command and a stranger");
	ok(read(from, line, sizeof(line) - 1) > 0, "started");
	is_int(enter_tree_signal_group(&kit_sys, &r.child.tree, stranger, SIGKILL), 0,
	    "a group that is not the session's");
	is_int(waitpid(stranger, &r.status, WNOHANG), 0, "is left alone");
	is_int(enter_tree_signal_group(&kit_sys, &r.child.tree, r.child.pid, SIGTERM), 1,
	    "its own");
	waitpid(r.child.pid, &r.status, 0);
	ok(WIFSIGNALED(r.status) && WTERMSIG(r.status) == SIGTERM, "is signalled");
	is_int(enter_tree_end(&kit_sys, &r.child.tree, NULL, &r.e), 0, "ended");
	kill(stranger, SIGKILL);
	waitpid(stranger, NULL, 0);
	close(from);
	fd_close(&r.child.pidfd);
}

static void
test_scan_ending(pid_t pid)
{
	static const char *const argv[] = {"/bin/sh", "-c",
	    "setsid sh -c 'setsid sleep 1000002 &' ; echo ready; sleep 1000002", NULL};
	struct run r = {.want = {.argv = argv}};
	struct enter_tree bare;
	int from = -1;
	char line[8] = "";

	is_int(kit_spawn(pid, &r, &from), 0, "a tree without a cgroup");
	ok(read(from, line, sizeof(line) - 1) > 0, "started");
	bare = r.child.tree;
	bare.v2[0] = '\0';
	memset(bare.v1, 0, sizeof(bare.v1));
	ok(bare.audit != UINT32_MAX, "has an audit session");
	is_int(enter_tree_end(&kit_sys, &bare, NULL, &r.e), 0, "ended by it");
	waitpid(r.child.pid, &r.status, 0);
	is_int(box_sh("grep -l '[1]000002' /proc/[0-9]*/cmdline >/dev/null 2>&1") != 0, 1,
	    "no survivor");
	is_int(enter_tree_end(&kit_sys, &r.child.tree, NULL, &r.e), 0, "cgroup removed");
	close(from);
	fd_close(&r.child.pidfd);
}

static void
crowded(json_t *config)
{
	json_object_set_new(json_object_get(json_object_get(config, "linux"), "resources"), "pids",
	    json_pack("{s:i}", "limit", 60));
}

/* Half of the container's own limit, and no more than 4096, where the kernel can do it (v1). */
static void
test_pids(pid_t pid, const char *want)
{
	static const char *const argv[] = {"sleep", "1000004", NULL};
	struct run r = {.want = {.argv = argv}};
	char text[32] = "", *path = NULL;
	int from = -1;

	if (access("/sys/fs/cgroup/pids/cgroup.procs", F_OK) < 0)
		return;
	is_int(kit_spawn(pid, &r, &from), 0, "a session");
	for (size_t i = 0; i < COUNT_OF(r.child.tree.v1); i++) {
		if (strstr(r.child.tree.v1[i], "/pids/"))
			path = r.child.tree.v1[i];
	}
	ok(path != NULL, "has a pids cgroup of its own");
	if (path) {
		auto_close int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

		proc_read(dir, "pids.max", text, sizeof(text) - 1);
		is_str(text, want, "with a limit");
		proc_read(dir, "cgroup.procs", text, sizeof(text) - 1);
		is_int(atol(text), r.child.pid, "and is in it");
	}
	is_int(enter_tree_end(&kit_sys, &r.child.tree, NULL, &r.e), 0, "ended");
	waitpid(r.child.pid, &r.status, 0);
	ok(enter_tree_gone(&r.child.tree) && (!path || access(path, F_OK) < 0), "and gone");
	close(from);
	fd_close(&r.child.pidfd);
}

/* A process that left the session's cgroup, by root's power over cgroups. */
static void
test_escaped(pid_t pid)
{
	static const char *const argv[] = {"/bin/sh", "-c",
	    "setsid sleep 1000005 & sleep 0.1; echo ready; sleep 1000005", NULL};
	struct run r = {.want = {.argv = argv}};
	struct enter_tree back;
	json_t *killed = NULL, *j;
	char line[8] = "";
	int from = -1;

	is_int(kit_spawn(pid, &r, &from), 0, "a command with a child");
	ok(read(from, line, sizeof(line) - 1) > 0, "started");
	ok(!r.child.tree.roams, "which no cgroup file system of its container lets leave");
	ok(r.child.tree.audit != UINT32_MAX, "has an audit session");
	box_sh("for p in $(cat %s/cgroup.procs); do for f in /sys/fs/cgroup/*/cgroup.procs; do "
	       "echo $p >$f; done; done 2>/dev/null",
	    r.child.tree.v2[0] ? r.child.tree.v2 : r.child.tree.v1[0]);
	r.child.tree.roams = true;
	j = enter_tree_to_json(&r.child.tree);
	is_int(enter_tree_from_json(j, &back, &r.e), 0, "that it may is on disk");
	json_decref(j);
	is_int(enter_tree_end(&kit_sys, &back, &killed, &r.e), 0, "ended");
	ok(json_array_size(killed) >= 2, "%zu were listed", json_array_size(killed));
	waitpid(r.child.pid, &r.status, 0);
	is_int(box_sh("grep -l '[1]000005' /proc/[0-9]*/cmdline >/dev/null 2>&1") != 0, 1,
	    "no survivor");
	json_decref(killed);
	close(from);
	fd_close(&r.child.pidfd);
}

static void
test_paused(pid_t pid)
{
	struct run r = {.want = {.tty = false}};

	box_sh("runc --root %s/state pause t%d-paused", box_dir, (int)getpid());
	is_int(kit_run(pid, &r), -1, "a paused container");
	ok(r.e.code == ERR_DENIED && strstr(r.e.what, "paused"), "is refused");
	box_sh("runc --root %s/state resume t%d-paused", box_dir, (int)getpid());
}

/* Its own in the v2 tree, or where there is none the first of v1. */
static const char *
cgroup_of(const struct enter_tree *t)
{
	return t->v2[0] ? t->v2 : t->v1[0];
}

/* Paused between the plan and the clone: not a hang, and nothing stays. */
static void
test_paused_late(pid_t pid)
{
	const char *const argv[] = {"true", NULL};
	struct enter_want want = {.session_id = "late-1", .argv = argv};
	struct enter_child c;
	struct tgt_hold h;
	struct err e = {0};
	int io[3] = {0, 1, 2};
	struct enter_plan *p =
	    kit_hold(pid, &h, &e) == 0 ? enter_plan_new(&kit_sys, &h, &want, &e) : NULL;

	box_sh("runc --root %s/state pause t%d-paused", box_dir, (int)getpid());
	is_int(p ? enter_spawn(p, io, NULL, NULL, &c, &e) : 0, -1, "paused under way");
	ok(strstr(e.why, "paused") != NULL, "says so");
	ok(*cgroup_of(&c.tree) && access(cgroup_of(&c.tree), F_OK) < 0, "no cgroup is left");
	is_int(waitpid(-1, NULL, WNOHANG), -1, "no child is left");
	box_sh("runc --root %s/state resume t%d-paused", box_dir, (int)getpid());
	is_int(p ? enter_spawn(p, io, NULL, NULL, &c, &e) : 0, 0, "the same plan serves after it");
	waitpid(c.pid, NULL, 0);
	is_int(enter_tree_end(&kit_sys, &c.tree, NULL, &e), 0, "ended");
	fd_close(&c.pidfd);
	enter_plan_free(p);
	tgt_hold_close(&h);
}

static void
small(json_t *config)
{
	json_object_set_new(json_object_get(json_object_get(config, "linux"), "resources"),
	    "memory", json_pack("{s:i}", "limit", 16 << 20));
}

static void
test_oom(pid_t pid)
{
	const char *const argv[] = {"/bin/busybox", "tail", "-c", "200000000", "/dev/zero", NULL};
	struct run r = {.want = {.argv = argv}};

	is_int(kit_run(pid, &r), 0, "a command that takes all memory");
	ok(WIFSIGNALED(r.status) && WTERMSIG(r.status) == SIGKILL, "is killed");
	ok(enter_tree_oom(&r.child.tree), "by the OOM killer, as can be told");
	is_int(kill(pid, 0), 0, "and the application is not");
	r = (struct run){.want = {.argv = (const char *[]){"true", NULL}}};
	is_int(kit_run(pid, &r), 0, "the next one");
	ok(!enter_tree_oom(&r.child.tree), "is not blamed");
}

/* The container goes while the session runs. */
static void
test_destroyed(pid_t pid)
{
	static const char *const argv[] = {"sleep", "1000003", NULL};
	struct run r = {.want = {.argv = argv}};
	int from = -1;

	is_int(kit_spawn(pid, &r, &from), 0, "a session");
	box_sh("runc --root %s/state delete -f t%d-doomed &", box_dir, (int)getpid());
	poll(&(struct pollfd){.fd = r.child.pidfd, .events = POLLIN}, 1, 10000);
	/* The namespace's end waits for the last of its processes to be waited for. */
	waitpid(r.child.pid, &r.status, 0);
	ok(WIFSIGNALED(r.status), "goes with its container");
	is_int(enter_tree_end(&kit_sys, &r.child.tree, NULL, &r.e), 0, "and can still be ended");
	ok(access(cgroup_of(&r.child.tree), F_OK) < 0, "and its cgroup");
	close(from);
	fd_close(&r.child.pidfd);
}

static void
test_gone(pid_t pid)
{
	struct tgt_hold h;
	struct err e = {0};
	struct tgt t = {.pid = pid, .start = 12345};
	struct enter_want want = {.session_id = "gone-1"};
	struct enter_plan *p;

	is_int(tgt_hold_open(&kit_sys, &t, &h, &e), -1, "a reused pid");
	is_int(e.code, ERR_TARGET_GONE, "is refused");
	is_int(kit_hold(pid, &h, &e), 0, "held");
	p = enter_plan_new(&kit_sys, &h, &want, &e);
	ok(p != NULL, "planned");
	box_sh("kill -9 %d", (int)pid);
	{
		struct pollfd pf = {.fd = h.pidfd, .events = POLLIN};
		struct enter_child c;
		int io[3] = {0, 1, 2};

		poll(&pf, 1, 5000);
		is_int(enter_spawn(p, io, NULL, NULL, &c, &e), -1, "it died before the entry");
		is_int(e.code, ERR_TARGET_GONE, e.why);
	}
	enter_plan_free(p);
	tgt_hold_close(&h);
}

int
main(void)
{
	pid_t pid;

	kit_start();
	pid = box_run("root", NULL);
	if (pid < 0) {
		printf("Bail out! runc does not run\n");
		return 1;
	}
	test_ending(pid);
	test_signal_group(pid);
	test_scan_ending(pid);
	test_escaped(pid);
	test_pids(pid, "4096\n");
	pid = box_run("crowded", crowded);
	ok(pid > 0, "a container with few processes");
	test_pids(pid, "30\n");
	pid = box_run("doomed", NULL);
	ok(pid > 0, "a container to destroy");
	test_destroyed(pid);
	pid = box_run("paused", NULL);
	ok(pid > 0, "a container to pause");
	test_paused(pid);
	test_paused_late(pid);
	test_gone(pid);
	pid = box_run("small", small);
	ok(pid > 0, "a container with little memory");
	if (pid > 0)
		test_oom(pid);
	return done_testing();
}
