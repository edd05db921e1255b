/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/replay_ui.h"

#define SAID_FOR (3 * NS_PER_S)
#define TITLE_LEAST 8 /* columns, else it is left out */
#define FRAME_MAX ((size_t)64 << 20)

static const char *const help_lines[] = {
    " space        pause and go on            ",
    " . ,          one frame on, back         ",
    " right left   5 s on, back (shift: 60 s) ",
    " 0 $ G        beginning, end, live again ",
    " g            go to a time: 1:30, 90, 50%",
    " / n N        find text, next, previous  ",
    " + -          faster, slower             ",
    " ] [          next marker, previous      ",
    " } {          next command, previous     ",
    " k            what was typed, or not     ",
    " i            cut long pauses, or not    ",
    " w            the time of day, or not    ",
    " ?            this help                  ",
    " q            quit                       ",
};

static const char help_more[] = " ?            the other keys             ";
#define HELP_LINES ((int)COUNT_OF(help_lines))

/* How many lines of it: where not all that are left fit, the last row says so. */
static int
help_shown(const struct ui *u)
{
	int rows = render_rows(u->render) - 1, left = HELP_LINES - (u->help - 1);

	return left <= rows ? left : rows > 1 ? rows - 1 : 1;
}

void
ui_help(struct ui *u)
{
	u->help += u->help > 0 ? help_shown(u) : 1;
	if (u->help > HELP_LINES)
		u->help = 0;
}

static void
draw_help(struct ui *u)
{
	int rows = render_rows(u->render) - 1, cols = render_cols(u->render), n = help_shown(u), i;
	int width = (int)strlen(help_more), left = cols > width ? (cols - width) / 2 : 0;
	bool more = u->help - 1 + n < HELP_LINES;
	int top = rows > n + more ? (rows - n - more) / 2 : 0;

	for (i = 0; i < n && i < rows; i++)
		render_text(u->render, top + i, left, SCREEN_REVERSE, help_lines[u->help - 1 + i]);
	if (more && top + n < rows)
		render_text(u->render, top + n, left, SCREEN_REVERSE, help_more);
}

static const char *
state_word(const struct ui *u)
{
	if (player_busy(u->player))
		return "seek ";
	if (u->playing)
		return u->live ? "live " : "play ";
	if (player_waiting(u->player))
		return "pause";
	return player_next(u->player) < 0 ? "end  " : "pause";
}

/* Of how the file ends, when that is what stands, and why nothing comes before. */
static void
note_end(const struct ui *u, char *out, size_t size)
{
	struct err e;

	if (player_next(u->player) >= 0 || player_waiting(u->player)) {
		if (player_frozen(u->player, u->clock))
			snprintf(out, size, "frozen");
		return;
	}
	switch (player_ending(u->player, &e)) {
	case PLAYER_TRUNCATED:
		snprintf(out, size, "truncated");
		break;
	case PLAYER_DAMAGED:
		snprintf(out, size, "damaged: %.100s", e.why);
		break;
	case PLAYER_WHOLE:
		break;
	}
}

/* What must be said about the file or the picture, or "". */
static void
note(const struct ui *u, char *out, size_t size)
{
	const struct player_moment *m = player_moment(u->player, u->clock + 1, false);
	size_t n;

	out[0] = '\0';
	if (u->message[0]) {
		snprintf(out, size, "%s%s", u->message,
		    u->ended && player_ending(u->player, NULL) == PLAYER_TRUNCATED ? ", truncated"
										   : "");
		return;
	}
	if (player_busy(u->player)) {
		snprintf(out, size, "%d%%, Escape ends it", player_progress(u->player) / 10);
		return;
	}
	note_end(u, out, size);
	n = strlen(out);
	if (u->hidden > 0)
		snprintf(out + n, size - n, "%shidden text is shown reversed", n ? ", " : "");
	else if (m && m->hidden && u->clock - m->t < SAID_FOR)
		snprintf(out + n, size - n, "%s%s", n ? ", " : "", m->label);
}

/* What is left of the terminal for the picture, and the first row of the screen in it: the cursor's
 * row is always seen. */
static int
picture_rows(const struct ui *u)
{
	int rows = render_rows(u->render) - (u->typed ? 2 : 1);

	return rows > 0 ? rows : 1;
}

static int
picture_top(const struct ui *u)
{
	int row, col, rows = picture_rows(u);

	screen_cursor(player_screen(u->player), &row, &col);
	return row < rows ? 0 : row - rows + 1;
}

/* What else there is to say where there is room. */
static void
remark(const struct ui *u, int room, char *out, size_t size)
{
	const struct screen *s = player_screen(u->player);
	int rows = picture_rows(u), top;

	out[0] = '\0';
	if (!player_busy(u->player) &&
	    (screen_rows(s) > rows || screen_cols(s) > render_cols(u->render))) {
		top = picture_top(u);
		if (top == 0)
			snprintf(
			    out, size, "%dx%d, top left shown", screen_cols(s), screen_rows(s));
		else
			snprintf(out, size, "%dx%d, rows %d to %d shown", screen_cols(s),
			    screen_rows(s), top + 1, top + rows);
	}
	if (!out[0] || render_width(out) > room)
		str_copy(out, room >= TITLE_LEAST ? u->title : "", size);
}

