/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/replay_term.h"
#include "cli/replay_ui.h"

#define SPEED_MIN 0.0625
#define SPEED_MAX 1024.0
#define WORK_FOR_KEY (40 * NS_PER_MS)
#define THE_END (INT64_MAX / 2)

void
ui_say(struct ui *u, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(u->message, sizeof(u->message), fmt, ap);
	va_end(ap);
	u->dirty = true;
}

void
ui_go(struct ui *u, int64_t t)
{
	u->live = false;
	u->seek_to = t < 0 ? 0 : t;
	player_seek(u->player, u->seek_to);
	u->dirty = true;
}

void
ui_go_live(struct ui *u)
{
	ui_go(u, THE_END);
	u->live = u->playing = u->follow != NULL;
}

static void
step_on(struct ui *u)
{
	uint64_t frame = player_frame(u->player);

	u->playing = u->live = false;
	while (player_frame(u->player) == frame && player_apply(u->player))
		;
	u->clock = player_time(u->player);
}

static void
step_back(struct ui *u)
{
	uint64_t frame = player_frame(u->player);

	u->playing = u->live = false;
	u->seek_to = UI_TO_FRAME;
	player_seek_frame(u->player, frame ? frame - 1 : 0);
}

static void
find(struct ui *u, bool forward)
{
	if (!u->needle[0]) {
		ui_say(u, "type / to search for something first");
		return;
	}
	u->playing = u->live = false;
	u->forward = forward;
	u->seek_to = UI_FINDING;
	player_find(u->player, u->needle, forward);
}

static void
go_to(struct ui *u, const struct player_moment *m, bool after, const char *none)
{
	char at[32];
	bool exact;

	if (!m) {
		player_total(u->player, &exact);
		ui_say(u, "%s", exact || !after ? none : "the file is still being read");
		return;
	}
	u->playing = u->live = false;
	ui_go(u, m->t);
	replay_format_time(m->t, true, at, sizeof(at));
	ui_say(u, "%s at %s", m->label, at);
}

static void
show_typed(struct ui *u)
{
	u->typed = !u->typed;
	if (u->typed && !ui_has_typed(u))
		ui_say(u, "what was typed was not recorded");
}

bool
ui_has_typed(const struct ui *u)
{
	const json_t *coral = json_object_get(player_header(u->player), "coral");

	return !json_is_false(json_object_get(json_object_get(coral, "recorded"), "input"));
}

static void
ask(struct ui *u, enum ui_prompt what)
{
	u->playing = u->live = false;
	ui_draw(u);
	ui_prompt_start(u, what);
}

static void
change_speed(struct ui *u, double by)
{
	double speed = u->speed * by;

	u->speed = speed < SPEED_MIN ? SPEED_MIN : speed > SPEED_MAX ? SPEED_MAX : speed;
}

static void
pause_or_play(struct ui *u)
{
	u->live = false;
	/* From the end, play again; where more comes there is nothing to play yet. */
	if (!u->playing && player_waiting(u->player))
		u->live = true;
	else if (!u->playing && player_next(u->player) < 0)
		ui_go(u, 0);
	u->playing = !u->playing;
}

/* While a seek or a search runs, only to end it. */
static void
busy_key(struct ui *u, enum rkey key)
{
	if (key == RKEY_QUIT) {
		u->quit = true;
	} else if (key == RKEY_ESCAPE) {
		player_cancel(u->player);
		/* A search goes back to where it began. */
		if (u->seek_to != UI_FINDING)
			u->clock = player_time(u->player);
		ui_say(u, "ended");
	}
}

static void
suspend(struct ui *u)
{
	rkeys_stop(u->keys);
	rterm_suspend();
	rkeys_start(u->keys);
	render_forget(u->render);
	u->real = clock_mono();
}

