/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_KEEPER_DOOR_H
#define CORAL_SESSION_KEEPER_DOOR_H

/* What others than the typist may do with a session, and what ends it in its own time. */
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/loop.h"
#include "target/enter.h"

struct keeper;
struct rates;

#define KEEPER_RATES 3

struct keeper_door {
	int fd; /* -1: shut */
	struct loop_src *src;
	struct enter_stop stopped;
	char frozen_by[64], ended_by[64]; /* users; "" nobody */
	/* That ended it: "idle", "total", "requested", "session_bytes"; NULL none. */
	const char *limit;
	bool policy_limits; /* the total is policy's, and not the request's own */
	int64_t total_at;   /* clock_mono; 0 none */
	int64_t idle_from;  /* nothing counts that was before */
	bool total_told;
	int64_t idle_told; /* since when, as it was when it was announced */
	struct loop_timer t_total, t_idle;
	/* Of the session, its user and the host: bytes of output a second, 0 any number; and
	 * where its time is taken that is shared. */
	uint64_t rate[KEEPER_RATES];
	unsigned place[KEEPER_RATES];
	struct rates *rates; /* NULL: nothing is */
	int64_t paced_until; /* clock_mono: when all of its output was due at its own rate */
	bool paced[KEEPER_RATES], near_full; /* and said so */
	struct loop_timer t_paced;
};

/* keeper_door.c.  Open: when the command runs.  A session without one goes on, and says so. */
int keeper_door_open(struct keeper *k, struct err *e);
void keeper_door_close(struct keeper *k); /* before the keeper exits */

/* keeper_freeze.c: no input, no output, no process that runs.  Nothing when it is so already. */
int keeper_freeze(struct keeper *k, const char *by, bool on, struct err *e);
/* It is so already, and from now on because of `by`. */
void keeper_freeze_anew(struct keeper *k, const char *by);
/* What is to be ended must run to hear of it. */
void keeper_freeze_over(struct keeper *k);

/* keeper_limits.c: the request's timeout, and policy's two: idle, and in all. */
void keeper_limits_start(struct keeper *k);
void keeper_typed(struct keeper *k); /* by the holder of the keyboard */
/* keeper_pace.c: of its output and its recording.  Before it begins: */
int keeper_limits_open(struct keeper *k, struct err *e);
size_t keeper_limits_piece(const struct keeper *k); /* so much output is read at a time */
bool keeper_limits_wait(const struct keeper *k); /* output is not read now */
void keeper_limits_passed(struct keeper *k, size_t n); /* n bytes of it were recorded */
void keeper_full(struct keeper *k); /* no more can be: it ends, and has a moment for it */
/* Somebody came: an announcement that he missed is made again. */
void keeper_limits_again(struct keeper *k);

#endif
