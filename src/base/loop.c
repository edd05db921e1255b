/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/loop.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

struct loop_src {
	struct loop *loop;
	int fd; /* -1: removed, freed at the end of the turn */
	loop_interest_fn *interest;
	loop_ready_fn *ready;
	void *arg;
};

struct loop {
	struct loop_src **srcs;
	size_t nsrcs, cap;
	/* The set of this turn; both as large as srcs, so that a turn never allocates. */
	struct pollfd *polls;
	struct loop_src **polled;
	struct loop_timer *timers; /* soonest first */
	int64_t now;		   /* of the last look at the timers */
	bool in_turn, sweep, stop;
};

struct loop *
loop_new(void)
{
	return calloc(1, sizeof(struct loop));
}

void
loop_free(struct loop *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->nsrcs; i++)
		free(l->srcs[i]);
	while (l->timers)
		loop_timer_clear(l, l->timers);
	free(l->srcs);
	free(l->polls);
	free(l->polled);
	free(l);
}

/* `polled` and `polls` may be in use by the turn that calls: realloc keeps what they hold. */
static int
grow(struct loop *l)
{
	size_t cap = l->cap ? l->cap * 2 : 16;
	void *p;

	p = realloc(l->srcs, cap * sizeof(*l->srcs));
	if (!p)
		return -1;
	l->srcs = p;
	p = realloc(l->polled, cap * sizeof(*l->polled));
	if (!p)
		return -1;
	l->polled = p;
	p = realloc(l->polls, cap * sizeof(*l->polls));
	if (!p)
		return -1;
	l->polls = p;
	l->cap = cap;
	return 0;
}

struct loop_src *
loop_add(struct loop *l, int fd, loop_interest_fn *interest, loop_ready_fn *ready, void *arg)
{
	struct loop_src *s;

	if (fd < 0 || (l->nsrcs == l->cap && grow(l) < 0))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct loop_src){
	    .loop = l, .fd = fd, .interest = interest, .ready = ready, .arg = arg};
	l->srcs[l->nsrcs++] = s;
	return s;
}

struct loop_src *
loop_add_in(struct loop *l, int fd, loop_ready_fn *ready, void *arg)
{
	return loop_add(l, fd, NULL, ready, arg);
}

static void
sweep(struct loop *l)
{
	size_t i, kept = 0;

	for (i = 0; i < l->nsrcs; i++) {
		if (l->srcs[i]->fd < 0)
			free(l->srcs[i]);
		else
			l->srcs[kept++] = l->srcs[i];
	}
	l->nsrcs = kept;
	l->sweep = false;
}

void
loop_del(struct loop_src **src)
{
	struct loop_src *s = *src;

	*src = NULL;
	if (!s)
		return;
	s->fd = -1;
	s->loop->sweep = true;
	if (!s->loop->in_turn)
		sweep(s->loop);
}

void
loop_timer_clear(struct loop *l, struct loop_timer *t)
{
	struct loop_timer **p = &l->timers;

	while (t->linked && *p && *p != t)
		p = &(*p)->next;
	if (t->linked && *p)
		*p = t->next;
	t->next = NULL;
	t->linked = false;
	t->at = 0;
}

void
loop_timer_set(
    struct loop *l, struct loop_timer *t, int64_t delay_ns, void (*fire)(void *), void *arg)
{
	struct loop_timer **p = &l->timers;
	int64_t at;

	loop_timer_clear(l, t);
	if (__builtin_add_overflow(clock_mono(), delay_ns > 0 ? delay_ns : 0, &at))
		at = INT64_MAX;
	/* Never due in the round that sets it, or a delay of 0 would starve the sources. */
	t->at = at > l->now ? at : l->now + 1;
	t->fire = fire;
	t->arg = arg;
	while (*p && (*p)->at <= t->at)
		p = &(*p)->next;
	t->next = *p;
	t->linked = true;
	*p = t;
}

static void
fire_timers(struct loop *l)
{
	struct loop_timer *t;

	l->now = clock_mono();
	while ((t = l->timers) && t->at <= l->now) {
		loop_timer_clear(l, t);
		t->fire(t->arg);
	}
}

static short
wanted(const struct loop_src *s)
{
	return s->interest ? s->interest(s->arg) : POLLIN;
}

static size_t
build(struct loop *l)
{
	size_t i, n = 0;

	/* By index: an interest callback may add. */
	for (i = 0; i < l->nsrcs; i++) {
		struct loop_src *s = l->srcs[i];
		short events = s->fd < 0 ? 0 : wanted(s);

		if (!events || s->fd < 0)
			continue;
		l->polls[n] = (struct pollfd){.fd = s->fd, .events = events};
		l->polled[n++] = s;
	}
	return n;
}

static const struct timespec *
patience(const struct loop *l, int max_wait_ms, struct timespec *ts)
{
	int64_t wait = max_wait_ms < 0 ? INT64_MAX : max_wait_ms * NS_PER_MS;

	if (l->timers) {
		int64_t left = l->timers->at - clock_mono();

		if (left < 0)
			left = 0;
		if (left < wait)
			wait = left;
	}
	if (wait == INT64_MAX)
		return NULL;
	ts->tv_sec = (time_t)(wait / NS_PER_S);
	ts->tv_nsec = (long)(wait % NS_PER_S);
	return ts;
}

static void
dispatch(struct loop *l, size_t n)
{
	const short always = POLLERR | POLLHUP | POLLNVAL;

	for (size_t i = 0; i < n; i++) {
		struct loop_src *s = l->polled[i];
		short got = l->polls[i].revents, want;

		if (!got || s->fd < 0)
			continue;
		/* An earlier callback may have taken the interest away. */
		want = wanted(s);
		if (s->fd < 0 || !want)
			continue;
		got &= want | always;
		if (got)
			s->ready(s->arg, got);
	}
}

void
loop_turn(struct loop *l, int max_wait_ms)
{
	struct timespec ts;
	size_t n;
	int ready;

	l->in_turn = true;
	n = build(l);
	ready = ppoll(l->polls, n, patience(l, max_wait_ms, &ts), NULL);
	if (ready > 0)
		dispatch(l, n);
	fire_timers(l);
	l->in_turn = false;
	if (l->sweep)
		sweep(l);
}

void
loop_run(struct loop *l)
{
	while (!l->stop)
		loop_turn(l, -1);
	l->stop = false;
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
}
