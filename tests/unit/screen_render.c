/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is drawn is the screen, and is made of nothing but CUP, SGR and safe characters. */
#include <stdlib.h>
#include <unistd.h>

#include "screen/render.h"
#include "screen_util.h"
#include "tap.h"

/* The grammar: ESC [ digits ; digits H, ESC [ digits and semicolons m, safe UTF-8. */
static bool
strict(const unsigned char *p, size_t n)
{
	const unsigned char *end = p + n;
	size_t len, i;
	uint32_t cp;

	while (p < end) {
		if (*p == 0x1b) {
			if (++p == end || *p++ != '[')
				return false;
			while (p < end && ((*p >= '0' && *p <= '9') || *p == ';'))
				p++;
			if (p == end || (*p != 'H' && *p != 'm'))
				return false;
			p++;
			continue;
		}
		len = *p < 0x80	  ? 1
		      : *p < 0xc2 ? 0
		      : *p < 0xe0 ? 2
		      : *p < 0xf0 ? 3
		      : *p < 0xf5 ? 4
				  : 0;
		if (len == 0 || len > (size_t)(end - p))
			return false;
		cp = len == 1 ? *p : *p & (0x7fu >> len);
		for (i = 1; i < len; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return false;
			cp = cp << 6 | (p[i] & 0x3f);
		}
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || !screen_cp_safe(cp))
			return false;
		p += len;
	}
	return true;
}

static uint64_t seed = 424242;

static unsigned
rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

static void
hostile(struct screen *s)
{
	static const char *const bits[] = {"\033]52;c;aGk=\a", "\033P$q\"p\033\\", "\033[6n",
	    "\033[c", "\033[21t", "\033]0;x\a", "\033[?1049h", "\033[?1049l", "\033[31m",
	    "\033[48;2;1;2;3m", "\033[38;5;200;1;3;4;7;9m", "\033[m", "\xe4\xb8\xad", "e\xcc\x81",
	    "\xe2\x80\xae", "\xc2\x9b", "\xf3\xa0\x81\x81", "\xff", "\r\n", "\033[H", "\033[2J",
	    "plain ", "\033[999999999b", "\033(0q", "\033[5;70H", "\x05", "\033[?5h", "\033[8m",
	    "\033[30;40mhid\033[m", "\xf0\x9f\x98\x80"};
	int i;

	for (i = 0; i < 40; i++) {
		const char *b = bits[rnd(sizeof(bits) / sizeof(bits[0]))];

		screen_feed(s, b, strlen(b));
		if (rnd(6) == 0) {
			char c = (char)rnd(256);

			screen_feed(s, &c, 1);
		}
	}
}

static bool
same(const struct screen *a, const struct screen *b, int rows, int cols)
{
	struct screen_cell x, y;
	int row, col, crow, ccol;
	bool shown = screen_cursor(a, &crow, &ccol);

	for (row = 0; row < rows; row++) {
		for (col = 0; col < cols; col++) {
			screen_cell(a, row, col, &x);
			screen_cell(b, row, col, &y);
			if (shown && row == crow && col == ccol)
				x.attrs ^= SCREEN_REVERSE;
			if (x.width == 0 && y.width == 0)
				continue;
			if (memcmp(x.ch, y.ch, sizeof(x.ch)) != 0 || x.width != y.width)
				return false;
			if (memcmp(&x.fg, &x.bg, sizeof(x.fg)) == 0 && x.fg.kind)
				continue; /* revealed */
			if (x.attrs != y.attrs || memcmp(&x.fg, &y.fg, sizeof(x.fg)) != 0 ||
			    memcmp(&x.bg, &y.bg, sizeof(x.bg)) != 0)
				return false;
		}
	}
	return true;
}

/* The bytes drawn, through another screen, give the same cells; also as differences. */
static void
test_round(enum render_colors colors, const char *name)
{
	struct render_opts o = {.colors = colors};
	struct screen *s = screen_new(12, 40), *t = screen_new(12, 40);
	struct render *r = render_new(&o);
	bool clean = true, equal = true;
	size_t bytes = 0;
	struct buf out;
	int i;

	render_resize(r, 12, 40);
	buf_init(&out, 1 << 20);
	for (i = 0; i < 400 && clean && equal; i++) {
		hostile(s);
		if (rnd(20) == 0)
			render_forget(r);
		render_clear(r);
		render_screen(r, s, 0, 12);
		buf_clear(&out);
		if (render_flush(r, &out) < 0)
			abort();
		bytes += out.len;
		clean = strict(buf_head(&out), out.len);
		screen_feed(t, buf_head(&out), out.len);
		equal = colors != RENDER_RGB || same(s, t, 12, 40);
	}
	ok(clean, "%s: only what is allowed, %zu bytes", name, bytes);
	ok(equal, "%s: the same cells", name);
	buf_fini(&out);
	render_free(r);
	screen_free(s);
	screen_free(t);
}

