/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that archives: forked when there may be something to do, and gone when it is done. */
#include <fcntl.h>
#include <linux/ioprio.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/broker_int.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "replay/archive.h"

#define NICE 19
#define FILES_MAX 64
#define LEAST_NS (60 * NS_PER_S)
#define MOST_NS (15 * 60 * NS_PER_S)

/* How long until the next look: a fraction of what recordings wait for. */
static int64_t
interval(const struct broker *b)
{
	int64_t wait = b->conf->compress_after_ns, each;

	if (wait < 0)
		wait = ARCHIVE_INDEX_NS;
	each = wait / 4;
	if (wait < LEAST_NS)
		return wait < NS_PER_S ? NS_PER_S : wait;
	return each < LEAST_NS ? LEAST_NS : each > MOST_NS ? MOST_NS : each;
}

static int
open_sessions(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * It keeps its uid, to which the recordings belong, and nothing else: no
 * capabilities, the recordings' directory for its root, the calls that it needs.
 */
static _Noreturn void
become_archive(const struct broker *b, const char *path)
{
	struct archive a = {
	    .sessions = open_sessions(path), .compress_ns = b->conf->compress_after_ns};
	struct tp_sandbox sb;
	struct err e = {0};
	const int *calls;
	sigset_t none;
	size_t n;

	prctl(PR_SET_NAME, "coral-archive");
	log_open("archive", LOG_LV_WARN);
	fd_close_from(3, &a.sessions, 1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpriority(PRIO_PROCESS, 0, NICE);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
	calls = archive_calls(&n);
	if (tp_sandbox_init_calls(&sb, b->conf->runtime_dir, calls, n, &e) == 0) {
		sb.uid = geteuid();
		sb.gid = getegid();
		sb.with_parent = true;
		str_copy(sb.root, path, sizeof sb.root);
		if (tp_sandbox_enter(&sb, a.sessions, -1, FILES_MAX, &e) == 0)
			_exit(archive_run(&a));
	}
	log_error_of(&e, "archiving recordings");
	_exit(1);
}

static void
look_again(void *arg)
{
	broker_archive_start(arg);
}

void
broker_archive_start(struct broker *b)
{
	char path[sizeof((struct tp_sandbox *)0)->root];
	pid_t pid;

	if (b->stopping || b->archiving ||
	    (size_t)snprintf(path, sizeof path, "%s/sessions", b->conf->state_dir) >= sizeof path ||
	    access(path, F_OK) < 0)
		return;
	b->archive_more = false;
	pid = fork();
	if (pid == 0)
		become_archive(b, path);
	b->archiving = broker_work_watch(b, pid, WORK_ARCHIVE) == 0;
	if (!b->archiving)
		loop_timer_set(b->loop, &b->t_archive, MOST_NS, look_again, b);
}

void
broker_archive_ended(struct broker *b, bool later)
{
	b->archiving = false;
	if (later || b->archive_more)
		loop_timer_set(b->loop, &b->t_archive, interval(b), look_again, b);
}

void
broker_archive_session(struct broker *b)
{
	b->archive_more = true;
	if (!b->embedded && !b->archiving && b->t_archive.at == 0)
		loop_timer_set(b->loop, &b->t_archive, interval(b), look_again, b);
}
