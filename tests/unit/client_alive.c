/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When the other end is asked whether it is there, and when it is given up: also after a sleep. */
#include "client/alive.h"

#include "base/clock.h"
#include "tap.h"

#define S NS_PER_S

static void
test_awake(void)
{
	struct client_alive a;

	client_alive_init(&a, 100 * S, 50 * S);
	is_int(client_alive_due(&a), 110 * S, "silence is due after 10 s");
	is_int(client_alive_look(&a, 109 * S, 59 * S), ALIVE_WAIT, "and not before");
	is_int(client_alive_look(&a, 110 * S, 60 * S), ALIVE_ASK, "then it is asked");
	is_int(client_alive_due(&a), 125 * S, "and has 15 s to answer");
	is_int(client_alive_look(&a, 124 * S, 74 * S), ALIVE_WAIT, "not less");
	is_int(client_alive_look(&a, 125 * S, 75 * S), ALIVE_LOST, "not more");
	client_alive_heard(&a, 125 * S);
	is_int(client_alive_look(&a, 130 * S, 80 * S), ALIVE_WAIT, "an answer begins it anew");
	is_int(client_alive_typed(&a, 129 * S), ALIVE_WAIT, "a key within 5 s asks nothing");
	is_int(client_alive_typed(&a, 130 * S), ALIVE_ASK, "a later one does");
	is_int(client_alive_typed(&a, 131 * S), ALIVE_WAIT, "once");
}

/* CLOCK_BOOTTIME went on, CLOCK_MONOTONIC did not. */
static void
test_slept(void)
{
	struct client_alive a;

	client_alive_init(&a, 100 * S, 50 * S);
	is_int(client_alive_look(&a, 3700 * S, 52 * S), ALIVE_ASK, "an hour asleep: it is asked");
	is_int(client_alive_due(&a), 3703 * S, "and has 3 s");
	is_int(client_alive_look(&a, 3702 * S, 54 * S), ALIVE_WAIT, "not less");
	is_int(client_alive_look(&a, 3703 * S, 55 * S), ALIVE_LOST, "not more");
	client_alive_init(&a, 100 * S, 50 * S);
	is_int(client_alive_look(&a, 110 * S, 60 * S), ALIVE_ASK, "asked, and then asleep");
	is_int(client_alive_look(&a, 4000 * S, 62 * S), ALIVE_ASK,
	    "that answer went to nobody: asked again, not given up");
	client_alive_heard(&a, 4001 * S);
	is_int(client_alive_look(&a, 4002 * S, 64 * S), ALIVE_WAIT, "it is there");
	/* Stopped, and not asleep: both clocks went on. */
	is_int(
	    client_alive_look(&a, 4100 * S, 162 * S), ALIVE_ASK, "stopped for long: asked first");
	is_int(client_alive_due(&a), 4115 * S, "with all the time to answer");
}

int
main(void)
{
	test_awake();
	test_slept();
	return done_testing();
}
