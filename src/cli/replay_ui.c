/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/replay_follow.h"
#include "cli/replay_term.h"
#include "cli/replay_ui.h"

#define HANG_SECONDS 60
#define WORK_NS (15 * NS_PER_MS)  /* of reading in one turn */
#define TICK_NS (100 * NS_PER_MS) /* between two pictures when only the clock moves */
#define FRAME_NS (16 * NS_PER_MS) /* between any two while playing */

static void drain_keys(struct ui *u, bool late);

static void
escape_late(void *arg)
{
	drain_keys(arg, true);
}

static void
drain_keys(struct ui *u, bool late)
{
	enum rkey key;
	int64_t arg = 0;
	int wait_ms = 0;

	while (!u->quit && u->prompt == UI_NO_PROMPT &&
	       rkeys_next(u->keys, late, &key, &arg, &wait_ms))
		ui_key(u, key, arg);
	if (wait_ms > 0)
		loop_timer_set(u->loop, &u->escape_timer, wait_ms * NS_PER_MS, escape_late, u);
}

static void
on_input(void *arg, short revents)
{
	struct ui *u = arg;

	(void)revents;
	loop_timer_clear(u->loop, &u->escape_timer);
	if (u->prompt != UI_NO_PROMPT) {
		ui_prompt_read(u);
		return;
	}
	if (rkeys_read(u->keys) < 0)
		u->quit = true;
	drain_keys(u, false);
}

static void
resized(struct ui *u)
{
	int rows, cols;

	rterm_size(&rows, &cols);
	if (render_resize(u->render, rows, cols) < 0) {
		u->quit = true;
		return;
	}
	fd_write_all(u->out, "\x1b[0m\x1b[2J", 8);
	ui_draw(u);
	if (u->prompt != UI_NO_PROMPT)
		ui_prompt_resize(u);
}

static void
on_signal(void *arg, short revents)
{
	struct signalfd_siginfo si;
	struct ui *u = arg;

	(void)revents;
	while (read(u->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGWINCH) {
			resized(u);
		} else if (si.ssi_signo == SIGTSTP) {
			ui_prompt_cancel(u);
			ui_key(u, RKEY_SUSPEND, 0);
		} else if (si.ssi_signo != SIGCONT) {
			u->status = 128 + (int)si.ssi_signo;
			u->quit = true;
		}
	}
}

static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Look for more of a session that goes on, and whether it still does. */
static void
follow(struct ui *u)
{
	struct err why = {0};
	bool over;

	if (!u->follow)
		return;
	over = follow_over(u->follow, &why);
	player_more(u->player);
	if (!over)
		return;
	u->follow = NULL;
	player_live(u->player, false);
	if (why.code != ERR_NONE)
		ui_say(u, "%.100s", why.what);
	else
		ui_say(u, "the session has ended");
	u->ended = why.code == ERR_NONE;
}

/* What is there by now, without regard to its time. */
static void
catch_up(struct ui *u, int64_t until)
{
	while (player_next(u->player) >= 0) {
		player_apply(u->player);
		u->dirty = true;
		if (clock_mono() >= until)
			break;
	}
	u->clock = player_time(u->player);
	if (player_next(u->player) < 0 && !player_waiting(u->player))
		u->playing = u->live = false;
}

/* Let the recording's time go by, and show what has come due. */
static void
advance(struct ui *u)
{
	int64_t now = clock_mono(), until = now + WORK_NS, next;
	double dt = (double)(now - u->real) * u->speed;

	u->real = now;
	if (!u->playing || player_busy(u->player))
		return;
	if (u->live) {
		catch_up(u, until);
		return;
	}
	u->clock += (int64_t)dt;
	while ((next = player_next(u->player)) >= 0) {
		if (next > u->clock) {
			if (!u->idle_on || u->idle <= 0 ||
			    u->clock - player_time(u->player) < u->idle)
				return;
			u->clock = next;
		}
		player_apply(u->player);
		u->dirty = true;
		if (clock_mono() >= until) {
			/* Slower than asked for: the clock waits for the pictures. */
			u->clock = player_time(u->player);
			return;
		}
	}
	u->clock = player_time(u->player);
	u->live = u->playing = player_waiting(u->player);
	u->dirty = true;
}

