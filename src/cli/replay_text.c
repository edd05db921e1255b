/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/replay_follow.h"
#include "replay/player.h"

#define SCREEN_TEXT_MAX ((size_t)8 << 20)

bool
replay_utf8(void)
{
	static const char *const vars[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	const char *v;
	size_t i;

	for (i = 0; i < COUNT_OF(vars); i++) {
		v = getenv(vars[i]);
		if (v && *v)
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

struct text {
	const struct screen *screen;
	struct buf page, last; /* what stands, and what was printed of a wiped screen last */
	bool ascii;

	/* Following: lines come out as soon as the cursor is below them. */
	bool follow;
	uint64_t top;  /* lines that left the screen: the number of its first row */
	uint64_t upto; /* lines that were printed */
};

static void
put(const struct text *t, const char *p, size_t n)
{
	size_t i;

	if (!t->ascii) {
		fwrite(p, 1, n, stdout);
		return;
	}
	for (i = 0; i < n; i++) {
		if (!((unsigned char)p[i] & 0x80))
			putchar(p[i]);
		else if ((unsigned char)p[i] >= 0xc0)
			putchar('?');
	}
}

static void
on_line(void *arg, const char *p, size_t n, bool on)
{
	struct text *t = arg;

	if (t->top++ < t->upto)
		return;
	t->upto = t->follow ? t->top : 0;
	put(t, p, n);
	if (!on)
		putchar('\n');
}

/* The first row that was not printed. */
static int
fresh_row(const struct text *t)
{
	return t->upto > t->top && !screen_alt(t->screen) ? (int)(t->upto - t->top) : 0;
}

/* Rows that are fresh, down to the last that is not empty. */
static void
take_page(struct text *t)
{
	int row, rows = screen_rows(t->screen);
	size_t end = 0, before;
	enum screen_end how = SCREEN_ENDS;

	buf_clear(&t->page);
	for (row = fresh_row(t); row < rows; row++) {
		before = t->page.len;
		if (screen_row_text(t->screen, row, &t->page, &how) < 0)
			break;
		if (t->page.len > before)
			end = t->page.len + 1;
		if (how != SCREEN_GOES_ON)
			buf_put(&t->page, "\n", 1);
	}
	if (end < t->page.len)
		t->page.len = end;
	else if (end > t->page.len)
		buf_put(&t->page, "\n", 1);
}

/* A program that paints the same again and again is printed once. */
static void
on_wipe(void *arg)
{
	struct text *t = arg;

	take_page(t);
	if (!screen_alt(t->screen))
		t->upto = 0;
	if (t->page.len == t->last.len &&
	    (t->page.len == 0 || memcmp(buf_head(&t->page), buf_head(&t->last), t->page.len) == 0))
		return;
	put(t, (const char *)buf_head(&t->page), t->page.len);
	buf_clear(&t->last);
	buf_put(&t->last, buf_head(&t->page), t->page.len);
}

static void
settle(struct text *t)
{
	enum screen_end how = SCREEN_ENDS;
	int row, end, col;

	screen_cursor(t->screen, &end, &col);
	row = fresh_row(t);
	if (screen_alt(t->screen) || row >= end)
		return;
	buf_clear(&t->page);
	for (; row < end && screen_row_text(t->screen, row, &t->page, &how) == 0; row++) {
		if (how != SCREEN_GOES_ON)
			buf_put(&t->page, "\n", 1);
	}
	put(t, (const char *)buf_head(&t->page), t->page.len);
	t->upto = t->top + (uint64_t)row;
}

static void
play(struct text *t, struct player *p, struct follow *f)
{
	for (;;) {
		while (player_apply(p) && !ferror(stdout))
			;
		if (!f || !player_waiting(p))
			return;
		settle(t);
		if (!follow_more(f))
			return;
		player_more(p);
		if (follow_over(f, NULL))
			player_live(p, false);
	}
}

static int
finish(struct player *p, const struct replay_export *x)
{
	struct err e = {0};

	if (fflush(stdout) != 0 || ferror(stdout)) {
		err_set(&e, ERR_IO, errno, "cannot write the text of %s", x->name);
		return cmd_fail(&e);
	}
	switch (player_ending(p, &e)) {
	case PLAYER_DAMAGED:
		err_hint(&e, "what comes before it was printed");
		return cmd_fail(&e);
	case PLAYER_TRUNCATED:
		replay_say_truncated(x);
		break;
	case PLAYER_WHOLE:
		break;
	}
	return 0;
}

int
replay_text(int fd, const struct replay_export *x)
{
	struct text t = {
	    .ascii = isatty(STDOUT_FILENO) && !replay_utf8(), .follow = x->follow != NULL};
	struct screen_hooks hooks = {on_line, on_wipe, &t};
	struct player *p;
	struct err e;
	int status;

	p = player_open(fd, x->name, &e);
	if (!p)
		return cmd_fail(&e);
	buf_init(&t.page, SCREEN_TEXT_MAX);
	buf_init(&t.last, SCREEN_TEXT_MAX);
	t.screen = player_screen(p);
	player_watch(p, &hooks);
	player_live(p, x->follow != NULL);
	play(&t, p, x->follow);
	take_page(&t);
	put(&t, (const char *)buf_head(&t.page), t.page.len);
	status = finish(p, x);
	buf_fini(&t.page);
	buf_fini(&t.last);
	player_free(p);
	return status;
}
