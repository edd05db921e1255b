/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLIENT_ALIVE_H
#define CORAL_CLIENT_ALIVE_H

/*
 * Is the other end still there?  Pure: times go in, what to do comes out.
 * Times are of CLOCK_BOOTTIME, which goes on while a machine sleeps;
 * CLOCK_MONOTONIC stands still then, and that tells one from the other.
 */
#include <stdbool.h>
#include <stdint.h>

#define ALIVE_SILENCE (10 * 1000000000LL)	/* then we ask */
#define ALIVE_ANSWER (15 * 1000000000LL)	/* for the answer */
#define ALIVE_ANSWER_AWAKE (3 * 1000000000LL)	/* the same, after we slept */
#define ALIVE_TYPED (5 * 1000000000LL)		/* of silence, and a key is typed */
#define ALIVE_SLEPT (1 * 1000000000LL)		/* the clocks differ by this much more */

enum client_alive_do { ALIVE_WAIT, ALIVE_ASK, ALIVE_LOST };

struct client_alive {
	int64_t heard; /* something came, or we had no ear for it */
	int64_t asked; /* 0: nothing is asked */
	int64_t patience;
	int64_t asleep; /* boottime - monotonic when we last looked */
};

void client_alive_init(struct client_alive *a, int64_t boot, int64_t mono);
void client_alive_heard(struct client_alive *a, int64_t boot);
/* ASK: send FR_PING, and it counts as asked. */
enum client_alive_do client_alive_look(struct client_alive *a, int64_t boot, int64_t mono);
enum client_alive_do client_alive_typed(struct client_alive *a, int64_t boot);
/* When to look again. */
int64_t client_alive_due(const struct client_alive *a);

#endif