static void
act(struct ui *u, enum rkey key, int64_t arg)
{
	switch (key) {
	case RKEY_NONE:
	case RKEY_ESCAPE:
		break;
	case RKEY_PAUSE:
		pause_or_play(u);
		break;
	case RKEY_STEP:
		step_on(u);
		break;
	case RKEY_STEP_BACK:
		step_back(u);
		break;
	case RKEY_SEEK:
		ui_go(u, u->clock + arg);
		break;
	case RKEY_HOME:
		ui_go(u, 0);
		break;
	case RKEY_END:
		ui_go_live(u);
		break;
	case RKEY_FASTER:
		change_speed(u, 2);
		break;
	case RKEY_SLOWER:
		change_speed(u, 0.5);
		break;
	case RKEY_IDLE:
		u->idle_on = !u->idle_on;
		ui_say(
		    u, u->idle_on && u->idle > 0 ? "long pauses are cut" : "pauses as they were");
		break;
	case RKEY_GOTO:
		ask(u, UI_GOTO);
		break;
	case RKEY_SEARCH:
		ask(u, UI_SEARCH);
		break;
	case RKEY_MOMENT:
	case RKEY_MOMENT_BEFORE:
		go_to(u, player_moment(u->player, u->clock, key == RKEY_MOMENT), key == RKEY_MOMENT,
		    "no more markers");
		break;
	case RKEY_COMMAND:
	case RKEY_COMMAND_BEFORE:
		go_to(u, player_command(u->player, u->clock, key == RKEY_COMMAND),
		    key == RKEY_COMMAND, "no more commands");
		break;
	case RKEY_TYPED:
		show_typed(u);
		break;
	case RKEY_WALL:
		u->wall = !u->wall;
		if (u->wall && player_began(u->player) <= 0)
			ui_say(u, "the recording does not say when it was");
		break;
	case RKEY_NEXT:
		find(u, true);
		break;
	case RKEY_PREV:
		find(u, false);
		break;
	case RKEY_HELP:
		ui_help(u);
		break;
	case RKEY_REDRAW:
		render_forget(u->render);
		break;
	case RKEY_SUSPEND:
		suspend(u);
		break;
	case RKEY_QUIT:
		u->quit = true;
		break;
	}
}

void
ui_key(struct ui *u, enum rkey key, int64_t arg)
{
	u->message[0] = '\0';
	u->ended = false;
	u->dirty = true;
	/* A short seek must not swallow the next key of one that repeats. */
	if (player_busy(u->player) && key != RKEY_ESCAPE) {
		enum player_state st = player_work(u->player, WORK_FOR_KEY);

		if (st != PLAYER_BUSY)
			ui_worked(u, st);
	}
	if (player_busy(u->player)) {
		busy_key(u, key);
		return;
	}
	if (u->help && key != RKEY_QUIT) {
		if (key == RKEY_HELP)
			ui_help(u);
		else
			u->help = 0;
		return;
	}
	act(u, key, arg);
}

void
ui_prompted(struct ui *u, enum ui_prompt what, const char *line)
{
	const char *why;
	struct err e;
	int64_t t;
	bool exact;

	u->dirty = true;
	if (!line)
		return;
	if (what == UI_SEARCH) {
		str_copy(u->needle, line, sizeof(u->needle));
		why = screen_as_shown(u->needle);
		if (why) {
			u->needle[0] = '\0';
			ui_say(u, "%s", why);
			return;
		}
		find(u, true);
	} else if (replay_parse_time(line, player_total(u->player, &exact), &t, &e) < 0) {
		ui_say(u, "%s: write 1:30, 90 or 50%%", e.what);
	} else {
		ui_go(u, t);
		if (!exact && strchr(line, '%'))
			ui_say(u, "%s of what was read so far", line);
	}
}

static void
found(struct ui *u, enum player_state st)
{
	char text[80], at[32];

	str_vis(text, sizeof(text), u->needle);
	if (st != PLAYER_DONE) {
		ui_say(u, "\"%s\" does not appear %s", text, u->forward ? "later" : "earlier");
		return;
	}
	replay_format_time(player_time(u->player), true, at, sizeof(at));
	ui_say(u, "\"%s\" appears at %s", text, at);
}

void
ui_worked(struct ui *u, enum player_state st)
{
	bool seek = u->seek_to != UI_FINDING;

	if (seek || st == PLAYER_DONE)
		u->clock = player_time(u->player);
	if (!seek)
		found(u, st);
	else if (u->seek_to > u->clock && player_next(u->player) >= 0)
		u->clock = u->seek_to;
	u->seek_to = UI_TO_FRAME;
	u->real = clock_mono();
	u->dirty = true;
}
