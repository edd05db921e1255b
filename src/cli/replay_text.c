/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "record/player.h"

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
on_line(void *arg, const char *p, size_t n, bool full)
{
	put(arg, p, n);
	if (!full)
		putchar('\n');
}

/* Rows down to the last that is not empty. */
static void
take_page(struct text *t)
{
	int row, rows = screen_rows(t->screen);
	size_t end = 0, before;
	bool full = false;

	buf_clear(&t->page);
	for (row = 0; row < rows; row++) {
		before = t->page.len;
		if (screen_row_text(t->screen, row, &t->page, &full) < 0)
			break;
		if (t->page.len > before)
			end = t->page.len + 1;
		if (!full)
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
	if (t->page.len == t->last.len &&
	    (t->page.len == 0 || memcmp(buf_head(&t->page), buf_head(&t->last), t->page.len) == 0))
		return;
	put(t, (const char *)buf_head(&t->page), t->page.len);
	buf_clear(&t->last);
	buf_put(&t->last, buf_head(&t->page), t->page.len);
}

static int
finish(struct player *p, const char *name)
{
	struct err e = {0};

	if (fflush(stdout) != 0 || ferror(stdout)) {
		err_set(&e, ERR_IO, errno, "cannot write the text of %s", name);
		return cmd_fail(&e);
	}
	switch (player_ending(p, &e)) {
	case PLAYER_DAMAGED:
		err_hint(&e, "what comes before it was printed");
		return cmd_fail(&e);
	case PLAYER_TRUNCATED:
		fprintf(
		    stderr, "coral: %s is truncated: the end of the session is not in it\n", name);
		break;
	case PLAYER_WHOLE:
		break;
	}
	return 0;
}

int
replay_text(int fd, const char *name)
{
	struct text t = {.ascii = isatty(STDOUT_FILENO) && !replay_utf8()};
	struct screen_hooks hooks = {on_line, on_wipe, &t};
	struct player *p;
	struct err e;
	int status;

	p = player_open(fd, name, &e);
	if (!p)
		return cmd_fail(&e);
	buf_init(&t.page, SCREEN_TEXT_MAX);
	buf_init(&t.last, SCREEN_TEXT_MAX);
	t.screen = player_screen(p);
	player_watch(p, &hooks);
	while (player_apply(p) && !ferror(stdout))
		;
	take_page(&t);
	put(&t, (const char *)buf_head(&t.page), t.page.len);
	status = finish(p, name);
	buf_fini(&t.page);
	buf_fini(&t.last);
	player_free(p);
	return status;
}
