/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "replay/player.h"
#include "replay/player_int.h"
#include "tap.h"

static uint64_t seed = 88172645463325252u;

static unsigned
rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

static struct player *
play(const char *text)
{
	int fd = memfd_create("cast", MFD_CLOEXEC);
	struct player *p;
	struct err e;

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	p = player_open(fd, "test.cast", &e);
	if (!p) {
		err_print(1, &e);
		abort();
	}
	return p;
}

static const char *
first_row(struct player *p)
{
	static struct buf out;

	buf_fini(&out);
	buf_init(&out, 65536);
	screen_row_text(player_screen(p), 0, &out, NULL);
	return buf_cstr(&out);
}

#define HEAD "{\"version\":2,\"width\":20,\"height\":4}\n"

static void
test_small(void)
{
	struct player *p =
	    play(HEAD "[1.0,\"o\",\"one\"]\n[2.5,\"i\",\"x\"]\n[3.0,\"o\",\" two\"]\n"
		      "[4.0,\"r\",\"30x5\"]\n[10.0,\"o\",\" three\"]\n");
	bool exact;

	is_int(player_total(p, &exact), 10 * NS_PER_S, "the length is known at once");
	ok(!exact, "but not for sure");
	is_int(player_time(p), 0, "at the beginning");
	is_int(player_next(p), NS_PER_S, "the first event");
	player_seek(p, 3500 * NS_PER_MS);
	is_int(player_finish(p), PLAYER_DONE, "seek");
	is_str(first_row(p), "one two", "what stands then");
	is_int(player_frame(p), 2, "two frames");
	player_seek_frame(p, 1);
	player_finish(p);
	is_str(first_row(p), "one", "one frame back");
	player_seek(p, INT64_MAX / 2);
	player_finish(p);
	is_str(first_row(p), "one two three", "the end");
	is_int(screen_cols(player_screen(p)), 30, "resized");
	is_int(player_next(p), -1, "nothing is to come");
	is_int(player_ending(p, NULL), PLAYER_WHOLE, "whole");
	player_seek(p, 0);
	player_finish(p);
	is_str(first_row(p), "", "and back");
	is_int(screen_cols(player_screen(p)), 20, "in the first size");
	while (player_work(p, NS_PER_S) == PLAYER_BUSY)
		;
	player_total(p, &exact);
	ok(exact, "the length for sure");
	player_free(p);
}

static void
test_broken(void)
{
	struct player *p = play(HEAD "[1.0,\"o\",\"one\"]\n[2.0,\"o\",\"tw");
	struct err e;

	player_seek(p, INT64_MAX / 2);
	player_finish(p);
	is_str(first_row(p), "one", "what is there");
	is_int(player_ending(p, &e), PLAYER_TRUNCATED, "cut");
	player_free(p);
	p = play(HEAD "[1.0,\"o\",\"one\"]\nnonsense\n[3.0,\"o\",\"x\"]\n");
	player_seek(p, INT64_MAX / 2);
	player_finish(p);
	is_str(first_row(p), "one", "what comes before the damage");
	is_int(player_ending(p, &e), PLAYER_DAMAGED, "damaged");
	is_int(e.code, ERR_BAD_FILE, "and said so");
	player_seek(p, 0);
	player_finish(p);
	player_seek(p, INT64_MAX / 2);
	player_finish(p);
	is_str(first_row(p), "one", "again");
	player_free(p);
	p = play(HEAD);
	is_int(player_next(p), -1, "no events");
	player_seek(p, NS_PER_S);
	is_int(player_finish(p), PLAYER_DONE, "nothing to seek in");
	player_find(p, "x", false);
	is_int(player_finish(p), PLAYER_NOT_FOUND, "or to find");
	player_free(p);
}

/* A random film; big enough for several key frames. */
static char *
random_cast(int events)
{
	static const char *const bits[] = {"\\u001b[31m", "\\u001b[m", "\\r\\n", "\\n", "hello ",
	    "\\u001b[2J", "\\u001b[H", "\\u001b[5;10r", "\\u001b7", "\\u001b8", "\\u001b[?1049h",
	    "\\u001b[?1049l", "\\u001b[4h", "\\u001b[4l", "\\u001b(0qqq\\u001b(B", "\\u4e2d",
	    "\\u00e9", "\\u001b[", "3", ";", "\\u001b[3L", "\\u001b[2M", "\\t", "e\\u0301", "word",
	    "\\ud83d\\ude00"};
	char *out = malloc((size_t)events * 900 + 100), *p = out;
	double t = 0;
	int i, j;

	p += sprintf(p, HEAD);
	for (i = 0; i < events; i++) {
		t += rnd(1000) / 1000.0;
		if (rnd(40) == 0) {
			p += sprintf(p, "[%.3f,\"r\",\"%ux%u\"]\n", t, 2 + rnd(60), 2 + rnd(20));
			continue;
		}
		p += sprintf(p, "[%.3f,\"o\",\"", t);
		for (j = (int)rnd(60); j > 0; j--)
			p += sprintf(p, "%s", bits[rnd(sizeof(bits) / sizeof(bits[0]))]);
		p += sprintf(p, "\"]\n");
	}
	return out;
}

