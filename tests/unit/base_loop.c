/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "tap.h"

#define TAG(c) ((void *)(intptr_t)(c))

static struct loop *l;
static char trace[64];

static void
note(char c)
{
	size_t n = strlen(trace);

	if (n + 1 < sizeof(trace))
		trace[n] = c;
}

static void
clear(void)
{
	memset(trace, 0, sizeof(trace));
}

static void
fire(void *arg)
{
	note((char)(intptr_t)arg);
}

static struct loop_timer again;

static void
fire_again(void *arg)
{
	note('r');
	loop_timer_set(l, &again, 0, fire_again, arg);
}

static struct loop_timer victim;

static void
fire_kill(void *arg)
{
	(void)arg;
	note('k');
	loop_timer_clear(l, &victim);
	loop_stop(l);
}

static void
test_timers(void)
{
	struct loop_timer a = {0}, b = {0}, c = {0};
	int64_t start = clock_mono();

	loop_timer_set(l, &b, 2 * NS_PER_MS, fire, TAG('b'));
	loop_timer_set(l, &a, NS_PER_MS, fire, TAG('a'));
	loop_timer_set(l, &c, 3600 * NS_PER_S, fire, TAG('c'));
	loop_timer_clear(l, &c);
	loop_timer_clear(l, &c);
	while (strlen(trace) < 2)
		loop_turn(l, -1);
	is_str(trace, "ab", "in order");
	ok(clock_mono() - start >= 2 * NS_PER_MS, "not early");
	ok(!a.linked && a.at == 0, "off when fired");
	clear();
	loop_timer_set(l, &again, 0, fire_again, NULL);
	loop_turn(l, -1);
	is_str(trace, "r", "a timer set by itself waits for the next turn");
	loop_timer_clear(l, &again);
	clear();
	loop_timer_set(l, &a, NS_PER_MS, fire_kill, NULL);
	loop_timer_set(l, &victim, NS_PER_MS + 1, fire, TAG('v'));
	loop_run(l);
	is_str(trace, "k", "a timer takes another away");
	clear();
	loop_timer_set(l, &a, 3600 * NS_PER_S, fire, TAG('a'));
	loop_timer_set(l, &a, 0, fire, TAG('A'));
	loop_turn(l, 100);
	is_str(trace, "A", "set again is moved");
	clear();
	start = clock_mono();
	loop_turn(l, 5);
	ok(clock_mono() - start >= 5 * NS_PER_MS, "waits as told");
}

/* Two sources that are ready at once: whichever comes first removes both. */
static struct loop_src *both[2];

static void
ready_remove(void *arg, short revents)
{
	(void)arg;
	note(revents & POLLIN ? 'i' : '?');
	loop_del(&both[0]);
	loop_del(&both[1]);
}

static void
ready_note(void *arg, short revents)
{
	(void)revents;
	note((char)(intptr_t)arg);
}

static struct loop_src *added[40];
static int added_fd;

static void
ready_add(void *arg, short revents)
{
	(void)arg;
	(void)revents;
	note('+');
	/* Enough to make the tables move under the turn. */
	for (size_t i = 0; i < 40; i++)
		added[i] = loop_add_in(l, added_fd, ready_note, TAG('n'));
}

static short interest;

static short
get_interest(void *arg)
{
	(void)arg;
	return interest;
}

static void
test_sources(void)
{
	int p[2];
	struct loop_src *s;

	ok(pipe2(p, O_CLOEXEC) == 0 && write(p[1], "x", 1) == 1, "a pipe");
	added_fd = p[0];
	both[0] = loop_add_in(l, p[0], ready_remove, NULL);
	both[1] = loop_add_in(l, p[0], ready_remove, NULL);
	loop_turn(l, 0);
	is_str(trace, "i", "removed before its turn came");
	ok(!both[0] && !both[1], "pointers cleared");
	loop_del(&both[0]);
	clear();
	loop_turn(l, 0);
	is_str(trace, "", "gone");

	s = loop_add_in(l, p[0], ready_add, NULL);
	loop_turn(l, 0);
	is_str(trace, "+", "added in a callback: next turn");
	loop_del(&s);
	clear();
	loop_turn(l, 0);
	is_int(strlen(trace), 40, "all of them");
	for (size_t i = 0; i < 40; i++)
		loop_del(&added[i]);
	clear();

	s = loop_add(l, p[0], get_interest, ready_note, TAG('s'));
	close(p[1]);
	loop_turn(l, 0);
	is_str(trace, "", "a hang-up without interest does not wake");
	interest = POLLIN;
	loop_turn(l, 0);
	is_str(trace, "s", "with interest it does");
	loop_del(&s);
	close(p[0]);
	ok(!loop_add_in(l, -1, ready_note, NULL), "no descriptor, no source");
}

static void
ready_off(void *arg, short revents)
{
	(void)arg;
	(void)revents;
	note('o');
	interest = 0;
}

static void
test_back_pressure(void)
{
	int p[2];
	struct loop_src *a, *b;

	clear();
	ok(pipe2(p, O_CLOEXEC) == 0 && write(p[1], "x", 1) == 1, "a pipe");
	interest = POLLIN;
	a = loop_add_in(l, p[0], ready_off, NULL);
	b = loop_add(l, p[0], get_interest, ready_note, TAG('b'));
	loop_turn(l, 0);
	is_str(trace, "o", "interest lost within the turn counts");
	loop_del(&a);
	loop_del(&b);
	/* Left for loop_free(). */
	loop_add_in(l, p[0], ready_note, TAG('x'));
	close(p[0]);
	close(p[1]);
}

int
main(void)
{
	l = loop_new();
	test_timers();
	clear();
	test_sources();
	test_back_pressure();
	loop_timer_set(l, &victim, NS_PER_S, fire, TAG('v'));
	loop_free(l);
	ok(!victim.linked, "timers are let go");
	return done_testing();
}
