/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A terminal is painted on a fresh one: both show the same, and go on the same. */
#include <stdlib.h>

#include "mirror_util.h"
#include "tap.h"

#define ALL (MIRROR_SCREEN | MIRROR_SCROLLBACK)

static const int sizes[][2] = {{24, 80}, {10, 30}, {5, 12}, {2, 4}, {40, 132}, {7, 3}};

/* Rows and columns of a screen are few enough for everything to happen often. */
static const char *
one(int seed, int rows, int cols, size_t len)
{
	char *program = malloc(len);
	struct mirror *m = mirror_new(rows, cols), *to;
	const char *why = NULL;
	static char text[400];
	const char *stage = "painted";
	size_t n;

	mu_seed = (uint64_t)seed * 2654435761u + 88172645463325252u;
	n = mu_program(program, len, rows, cols);
	mirror_feed(m, program, n);
	to = mu_painted(m, rows, cols, ALL);
	why = to ? mu_differ(m, to, true) : "no painting";
	if (!why) {
		stage = "going on";
		n = mu_program(program, len, rows, cols);
		/* What REP repeats is no part of a painting. */
		to->s->flags.filter.last = m->s->flags.filter.last;
		mirror_feed(m, program, n);
		mirror_feed(to, program, n);
		why = mu_differ(m, to, true);
	}
	mirror_free(to);
	if (!why) {
		/* Over something else. */
		to = mirror_new(rows, cols);
		struct buf out;

		stage = "painted over";
		buf_init(&out, MIRROR_PAINT_MAX);
		n = mu_program(program, len, rows, cols);
		mirror_feed(to, program, n);
		mirror_paint(m, rows, cols, MIRROR_SCREEN, &out);
		mirror_feed(to, buf_head(&out), out.len);
		buf_fini(&out);
		/* Modes that are no screen's, and that the program never named. */
		to->modes.on &= m->modes.touched | ~(uint32_t)(MM_BLINK | MM_META | MM_WHEEL);
		why = mu_differ(m, to, false);
		mirror_free(to);
	}
	mirror_free(m);
	free(program);
	if (why)
		snprintf(text, sizeof(text), "%s: %s", stage, why);
	return why ? text : NULL;
}

static void
test_random(void)
{
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		const char *why = NULL;
		int seed, bad = 0;

		for (seed = 1; seed <= 300; seed++) {
			const char *w = one(seed, sizes[i][0], sizes[i][1], seed % 3 ? 600 : 4000);

			if (w && (!why || getenv("V"))) {
				why = w;
				printf("# seed %d: %s\n", seed, w);
			}
			bad += w != NULL;
		}
		ok(bad == 0, "%dx%d: %d of 300 random programs differ", sizes[i][0], sizes[i][1],
		    bad);
	}
}

/* What is painted for another size is what the mirror becomes when it is resized: they go on the
 * same. */
static const char *
resized(int seed, const int *from, const int *to)
{
	char program[3000];
	struct mirror *m = mirror_new(from[0], from[1]), *other;
	const char *why;
	size_t n;

	mu_seed = (uint64_t)seed * 2654435761u + 88172645463325252u;
	n = mu_program(program, sizeof(program), from[0], from[1]);
	mirror_feed(m, program, n);
	other = mu_painted(m, to[0], to[1], ALL);
	mirror_resize(m, to[0], to[1]);
	why = other ? mu_differ(m, other, false) : "no painting";
	if (!why) {
		n = mu_program(program, sizeof(program), to[0], to[1]);
		other->s->flags.filter.last = m->s->flags.filter.last;
		mirror_feed(m, program, n);
		mirror_feed(other, program, n);
		why = mu_differ(m, other, false);
	}
	mirror_free(m);
	mirror_free(other);
	return why;
}

static void
test_resized(void)
{
	for (size_t i = 0; i + 1 < COUNT_OF(sizes); i++) {
		int seed, bad = 0;

		for (seed = 1; seed <= 200; seed++) {
			const char *w = resized(seed, sizes[i], sizes[i + 1]);

			if (w && (bad == 0 || getenv("V")))
				printf("# resize seed %d: %s\n", seed, w);
			bad += w != NULL;
		}
		ok(bad == 0, "%dx%d to %dx%d: %d of 200 differ", sizes[i][0], sizes[i][1],
		    sizes[i + 1][0], sizes[i + 1][1], bad);
	}
}

static struct mirror *
fresh(int rows, int cols, const char *bytes)
{
	struct mirror *m = mirror_new(rows, cols);

	mirror_feed(m, bytes, strlen(bytes));
	return m;
}

static const char *
row(struct mirror *m, int r)
{
	static struct buf out;

	mirror_settle(m);
	buf_fini(&out);
	buf_init(&out, 65536);
	screen_row_text(m->s, r, &out, NULL);
	return buf_cstr(&out);
}

