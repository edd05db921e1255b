/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that writes the audit log, and what the broker itself has to tell. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/broker_int.h"
#include "audit/record.h"
#include "audit/send.h"
#include "audit/serve.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "record/keys.h"

#define AGAIN_NS (NS_PER_S / 2)
#define FILES_MAX 64
#define TOLD_MAX 20 /* refusals a second */

/*
 * It keeps its uid, to which the files belong, and nothing else: no
 * capabilities, the log's directory for its root, the calls that append.
 */
static int
make_sandbox(struct broker *b, struct err *e)
{
	struct tp_sandbox *sb = &b->audit.sandbox;
	size_t n;
	const int *calls = audit_calls(&n);

	if (tp_sandbox_init_calls(sb, b->conf->runtime_dir, calls, n, e) < 0)
		return -1;
	sb->uid = geteuid();
	sb->gid = getegid();
	sb->with_parent = true;
	if (str_copy(sb->root, b->audit.dir, sizeof sb->root) >= sizeof sb->root)
		return err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot use %s", b->audit.dir);
	return 0;
}

static _Noreturn void
become_writer(const struct broker *b)
{
	const struct broker_audit *a = &b->audit;
	struct err e = {0};

	prctl(PR_SET_NAME, "coral-audit");
	log_open("audit", LOG_LV_WARN);
	if (tp_sandbox_enter(&a->sandbox, a->listener, a->out, FILES_MAX, &e) < 0 ||
	    audit_serve(a->listener, a->out, a->sandbox.enabled ? "/" : a->dir, &e) < 0)
		log_error_of(&e, "writing the audit log");
	_exit(1);
}

static void start(struct broker *b);

static void
start_again(void *arg)
{
	start(arg);
}

/* Who waits for an answer from it hears of its end at once; who comes meanwhile waits at the
 * listening socket, which is the broker's. */
static void
writer_exited(void *arg, short revents)
{
	struct broker *b = arg;
	struct broker_audit *a = &b->audit;

	(void)revents;
	waitpid(a->pid, NULL, 0);
	loop_del(&a->src);
	fd_close(&a->pidfd);
	a->pid = 0;
	log_err("the process that writes the audit log died: starting another");
	loop_timer_set(b->loop, &a->t_again, AGAIN_NS, start_again, b);
}

static void
start(struct broker *b)
{
	struct broker_audit *a = &b->audit;

	a->pid = fork();
	if (a->pid == 0)
		become_writer(b);
	a->pidfd = a->pid > 0 ? broker_hold_child(a->pid) : -1;
	if (a->pidfd >= 0) {
		a->src = loop_add_in(b->loop, a->pidfd, writer_exited, b);
		return;
	}
	a->pid = 0;
	log_err("cannot start the process that writes the audit log: %s", strerror(errno));
	loop_timer_set(b->loop, &a->t_again, AGAIN_NS, start_again, b);
}

static json_t *
record(const struct broker *b, const char *event)
{
	json_t *rec = audit_record_new(event);
	const char *node = getenv("NODE_NAME");
	struct utsname u = {0};

	uname(&u);
	audit_set_text(rec, "node", node && *node ? node : u.nodename);
	audit_set_text(rec, "environment", b->conf->environment);
	return rec;
}

static int
tell_agent(const struct broker *b, const char *event, bool last, struct err *e)
{
	json_t *rec = record(b, event);
	char key[KEYS_NAME];
	int rc;

	audit_set_text(rec, "actor", "coral " CORAL_VERSION);
	keys_agent_name(key, b->evidence_key.public);
	audit_set_text(rec, "reason", key);
	/* The writer ends with the agent, and does not sync what it has then. */
	rc = last ? audit_put_synced(b->conf->state_dir, rec, e)
		  : audit_put(b->conf->state_dir, rec, true, e);
	json_decref(rec);
	return rc;
}

int
broker_audit_start(struct broker *b, bool in_container, struct err *e)
{
	struct broker_audit *a = &b->audit;
	const char *out = b->conf->audit_stdout;

	if (audit_dir(b->conf->state_dir, a->dir, sizeof a->dir, e) < 0 || make_sandbox(b, e) < 0)
		return -1;
	a->listener = audit_listen(a->dir, e);
	if (a->listener < 0)
		return -1;
	if (strcmp(out, "true") == 0 || (in_container && strcmp(out, "auto") == 0))
		a->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	start(b);
	return tell_agent(b, "agent.start", false, e);
}

void
broker_audit_stop(struct broker *b)
{
	struct broker_audit *a = &b->audit;
	struct err e = {0};

	if (tell_agent(b, "agent.stop", true, &e) < 0)
		log_error_of(&e, "writing the audit log");
	loop_del(&a->src);
	loop_timer_clear(b->loop, &a->t_again);
	/* Keepers that stay write the log themselves. */
	fd_close(&a->listener);
	fd_close(&a->out);
	if (a->pid > 0) {
		pidfd_send_signal(a->pidfd, SIGKILL, NULL, 0);
		waitpid(a->pid, NULL, 0);
	}
	fd_close(&a->pidfd);
	tp_sandbox_fini(&a->sandbox);
}

/* A flood of them must not fill the disk. */
static bool
too_many(struct broker_audit *a)
{
	int64_t second = clock_mono() / NS_PER_S;

	if (a->second != second)
		a->told = 0;
	a->second = second;
	if (a->told++ < TOLD_MAX)
		return false;
	a->untold++;
	return true;
}

void
broker_audit_refused(struct broker *b, const char *user, const char *peer, const char *why)
{
	struct broker_audit *a = &b->audit;
	char text[512], more[64] = "";
	json_t *rec;

	if (b->embedded || too_many(a))
		return;
	if (a->untold > 0)
		snprintf(more, sizeof more, " (and %u more, not told singly)", a->untold);
	snprintf(text, sizeof text, "%s%s", why, more);
	rec = record(b, "auth.failure");
	audit_set_text(rec, "user_id", user);
	audit_set_text(rec, "actor", peer);
	audit_set_text(rec, "decision", "deny");
	audit_set_text(rec, "error", text);
	/* The broker waits for nobody. */
	if (audit_tell(b->conf->state_dir, rec) < 0)
		log_err("the audit log lacks that %s was refused: %s", peer, text);
	else
		a->untold = 0;
	json_decref(rec);
}

void
broker_audit_conn(const struct conn *c)
{
	char why[192];

	if (c->state != CONN_PREAUTH || c->tries == 0)
		return;
	snprintf(why, sizeof why, "%d %s refused, the last %s", c->tries,
	    c->tries == 1 ? "key was" : "keys were", c->refused);
	broker_audit_refused(c->b, NULL, c->peer, why);
}
