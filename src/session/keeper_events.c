/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New sizes and signals from the client.  Each is an event of the recording, so a client that sends
 * them without end would fill the disk: what repeats itself within a moment is done once, at the
 * moment's end, as the kernel does with a signal that is pending already. */
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pty/pty.h"
#include "session/keeper_int.h"

/* A window that is dragged is drawn at most this often. */
#define RESIZE_NS (20 * NS_PER_MS)
#define SIGNAL_NS (100 * NS_PER_MS)

static const struct {
	const char *name;
	int signo;
} signals[KEEPER_SIGNALS] = {{"HUP", SIGHUP}, {"INT", SIGINT}, {"QUIT", SIGQUIT}, {"TERM", SIGTERM},
    {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"TSTP", SIGTSTP}, {"CONT", SIGCONT},
    {"ALRM", SIGALRM}, {"PIPE", SIGPIPE}};

static void
left_out(struct keeper *k, const char *what, uint64_t *n)
{
	json_t *facts;

	if (*n == 0)
		return;
	facts = json_pack("{s:s, s:I}", "what", what, "count", (json_int_t)*n);
	cast_event(k->cast, clock_mono(), "merged", facts, NULL);
	json_decref(facts);
	*n = 0;
}

static void
resize_due(void *arg)
{
	struct keeper *k = arg;
	struct winsize *ws = &k->resize.size;

	if (!k->resize.waiting || k->phase >= KEEPER_TELLING)
		return;
	k->resize.waiting = false;
	left_out(k, "resize", &k->resize.left_out);
	k->resize.now = *ws;
	if (k->master >= 0) {
		pty_resize(k->master, ws);
		cast_resize(k->cast, clock_mono(), ws->ws_col, ws->ws_row, NULL);
	}
	k->resize.next = clock_mono() + RESIZE_NS;
	for (struct keeper_client *c = k->clients; c; c = c->next)
		keeper_fit(c);
}

static void
want_size(struct keeper *k, const struct winsize *ws)
{
	if (k->resize.waiting)
		k->resize.left_out++;
	k->resize.size = *ws;
	k->resize.waiting = true;
}

static void
resize_soon(struct keeper *k, const struct winsize *ws)
{
	int64_t now = clock_mono();

	want_size(k, ws);
	if (now >= k->resize.next)
		resize_due(k);
	else if (!k->resize.timer.linked)
		loop_timer_set(k->loop, &k->resize.timer, k->resize.next - now, resize_due, k);
}

void
keeper_resize(struct keeper *k, const struct winsize *ws)
{
	const struct winsize *is = k->resize.waiting ? &k->resize.size : &k->resize.now;

	if (memcmp(is, ws, sizeof *ws) == 0)
		return;
	want_size(k, ws);
	resize_due(k);
}

int
keeper_take_winch(struct keeper_client *c, const struct frame *f)
{
	struct rd r = {f->data, f->len, false};
	struct winsize ws;

	ws.ws_row = rd_u16(&r);
	ws.ws_col = rd_u16(&r);
	ws.ws_xpixel = rd_u16(&r);
	ws.ws_ypixel = rd_u16(&r);
	if (r.bad || r.n != 0 || ws.ws_row == 0 || ws.ws_col == 0)
		return -1;
	c->size = ws;
	/* Else it waits until the screen is painted, or the keyboard is got. */
	if (c == c->k->keyboard && !keeper_is_painting(c))
		resize_soon(c->k, &ws);
	keeper_fit(c);
	return 0;
}

static void
signal_foreground(struct keeper *k, int signo)
{
	pid_t group = k->master >= 0 ? tcgetpgrp(k->master) : k->child.pid;

	if (k->leader_gone || group <= 1)
		return;
	/* The leader is not reaped before we say so: its group cannot be another's.  The terminal's
	 * can: its processes may be gone for long, and their number be in use again. */
	if (group == k->child.pid)
		kill(-group, signo);
	else
		enter_tree_signal_group(&k->sys, &k->child.tree, group, signo);
}

static void
send_signal(struct keeper *k, const char *name, int signo)
{
	json_t *facts = json_pack("{s:s}", "name", name);

	cast_event(k->cast, clock_mono(), "signal", facts, NULL);
	json_decref(facts);
	signal_foreground(k, signo);
}

void
keeper_redraw(struct keeper *k)
{
	if (k->master >= 0)
		signal_foreground(k, SIGWINCH);
}

/* As keys do; and CONT would set going what stands still by SIGSTOP.  What is killed may be. */
static bool
is_held(const struct keeper *k, int signo)
{
	return k->frozen && signo != SIGKILL;
}

static void
signals_due(void *arg)
{
	struct keeper *k = arg;
	int64_t now = clock_mono(), soonest = 0;

	for (size_t i = 0; i < KEEPER_SIGNALS && k->phase < KEEPER_TELLING; i++) {
		struct keeper_signal *s = &k->signals[i];

		if (is_held(k, signals[i].signo))
			continue;
		if (s->waiting && now >= s->next) {
			s->waiting = false;
			left_out(k, signals[i].name, &s->left_out);
			send_signal(k, signals[i].name, signals[i].signo);
			s->next = now + SIGNAL_NS;
		} else if (s->waiting && (soonest == 0 || s->next < soonest)) {
			soonest = s->next;
		}
	}
	if (soonest)
		loop_timer_set(k->loop, &k->t_signals, soonest - now, signals_due, k);
}

int
keeper_take_signal(struct keeper *k, const struct frame *f)
{
	for (size_t i = 0; i < KEEPER_SIGNALS; i++) {
		struct keeper_signal *s = &k->signals[i];

		if (strlen(signals[i].name) != f->len ||
		    memcmp(signals[i].name, f->data, f->len) != 0)
			continue;
		if (s->waiting)
			s->left_out++;
		s->waiting = true;
		signals_due(k);
		return 0;
	}
	return -1;
}

void
keeper_signals_held(struct keeper *k)
{
	signals_due(k);
}

void
keeper_events_over(struct keeper *k)
{
	loop_timer_clear(k->loop, &k->resize.timer);
	loop_timer_clear(k->loop, &k->t_signals);
	loop_timer_clear(k->loop, &k->t_eof);
	k->resize.left_out += k->resize.waiting;
	left_out(k, "resize", &k->resize.left_out);
	for (size_t i = 0; i < KEEPER_SIGNALS; i++) {
		k->signals[i].left_out += k->signals[i].waiting;
		left_out(k, signals[i].name, &k->signals[i].left_out);
	}
}
