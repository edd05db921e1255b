/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_LOOP_H
#define CORAL_BASE_LOOP_H

/*
 * The one event loop: ppoll(2), the set rebuilt each turn.  A source declares
 * its interest afresh from its own state before every wait, so a stale
 * registration cannot linger and back-pressure is just an interest of 0.
 * Sources and timers may be added and removed from any callback.
 * Single-threaded.  Signals come as signalfd sources, children as pidfds.
 */
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_src;

struct loop *loop_new(void);
void loop_free(struct loop *l); /* frees sources, closes no descriptor */

/* Events wanted now (POLLIN, POLLOUT), or 0 to be left out of this turn.
 * POLLHUP and POLLERR alone do not wake a source whose interest is 0. */
typedef short loop_interest_fn(void *arg);
typedef void loop_ready_fn(void *arg, short revents);

/* The loop does not own fd: remove the source before closing it. */
struct loop_src *loop_add(struct loop *l, int fd, loop_interest_fn *interest, loop_ready_fn *ready,
    void *arg);
/* Always POLLIN. */
struct loop_src *loop_add_in(struct loop *l, int fd, loop_ready_fn *ready, void *arg);
/* Remove and set the pointer to NULL; accepts NULL. */
void loop_del(struct loop_src **src);

/* A timer embedded in its owner; zero it before first use. */
struct loop_timer {
	int64_t at; /* CLOCK_MONOTONIC ns, 0 = off */
	void (*fire)(void *arg);
	void *arg;
	struct loop_timer *next;
	bool linked;
};
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_ns, void (*fire)(void *),
    void *arg);
void loop_timer_clear(struct loop *l, struct loop_timer *t);

/* One wait and its callbacks; waits at most max_wait_ms (-1: no bound). */
void loop_turn(struct loop *l, int max_wait_ms);
/* Turns until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

#endif
