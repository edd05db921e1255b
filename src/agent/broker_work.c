/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/broker_int.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "session/control.h"
#include "session/audited.h"
#include "session/live.h"
#include "session/keeper.h"
#include "target/target.h"
#include "transport/frame.h"

#define STREAM_BYTES (1 << 20)
#define SCOUT_SECONDS 120
#define SCOUT_NICE 10

static void worker_exited(void *arg, short revents);

static struct worker *
watch(struct broker *b, pid_t pid, int pidfd, const char *id, const char *user)
{
	struct worker *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	w->b = b;
	w->pid = pid;
	w->pidfd = pidfd;
	str_copy(w->id, id, sizeof w->id);
	str_copy(w->user, user, sizeof w->user);
	w->src = loop_add_in(b->loop, pidfd, worker_exited, w);
	w->next = b->workers;
	b->workers = w;
	b->worker_count++;
	broker_stir(b);
	return w;
}

int
broker_hold_child(pid_t pid)
{
	int fd = pidfd_open(pid, 0), sys = errno;

	if (fd < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		errno = sys;
	}
	return fd;
}

/* Ending what a dead keeper left may take seconds: not in this process. */
static void
start_cleaner(struct broker *b, const char *id)
{
	struct err e = {0};
	struct worker *w;
	pid_t pid = fork();
	int pidfd;

	if (pid == 0) {
		int rc;

		log_open("cleaner", LOG_LV_WARN);
		fd_close_from(3, NULL, 0);
		rc = session_cleanup(b->conf, id, &e);
		if (rc < 0)
			log_error_of(&e, "cleaning up");
		_exit(rc < 0);
	}
	pidfd = pid > 0 ? broker_hold_child(pid) : -1;
	w = pidfd >= 0 ? watch(b, pid, pidfd, id, "") : NULL;
	if (w)
		w->kind = WORK_CLEANER;
	else
		log_err("cannot start a clean-up for session %s", id);
}

static void
worker_exited(void *arg, short revents)
{
	struct worker *w = arg;
	struct broker *b = w->b;
	struct worker **at = &b->workers;
	int status = 1; /* of a stranger's keeper we cannot know: look */
	bool gave;

	(void)revents;
	if (w->pid > 0)
		waitpid(w->pid, &status, 0);
	gave = WIFEXITED(status) && WEXITSTATUS(status) == KEEPER_GAVE_STREAM;
	if (w->conn) {
		w->conn->sessions--;
		w->conn->given += gave;
	}
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	b->worker_count--;
	broker_stir(b);
	loop_del(&w->src);
	fd_close(&w->pidfd);
	if (w->kind == WORK_ARCHIVE && WIFSIGNALED(status) && !b->stopping)
		log_warn("the process that archives recordings was killed by signal %d",
		    WTERMSIG(status));
	if (w->kind == WORK_ARCHIVE)
		broker_archive_ended(b, status != 0);
	if (w->kind == WORK_KEEPER)
		broker_archive_session(b);
	if (status != 0 && !gave && w->kind == WORK_KEEPER) {
		log_warn("the keeper of session %s died", w->id);
		start_cleaner(b, w->id);
	}
	if (w->kind == WORK_HEADS)
		broker_heads_ended(b, status);
	if (w->kind == WORK_PRUNE && WIFSIGNALED(status) && !b->stopping)
		log_warn("the process that removes what is kept no longer was killed by signal %d",
		    WTERMSIG(status));
	free(w);
}

static _Noreturn void
become_keeper(struct conn *c, const char *id, const unsigned char *request, size_t n, int stream,
    int evidence)
{
	static struct request req;
	const int keep[] = {stream, evidence};
	struct keeper_start s = {.stream = stream,
	    .evidence = evidence,
	    .conf = c->b->conf,
	    .policy = c->b->policy,
	    .who = c->who,
	    .peer = c->peer,
	    .req = &req,
	    .running = broker_limits_work(c->b, &c->who)};
	unsigned char wire[ERR_WIRE_MAX];
	struct err e = {0};
	struct buf b;
	int rc;

	fd_close_from(3, keep, COUNT_OF(keep));
	str_copy(s.id, id, sizeof s.id);
	request_init(&req);
	rc = request_decode(&req, request, n, &e);
	/* What it holds is in one place only, and may be wiped there. */
	explicit_bzero((void *)(uintptr_t)request, n);
	if (rc == 0)
		keeper_main(&s);
	buf_init(&b, ERR_WIRE_MAX + FRAME_HEAD);
	if (frame_put(&b, FR_ERROR, wire, err_encode(&e, wire)) == 0)
		fd_write_all(stream, buf_head(&b), b.len);
	_exit(0);
}

