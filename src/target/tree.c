/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "target/cgroup.h"

#define END_WAIT (5 * NS_PER_S)
#define KILLED_MAX 256 /* listed; all are killed */
#define WAVE 64	       /* held and waited for at a time */

static int
left_ms(int64_t deadline)
{
	int64_t left = deadline - clock_mono();

	return left > 0 ? (int)(left / NS_PER_MS) + 1 : 0;
}

/* group 0: all. */
static int
signal_some(const struct tgt_sys *s, const struct enter_tree *t, pid_t group, int signo)
{
	auto_free pid_t *pids = calloc(TREE_PIDS_MAX, sizeof(*pids));
	size_t n = pids ? tree_pids(s, t, pids) : 0;
	int sent = 0;

	for (size_t i = 0; i < n; i++) {
		auto_close int fd = tree_hold(s, t, pids[i], NULL);

		if (fd < 0 || (group && getpgid(pids[i]) != group))
			continue;
		if (pidfd_send_signal(fd, signo, NULL, 0) == 0)
			sent++;
	}
	return sent;
}

int
enter_tree_signal(const struct tgt_sys *s, const struct enter_tree *t, int signo)
{
	return signal_some(s, t, 0, signo);
}

int
enter_tree_signal_group(const struct tgt_sys *s, const struct enter_tree *t, pid_t group, int signo)
{
	return signal_some(s, t, group, signo);
}

static json_t *
list_alive(const struct tgt_sys *s, const struct enter_tree *t, pid_t *pids)
{
	size_t n = tree_pids(s, t, pids);
	json_t *list = json_array();

	for (size_t i = 0; i < n && i < KILLED_MAX; i++) {
		char comm[64];
		auto_close int fd = tree_hold(s, t, pids[i], comm);

		if (fd >= 0)
			json_array_append_new(
			    list, json_pack("{s:i,s:s}", "pid", (int)pids[i], "comm", comm));
	}
	return list;
}

/* cgroup.events wakes with POLLPRI: cgroups(7). */
static bool
wait_unpopulated(const char *dir, int64_t deadline)
{
	char path[1200], text[256];
	auto_close int fd = -1;

	snprintf(path, sizeof(path), "%.1160s/cgroup.events", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLPRI};
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
		int ms = left_ms(deadline);

		if (n < 0)
			return errno == ENODEV;
		text[n] = '\0';
		if (strstr(text, "populated 0"))
			return true;
		if (ms == 0 || (poll(&p, 1, ms) < 0 && errno != EINTR))
			return false;
	}
}

/* What forks faster than it is found: once nothing new turns up, all of them stand still. */
static void
stop_all(const struct tgt_sys *s, const struct enter_tree *t, pid_t *pids, int64_t deadline)
{
	size_t before = 0, n = tree_pids(s, t, pids);

	while (n > before && left_ms(deadline) > 0) {
		for (size_t i = 0; i < n; i++) {
			auto_close int fd = tree_hold(s, t, pids[i], NULL);

			if (fd >= 0)
				pidfd_send_signal(fd, SIGSTOP, NULL, 0);
		}
		before = n;
		n = tree_pids(s, t, pids);
	}
}

/* SIGKILL to each, and wait for them; how many there were. */
static size_t
kill_wave(const struct tgt_sys *s, const struct enter_tree *t, pid_t *pids, const char *freezer,
    int64_t deadline)
{
	size_t n, held = 0;
	struct pollfd wait[WAVE];

	/* What cannot run cannot fork: the list is whole. */
	if (!freezer || cg_write(freezer, "freezer.state", "FROZEN") < 0 || t->roams)
		stop_all(s, t, pids, deadline);
	n = tree_pids(s, t, pids);
	for (size_t i = 0; i < n; i++) {
		int fd = tree_hold(s, t, pids[i], NULL);

		if (fd < 0)
			continue;
		pidfd_send_signal(fd, SIGKILL, NULL, 0);
		if (held < WAVE)
			wait[held++] = (struct pollfd){.fd = fd, .events = POLLIN};
		else
			close(fd);
	}
	if (freezer)
		cg_write(freezer, "freezer.state", "THAWED");
	/* There, but not to be held: gone by the next look, or a zombie's tail. */
	if (n && !held)
		poll(NULL, 0, 1);
	for (size_t i = 0; i < held; i++) {
		poll(&wait[i], 1, left_ms(deadline));
		close(wait[i].fd);
	}
	return n;
}

