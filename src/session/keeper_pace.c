/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much a session may put out, in a second and in all: defaults.limits. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/str.h"
#include "session/keeper_int.h"
#include "session/rates.h"

/* What was not used is kept for so long: a screen comes at once. */
#define BURST_NS NS_PER_S
/* Of what is shared so many are read in a second, unless they are too small. */
#define PIECES 64
#define PIECE_MIN 512

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

enum rate { SESSION, USER, HOST };

int
keeper_limits_open(struct keeper *k, struct err *e)
{
	const struct policy_who *w = &k->start->who;
	struct keeper_door *d = &k->door;

	d->rate[SESSION] = k->rules.session_rate;
	d->rate[USER] = w->root ? 0 : k->rules.user_rate;
	d->rate[HOST] = k->rules.host_rate;
	if (d->rate[USER] == 0 && d->rate[HOST] == 0)
		return 0;
	d->rates = rates_open(k->start->conf->runtime_dir, e);
	if (!d->rates)
		return -1;
	d->place[USER] = d->rate[USER] > 0 ? rates_place(d->rates, w->user) : 0;
	d->place[HOST] = rates_place(d->rates, "");
	return 0;
}

/* What is shared goes round in small pieces: nobody waits long for who has much. */
size_t
keeper_limits_piece(const struct keeper *k)
{
	const uint64_t *rate = k->door.rate;
	uint64_t most = FRAME_DATA_MAX;

	for (int i = USER; i <= HOST; i++)
		if (rate[i] > 0 && rate[i] / PIECES < most)
			most = rate[i] / PIECES;
	return most > PIECE_MIN ? (size_t)most : PIECE_MIN;
}

/* When the bytes so far were due, at one of the rates. */
static int64_t
take(struct keeper_door *d, enum rate which, int64_t now, size_t n)
{
	if (which != SESSION)
		return rates_take(d->rates, d->place[which], now, n, d->rate[which]);
	if (d->paced_until < now)
		d->paced_until = now;
	d->paced_until += (int64_t)((double)n / (double)d->rate[SESSION] * NS_PER_S);
	return d->paced_until;
}

static void
tell_paced(struct keeper *k, enum rate which)
{
	static const char *const names[] = {"session_rate", "user_rate", "host_rate"};
	char rate[STR_SIZE_MAX], whose[100] = "a session", text[256];

	if (k->door.paced[which])
		return;
	k->door.paced[which] = true;
	if (which == USER)
		snprintf(whose, sizeof whose, "all sessions of %s", k->start->who.user);
	if (which == HOST)
		snprintf(whose, sizeof whose, "all sessions of this host");
	str_size(rate, k->door.rate[which]);
	snprintf(text, sizeof text,
	    "policy lets %s of output a second pass of %s (limits.%s): it comes more slowly", rate,
	    whose, names[which]);
	keeper_tell_all(k, text);
}

/* Not read, output fills the pipe or the terminal, and who writes it waits: nothing is dropped. */
static void
pace(struct keeper *k, size_t n)
{
	struct keeper_door *d = &k->door;
	int64_t now, last;
	enum rate which = SESSION;

	if (!d->rate[SESSION] && !d->rate[USER] && !d->rate[HOST])
		return;
	now = last = clock_mono();
	for (enum rate i = SESSION; i <= HOST; i++) {
		int64_t due = d->rate[i] > 0 ? take(d, i, now, n) : now;

		if (due > last) {
			last = due;
			which = i;
		}
	}
	if (last - now <= BURST_NS)
		return;
	loop_timer_set(k->loop, &d->t_paced, last - now - BURST_NS, go_on, k);
	tell_paced(k, which);
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
