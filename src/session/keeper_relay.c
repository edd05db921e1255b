/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "session/header.h"
#include "session/keeper_int.h"

static short
input_interest(void *arg)
{
	const struct keeper *k = arg;

	return (k->input_q.len > 0 || k->input_eof) && !k->frozen ? POLLOUT : 0;
}

static void
input_ready(void *arg, short revents)
{
	(void)revents;
	keeper_write_input(arg);
}

/* Without a client the output still goes to the record. */
bool
keeper_has_room(const struct keeper *k)
{
	return !k->owner ||
	       buf_room(&k->owner->s.out) >= FRAME_DATA_MAX + FRAME_HEAD + KEEPER_OUT_RESERVE;
}

static short
output_interest(void *arg)
{
	const struct keeper_source *s = arg;

	return !s->k->blocked_since && !s->k->frozen && keeper_has_room(s->k) ? POLLIN : 0;
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
keeper_notice(struct keeper *k, const char *text)
{
	json_t *facts = json_pack("{s:o}", "text", json_text(text));

	if (k->cast)
		cast_event(k->cast, clock_mono(), "notice", facts, NULL);
	json_decref(facts);
	for (struct keeper_client *c = k->clients; c; c = c->next)
		keeper_client_put(c, FR_NOTICE, text, strlen(text));
}

static void
say_opened(struct keeper_client *c)
{
	json_t *j = session_opened(c->k);
	char *text = json_dumps(j, JSON_COMPACT);

	/* A process may be in 65536 groups.  The record has them; without the frame no client can
	 * go on. */
	if (text && strlen(text) > FRAME_DATA_MAX) {
		free(text);
		json_object_del(j, "context");
		text = json_dumps(j, JSON_COMPACT);
	}
	if (text)
		keeper_client_open(c, FR_OPENED, text, strlen(text));
	free(text);
	json_decref(j);
}

int
keeper_relay_init(struct keeper *k, struct err *e)
{
	k->input_src = loop_add(k->loop, k->input, input_interest, input_ready, k);
	for (size_t i = 0; i < COUNT_OF(k->output); i++)
		if (k->output[i].fd >= 0)
			k->output[i].src = loop_add(
			    k->loop, k->output[i].fd, output_interest, output_ready, &k->output[i]);
	k->pidfd_src = loop_add_in(k->loop, k->child.pidfd, child_ready, k);
	keeper_limits_start(k);
	keeper_sync_later(k);
	say_opened(k->owner);
	if (keeper_door_open(k, e) < 0)
		log_error_of(e, "opening a session's door");
	return 0;
}
