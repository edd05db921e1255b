/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "session/live.h"
#include "session/header.h"
#include "session/keeper_int.h"

/* Someone outside the session may hold our pipe open: do not wait for ever. */
#define DRAIN_NS (2 * NS_PER_S)
/* And may go on writing to the terminal, a little at a time. */
#define DRAIN_MAX_NS (10 * NS_PER_S)
/* How long SIGKILL may take. */
#define KILL_WAIT_NS (5 * NS_PER_S)
/* A client that takes nothing for so long, while there is no room for what is left. */
#define STALL_NS (60 * NS_PER_S)
/* After the end, how long the client may take to fetch the rest; and when the agent ends. */
#define FAREWELL_NS (3600 * NS_PER_S)
#define FAREWELL_SHORT_NS (2 * NS_PER_S)
#define ONLOOKERS_NS (5 * NS_PER_S)

/* Takes the list.  The first look that finds somebody counts: later ones see the same, dying. */
static void
note_survivors(struct keeper *k, json_t *list)
{
	for (size_t i = json_array_size(list); i-- > 0;)
		if (json_int(json_array_get(list, i), "pid", 0) == k->child.pid)
			json_array_remove(list, i);
	if (!k->survivors || json_array_size(k->survivors) == 0) {
		json_decref(k->survivors);
		k->survivors = list;
	} else {
		json_decref(list);
	}
}

static void
end_tree(struct keeper *k)
{
	struct err e = {0};
	json_t *killed = NULL;

	if (enter_tree_end(&k->sys, &k->child.tree, &killed, &e) < 0) {
		log_error_of(&e, "ending a session");
		k->exit_code = 1;
	}
	note_survivors(k, killed);
}

static void after_leader(struct keeper *k);

/* It waits in the kernel for what never comes, or is frozen.  The session ends without it, and the
 * clean-up goes on trying. */
static void
kill_over(void *arg)
{
	struct keeper *k = arg;

	loop_del(&k->pidfd_src);
	err_set(&k->failure, ERR_TIMEOUT, 0, "the command cannot be killed");
	err_why(&k->failure,
	    "%d s after SIGKILL it still waits in the kernel: its container is "
	    "paused, or a file system does not answer",
	    (int)(KILL_WAIT_NS / NS_PER_S));
	err_hint(&k->failure, "look at /proc/%d/stack; it is ended as soon as it can be",
	    (int)k->child.pid);
	after_leader(k);
}

/* The painter is a child of ours, and none of the session's processes. */
void
keeper_spare_helper(struct keeper *k)
{
	k->child.tree.helper = k->painter ? painter_pid(k->painter) : 0;
}

static void
kill_all(struct keeper *k)
{
	keeper_spare_helper(k);
	note_survivors(k, enter_tree_list(&k->sys, &k->child.tree));
	enter_tree_signal(&k->sys, &k->child.tree, SIGKILL);
	keeper_freeze_over(k);
	loop_timer_set(k->loop, &k->t_grace, KILL_WAIT_NS, kill_over, k);
}

void
keeper_stop_now(struct keeper *k, const char *cause)
{
	if (k->phase >= KEEPER_DRAINING)
		return;
	if (k->phase == KEEPER_RUNNING)
		k->cause = cause;
	k->phase = KEEPER_ENDING;
	kill_all(k);
}

static void
grace_over(void *arg)
{
	struct keeper *k = arg;

	if (k->phase == KEEPER_ENDING)
		kill_all(k);
}

void
keeper_stop(struct keeper *k, const char *cause, int signo)
{
	if (k->phase != KEEPER_RUNNING)
		return;
	k->cause = cause;
	k->phase = KEEPER_ENDING;
	keeper_spare_helper(k);
	enter_tree_signal(&k->sys, &k->child.tree, signo);
	/* A shell that somebody types to ignores TERM; what hears both has the same grace. */
	if (k->req->tty && signo != SIGHUP)
		enter_tree_signal(&k->sys, &k->child.tree, SIGHUP);
	keeper_freeze_over(k);
	enter_tree_signal(&k->sys, &k->child.tree, SIGCONT);
	loop_timer_set(k->loop, &k->t_grace, KEEPER_GRACE_NS, grace_over, k);
}

static bool
goes_on(struct keeper *k)
{
	int64_t now = clock_mono();

	if (k->blocked_since)
		return true;
	if (!keeper_has_room(k)) {
		if (now - k->last_taken > STALL_NS)
			keeper_client_lost(k->owner);
		k->drain_since = now;
		return true;
	}
	return now - k->last_output < DRAIN_NS && now - k->drain_since < DRAIN_MAX_NS;
}

static void
drain_over(void *arg)
{
	struct keeper *k = arg;

	if (goes_on(k)) {
		loop_timer_set(k->loop, &k->t_grace, DRAIN_NS, drain_over, k);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(k->output); i++) {
		loop_del(&k->output[i].src);
		if (k->output[i].fd >= 0 && k->output[i].fd == k->master)
			k->master = -1;
		fd_close(&k->output[i].fd);
	}
	keeper_maybe_finish(k);
}