int
broker_work_keeper(
    struct conn *c, const unsigned char *request, size_t n, int *stream, struct err *e)
{
	struct broker *b = c->b;
	char id[STORE_ID_LEN + 1];
	int pair[2], key[2], pidfd;
	struct worker *w;
	pid_t pid;

	if (c->sessions >= BROKER_CHANNELS || b->worker_count >= BROKER_SESSIONS || b->stopping) {
		/* EUSERS: on another connection it would. */
		err_set(e, ERR_LIMIT, c->sessions >= BROKER_CHANNELS ? EUSERS : 0,
		    "the agent takes no more sessions now");
		return err_why(
		    e, "%zu on this connection, %zu in all", c->sessions, b->worker_count);
	}
	if (broker_auth_still(c, e) < 0) {
		broker_audit_refused(b, c->who.user, c->peer, e->why);
		return -1;
	}
	if (broker_limits_check(c, e) < 0)
		return -1;
	if (c->given + c->sessions >= BROKER_GIVEN) {
		err_set(e, ERR_LIMIT, EUSERS, "this connection takes no more requests");
		err_why(e, "%zu times a session that runs was attached to over it", c->given);
		return err_hint(e, "connect anew");
	}
	if (fd_socketpair(SOCK_STREAM, STREAM_BYTES, pair) < 0)
		return err_set(e, ERR_LIMIT, errno, "cannot make a stream for the session");
	if (pipe2(key, O_CLOEXEC) < 0) {
		err_set(e, ERR_LIMIT, errno, "cannot make a pipe to the session");
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	store_new_id(id);
	pid = fork();
	if (pid == 0)
		become_keeper(c, id, request, n, pair[1], key[0]);
	close(pair[1]);
	close(key[0]);
	/* After the fork: it works already, and no other child of ours ever has this memory. */
	if (pid > 0)
		broker_evidence_give(b, id, key[1]);
	close(key[1]);
	pidfd = pid > 0 ? broker_hold_child(pid) : -1;
	w = pidfd >= 0 ? watch(b, pid, pidfd, id, c->who.root ? "" : c->who.user) : NULL;
	if (!w) {
		close(pair[0]);
		fd_close(&pidfd);
		return err_set(e, ERR_LIMIT, errno, "cannot fork a keeper");
	}
	w->conn = c;
	c->sessions++;
	*stream = pair[0];
	return 0;
}

/* What it finds is believed when it has settled: hence twice. */
static _Noreturn void
become_scout(const struct conf *c)
{
	char cache[256];
	struct err e = {0};
	struct tgt_sys sys;
	sigset_t none;
	bool done;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "coral-scout");
	fd_close_from(3, NULL, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(SCOUT_SECONDS);
	setpriority(PRIO_PROCESS, 0, SCOUT_NICE);
	log_open("scout", LOG_LV_WARN);
	if ((size_t)snprintf(cache, sizeof cache, "%s/targets", c->runtime_dir) >= sizeof cache)
		_exit(0);
	done = tgt_sys_open(&sys, c->proc_root, cache, &e) == 0 && tgt_remember(&sys, &e) == 0;
	if (done) {
		sleep(sys.settled + 1);
		done = tgt_remember(&sys, &e) == 0;
	}
	if (!done)
		log_error_of(&e, "looking for containers ahead of the first request");
	session_audit_find_truncated(c);
	_exit(0);
}

int
broker_work_watch(struct broker *b, pid_t pid, enum work kind)
{
	int pidfd = pid > 0 ? broker_hold_child(pid) : -1;
	struct worker *w = pidfd >= 0 ? watch(b, pid, pidfd, "", "") : NULL;

	if (!w)
		return -1;
	w->kind = kind;
	return 0;
}

/* Its failing, or none at all, makes the first search slower, no more. */
void
broker_work_scout(struct broker *b)
{
	pid_t pid = fork();

	if (pid == 0)
		become_scout(b->conf);
	broker_work_watch(b, pid, WORK_SCOUT);
}

static void
adopt(void *arg, const char *id, const char *user, int keeper)
{
	struct broker *b = arg;

	if (keeper < 0) {
		start_cleaner(b, id);
		return;
	}
	/* An embedded agent ends with its own command: others' keepers are not its to watch. */
	if (b->embedded || !watch(b, 0, keeper, id, user))
		close(keeper);
}

void
broker_work_adopt(struct broker *b)
{
	session_live_each(b->conf, adopt, b);
	control_sweep(b->conf);
}

void
broker_work_stop_all(struct broker *b)
{
	for (struct worker *w = b->workers; w; w = w->next)
		if (w->kind != WORK_CLEANER)
			pidfd_send_signal(
			    w->pidfd, w->kind == WORK_KEEPER ? SIGTERM : SIGKILL, NULL, 0);
}
