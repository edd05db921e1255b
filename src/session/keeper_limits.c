/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/json.h"
#include "session/keeper_int.h"

#define WARN_NS (60 * NS_PER_S)

/* "90s", "30m", "8h": as it may stand in the policy. */
static void
duration(char *out, size_t size, int64_t ns)
{
	int64_t s = (ns + NS_PER_S / 2) / NS_PER_S;

	if (s > 0 && s % 3600 == 0)
		snprintf(out, size, "%" PRId64 "h", s / 3600);
	else if (s > 0 && s % 60 == 0)
		snprintf(out, size, "%" PRId64 "m", s / 60);
	else if (s > 0)
		snprintf(out, size, "%" PRId64 "s", s);
	else
		snprintf(out, size, "%" PRId64 "ms", (int64_t)(ns / NS_PER_MS));
}

static void
end(struct keeper *k, const char *limit)
{
	k->door.limit = limit;
	keeper_stop(k, "timeout", SIGTERM);
}

static void
tell_total(struct keeper *k)
{
	char all[32], left[32], text[160];

	duration(all, sizeof all, k->rules.timeout_ns);
	duration(left, sizeof left, k->door.total_at - clock_mono());
	snprintf(
	    text, sizeof text, "policy gives a session %s in all: this one ends in %s", all, left);
	keeper_tell_all(k, text);
	k->door.total_told = true;
}

static void
total_due(void *arg)
{
	struct keeper *k = arg;
	struct keeper_door *d = &k->door;
	int64_t now = clock_mono();
	char all[32], text[160];

	if (k->phase != KEEPER_RUNNING)
		return;
	if (now < d->total_at) {
		tell_total(k);
		loop_timer_set(k->loop, &d->t_total, d->total_at - now, total_due, k);
		return;
	}
	if (d->policy_limits) {
		duration(all, sizeof all, k->rules.timeout_ns);
		snprintf(
		    text, sizeof text, "it has lasted %s, as long as policy allows: it ends", all);
		keeper_tell_all(k, text);
	}
	end(k, d->policy_limits ? "total" : "requested");
}

static void
start_total(struct keeper *k)
{
	struct keeper_door *d = &k->door;
	int64_t limit = (int64_t)k->req->timeout_ms * NS_PER_MS, now = clock_mono();

	if (k->rules.timeout_ns > 0 && (limit == 0 || k->rules.timeout_ns < limit)) {
		limit = k->rules.timeout_ns;
		d->policy_limits = true;
	}
	if (limit <= 0)
		return;
	if (__builtin_add_overflow(now, limit, &d->total_at))
		return;
	/* Who asked for a timeout of his own knows of it. */
	if (d->policy_limits && limit > WARN_NS)
		limit -= WARN_NS;
	else if (d->policy_limits)
		tell_total(k);
	loop_timer_set(k->loop, &d->t_total, limit, total_due, k);
}

static bool
somebody_is_there(const struct keeper *k)
{
	json_t *all = keeper_clients_json(k);
	bool yes = json_array_size(all) > 0;

	json_decref(all);
	return yes;
}

static void
tell_idle(struct keeper *k, int64_t left)
{
	char all[32], in[32], text[160];

	duration(all, sizeof all, k->rules.idle_ns);
	duration(in, sizeof in, left);
	snprintf(text, sizeof text,
	    "policy ends a session when nothing is typed for %s: this one in %s", all, in);
	keeper_tell_all(k, text);
}

static void
end_idle(struct keeper *k)
{
	char all[32], text[160];

	duration(all, sizeof all, k->rules.idle_ns);
	snprintf(text, sizeof text, "nothing was typed for %s: policy ends this session", all);
	keeper_tell_all(k, text);
	end(k, "idle");
}

/* No timer is set for a key: when it fires, it is looked when the last one was typed. */
static void
idle_due(void *arg)
{
	struct keeper *k = arg;
	struct keeper_door *d = &k->door;
	int64_t now = clock_mono(), from, left;

	if (k->phase != KEEPER_RUNNING || k->master < 0)
		return;
	if (k->frozen || !somebody_is_there(k))
		d->idle_from = now;
	from = k->last_typed > d->idle_from ? k->last_typed : d->idle_from;
	left = from + k->rules.idle_ns - now;
	if (left <= 0) {
		end_idle(k);
		return;
	}
	if (left > WARN_NS) {
		left -= WARN_NS;
	} else if (d->idle_told != from) {
		tell_idle(k, left);
		d->idle_told = from;
	}
	loop_timer_set(k->loop, &d->t_idle, left, idle_due, k);
}

void
keeper_limits_start(struct keeper *k)
{
	start_total(k);
	if (k->rules.idle_ns <= 0 || k->master < 0)
		return;
	k->door.idle_from = clock_mono();
	idle_due(k);
}

void
keeper_typed(struct keeper *k)
{
	k->last_typed = clock_mono();
}

void
keeper_limits_again(struct keeper *k)
{
	if (k->door.total_told && k->phase == KEEPER_RUNNING)
		tell_total(k);
}