/* Empty twice in a row: a scan can miss a child that is born behind it. */
static bool
kill_by_waves(const struct tgt_sys *s, const struct enter_tree *t, pid_t *pids, int64_t deadline)
{
	const char *freezer = NULL;
	int empty = 0;

	for (size_t i = 0; i < COUNT_OF(t->v1) && !freezer; i++) {
		if (t->v1[i][0] && cg_has_file(t->v1[i], "freezer.state"))
			freezer = t->v1[i];
	}
	while (empty < 2) {
		if (kill_wave(s, t, pids, freezer, deadline) == 0)
			empty++;
		else
			empty = 0;
		if (left_ms(deadline) == 0)
			return empty > 0;
	}
	return true;
}

/* Our own zombies, once the leader's status is fetched: the rest are its orphans. */
static void
reap_orphans(const struct enter_tree *t)
{
	siginfo_t si;

	if (!t->reaps || waitid(P_PID, (id_t)t->leader, &si, WEXITED | WNOHANG | WNOWAIT) == 0)
		return;
	while (si.si_pid = 0, waitid(P_ALL, 0, &si, WEXITED | WNOHANG) == 0 && si.si_pid)
		;
}

static int
left_over(const struct enter_tree *t, const char *path, int sys, struct err *e)
{
	err_set(e, ERR_IO, sys, "session %s could not be ended whole", t->session_id);
	if (sys)
		err_why(e, "%s: %s", path, strerrordesc_np(sys));
	else
		err_why(e, "%s still has processes after 5 s of SIGKILL", path);
	return err_hint(e, "a paused container keeps its processes until it is resumed");
}

/* rmdir(2) says EBUSY for a moment after the last process went. */
static int
remove_cgroup(const struct enter_tree *t, const char *path, int64_t deadline, struct err *e)
{
	while (cg_rmdir(path) < 0) {
		if (errno != EBUSY || left_ms(deadline) == 0)
			return left_over(t, path, errno, e);
		poll(NULL, 0, 1);
	}
	return 0;
}

json_t *
enter_tree_list(const struct tgt_sys *s, const struct enter_tree *t)
{
	auto_free pid_t *pids = calloc(TREE_PIDS_MAX, sizeof(*pids));

	return pids ? list_alive(s, t, pids) : json_array();
}

int
enter_tree_end(const struct tgt_sys *s, const struct enter_tree *t, json_t **killed, struct err *e)
{
	auto_free pid_t *pids = calloc(TREE_PIDS_MAX, sizeof(*pids));
	int64_t deadline = clock_mono() + END_WAIT;
	bool done = false;

	if (killed)
		*killed = pids ? list_alive(s, t, pids) : json_array();
	if (!pids)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot end session %s", t->session_id);
	if (!tree_has_cgroup(t) && !t->leader)
		return 0;
	/* cgroup.kill since Linux 5.14; a cgroup that went with its container is ended. */
	if (t->v2[0] && (cg_write(t->v2, "cgroup.kill", "1") == 0 || access(t->v2, F_OK) < 0))
		done = wait_unpopulated(t->v2, deadline);
	/* The leader may have left its cgroup. */
	if (!done || tree_pids(s, t, pids) > 0)
		done = kill_by_waves(s, t, pids, deadline);
	reap_orphans(t);
	if (!done)
		return left_over(t, t->v2[0] ? t->v2 : t->v1[0][0] ? t->v1[0] : "the tree", 0, e);
	if (t->v2[0] && remove_cgroup(t, t->v2, deadline, e) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(t->v1); i++) {
		if (t->v1[i][0] && remove_cgroup(t, t->v1[i], deadline, e) < 0)
			return -1;
	}
	return 0;
}

bool
enter_tree_gone(const struct enter_tree *t)
{
	for (size_t i = 0; i < COUNT_OF(t->v1); i++) {
		if (t->v1[i][0] && access(t->v1[i], F_OK) == 0)
			return false;
	}
	return !t->v2[0] || access(t->v2, F_OK) < 0;
}

bool
enter_tree_oom(const struct enter_tree *t)
{
	return cg_oom_count(t->oom_file) > t->oom_base;
}
