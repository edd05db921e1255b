/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/run_int.h"

#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"

static int64_t
boot_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* A timer of CLOCK_BOOTTIME that came due in its sleep wakes nobody, but fires right after it. */
static void
look_again(struct client_run *s)
{
	int64_t at = client_alive_due(&s->alive);
	struct itimerspec its = {.it_value = {at / NS_PER_S, at % NS_PER_S}};

	timerfd_settime(s->alive_fd, TFD_TIMER_ABSTIME, &its, NULL);
}

/* What the network has not taken over: socket(7) has it for TCP and unix sockets alike. */
static int
unsent(const struct client_run *s)
{
	int n = 0;

	return ioctl(tp_client_fd(s->link.c), SIOCOUTQ, &n) < 0 ? 0 : n;
}

static int
ask(struct client_run *s)
{
	/* What is ahead of the question; itself it proves nothing, a master takes it at once. */
	s->unsent = unsent(s);
	look_again(s);
	return client_run_send(s, FR_PING, NULL, 0);
}

static void
silent(struct client_run *s)
{
	struct err why;

	err_set(&why, ERR_TRANSPORT, 0, "the connection to the agent was lost");
	err_why(
	    &why, "it did not answer within %d s", (int)((boot_now() - s->alive.heard) / NS_PER_S));
	client_run_lost(s, &why);
}

static void
look(struct client_run *s)
{
	int left;

	switch (client_alive_look(&s->alive, boot_now(), clock_mono())) {
	case ALIVE_ASK:
		if (ask(s) < 0)
			client_run_fail(s);
		break;
	case ALIVE_LOST:
		/* A slow way is none that is lost: the question waits behind what was sent. */
		left = unsent(s);
		if (left < s->unsent) {
			s->unsent = left;
			s->alive.asked = boot_now();
			break;
		}
		silent(s);
		break;
	case ALIVE_WAIT:
		break;
	}
}

static void
on_time(void *arg, short revents)
{
	struct client_run *s = arg;
	uint64_t times;
	struct err why;

	(void)revents;
	if (read(s->alive_fd, &times, sizeof(times)) < 0)
		return;
	if (!s->link.c || s->lost || s->link.asked)
		return;
	/* Stopped, or slow ourselves: the answer may be here. */
	if (tp_client_turn(s->link.c, &why) < 0)
		client_run_lost(s, &why);
	client_run_pump(s);
	if (s->state != RUN_OPEN || !s->link.c || s->lost)
		return;
	if (s->blocked)
		client_run_heard(s);
	look(s);
	if (s->state == RUN_OPEN)
		client_run_pump(s);
	if (s->link.c)
		look_again(s);
}

void
client_run_heard(struct client_run *s)
{
	client_alive_heard(&s->alive, boot_now());
}

int
client_run_key(struct client_run *s)
{
	if (!s->link.c || s->lost || s->link.asked)
		return 0;
	return client_alive_typed(&s->alive, boot_now()) == ALIVE_ASK ? ask(s) : 0;
}

int
client_run_pulse(struct client_run *s)
{
	client_alive_init(&s->alive, boot_now(), clock_mono());
	if (s->alive_fd < 0) {
		s->alive_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
		s->alive_src =
		    s->alive_fd < 0 ? NULL : loop_add_in(s->loop, s->alive_fd, on_time, s);
	}
	if (!s->alive_src)
		return -1;
	look_again(s);
	return 0;
}

void
client_run_pulse_end(struct client_run *s)
{
	loop_del(&s->alive_src);
	fd_close(&s->alive_fd);
}
