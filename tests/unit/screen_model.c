/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "screen/screen.h"
#include "screen/screen_int.h"
#include "screen_util.h"
#include "tap.h"

static struct screen *
fresh(const char *bytes, size_t n)
{
	struct screen *s = screen_new(24, 80);

	screen_feed(s, bytes, n);
	return s;
}

#define FRESH(lit) fresh(lit, sizeof(lit) - 1)
#define FEED(s, lit) screen_feed(s, lit, sizeof(lit) - 1)

static void
test_text(void)
{
	struct screen *s = FRESH("one\r\n\033[1;31mtwo\033[m \xc3\xa9\xe4\xb8\xad!");
	struct screen_cell c;
	int row, col;

	is_str(row_text(s, 0), "one", "a row");
	is_str(row_text(s, 1), "two \xc3\xa9\xe4\xb8\xad!", "with wide and accented ones");
	screen_cell(s, 1, 0, &c);
	ok(c.attrs == SCREEN_BOLD && c.fg.kind == 1 && c.fg.r == 1 && c.bg.kind == 0, "its looks");
	screen_cell(s, 1, 5, &c);
	is_int(c.width, 2, "a wide one");
	screen_cell(s, 1, 6, &c);
	is_int(c.width, 0, "and its right half");
	ok(screen_cursor(s, &row, &col) && row == 1 && col == 8, "the cursor");
	FEED(s, "\033[?25l\033[?1049h");
	ok(!screen_cursor(s, &row, &col) && screen_alt(s), "hidden, alternate screen");
	is_str(row_text(s, 0), "", "which is empty");
	FEED(s, "\033[?1049l");
	is_str(row_text(s, 0), "one", "the primary one is back");
	FEED(s, "\033[?1049h\033c");
	ok(!screen_alt(s), "a reset leaves the alternate screen");
	screen_free(s);
}

static void
test_filter(void)
{
	static const char strings[] =
	    "\033]0;title\a\033]52;c;aGk=\033\\\033Pq#0;2\033\\\033_G\033\\"
	    "\033^x\033\\\033Xy\033\\\033]8;;http://h\033\\a\033]8;;\033\\b";
	struct screen *s = fresh(strings, sizeof(strings) - 1);
	struct screen_cell c;

	is_str(row_text(s, 0), "ab", "no string reaches the screen");
	screen_free(s);
	s = FRESH("a\xe2\x80\xae\xe2\x80\x8b\xc2\x9b[2Jb\xff\xc0\xaf\xed\xa0\x80\xe2\x82");
	FEED(s, "c\xe4");
	FEED(s, "\xb8");
	FEED(s, "\xad");
	is_str(row_text(s, 0),
	    "a["
	    "2Jb\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf"
	    "\xbd"
	    "c\xe4\xb8\xad",
	    "hidden and wrong ones; a character in three pieces");
	screen_free(s);
	s = FRESH("e\xcc\x81\xcc\x82\xcc\x83\xcc\x84x");
	screen_cell(s, 0, 0, &c);
	ok(c.ch[0] == 'e' && c.ch[1] == 0x301 && c.ch[2] == 0x302, "two marks are kept");
	is_str(row_text(s, 0), "e\xcc\x81\xcc\x82x", "and no more");
	screen_free(s);
	s = FRESH("ab\033[3b\r\n-\033[99999999999999999999b");
	is_str(row_text(s, 0), "abbbb", "repeat");
	is_int((intmax_t)strlen(row_text(s, 1)), 80, "a line at most");
	screen_free(s);
	s = FRESH("\033(0lqk\033(B");
	is_str(row_text(s, 0), "\xe2\x94\x8c\xe2\x94\x80\xe2\x94\x90", "line drawing");
	screen_free(s);
	s = FRESH("a\033[1;2;3;4;5;6;7;8;9;1;2;3;4;5;6;7;8;9;1;2;3;4;5;6;7;8;9;31;32mb");
	is_str(row_text(s, 0), "ab", "more arguments than the library has room for");
	ok(screen_sound(s), "overwrite nothing");
	screen_free(s);
}

static void
test_newline(void)
{
	struct screen *s = FRESH("a\nb");

	is_str(row_text(s, 1), " b", "a line feed");
	screen_free(s);
	s = screen_new(24, 80);
	screen_set_newline(s, true);
	FEED(s, "a\nb\r\nc");
	is_str(row_text(s, 1), "b", "as a new line");
	is_str(row_text(s, 2), "c", "or with its own return");
	screen_free(s);
}