static int
draw_bar(struct ui *u, int row, int col, int width)
{
	int64_t total = player_total(u->player, NULL);
	double part = total > 0 ? (double)u->clock / (double)total : 0;
	char bar[48];
	int i, full;

	if (width > (int)sizeof(bar) - 3)
		width = (int)sizeof(bar) - 3;
	full = part < 1 ? (int)(part * width + 0.5) : width;
	bar[0] = '[';
	for (i = 0; i < width; i++)
		bar[i + 1] = i < full ? '=' : ' ';
	bar[width + 1] = ']';
	bar[width + 2] = '\0';
	return render_text(u->render, row, col, SCREEN_REVERSE, bar);
}

/* The state, the time, and of the rest the first so many. */
static void
facts(const struct ui *u, int parts, char *out, size_t size)
{
	char now[32], end[32], all[40] = "", speed[24] = "", idle[40] = "",
			       wall[CLOCK_ISO_SIZE + 2] = "";
	bool exact;
	int64_t total = player_total(u->player, &exact);

	replay_format_time(u->clock, true, now, sizeof(now));
	replay_format_time(total < u->clock ? u->clock : total, true, end, sizeof(end));
	if (parts >= 1 && u->wall && player_began(u->player) > 0) {
		str_copy(wall, "  ", sizeof(wall));
		clock_iso(player_began(u->player) + u->clock, wall + 2);
	}
	if (parts >= 2)
		snprintf(all, sizeof(all), " / %s%s", end, exact ? "" : "+");
	if (parts >= 3)
		snprintf(speed, sizeof(speed), "  %gx", u->speed);
	if (parts >= 4 && u->idle_on && u->idle > 0)
		snprintf(idle, sizeof(idle), "  idle %.3gs", (double)u->idle / 1e9);
	snprintf(out, size, " %s %s%s%s%s%s  ", state_word(u), now, all, speed, idle, wall);
}

static void
draw_status(struct ui *u)
{
	int row = render_rows(u->render) - 1, cols = render_cols(u->render), col, room, need, parts;
	char left[200], right[320];

	note(u, right, sizeof(right));
	need = render_width(right);
	/* What is said goes before what stands there always. */
	for (parts = 4; parts >= 0; parts--) {
		facts(u, parts, left, sizeof(left));
		if (render_width(left) + need <= cols)
			break;
	}
	if (parts < 0 && u->message[0])
		str_copy(left, " ", sizeof(left));
	for (col = 0; col < cols; col++)
		render_text(u->render, row, col, SCREEN_REVERSE, " ");
	col = render_text(u->render, row, 0, SCREEN_REVERSE, left);
	room = cols - col;
	if (room > 24 && room - room / 3 - 4 >= need)
		col = draw_bar(u, row, col, room / 3) + 2;
	if (need == 0)
		remark(u, cols - col, right, sizeof(right));
	render_text(u->render, row, col, SCREEN_REVERSE | (need > 0 ? SCREEN_BOLD : 0), right);
}

/* The row above the last: the keys, the newest at the end. */
static void
draw_typed(struct ui *u, int row)
{
	const char *text = ui_has_typed(u) ? player_typed(u->player) : "(not recorded)";
	int col, room;

	if (row < 1)
		return;
	for (col = 0; col < render_cols(u->render); col++)
		render_text(u->render, row, col, SCREEN_UNDERLINE, " ");
	col = render_text(u->render, row, 0, SCREEN_UNDERLINE | SCREEN_BOLD, " keys ");
	room = render_cols(u->render) - col - 1;
	while (*text && render_width(text) > room) {
		do
			text++;
		while ((*text & 0xc0) == 0x80);
	}
	render_text(u->render, row, col, SCREEN_UNDERLINE, text);
}

void
ui_draw(struct ui *u)
{
	struct buf out;

	u->dirty = false;
	u->drawn_at = clock_mono();
	/* While a search runs the screen is not what is to be seen: the old picture stays. */
	if (!player_busy(u->player)) {
		render_clear(u->render);
		u->hidden = render_screen(
		    u->render, player_screen(u->player), picture_top(u), picture_rows(u));
		if (u->typed)
			draw_typed(u, render_rows(u->render) - 2);
		if (u->help)
			draw_help(u);
	}
	draw_status(u);
	buf_init(&out, FRAME_MAX);
	if (render_flush(u->render, &out) == 0 && out.len > 0 &&
	    fd_write_all(u->out, buf_head(&out), out.len) < 0)
		u->quit = true;
	buf_fini(&out);
}
