/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "pty/pty.h"
#include "session/live.h"
#include "session/audited.h"
#include "session/header.h"
#include "session/keeper_int.h"

#define PIPE_BYTES (1024 * 1024)

static int
choose_target(struct keeper *k, struct err *e)
{
	const struct request *r = k->req;
	const struct conf *c = k->start->conf;
	char cache[sizeof k->sys.cache];
	struct tgt_query q = {.pid = (pid_t)r->pid,
	    .word = r->word,
	    .service = r->service,
	    .pod = r->pod,
	    .ns = r->ns,
	    .container = r->container};

	if ((size_t)snprintf(cache, sizeof cache, "%s/targets", c->runtime_dir) >= sizeof cache)
		cache[0] = '\0';
	if (tgt_sys_open(&k->sys, c->proc_root, cache, e) < 0)
		return -1;
	return tgt_find(&k->sys, &q, &k->target, NULL, e);
}

static int
ask_policy(struct keeper *k, struct err *e)
{
	struct policy_what what = {.req = k->req,
	    .service = k->target.service,
	    .ns = k->target.ns,
	    .environment = k->start->conf->environment,
	    .pod = k->target.pod,
	    .container = k->target.container,
	    .host = strcmp(k->target.runtime, "process") == 0};
	json_t *target;

	if (policy_check(k->start->policy, &k->start->who, &what, &k->rules, e) == 0)
		return 0;
	target = tgt_to_json(&k->target);
	session_audit_denied(k->start, NULL, target, e);
	json_decref(target);
	return -1;
}

static int
make_plan(struct keeper *k, struct err *e)
{
	const struct request *r = k->req;
	struct enter_want want = {.session_id = k->start->id,
	    .argv = (const char *const *)r->argv,
	    .env = (const char *const *)r->env,
	    .term = r->tty ? r->term : NULL,
	    .workdir = r->workdir[0] ? r->workdir : NULL,
	    .user = r->user[0] ? r->user : NULL,
	    .namespaces = r->namespaces,
	    .privileged = r->privileged,
	    .target = &k->target,
	    .seccomp_copy = r->seccomp_copy,
	    .block_tiocsti = !k->rules.allow_tiocsti,
	    .tty = r->tty};

	if (tgt_hold_open(&k->sys, &k->target, &k->hold, e) < 0)
		return -1;
	k->plan = enter_plan_new(&k->sys, &k->hold, &want, e);
	if (!k->plan)
		return -1;
	k->context = enter_plan_context(k->plan);
	return 0;
}

/* The broker made it while we looked for the target. */
static int
take_evidence(struct keeper *k, struct evidence *ev, struct err *e)
{
	int from = k->start->evidence;
	bool got = fd_read_full(from, ev, sizeof(*ev)) == sizeof(*ev);

	close(from);
	if (got)
		return 0;
	err_set(e, ERR_RECORDING, 0, "cannot sign a recording");
	return err_why(e, "the agent gave no key for it");
}

static int
open_record(struct keeper *k, struct err *e)
{
	const struct policy_who *w = &k->start->who;
	const struct request *r = k->req;
	const char *const *argv = enter_plan_argv(k->plan);
	char name[STORE_ID_LEN + 16], title[512];
	struct cast_start cs;
	struct evidence ev;
	struct quota *quota;

	if (quota_open(
		&quota, k->start->conf->state_dir, w->root ? "" : w->user, &k->rules.quota, e) < 0)
		return -1;
	if (take_evidence(k, &ev, e) < 0) {
		quota_close(quota);
		return -1;
	}
	k->store_dir = store_create(k->start->conf->state_dir, k->start->id, &k->store_lock, e);
	if (k->store_dir < 0) {
		explicit_bzero(&ev, sizeof(ev));
		quota_close(quota);
		return -1;
	}
	snprintf(name, sizeof name, "%s.cast%s", k->start->id, k->rules.encrypt ? ".sealed" : "");
	snprintf(title, sizeof title, "coral %s %s", request_verb_name(r->verb), k->target.service);
	cs = (struct cast_start){.dirfd = k->store_dir,
	    .name = name,
	    .cols = r->cols ? r->cols : 80,
	    .rows = r->rows ? r->rows : 24,
	    .real_ns = clock_real(),
	    .mono_ns = clock_mono(),
	    .coral = session_header(k, argv),
	    .title = title,
	    .term = r->tty && r->term[0] ? r->term : NULL,
	    .bulk_cap = k->rules.bulk_cap,
	    .max_bytes = k->rules.session_bytes,
	    .quota = quota,
	    .digest_only = !k->rules.record_output,
	    .tty = r->tty,
	    .evidence = &ev,
	    .auditors = k->rules.auditors,
	    .seal_input = k->rules.seal_input,
	    .encrypt = k->rules.encrypt};
	k->cast = cast_create(&cs, e);
	explicit_bzero(&ev, sizeof(ev));
	json_decref(cs.coral);
	return k->cast ? 0 : -1;
}

static int
open_tty(struct keeper *k, int stdio[3], struct err *e)
{
	const struct request *r = k->req;
	struct winsize ws = {.ws_row = r->rows ? r->rows : 24,
	    .ws_col = r->cols ? r->cols : 80,
	    .ws_xpixel = r->xpixel,
	    .ws_ypixel = r->ypixel};
	struct pty p;

	k->resize.now = ws;
	if (pty_open_in(k->hold.root, &ws, enter_plan_uid(k->plan), &p, e) < 0)
		return -1;
	k->master = k->input = k->output[0].fd = p.master;
	stdio[0] = stdio[1] = stdio[2] = p.slave;
	if (p.foreign)
		keeper_tell_all(
		    k, "the container has no devpts: its tty(1) cannot name this terminal");
	return 0;
}