static bool
same_screen(const struct screen *a, const struct screen *b)
{
	struct screen_cell x, y;
	int row, col, ar, ac, br, bc;

	if (screen_rows(a) != screen_rows(b) || screen_cols(a) != screen_cols(b) ||
	    screen_cursor(a, &ar, &ac) != screen_cursor(b, &br, &bc) || ar != br || ac != bc)
		return false;
	for (row = 0; row < screen_rows(a); row++) {
		for (col = 0; col < screen_cols(a); col++) {
			screen_cell(a, row, col, &x);
			screen_cell(b, row, col, &y);
			if (memcmp(&x, &y, sizeof(x)) != 0)
				return false;
		}
	}
	return true;
}

static void
test_random(void)
{
	char *text = random_cast(4000);
	struct player *p = play(text), *plain = play(text);
	bool exact, same = true;
	uint64_t frame;
	int64_t total, t;
	int i;

	while (player_work(p, 5 * NS_PER_MS) == PLAYER_BUSY)
		;
	total = player_total(p, &exact);
	ok(exact && p->index.n > 3, "read ahead: %zu key frames", p->index.n);
	for (i = 0; i < 25 && same; i++) {
		t = (int64_t)rnd((unsigned)(total / NS_PER_MS)) * NS_PER_MS;
		player_seek(p, t);
		player_finish(p);
		/* From the start, and without key frames. */
		player_free(plain);
		plain = play(text);
		while (player_next(plain) >= 0 && player_next(plain) <= t)
			player_apply(plain);
		same = same_screen(player_screen(p), player_screen(plain)) &&
		       player_frame(p) == player_frame(plain);
	}
	ok(same, "any seek shows what playing from the start shows");
	for (i = 0; i < 15 && same; i++) {
		frame = rnd((unsigned)p->at.frame + 100);
		player_seek_frame(p, frame);
		player_finish(p);
		player_free(plain);
		plain = play(text);
		while (player_frame(plain) < frame && player_apply(plain))
			;
		same = same_screen(player_screen(p), player_screen(plain));
	}
	ok(same, "and so does any step");
	player_free(p);
	player_free(plain);
	free(text);
}

static void
test_index_bounds(void)
{
	struct index x;
	struct place at = {0};
	struct screen *s = screen_new(24, 80);
	size_t i, k;

	index_init(&x);
	for (i = 0; i < 3 * INDEX_MAX; i++) {
		at.offset += x.gap * 2;
		at.t += NS_PER_S;
		index_consider(&x, s, &at);
	}
	ok(x.n < INDEX_MAX && x.bytes < INDEX_BYTES && x.gap > INDEX_GAP, "thinned out: %zu", x.n);
	is_int(x.kf[0].at.t, NS_PER_S, "the first stays");
	k = index_by_time(&x, 100 * NS_PER_S);
	ok(x.kf[k].at.t <= 100 * NS_PER_S, "never one that is later");
	index_fini(&x);
	screen_free(s);
}

static void
expect_find(struct player *p, const char *what, bool forward, int64_t s)
{
	enum player_state st;

	player_find(p, what, forward);
	st = player_finish(p);
	if (s < 0)
		is_int(st, PLAYER_NOT_FOUND, what);
	else
		ok(st == PLAYER_DONE && player_time(p) == s * NS_PER_S, "%s at %d", what, (int)s);
}