static void
test_wrap(void)
{
	struct mirror *m = fresh(4, 10, "0123456789abcdefghijKL\r\n$ x");
	struct mirror_cursor c;

	mirror_resize(m, 4, 20);
	is_str(row(m, 0), "0123456789abcdefghij", "lines are joined and wrapped anew");
	is_str(row(m, 1), "KL", "as far as they go");
	is_str(row(m, 2), "$ x", "what follows comes up");
	mirror_cursor(m, &c);
	ok(c.row == 2 && c.col == 3, "with the cursor");
	mirror_resize(m, 3, 8);
	is_str(row(m, 0), "89abcdef", "smaller: what is above scrolls away");
	is_str(row(m, 2), "$ x", "the rest stays");
	is_int(m->back.n, 1, "and is kept");
	mirror_resize(m, 5, 20);
	is_str(row(m, 0), "0123456789abcdefghij", "larger: it comes back");
	mirror_free(m);
	m = fresh(3, 10, "one\r\ntwo\r\nthree\r\nfour\033[H\033[2J$ ");
	mirror_resize(m, 5, 10);
	is_str(row(m, 0), "$", "not when there are rows left below: it stays at the top");
	is_int(m->back.n, 1, "and what scrolled away, away");
	mirror_free(m);
	m = fresh(3, 10, "one\r\ntwo\r\nthree\r\nfour\r\nfive");
	mirror_resize(m, 5, 10);
	is_str(row(m, 0), "one", "a full screen grows upwards");
	is_str(row(m, 4), "five", "its last row stays the last");
	is_int(m->back.n, 0, "nothing is twice");
	mirror_free(m);
	m = fresh(3, 10, "top\r\n0123456789\033[?1049h\033[Halt");
	mirror_resize(m, 3, 5);
	is_str(row(m, 0), "alt", "the alternate screen is cut");
	mirror_feed(m, "\033[?1049l!", 9);
	is_str(row(m, 1), "01234", "the primary one below it wrapped");
	is_str(row(m, 2), "5678!", "and goes on where it was left");
	mirror_free(m);
}

static void
test_lines(void)
{
	struct mirror *m = mirror_new(24, 80), *to;
	char line[64];
	int i;

	for (i = 0; i < 12000; i++) {
		snprintf(line, sizeof(line), "\033[3%dmline %d\033[m of many\r\n", i % 8, i);
		mirror_feed(m, line, strlen(line));
	}
	is_int(m->back.n, MIRROR_LINES_MAX, "lines are kept up to a number");
	ok(m->back.bytes < 1 << 20, "in %zu bytes", m->back.bytes);
	to = mu_painted(m, 24, 80, ALL);
	ok(to && !mu_differ(m, to, true), "and painted");
	mirror_free(to);
	mirror_feed(m, "\033[3J", 4);
	is_int(m->back.n, 0, "erased with the screen's memory");
	for (i = 0; i < 20000; i++) {
		for (int j = 0; j < 40; j++) {
			snprintf(line, sizeof(line), "\033[38;2;%d;1;%d;48;2;%d;%d;3mx", j, j,
			    i % 256, j);
			mirror_feed(m, line, strlen(line));
		}
		mirror_feed(m, "\r\n", 2);
	}
	ok(m->back.bytes <= MIRROR_LINES_BYTES && m->back.n > 5000, "%zu in %zu bytes", m->back.n,
	    m->back.bytes);
	to = mu_painted(m, 24, 80, ALL);
	ok(to && to->back.n > 2000, "what fits is painted: %zu", to ? to->back.n : 0);
	ok(to && !mu_differ(m, to, false), "with the screen");
	mirror_free(to);
	mirror_free(m);
}

/* A painting between two halves of anything is no different from none. */
static void
test_halves(void)
{
	static const char whole[] =
	    "a\033[1;38;5;9mb\033(0q\033(B\xe4\xb8\xad\033]0;ti\033\\tle\a-\033[?1049h\033[>4;2m"
	    "\033[2 qc\033P1$r\033\\d\033[3:2:1mx\xf0\x9f\x98\x80y\033]2;x\a!";
	struct mirror *m = fresh(5, 20, whole);
	size_t n = sizeof(whole) - 1, cut, bad = 0;

	for (cut = 0; cut <= n; cut++) {
		struct mirror *half = mirror_new(5, 20), *to;

		mirror_feed(half, whole, cut);
		to = mu_painted(half, 5, 20, ALL);
		mirror_feed(to, whole + cut, n - cut);
		if (mu_differ(m, to, true)) {
			printf("# cut at %zu: %s\n", cut, mu_differ(m, to, true));
			bad++;
		}
		mirror_free(half);
		mirror_free(to);
	}
	is_int(bad, 0, "painted at any byte, it goes on with the next");
	mirror_free(m);
}

int
main(void)
{
	test_random();
	test_resized();
	test_wrap();
	test_lines();
	test_halves();
	return done_testing();
}