static const char *
drawn(struct render *r)
{
	static struct buf out;

	buf_fini(&out);
	buf_init(&out, 1 << 20);
	render_flush(r, &out);
	return buf_cstr(&out);
}

static void
test_plain(void)
{
	struct render_opts o = {.colors = RENDER_NO_COLOR, .ascii = true};
	struct render *r = render_new(&o);
	struct screen *s = screen_new(2, 10);
	const char *p;

	render_resize(r, 3, 4);
	screen_feed(s, "\033[?25l\033[31mabc\xe4\xb8\xad\r\n\xc3\xa9",
	    strlen("\033[?25l\033[31mabc\xe4\xb8\xad\r\n\xc3\xa9"));
	render_screen(r, s, 0, 2);
	render_text(r, 2, 0, 0, "t\033[2J");
	p = drawn(r);
	ok(strstr(p, "abc") && !strstr(p, "31") && strict((const unsigned char *)p, strlen(p)),
	    "no colour");
	ok(!strchr(p, (char)0xc3) && strstr(p, "?"), "no more than ASCII where UTF-8 is not known");
	ok(strstr(p, "t[2J"), "text of one's own is made harmless");
	is_str(drawn(r), "", "nothing changed, nothing sent");
	render_text(r, 2, 1, 0, "x");
	is_str(drawn(r), "\033[3;2H\033[0mx\033[0m", "only what changed");
	is_int(render_text(r, 2, 2, 0, "long text"), 4, "cut at the edge");
	render_free(r);
	screen_free(s);
}

/* Text of one's own takes the columns that terminals give it, and half a character is none. */
static void
test_wide_text(void)
{
	struct render_opts o = {.colors = RENDER_256};
	struct render *r = render_new(&o);
	struct screen *t = screen_new(2, 10), *s = screen_new(2, 10);
	const char *p;

	render_resize(r, 2, 10);
	is_int(
	    render_width("a\xe6\xb5\xb7z\xcc\x81"), 4, "a wide one is two columns, a mark is none");
	is_int(render_text(r, 0, 0, 0, "a\xe6\xb5\xb7z"), 4, "and so it is drawn");
	is_int(render_text(r, 1, 7, 0, "ab\xe6\xb5\xb7"), 9, "what does not fit is left out");
	p = drawn(r);
	screen_feed(t, p, strlen(p));
	is_str(row_text(t, 0), "a\xe6\xb5\xb7z", "nothing of it is overdrawn");
	is_str(row_text(t, 1), "       ab", "nor at the edge");
	screen_feed(s, "\xe6\xb5\xb7\xe6\xb5\xb7\xe6\xb5\xb7", 9);
	render_clear(r);
	render_screen(r, s, 0, 2);
	render_text(r, 0, 1, 0, "xyz");
	p = drawn(r);
	screen_feed(t, p, strlen(p));
	is_str(row_text(t, 0), " xyz\xe6\xb5\xb7", "of a half that is overdrawn nothing stays");
	render_free(r);
	screen_free(s);
	screen_free(t);
}

static void
test_reveal(void)
{
	struct render_opts o = {.colors = RENDER_256};
	struct render *r = render_new(&o);
	struct screen *s = screen_new(2, 10);

	render_resize(r, 2, 10);
	screen_feed(s, "\033[?25l\033[31;41mhidden", strlen("\033[?25l\033[31;41mhidden"));
	render_screen(r, s, 0, 2);
	ok(strstr(drawn(r), "\033[0;7mhidden"), "text in the colour of its ground is shown");
	render_free(r);
	screen_free(s);
}

int
main(void)
{
	alarm(120);
	test_round(RENDER_RGB, "true colour");
	test_round(RENDER_256, "256 colours");
	test_round(RENDER_NO_COLOR, "no colour");
	test_plain();
	test_wide_text();
	test_reveal();
	return done_testing();
}