static void
test_find(void)
{
	struct player *p = play(
	    HEAD "[1,\"o\",\"alpha\\r\\n\"]\n[2,\"o\",\"be\"]\n[3,\"o\",\"ta\\r\\n\"]\n"
		 "[4,\"o\",\"\\u001b[31mAl\\u001b[mpha\\r\\n\"]\n"
		 "[5,\"o\",\"1\\r\\n2\\r\\nsecret\\r\\n3\\r\\n4\\r\\n5\\r\\n6\\r\\n7\\r\\n\"]\n"
		 "[6,\"o\",\"0123456789012345wrapped\"]\n"
		 "[7,\"o\",\"\\u001b[2J\\u001b[Halpha\"]\n[8,\"o\",\"x\"]\n");

	expect_find(p, "alpha", true, 1);
	expect_find(p, "alpha", true, 4);
	expect_find(p, "alpha", true, 7);
	expect_find(p, "alpha", true, -1);
	is_int(player_time(p), 7 * NS_PER_S, "where it was");
	is_str(first_row(p), "alpha", "with what it showed");
	expect_find(p, "alpha", false, 4);
	expect_find(p, "alpha", false, 1);
	expect_find(p, "alpha", false, -1);
	expect_find(p, "beta", true, 3);
	expect_find(p, "Alpha", true, 4);
	expect_find(p, "secret", true, 5);
	expect_find(p, "wrapped", true, 6);
	player_seek(p, INT64_MAX / 2);
	player_finish(p);
	expect_find(p, "secret", false, 5);
	player_find(p, "nowhere", true);
	player_cancel(p);
	ok(!player_busy(p) && player_time(p) == 5 * NS_PER_S, "given up");
	player_free(p);
	p = play(HEAD "[1,\"o\",\"\\u001b[?1049h\\u001b[1;18Hsec\\u001b[2Hret\"]\n");
	expect_find(p, "secret", true, 1);
	player_seek(p, 0);
	player_finish(p);
	expect_find(p, "\xe2\x80\x8bsec\xc2\xadret", true, 1);
	player_free(p);
}

/* Backwards through many key frames, and the same forwards. */
static void
test_find_far(void)
{
	char *text = malloc(40000 * 120), *q = text;
	struct player *p;
	int i;

	q += sprintf(q, HEAD);
	for (i = 1; i <= 20000; i++)
		q += sprintf(q, "[%d,\"o\",\"line %d %s\\r\\n\"]\n", i, i,
		    i == 123 || i == 15000 ? "needle" : "hay hay hay hay hay hay hay");
	p = play(text);
	player_seek(p, INT64_MAX / 2);
	player_finish(p);
	expect_find(p, "needle", false, 15000);
	expect_find(p, "needle", false, 123);
	expect_find(p, "needle", false, -1);
	expect_find(p, "needle", true, 15000);
	expect_find(p, "line 19999", true, 19999);
	player_free(p);
	free(text);
}

static void
grow(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
}

/* A session that goes on: half lines, facts about what follows them, and going back meanwhile. */
static void
test_growing(void)
{
	int fd = memfd_create("cast", MFD_CLOEXEC), mine;
	char path[32];
	struct player *p;
	struct err e;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	mine = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	grow(mine, "{\"version\":2,\"width\":20,\"height\":4,\"coral\":{}}\n");
	p = player_open(fd, "test.cast", &e);
	player_live(p, true);
	ok(player_waiting(p), "nothing yet");
	ok(!player_apply(p), "to apply");
	grow(mine, "[1.0,\"o\",\"one\"]\n[2.0,\"o\",\" tw");
	player_more(p);
	is_int(player_next(p), NS_PER_S, "it grew");
	while (player_apply(p))
		;
	is_str(first_row(p), "one", "without the half line");
	ok(player_waiting(p), "more may come");
	is_int(player_work(p, NS_PER_S), PLAYER_IDLE, "there is nothing to read ahead");
	player_seek(p, 0);
	player_finish(p);
	is_str(first_row(p), "", "back");
	grow(mine, "o\"]\n[3.0,\"c\",\"{\\\"next\\\":{\\\"bytes\\\":\\\"IP8=\\\"}}\"]\n");
	player_more(p);
	player_seek(p, INT64_MAX / 2);
	player_finish(p);
	is_str(first_row(p), "one two", "the rest of the line");
	ok(player_waiting(p), "what is announced is not there");
	grow(mine, "[3.0,\"o\",\" \357\277\275\"]\n[4.0,\"c\",\"{\\\"end\\\":{}}\"]\n");
	player_more(p);
	while (player_apply(p))
		;
	is_str(first_row(p), "one two \357\277\275", "now it is");
	ok(!player_waiting(p), "nothing follows the end");
	player_live(p, false);
	is_int(player_ending(p, NULL), PLAYER_WHOLE, "whole");
	player_free(p);
	close(mine);
}

static struct player *
to_end(const char *text)
{
	struct player *p = play(text);

	player_seek(p, INT64_MAX / 2);
	player_finish(p);
	return p;
}

static void
expect_command(const struct player *p, int64_t ms, bool after, int64_t at_ms, const char *label)
{
	const struct player_moment *m = player_command(p, ms * NS_PER_MS, after);

	is_int(m ? m->t / NS_PER_MS : -1, at_ms, after ? "the next command" : "the one before");
	if (m)
		is_str(m->label, label, "what stood there");
}