/* Milliseconds until something is due without a key. */
static int
wait_ms(const struct ui *u)
{
	int64_t next = player_next(u->player), due, wait = TICK_NS;

	if (!u->playing)
		return u->follow ? (int)(TICK_NS / NS_PER_MS) : -1;
	due = next < 0 && u->live ? TICK_NS
	      : next < 0	  ? 0
				  : (int64_t)((double)(next - u->clock) / u->speed);
	if (due < wait)
		wait = due;
	if (wait < FRAME_NS)
		wait = FRAME_NS;
	return (int)((wait + NS_PER_MS - 1) / NS_PER_MS);
}

static void
turn(struct ui *u)
{
	enum player_state st = PLAYER_IDLE;
	bool busy = player_busy(u->player);

	rterm_watchdog(HANG_SECONDS);
	if (!busy)
		follow(u);
	advance(u);
	if (u->prompt == UI_NO_PROMPT) {
		st = player_work(u->player, WORK_NS);
		if (busy && st != PLAYER_BUSY)
			ui_worked(u, st);
		if (u->dirty ||
		    ((u->playing || st == PLAYER_BUSY) && clock_mono() - u->drawn_at >= TICK_NS))
			ui_draw(u);
	}
	rterm_watchdog(0);
	loop_turn(u->loop, st == PLAYER_BUSY || u->dirty ? 0 : wait_ms(u));
}

static enum render_colors
colors(void)
{
	const char *none = getenv("NO_COLOR"), *deep = getenv("COLORTERM");

	if ((none && *none) || !rterm_has_colors())
		return RENDER_NO_COLOR;
	return deep && (strcmp(deep, "truecolor") == 0 || strcmp(deep, "24bit") == 0) ? RENDER_RGB
										      : RENDER_256;
}

static int
set_up(struct ui *u, struct err *e)
{
	struct render_opts opts = {.colors = colors(), .ascii = !replay_utf8()};
	int rows, cols;

	u->render = render_new(&opts);
	u->loop = loop_new();
	u->sigfd = open_signals();
	if (!u->render || !u->loop || u->sigfd < 0)
		return err_set(e, ERR_INTERNAL, errno, "cannot start the player");
	if (rterm_enter(u->in, u->out, e) < 0)
		return -1;
	u->keys = rkeys_new(u->in, e);
	if (!u->keys)
		return -1;
	rterm_size(&rows, &cols);
	if (render_resize(u->render, rows, cols) < 0)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot start the player");
	if (!loop_add_in(u->loop, u->in, on_input, u) ||
	    !loop_add_in(u->loop, u->sigfd, on_signal, u))
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot start the player");
	return 0;
}

static void
tear_down(struct ui *u)
{
	ui_prompt_cancel(u);
	rkeys_free(u->keys);
	rterm_leave();
	loop_free(u->loop);
	render_free(u->render);
	player_free(u->player);
	fd_close(&u->sigfd);
	if (u->in != STDIN_FILENO)
		fd_close(&u->in);
}

static void
take_title(struct ui *u)
{
	const char *title = json_string_value(json_object_get(player_header(u->player), "title"));

	if (title && *title)
		str_vis(u->title, sizeof(u->title), title);
	else
		str_copy(u->title, u->name, sizeof(u->title));
}

int
replay_ui(int fd, const struct replay_opts *o)
{
	struct ui u = {.in = STDIN_FILENO,
	    .out = STDOUT_FILENO,
	    .sigfd = -1,
	    .name = o->name,
	    .speed = o->speed,
	    .idle = o->idle,
	    .idle_on = o->idle > 0,
	    .playing = true,
	    .follow = o->follow,
	    .typed = o->typed,
	    .seek_to = UI_TO_FRAME};
	struct err e = {0};
	int64_t from = 0;

	u.player = player_open(fd, o->name, &e);
	if (!u.player)
		return cmd_fail(&e);
	player_live(u.player, o->follow != NULL);
	take_title(&u);
	if (!isatty(u.in))
		u.in = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (u.in < 0)
		err_set(&e, ERR_IO, errno, "cannot open the terminal for keys");
	else if (!o->from || replay_moment(u.player, o->from, &from, &e) == 0)
		set_up(&u, &e);
	if (e.code == ERR_NONE) {
		if (o->from)
			ui_go(&u, from);
		else if (u.follow)
			ui_go_live(&u);
		if (o->stranger)
			ui_say(&u, "this is session %s, another one", o->stranger);
		u.dirty = true;
		u.real = clock_mono();
		while (!u.quit)
			turn(&u);
	}
	tear_down(&u);
	return e.code != ERR_NONE ? cmd_fail(&e) : u.status;
}
