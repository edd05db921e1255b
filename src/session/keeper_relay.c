/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "session/header.h"
#include "session/keeper_int.h"

/* So long no output. */
#define TIDY_NS (2 * NS_PER_S)

static short
input_interest(void *arg)
{
	const struct keeper *k = arg;

	return (k->input_q.len > 0 || k->input_eof) && !k->frozen ? POLLOUT : 0;
}

static void
input_ready(void *arg, short revents)
{
	struct keeper *k = arg;

	(void)revents;
	keeper_write_input(k);
}

/* Without a client the output still goes to the record. */
bool
keeper_has_room(const struct keeper *k)
{
	const struct keeper_client *c = k->owner;

	if (!c || c->fd < 0)
		return true;
	return !keeper_is_painting(c) &&
	       buf_room(&c->s.out) >= FRAME_DATA_MAX + FRAME_HEAD + KEEPER_OUT_RESERVE;
}

static short
output_interest(void *arg)
{
	const struct keeper_source *s = arg;

	return !s->k->blocked_since && !s->k->frozen && !keeper_limits_wait(s->k) &&
		       keeper_has_room(s->k)
		   ? POLLIN
		   : 0;
}

static void
output_ready(void *arg, short revents)
{
	(void)revents;
	keeper_output_ready(arg);
}

static void
child_ready(void *arg, short revents)
{
	(void)revents;
	keeper_leader_exited(arg);
}

void
keeper_watch_input(struct keeper *k)
{
	k->input_src = loop_add(k->loop, k->input, input_interest, input_ready, k);
}

static void
open_first_client(struct keeper *k)
{
	if (k->req->resumable && k->req->tty && k->rules.disconnect == REQ_DISC_DETACH)
		keeper_token_new(k->owner);
	k->owner->began = true;
	keeper_note_client(k->owner, "attached", NULL);
	keeper_say_opened(k->owner, NULL);
}

/* What beginning took, and what a burst grew. */
static void
give_back(struct keeper *k)
{
	enter_plan_free(steal_ptr(&k->plan));
	session_context_pack(k);
	keeper_redact_trim(k);
	buf_trim(&k->spare);
	buf_trim(&k->input_q);
	for (struct keeper_client *c = k->clients; c; c = c->next) {
		buf_trim(&c->in);
		buf_trim(&c->later);
		buf_trim(&c->paint);
		buf_trim(&c->held);
		stream_trim(&c->s);
	}
	mem_trim();
}

static void
tidy(void *arg)
{
	struct keeper *k = arg;
	int64_t quiet = clock_mono() - k->last_output;

	if (quiet < TIDY_NS) {
		loop_timer_set(k->loop, &k->t_tidy, TIDY_NS - quiet, tidy, k);
		return;
	}
	give_back(k);
	k->untidy = 0;
}

void
keeper_tidy_later(struct keeper *k, size_t moved)
{
	k->untidy += moved;
	if (k->untidy >= KEEPER_UNTIDY && !k->t_tidy.linked)
		loop_timer_set(k->loop, &k->t_tidy, TIDY_NS, tidy, k);
}

int
keeper_relay_init(struct keeper *k, struct err *e)
{
	keeper_watch_input(k);
	for (size_t i = 0; i < COUNT_OF(k->output); i++)
		if (k->output[i].fd >= 0)
			k->output[i].src = loop_add(
			    k->loop, k->output[i].fd, output_interest, output_ready, &k->output[i]);
	k->pidfd_src = loop_add_in(k->loop, k->child.pidfd, child_ready, k);
	keeper_limits_start(k);
	keeper_sync_later(k);
	open_first_client(k);
	if (keeper_door_open(k, e) < 0)
		log_error_of(e, "opening a session's door");
	return 0;
}