static void
test_size(void)
{
	static const int sizes[][4] = {{0, 0, 2, 2}, {-5, 1, 2, 2}, {1 << 30, 1 << 30, 500, 1000},
	    {1, 80, 2, 80}, {24, 80, 24, 80}};
	struct screen *s;
	int row, col;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		s = screen_new(sizes[i][0], sizes[i][1]);
		ok(screen_rows(s) == sizes[i][2] && screen_cols(s) == sizes[i][3], "clamped %zu",
		    i);
		screen_resize(s, 24, 80);
		screen_resize(s, sizes[i][0], sizes[i][1]);
		ok(screen_rows(s) == sizes[i][2] && screen_cols(s) == sizes[i][3], "resized %zu",
		    i);
		screen_free(s);
	}
	s = FRESH("top\r\nnext");
	screen_resize(s, 10, 40);
	is_str(row_text(s, 0), "top", "what fits stays where it was");
	ok(screen_cursor(s, &row, &col) && row == 1 && col == 4, "and so does the cursor");
	screen_free(s);
}

struct lines {
	char text[256];
	int wipes;
};

static void
on_line(void *arg, const char *text, size_t n, bool full)
{
	struct lines *l = arg;
	size_t at = strlen(l->text);

	snprintf(l->text + at, sizeof(l->text) - at, "%.*s%s", (int)n, text, full ? "" : "|");
}

static void
on_wipe(void *arg)
{
	((struct lines *)arg)->wipes++;
}

static void
test_hooks(void)
{
	struct lines l = {0};
	struct screen_hooks h = {on_line, on_wipe, &l};
	struct screen *s = screen_new(2, 4);

	screen_set_hooks(s, &h);
	FEED(s, "a\r\nbcdefg\r\nh");
	is_str(l.text, "a|bcde", "lines that left, a wrapped one joined");
	FEED(s, "\033[2J\033[?1049h\033c");
	is_int(l.wipes, 2, "wipes are told");
	FEED(s, "\033[?1049h\033[?1049l\033[?1049lx\033[J\033[H\033[J");
	is_int(l.wipes, 4, "leaving the alternate screen, and from the top down");
	screen_free(s);
}

static void
test_save(void)
{
	static const char before[] =
	    "\033[5;10r\033[2;3Habc\0337\033[1;32m\033(0q\033[?1049hX\033[4h\033[3";
	static const char after[] = "1mzzz\033[?1049l\0338q\n\n\n\n\n\n\n\n\n\nend\xe4\xb8\xad";
	struct screen *s = fresh(before, sizeof(before) - 1), *other = screen_new(24, 80);
	struct buf state, once, twice;

	buf_init(&state, 1 << 24);
	buf_init(&once, 1 << 24);
	buf_init(&twice, 1 << 24);
	screen_save(s, &state);
	screen_feed(s, after, sizeof(after) - 1);
	screen_save(s, &once);
	screen_resize(s, 100, 200);
	FEED(s, "\033cgarbage");
	is_int(screen_restore(s, buf_head(&state), state.len), 0, "restored");
	is_int(screen_rows(s), 24, "size too");
	screen_feed(s, after, sizeof(after) - 1);
	screen_save(s, &twice);
	ok(once.len == twice.len && memcmp(buf_head(&once), buf_head(&twice), once.len) == 0,
	    "what follows comes out the same, to the bit");
	ok(screen_sound(s), "memory is sound");
	is_int(screen_restore(other, buf_head(&state), state.len), -1, "not into another screen");
	is_int(screen_restore(s, buf_head(&state), 10), -1, "not a piece");
	buf_fini(&state);
	buf_fini(&once);
	buf_fini(&twice);
	screen_free(s);
	screen_free(other);
}

/* Our table of marks must hold every one that the library joins to the character before. */
static void
test_marks(void)
{
	struct screen *s = screen_new(2, 80);
	int row, col, missing = 0;
	char out[8];
	uint32_t cp;

	for (cp = 0xa0; cp < 0x20000; cp++) {
		if (!screen_cp_safe(cp) || screen_cp_combines(cp))
			continue;
		out[0] = '\r';
		screen_feed(s, out, 1 + screen_cp_utf8(cp, out + 1));
		screen_cursor(s, &row, &col);
		if (col == 0 && missing++ < 5)
			printf("# U+%04x takes no column\n", (unsigned)cp);
	}
	is_int(missing, 0, "every mark is known");
	screen_free(s);
}

int
main(void)
{
	test_text();
	test_filter();
	test_newline();
	test_size();
	test_hooks();
	test_save();
	test_marks();
	return done_testing();
}