/* The command may reopen /dev/stdout: the pipe must belong to its user. */
static int
open_pipe(int ends[2], int ours, uid_t uid, struct err *e)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, ERR_LIMIT, errno, "cannot make a pipe for the command");
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
	if (fchown(ends[1 - ours], uid, (gid_t)-1) < 0 || fd_nonblock(ends[ours], true) < 0)
		return err_set(
		    e, ERR_PRIVILEGE, errno, "cannot hand a pipe to uid %u", (unsigned)uid);
	return 0;
}

static int
open_pipes(struct keeper *k, int stdio[3], struct err *e)
{
	uid_t uid = enter_plan_uid(k->plan);
	int p[2];

	for (int i = 0; i < 3; i++) {
		int ours = i == 0 ? 1 : 0;

		if (open_pipe(p, ours, uid, e) < 0)
			return -1;
		stdio[i] = p[1 - ours];
		if (i == 0)
			k->input = p[ours];
		else
			k->output[i - 1].fd = p[ours];
	}
	return 0;
}

/* Both are there before anything is made.  The log's writer works while the note is written. */
static int
put_live_note(void *arg, const struct enter_tree *t, struct err *e)
{
	struct keeper *k = arg;
	const struct policy_who *w = &k->start->who;

	if (keeper_audit_begin(k, e) < 0 ||
	    session_live_note(k->start->conf, k->start->id, w->root ? "" : w->user, t, e) < 0)
		return -1;
	return keeper_audit_begun(k, e);
}

static int
spawn(struct keeper *k, struct err *e)
{
	int stdio[3] = {-1, -1, -1};
	const char *notice = enter_plan_notice(k->plan);
	int rc;

	if (notice[0])
		keeper_tell_all(k, notice);
	rc = k->req->tty ? open_tty(k, stdio, e) : open_pipes(k, stdio, e);
	/* What follows has a deadline of its own, and is taken back when it is over. */
	keeper_guard_stop(k->guard);
	if (rc == 0)
		rc = enter_spawn(k->plan, stdio, put_live_note, k, &k->child, e);
	for (int i = 0; i < 3; i++)
		if (stdio[i] >= 0 && (i == 0 || !k->req->tty))
			close(stdio[i]);
	/* Without a cgroup of its own, or when it may leave it, the tree is found by what only the
	 * spawn could know. */
	if (rc == 0 && (!k->child.tree.v2[0] || k->child.tree.roams))
		put_live_note(k, &k->child.tree, NULL);
	return rc;
}

static void
undo(struct keeper *k, const struct err *why)
{
	keeper_audit_undo(k, why);
	cast_free(k->cast);
	k->cast = NULL;
	/* Else it stays for the clean-up: something of the entry could not be ended yet. */
	if (enter_tree_gone(&k->child.tree))
		session_live_drop(k->start->conf, k->start->id);
	else
		k->exit_code = 1;
	if (k->store_dir >= 0) {
		store_discard(k->start->conf->state_dir, k->start->id, NULL);
		fd_close(&k->store_dir);
		fd_close(&k->store_lock);
	}
}

static int
check_request(const struct request *r, struct err *e)
{
	if (r->verb == REQ_SHELL || r->argc > 0)
		return 0;
	err_set(e, ERR_USAGE, 0, "nothing to execute");
	err_why(e, "the request names no command");
	return err_hint(e, "coral exec TARGET -- COMMAND, or coral shell TARGET");
}

static int
check_limit(const struct keeper_start *s, struct err *e)
{
	size_t most = policy_limits(s->policy).sessions;

	if (s->running < most)
		return 0;
	err_set(e, ERR_LIMIT, 0, "%s may begin no more sessions now", s->who.user);
	err_why(e, "%zu of %s run, and limits.sessions of the policy is %zu", s->running,
	    s->who.user, most);
	return err_hint(e, "coral sessions, and coral kill for those that nobody needs");
}

static int
look_up(struct keeper *k, struct err *e)
{
	if (choose_target(k, e) < 0 || ask_policy(k, e) < 0)
		return -1;
	keeper_guard_say(k->guard, "reading its users, groups and shell");
	return make_plan(k, e);
}

/* That it cannot be recorded, for want of room above all, is a denial: it is in the audit log, and
 * where that has no room either in the agent's. */
static void
tell_unrecorded(const struct keeper *k, const struct err *why)
{
	json_t *target = tgt_to_json(&k->target);

	session_audit_unrecorded(k->start, target, why);
	json_decref(target);
	/* The standard error of an embedded agent is that of who is told anyway. */
	if (strcmp(k->start->peer, "embedded") != 0)
		log_error_of(why, "beginning a session");
}

int
keeper_begin(struct keeper *k, struct err *e)
{
	bool recorded;

	if (check_request(k->req, e) < 0 || check_limit(k->start, e) < 0)
		return -1;
	k->guard = keeper_guard_start(k->start, KEEPER_BEGIN_NS, "looking for it");
	if (look_up(k, e) < 0) {
		keeper_guard_stop(k->guard);
		return -1;
	}
	keeper_guard_say(k->guard, "opening its terminal");
	recorded = keeper_limits_open(k, e) == 0 && keeper_redact_begin(k, e) == 0 &&
		   open_record(k, e) == 0;
	if (!recorded || spawn(k, e) < 0) {
		keeper_guard_stop(k->guard);
		undo(k, e);
		if (!recorded)
			tell_unrecorded(k, e);
		return -1;
	}
	return 0;
}
