/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_ENTER_KIT_H
#define CORAL_TESTS_ENTER_KIT_H

/* Enter a process and gather what comes out, as a keeper would. */
#include <poll.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "pty/pty.h"
#include "target/enter.h"
#include "target/proc.h"
#include "tap.h"

struct run {
	struct enter_want want;
	struct err e;
	struct enter_child child;
	char out[65536];
	int status;	 /* of waitpid(2); -1 not started */
	json_t *context; /* when want_context; owned */
	bool want_context;
	unsigned pty_number;
	bool foreign;
};
static struct tgt_sys kit_sys = {.proc = -1};
static int kit_serial;

static void __attribute__((unused)) kit_start(void)
{
	kit_sys.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	str_copy(kit_sys.proc_path, "/proc", sizeof(kit_sys.proc_path));
}

static int __attribute__((unused)) kit_hold(pid_t pid, struct tgt_hold *h, struct err *e)
{
	auto_close int pd = proc_open(kit_sys.proc, pid);
	struct proc_stat st = {.start = 0};
	struct tgt t = {.pid = pid};

	if (pd >= 0 && proc_read_stat(pd, &st) == 0)
		t.start = st.start;
	return tgt_hold_open(&kit_sys, &t, h, e);
}

static void
kit_drain(int fd, char *out, size_t size)
{
	size_t n = 0;
	ssize_t got;

	fd_nonblock(fd, false);
	while (n < size - 1 &&
	       ((got = read(fd, out + n, size - 1 - n)) > 0 || (got < 0 && errno == EINTR)))
		n += got > 0 ? (size_t)got : 0;
	out[n] = '\0';
}

/* Start it; *from is where its output comes, the caller's. */
static int
kit_spawn(pid_t pid, struct run *r, int *from)
{
	struct winsize ws = {.ws_row = 33, .ws_col = 111};
	struct tgt_hold h = {.pidfd = -1, .proc = -1, .root = -1};
	struct pty pty = {.master = -1, .slave = -1};
	struct enter_plan *p = NULL;
	static char ids[16][32];
	int io[3], pipes[2] = {-1, -1}, null = open("/dev/null", O_RDWR | O_CLOEXEC), rc = -1;

	r->status = -1;
	snprintf(ids[kit_serial % 16], 32, "t%d-%d", (int)getpid(), kit_serial);
	r->want.session_id = ids[kit_serial++ % 16];
	if (kit_hold(pid, &h, &r->e) == 0)
		p = enter_plan_new(&kit_sys, &h, &r->want, &r->e);
	if (p && r->want.tty) {
		rc = pty_open_in(h.root, &ws, enter_plan_uid(p), &pty, &r->e);
		io[0] = io[1] = io[2] = pty.slave;
		r->pty_number = pty.number;
		r->foreign = pty.foreign;
	} else if (p) {
		rc = pipe2(pipes, O_CLOEXEC);
		io[0] = null;
		io[1] = io[2] = pipes[1];
	}
	if (p && r->want_context)
		r->context = enter_plan_context(p);
	if (rc == 0)
		rc = enter_spawn(p, io, NULL, NULL, &r->child, &r->e);
	close(null);
	fd_close(&pipes[1]);
	fd_close(&pty.slave);
	*from = r->want.tty ? pty.master : pipes[0];
	if (rc < 0)
		fd_close(from);
	enter_plan_free(p);
	tgt_hold_close(&h);
	return rc;
}

static int __attribute__((unused)) kit_run(pid_t pid, struct run *r)
{
	int from = -1, rc;

	rc = kit_spawn(pid, r, &from);
	if (rc == 0) {
		kit_drain(from, r->out, sizeof(r->out));
		fd_close(&from);
		waitpid(r->child.pid, &r->status, 0);
		rc = enter_tree_end(&kit_sys, &r->child.tree, NULL, &r->e);
		fd_close(&r->child.pidfd);
	}
	return rc;
}

/* Exit status of a run without a terminal; what it wrote is in r->out. */
static int __attribute__((unused)) kit_sh(pid_t pid, struct run *r, const char *script)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};

	*r = (struct run){.want = {.argv = argv}};
	if (kit_run(pid, r) < 0)
		printf("# %s: %s (%s)\n", r->e.what, r->e.why, r->e.hint);
	r->want.argv = NULL;
	return r->status >= 0 && WIFEXITED(r->status) ? WEXITSTATUS(r->status) : -1;
}

static const char *kit_line(const char *text, const char *name) __attribute__((unused));
/* The value of "Name:\t..." in a text of /proc/PID/status. */
static const char *
kit_line(const char *text, const char *name)
{
	static char out[4][512];
	static int turn;
	const char *at = text;
	size_t n = strlen(name);
	char *dst = out[turn++ % 4];

	*dst = '\0';
	for (; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
		if (strncmp(at, name, n) == 0 && at[n] == ':') {
			size_t len = strcspn(at + n + 1, "\r\n");

			snprintf(dst, 512, "%.*s", (int)(len < 500 ? len : 500), at + n + 1);
			break;
		}
	}
	return dst;
}

#endif
