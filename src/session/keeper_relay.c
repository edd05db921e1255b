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
stream_interest(void *arg)
{
	const struct keeper *k = arg;
	short want = 0;

	if (buf_room(&k->in) >= FRAME_DATA_MAX + FRAME_HEAD)
		want |= POLLIN;
	if (k->out.len > 0)
		want |= POLLOUT;
	return want;
}

static void
end_without_client(struct keeper *k)
{
	if (k->phase != KEEPER_RUNNING)
		return;
	if (k->rules.disconnect == REQ_DISC_HANGUP)
		keeper_stop(k, "disconnected", SIGHUP);
	else
		keeper_stop_now(k, "disconnected");
}

void
keeper_client_lost(struct keeper *k)
{
	if (k->stream < 0)
		return;
	loop_del(&k->stream_src);
	fd_close(&k->stream);
	buf_clear(&k->out);
	buf_clear(&k->in);
	if (k->phase == KEEPER_TELLING) {
		k->phase = KEEPER_DONE;
		return;
	}
	/* Nobody types any more: a reader of stdin must not wait for ever. */
	k->input_eof = true;
	/* Before there is a command there is nothing to end: keeper_relay_init() does it. */
	if (k->child.pidfd >= 0)
		end_without_client(k);
}

void
keeper_flush_out(struct keeper *k)
{
	while (k->stream >= 0 && k->out.len > 0) {
		ssize_t n = buf_write_fd(&k->out, k->stream);

		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			k->last_taken = clock_mono();
		if (n < 0 && errno != EAGAIN)
			keeper_client_lost(k);
		if (n <= 0)
			break;
	}
}

static void
stream_ready(void *arg, short revents)
{
	struct keeper *k = arg;
	ssize_t n;

	if (revents & POLLOUT)
		keeper_flush_out(k);
	if (k->stream < 0 || !(revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	n = buf_read_fd(&k->in, k->stream, buf_room(&k->in));
	if (n > 0)
		keeper_take_frames(k);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR && errno != ENOBUFS))
		keeper_client_lost(k);
}

static short
input_interest(void *arg)
{
	const struct keeper *k = arg;

	return k->input_q.len > 0 || k->input_eof ? POLLOUT : 0;
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
	return k->stream < 0 ||
	       buf_room(&k->out) >= FRAME_DATA_MAX + FRAME_HEAD + KEEPER_OUT_RESERVE;
}

static short
output_interest(void *arg)
{
	const struct keeper_source *s = arg;

	return !s->k->blocked_since && keeper_has_room(s->k) ? POLLIN : 0;
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

static void
timeout_fired(void *arg)
{
	struct keeper *k = arg;

	if (k->phase == KEEPER_RUNNING)
		keeper_stop(k, "timeout", SIGTERM);
}

void
keeper_notice(struct keeper *k, const char *text)
{
	json_t *facts = json_pack("{s:o}", "text", json_text(text));

	frame_put(&k->out, FR_NOTICE, text, strlen(text));
	if (k->cast)
		cast_event(k->cast, clock_mono(), "notice", facts, NULL);
	json_decref(facts);
	keeper_flush_out(k);
}

static void
start_timeout(struct keeper *k)
{
	int64_t limit = (int64_t)k->req->timeout_ms * NS_PER_MS;

	if (k->rules.timeout_ns > 0 && (limit == 0 || k->rules.timeout_ns < limit))
		limit = k->rules.timeout_ns;
	if (limit > 0)
		loop_timer_set(k->loop, &k->t_timeout, limit, timeout_fired, k);
}

static void
say_opened(struct keeper *k)
{
	json_t *j = session_opened(k);
	char *text = json_dumps(j, JSON_COMPACT);

	/* A process may be in 65536 groups.  The record has them; without the frame no client can
	 * go on. */
	if (text && strlen(text) > FRAME_DATA_MAX) {
		free(text);
		json_object_del(j, "context");
		text = json_dumps(j, JSON_COMPACT);
	}
	if (text)
		frame_put(&k->out, FR_OPENED, text, strlen(text));
	free(text);
	json_decref(j);
	keeper_flush_out(k);
}

int
keeper_relay_init(struct keeper *k, struct err *e)
{
	fd_nonblock(k->stream, true);
	say_opened(k);
	if (k->stream >= 0)
		k->stream_src = loop_add(k->loop, k->stream, stream_interest, stream_ready, k);
	k->input_src = loop_add(k->loop, k->input, input_interest, input_ready, k);
	for (size_t i = 0; i < COUNT_OF(k->output); i++)
		if (k->output[i].fd >= 0)
			k->output[i].src = loop_add(
			    k->loop, k->output[i].fd, output_interest, output_ready, &k->output[i]);
	k->pidfd_src = loop_add_in(k->loop, k->child.pidfd, child_ready, k);
	start_timeout(k);
	keeper_sync_later(k);
	if (k->stream < 0)
		end_without_client(k);
	(void)e;
	return 0;
}