/* The cause is known before the cgroup goes, and what the command left goes with it. */
void
keeper_leader_exited(struct keeper *k)
{
	loop_del(&k->pidfd_src);
	if (waitpid(k->child.pid, &k->wait_status, 0) < 0)
		k->wait_status = SIGKILL;
	k->leader_gone = true;
	if (k->phase == KEEPER_RUNNING && WIFSIGNALED(k->wait_status)) {
		k->cause = "signal";
		if (WTERMSIG(k->wait_status) == SIGKILL && enter_tree_oom(&k->child.tree))
			k->cause = "oom";
		else if (WTERMSIG(k->wait_status) == SIGKILL && kill(k->target.pid, 0) < 0)
			k->cause = "target_gone";
	}
	after_leader(k);
}

static void
after_leader(struct keeper *k)
{
	keeper_paint_none(k);
	keeper_spare_helper(k);
	end_tree(k);
	keeper_freeze_over(k);
	k->phase = KEEPER_DRAINING;
	k->drain_since = k->last_taken = clock_mono();
	loop_timer_clear(k->loop, &k->t_keep);
	loop_timer_clear(k->loop, &k->t_grace);
	loop_timer_set(k->loop, &k->t_grace, DRAIN_NS, drain_over, k);
	keeper_output_bound(k);
	keeper_maybe_finish(k);
}

/* The end record, and what the client is told: the same object, unless sealing it failed. */
static json_t *
seal(struct keeper *k)
{
	json_t *result = session_result(k);
	struct err e = {0};

	if (cast_end(k->cast, clock_mono(), result, &e) == 0)
		return result;
	log_error_of(&e, "sealing a recording");
	if (k->failure.code == ERR_NONE)
		k->failure = e;
	json_decref(result);
	return session_result(k);
}

/* Nobody waits for those who only looked on. */
static void
onlookers_over(void *arg)
{
	struct keeper *k = arg;

	for (struct keeper_client *c = k->clients; c; c = c->next)
		if (c != k->owner)
			keeper_client_drop(c);
}

static void
farewell_over(void *arg)
{
	struct keeper *k = arg;

	for (struct keeper_client *c = k->clients; c; c = c->next)
		keeper_client_drop(c);
}

static void
put_delivered(json_t *j, const char *key, const struct keeper_client *c, size_t i)
{
	enum cast_stream st = i == 0 ? CAST_STDOUT : CAST_STDERR;
	uint64_t n = c->delivered[i] + c->later_bytes[i];

	if (n != cast_count(c->k->cast, st))
		json_object_set_new(j, key, json_integer((json_int_t)n));
}

/* Who came late, or lost something on the way, cannot tell otherwise whether it has everything. */
void
keeper_put_result(struct keeper_client *c)
{
	json_t *own;
	char *text;

	/* A screen comes before the end of what it shows. */
	c->owed_result = c == c->k->owner && keeper_is_painting(c);
	if (c->owed_result)
		return;
	own = json_copy(c->k->result);

	put_delivered(own, "delivered_stdout", c, 0);
	put_delivered(own, "delivered_stderr", c, 1);
	text = json_dumps(own, JSON_COMPACT);
	if (text)
		keeper_share_last(c, FR_RESULT, text, strlen(text));
	free(text);
	json_decref(own);
}

static void
tell_results(struct keeper *k)
{
	for (struct keeper_client *c = k->clients; c; c = c->next)
		if (keeper_client_is_here(c)) {
			keeper_put_result(c);
			keeper_client_flush(c);
		} else if (c == k->owner) {
			/* What it lacks is dropped, or stands before this. */
			if (!c->gap)
				keeper_put_result(c);
			keeper_await_owner(k);
		}
}

void
keeper_end_when_alone(struct keeper *k)
{
	if (k->phase == KEEPER_TELLING && !k->clients)
		k->phase = KEEPER_DONE;
}

static void
start_farewell(struct keeper *k)
{
	loop_timer_set(k->loop, &k->t_farewell, k->agent_stops ? FAREWELL_SHORT_NS : FAREWELL_NS,
	    farewell_over, k);
	loop_timer_set(k->loop, &k->t_keep, ONLOOKERS_NS, onlookers_over, k);
}

void
keeper_maybe_finish(struct keeper *k)
{
	if (k->phase != KEEPER_DRAINING || !keeper_output_over(k) || k->blocked_since)
		return;
	keeper_redact_over(k);
	k->phase = KEEPER_TELLING;
	loop_timer_clear(k->loop, &k->t_grace);
	loop_timer_clear(k->loop, &k->t_block);
	keeper_events_over(k);
	k->result = seal(k);
	/* While its note is there: who dies now is found, and told as truncated. */
	keeper_audit_end(k, k->result);
	/* Nobody comes to what has ended, but who was there and may lose what is under way. */
	if (!keeper_owner_returns(k))
		keeper_door_close(k);
	if (k->exit_code == 0)
		session_live_drop(k->start->conf, k->start->id);
	fd_close(&k->store_lock);
	start_farewell(k);
	tell_results(k);
	keeper_end_when_alone(k);
}

void
keeper_agent_stops(struct keeper *k)
{
	k->agent_stops = true;
	if (k->phase == KEEPER_TELLING) {
		loop_timer_set(k->loop, &k->t_farewell, FAREWELL_SHORT_NS, farewell_over, k);
		keeper_await_no_more(k);
	}
	keeper_stop(k, "agent_stopped", SIGTERM);
}