static void
test_commands(void)
{
	struct player *p =
	    to_end(HEAD "[0.0,\"o\",\"$ \"]\n[1.0,\"o\",\"l\"]\n[1.1,\"o\",\"s\"]\n"
			"[2.0,\"o\",\"\\r\\n\"]\n[2.1,\"o\",\"file\\r\\n$ \"]\n"
			"[2.2,\"o\",\"x\\r\\n\"]\n[5.0,\"o\",\"$ \"]\n"
			"[5.1,\"o\",\"\\u001b[?1049h\"]\n[6.0,\"o\",\"x\\n\"]\n"
			"[7.0,\"o\",\"\\u001b[?1049l\"]\n[8.0,\"o\",\"id\\r\\n\"]\n");

	expect_command(p, 0, true, 2000, "$ ls");
	expect_command(p, 2000, true, 8000, "$");
	expect_command(p, 8000, true, -1, "");
	expect_command(p, 8000, false, 2000, "$ ls");
	expect_command(p, 2000, false, -1, "");
	player_free(p);

	p = to_end(
	    HEAD "[0.0,\"o\",\"$ \"]\n[1.0,\"i\",\"l\"]\n[1.0,\"o\",\"l\"]\n"
		 "[3.0,\"i\",\"\\r\"]\n[3.1,\"o\",\"\\r\\nwork\"]\n[9.0,\"o\",\"\\r\\n\"]\n");
	expect_command(p, 0, true, 3000, "$ l");
	expect_command(p, 3000, true, -1, "");
	player_free(p);

	/* The mark in two pieces, and typed lines that do not count any more. */
	p = to_end(HEAD "[0.0,\"o\",\"$ ls\"]\n[1.0,\"i\",\"\\r\"]\n[1.1,\"o\",\"\\r\\n\"]\n"
			"[1.2,\"o\",\"\\u001b]133;\"]\n[1.3,\"o\",\"C\\u0007out\\r\\n\"]\n"
			"[2.0,\"i\",\"answer\\r\"]\n");
	expect_command(p, 0, true, 1300, "$ ls");
	expect_command(p, 1300, true, -1, "");
	player_seek(p, 0);
	player_finish(p);
	player_seek(p, INT64_MAX / 2);
	player_finish(p);
	expect_command(p, 9000, false, 1300, "$ ls");
	player_free(p);

	p = to_end("{\"version\":2,\"width\":20,\"height\":4,\"coral\":{\"tty\":false}}\n"
		   "[0.0,\"o\",\"x\"]\n[1.0,\"o\",\"\\n\"]\n");
	expect_command(p, 0, true, -1, "");
	player_free(p);
}

static void
test_typed(void)
{
	struct player *p = play("{\"version\":2,\"width\":20,\"height\":4,\"coral\":{}}\n"
				"[0.0,\"o\",\"$ \"]\n[1.0,\"i\",\"l<\"]\n[2.0,\"o\",\"\"]\n"
				"[3.0,\"i\",\"\\u007f\\t\\r\\u0003\\u001b\\u001b[A\\u001b[200~"
				"\\u001b[9;9~\\u00e9\\u202e\"]\n"
				"[4.0,\"c\",\"{\\\"sealed\\\":{}}\"]\n"
				"[4.5,\"c\",\"{\\\"masked\\\":{}}\"]\n[5.0,\"o\",\"\"]\n");
	char many[1000];

	is_str(player_typed(p), "", "nothing");
	player_seek(p, 9 * NS_PER_S);
	player_finish(p);
	is_str(player_typed(p),
	    "l<lt><BS><Tab><Enter><C-c><Esc><Up><Paste><Key>\303\251<?><sealed><masked>", "keys");
	player_seek(p, 2 * NS_PER_S);
	player_finish(p);
	is_str(player_typed(p), "l<lt>", "as of then");
	player_free(p);
	p = to_end(HEAD "[0.0,\"i\",\"\\u001b[12;5Rls\"]\n[1.0,\"i\",\"\\u001b[I\\r\"]\n");
	is_str(player_typed(p), "ls<Enter>", "not what the terminal answered by itself");
	player_free(p);
	p = to_end(HEAD "[0.0,\"i\",\"\\u001b[1 2R\\u001b]x;rm\\u0007\\r\"]\n");
	is_str(player_typed(p), "<Key><Esc>]x;rm<C-g><Enter>", "no text is hidden so");
	player_free(p);
	snprintf(many, sizeof(many), HEAD "[0.0,\"i\",\"%0600d\\u00e9\\r\"]\n", 7);
	p = to_end(many);
	ok(strlen(player_typed(p)) < 128, "the last ones");
	ok(strstr(player_typed(p), "07\303\251<Enter>") != NULL, "are kept");
	player_free(p);
}

int
main(void)
{
	alarm(300);
	test_small();
	test_broken();
	test_growing();
	test_commands();
	test_typed();
	test_random();
	test_index_bounds();
	test_find();
	test_find_far();
	return done_testing();
}
