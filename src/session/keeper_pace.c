/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much a session may put out, in a second and in all: defaults.limits. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/str.h"
#include "session/keeper_int.h"

/* What was not used is kept for so long: a screen comes at once. */
#define BURST_NS NS_PER_S

bool
keeper_limits_wait(const struct keeper *k)
{
	return k->door.t_paced.linked && k->phase < KEEPER_DRAINING;
}

/* Interest is declared anew in each turn. */
static void
go_on(void *arg)
{
	(void)arg;
}

/* Not read, output fills the pipe or the terminal, and who writes it waits: nothing is dropped. */
static void
pace(struct keeper *k, size_t n)
{
	struct keeper_door *d = &k->door;
	int64_t now = clock_mono(), ahead;
	char rate[STR_SIZE_MAX], text[160];

	if (d->paced_until < now)
		d->paced_until = now;
	d->paced_until += (int64_t)((double)n / (double)k->rules.session_rate * NS_PER_S);
	ahead = d->paced_until - now;
	if (ahead <= BURST_NS)
		return;
	loop_timer_set(k->loop, &d->t_paced, ahead - BURST_NS, go_on, k);
	if (d->paced)
		return;
	d->paced = true;
	str_size(rate, k->rules.session_rate);
	snprintf(text, sizeof text, "policy lets %s of output a second pass: it comes more slowly",
	    rate);
	keeper_tell_all(k, text);
}

static void
tell_near(struct keeper *k)
{
	uint64_t most = k->rules.session_bytes;
	char all[STR_SIZE_MAX], text[160];

	if (k->door.near_full || cast_taken(k->cast) < most - most / 10)
		return;
	k->door.near_full = true;
	str_size(all, most);
	snprintf(text, sizeof text,
	    "policy allows a recording of %s: 90 %% are used, and at its end the session ends",
	    all);
	keeper_tell_all(k, text);
}

void
keeper_limits_passed(struct keeper *k, size_t n)
{
	if (k->rules.session_rate > 0)
		pace(k, n);
	if (k->rules.session_bytes > 0 && k->req->tty)
		tell_near(k);
}

void
keeper_full(struct keeper *k)
{
	keeper_tell_all(k, "the recording is as large as policy allows: the session ends");
	k->door.limit = "session_bytes";
	keeper_stop(k, "limit", SIGTERM);
}
