/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A screen as bytes, taken by another: both show the same, and go on the same to the last cell. */
#include <stdlib.h>

#include "mirror_util.h"
#include "screen/screen_dump.h"
#include "tap.h"

static const int sizes[][2] = {{24, 80}, {10, 30}, {5, 12}, {2, 4}, {7, 3}};

struct tally {
	int bad, done, later, unlike;
};

static void
feed(struct screen *s, const char *p, size_t n, unsigned resize, int rows, int cols)
{
	if (resize % 4 == 0)
		screen_resize(
		    s, rows + (int)(resize / 4 % 7) - 3, cols + (int)(resize / 64 % 9) - 4);
	screen_feed(s, p, n);
}

static void
one(struct tally *t, int seed, int rows, int cols)
{
	struct screen *s = screen_new(rows, cols), *to = screen_new(seed % 2 ? 24 : rows, 80);
	static char program[6000];
	unsigned resize;
	struct buf out;
	size_t n, cut;

	mu_seed = (uint64_t)seed * 2654435761u + 88172645463325252u;
	buf_init(&out, (size_t)1 << 22);
	n = mu_program(program, seed % 3 ? 600 : sizeof(program), rows, cols);
	feed(to, program, n / 2, mu_rnd(1000), rows, cols);
	cut = n - (seed % 2 ? mu_rnd(8) : 0);
	feed(s, program, cut / 2, mu_rnd(1000), rows, cols);
	feed(s, program + cut / 2, cut - cut / 2, mu_rnd(1000), rows, cols);
	if (screen_dump(s, &out) < 0) {
		t->later++;
		goto out;
	}
	t->done++;
	if (screen_load(to, buf_head(&out), out.len) < 0)
		t->bad++;
	if (!screen_same(s, to)) {
		t->unlike++;
		goto out;
	}
	for (int i = 0; i < 6; i++) {
		n = mu_program(program, 60, rows, cols);
		resize = mu_rnd(1000);
		feed(s, program, n, resize, rows, cols);
		feed(to, program, n, resize, rows, cols);
		if (!screen_same(s, to)) {
			if (t->bad++ == 0 || getenv("V"))
				printf("# seed %d: %dx%d, going on %d\n", seed, rows, cols, i);
			break;
		}
	}
out:
	buf_fini(&out);
	screen_free(s);
	screen_free(to);
}

static void
test_random(void)
{
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct tally t = {0};

		for (int seed = 1; seed <= 300; seed++)
			one(&t, seed, sizes[i][0], sizes[i][1]);
		ok(t.bad == 0, "%dx%d: %d of %d random programs differ", sizes[i][0], sizes[i][1],
		    t.bad, t.done);
		/* Seen at once, and then taken at a later event. */
		ok(t.unlike + t.later <= 3, "%d cannot be told, %d are not the same", t.later,
		    t.unlike);
	}
}

/* What no dump says, and dumps that are cut anywhere. */
static void
test_hostile(void)
{
	struct screen *s = screen_new(24, 80);
	unsigned char raw[400];
	struct buf out;
	int taken = 0;

	buf_init(&out, (size_t)1 << 22);
	screen_feed(s, "\x1b[31mred\r\n\xe4\xb8", 12);
	ok(screen_dump(s, &out) == 0 && out.len < sizeof(raw), "a small one");
	for (size_t n = 0; n < 98; n++)
		taken += screen_load(s, buf_head(&out), n) == 0;
	ok(taken == 0, "cut within its head it is refused");
	for (size_t i = 0; i < 100; i++) {
		memcpy(raw, buf_head(&out), out.len);
		raw[i] ^= 0xff;
		if (screen_load(s, raw, out.len) == 0)
			screen_feed(s, "\x1b[5;5Hx\xb8", 8);
	}
	ok(screen_sound(s), "whatever it says, nothing is damaged");
	buf_fini(&out);
	screen_free(s);
}

int
main(void)
{
	test_hostile();
	test_random();
	return done_testing();
}
