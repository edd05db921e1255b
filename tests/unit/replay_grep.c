/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines that were on the screen: each once, when it came, however it was painted. */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pattern.h"
#include "replay/grep.h"
#include "screen/screen.h"
#include "tap.h"

#define HEAD "{\"version\":2,\"width\":20,\"height\":4}\n"
#define PLAIN "{\"version\":2,\"width\":20,\"height\":4,\"coral\":{\"version\":1,\"tty\":false}}\n"

struct catch
{
	struct pattern pattern;
	size_t n, longest;
	char text[4096];
};

static bool
match(void *arg, const char *line, size_t n, size_t *from, size_t *to)
{
	struct catch *c = arg;

	return pattern_match(&c->pattern, line, n, from, to);
}

static int
found(void *arg, const struct grep_hit *h)
{
	struct catch *c = arg;
	size_t n = strlen(c->text);

	c->n++;
	c->longest = h->len > c->longest ? h->len : c->longest;
	if (h->len > GREP_SHOWN || h->to > h->len || h->from > h->to)
		abort();
	snprintf(
	    c->text + n, sizeof(c->text) - n, "%g:%.*s|", (double)h->t / 1e9, (int)h->len, h->line);
	return 0;
}

static int
grep_fd(struct catch *c, const char *pattern, bool regex, int fd)
{
	struct grep_want want = {.match = match, .found = found, .arg = c};
	struct err e = {0};
	struct cast_reader *r;
	int rc;

	memset(c, 0, sizeof(*c));
	if (pattern_init(&c->pattern, pattern, regex, false, &e) < 0)
		abort();
	lseek(fd, 0, SEEK_SET);
	r = cast_open_fd(fd, "test.cast", &e);
	if (!r)
		abort();
	rc = grep_recording(r, &want, &e);
	cast_close(r);
	pattern_fini(&c->pattern);
	return rc;
}

static int
of_text(const char *text)
{
	int fd = memfd_create("cast", MFD_CLOEXEC);

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	return fd;
}

static void
finds(const char *what, const char *pattern, bool regex, const char *cast, const char *want)
{
	struct catch c;
	int rc = grep_fd(&c, pattern, regex, of_text(cast));

	ok(rc == 0 && strcmp(c.text, want) == 0, "%s", what);
	if (strcmp(c.text, want) != 0)
		printf("# %s, not %s\n", c.text, want);
}

static void
test_what_is_one(void)
{
	finds("split by colours and by events", "secret", false,
	    HEAD "[1,\"o\",\"a se\\u001b[31mcr\"]\n[2,\"o\",\"\\u001b[0met\"]\n[3,\"o\",\" b\"]\n",
	    "2:a secret b|");
	finds("painted in two places, the second before the first", "secret", false,
	    HEAD "[1,\"o\",\"\\u001b[2;4Hret\"]\n[2,\"o\",\"\\u001b[Hx\\u001b[2;1Hsec\"]\n",
	    "2:secret|");
	finds("over the end of a row", "one secret word", false,
	    HEAD "[1,\"o\",\"a line with one sec\"]\n[2,\"o\",\"ret word\\r\\n\"]\n",
	    "2:a line with one secret word|");
	finds("over the end of a row, half of it gone at the top", "one secret word", false,
	    HEAD "[1,\"o\",\"\\u001b[4Ha line with one secret word\\r\\nx\\r\\ny\\r\\nz\"]\n"
		 "[2,\"o\",\"\\r\\nz\\r\\nz\"]\n",
	    "1:a line with one secret word|");
	finds("over the end of a painted row", "secret", false,
	    HEAD "[1,\"o\",\"\\u001b[?1049h\\u001b[2;18Hsecret\"]\n", "1:                 secret|");
}

/* A row as wide as the screen that ends with a newline of its own is a line. */
static void
test_full_rows(void)
{
	static const char *const ends[] = {"", "a\\r\\nb\\r\\nc\\r\\nd\\r\\ne\\r\\n"};
	char cast[300];

	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		snprintf(cast, sizeof(cast),
		    HEAD "[1,\"o\",\"0123456789abcdefghij\\r\\nNEXT\\r\\n%s\"]\n", ends[i]);
		finds("behind a full row", "^NEXT", true, cast, "1:NEXT|");
		finds("the end of a full row", "j$", true, cast, "1:0123456789abcdefghij|");
	}
	finds("the end of a painted row", "j$", true,
	    HEAD "[1,\"o\",\"\\u001b[?1049h0123456789abcdefghij\\r\\nNEXT\"]\n",
	    "1:0123456789abcdefghij|");
	finds("painted over the end of a row", "secret", false,
	    HEAD "[1,\"o\",\"\\u001b[1;18Hsec\\u001b[2Hret\"]\n", "1:                 secret|");
	finds("wrapped where a space is", "DROP TABLE x", false,
	    HEAD "[1,\"o\",\"012345678901234DROP TABLE x\"]\n", "1:012345678901234DROP TABLE x|");
	finds("wrapped before a wide character", "\xe4\xb8\xad\xe4\xb8\xad", false,
	    HEAD "[1,\"o\",\"01234567890123456\\u4e2d\\u4e2d\"]\n",
	    "1:01234567890123456\xe4\xb8\xad\xe4\xb8\xad|");
	finds("wrapped behind colours and tabs", "^0.*k.m$", true,
	    HEAD "[1,\"o\",\"0\\t\\tx\\u001b[31mk\\u001b[42mk\\u001b[0mk\\u001b[mk m\\r\\nx\"]\n",
	    "1:0               xkkkk m|");
}

static void
test_once(void)
{
	finds("moved up and out", "secret", false,
	    HEAD "[1,\"o\",\"secret\\r\\n\"]\n[2,\"o\",\"a\\r\\nb\\r\\n\"]\n"
		 "[3,\"o\",\"c\\r\\nd\\r\\n\"]\n[4,\"o\",\"e\\r\\nf\\r\\n\"]\n",
	    "1:secret|");
	finds("three of the same are three", "secret", false,
	    HEAD "[1,\"o\",\"secret\\r\\nsecret\\r\\n\"]\n[2,\"o\",\"secret\\r\\n\"]\n",
	    "1:secret|1:secret|2:secret|");
	finds("more of the same than rows", "secret", false,
	    HEAD "[1,\"o\",\"secret\\r\\n\"]\n"
		 "[2,\"o\",\"secret\\r\\nsecret\\r\\nsecret\\r\\nsecret\\r\\nsecret\\r\\n\"]\n",
	    "1:secret|2:secret|2:secret|2:secret|2:secret|2:secret|");
	finds("a line that changes elsewhere", "secret", false,
	    HEAD "[1,\"o\",\"secret 10%\"]\n[2,\"o\",\"\\rsecret 20%\"]\n"
		 "[5,\"o\",\"\\rsecret 30%\"]\n",
	    "1:secret 10%|");
	finds("wiped and painted again at once", "secret", false,
	    HEAD
	    "[1,\"o\",\"secret\"]\n[2,\"o\",\"\\u001b[2J\"]\n[2.5,\"o\",\"\\u001b[Hsecret\"]\n",
	    "1:secret|");
	finds("wiped, and there again later", "secret", false,
	    HEAD "[1,\"o\",\"secret\"]\n[2,\"o\",\"\\u001b[2J\"]\n[4,\"o\",\"\\u001b[Hsecret\"]\n",
	    "1:secret|4:secret|");
	finds("covered by the alternate screen", "secret", false,
	    HEAD "[1,\"o\",\"vi secret\"]\n[2,\"o\",\"\\u001b[?1049h\\u001b[Hx\"]\n"
		 "[60,\"o\",\"\\u001b[?1049l\"]\n",
	    "1:vi secret|");
}

static void
test_what_went(void)
{
	finds("overwritten", "secret", false,
	    HEAD "[1,\"o\",\"secret\"]\n[2,\"o\",\"\\rpublic\"]\n", "1:secret|");
	finds("wiped in the event that painted it", "secret", false,
	    HEAD "[1,\"o\",\"secret\\u001b[2J\"]\n", "1:secret|");
	finds("scrolled off in the event that brought it", "secret", false,
	    HEAD "[1,\"o\",\"secret\\r\\na\\r\\nb\\r\\nc\\r\\nd\\r\\n\"]\n", "1:secret|");
	finds("pushed out by a smaller screen", "secret", false,
	    HEAD "[1,\"o\",\"secret\\r\\na\\r\\nb\\r\\nc\"]\n[2,\"r\",\"20x2\"]\n[3,\"o\",\"x\"]\n",
	    "1:secret|");
	finds("not what is a title", "secret", false,
	    HEAD "[1,\"o\",\"\\u001b]0;secret\\u0007x\"]\n", "");
	finds("not what was typed unseen", "secret", false, HEAD "[1,\"i\",\"secret\"]\n", "");
}

/* A text is looked for as the screen has it. */
static void
test_as_shown(void)
{
	static const struct {
		const char *what, *text, *shown;
	} v[] = {
	    {"a selector", "\xe2\x9a\xa0\xef\xb8\x8f  a", "\xe2\x9a\xa0  a"},
	    {"joiners", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
		"\xf0\x9f\x91\xa9\xf0\x9f\x91\xa7"},
	    {"direction, hyphens",
		"a\xe2\x80\xae\xc2\xad\xe2\x80\x8b"
		"b",
		"ab"},
	    {"marks", "e\xcc\x81\xcc\x81\xcc\x81x", "e\xcc\x81\xcc\x81x"},
	    {"a tab", "a\tb", NULL},
	    {"a control character",
		"a\xc2\x9b"
		"b",
		NULL},
	    {"no UTF-8", "a\xff", NULL},
	    {"nothing", "\xe2\x80\x8b", NULL},
	};
	char text[64], cast[200];

	for (size_t i = 0; i < COUNT_OF(v); i++) {
		const char *why = screen_as_shown(strcpy(text, v[i].text));

		ok(v[i].shown ? !why && strcmp(text, v[i].shown) == 0 : why != NULL, "%s",
		    v[i].what);
		if (!v[i].shown)
			continue;
		snprintf(cast, sizeof(cast), HEAD "[1,\"o\",\"%s\"]\n", v[i].text);
		snprintf(text, sizeof(text), "1:%s|", v[i].shown);
		finds(v[i].what, v[i].shown, false, cast, text);
	}
}

static void
test_plain(void)
{
	finds("lines of both streams, each its own", "secret", false,
	    PLAIN "[1,\"o\",\"a sec\"]\n[2,\"e\",\"no\\n\"]\n[3,\"o\",\"ret b\\nc\\n\"]\n",
	    "3:a secret b|");
	finds("a line wider than the screen", "^a.*secret$", true,
	    PLAIN "[1,\"o\",\"a line that is longer than twenty columns and so a secret\\nx\"]\n",
	    "1:a line that is longer than twenty columns and so a secret|");
}

static void
test_patterns(void)
{
	const char *const bad[] = {"", "(a)\\1", "a{1001}", "((a{1,50}){1,50})", "[", "a{32000}",
	    "(a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*){500}"};
	struct pattern p;
	size_t from, to;
	struct err e;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		memset(&e, 0, sizeof(e));
		ok(pattern_init(&p, bad[i], true, false, &e) == -1 && e.code == ERR_USAGE &&
			e.why[0] && e.hint[0],
		    "no pattern: %s", bad[i]);
	}
	pattern_init(&p, "(", true, false, &e);
	is_str(e.why, "Unmatched (", "the library's words, without those of basic expressions");
	pattern_init(&p, "a{1", true, false, &e);
	ok(!strchr(e.why, '\\'), "%s", e.why);
	ok(pattern_init(&p, "A.b", false, true, &e) == 0 &&
		pattern_match(&p, "xa.Bx", 5, &from, &to) && from == 1 && to == 4 &&
		!pattern_match(&p, "aXb", 3, &from, &to),
	    "a text is a text, whatever its case");
	pattern_fini(&p);
	ok(pattern_init(&p, "a{1,3}b$", true, false, &e) == 0 &&
		pattern_match(&p, "xaabb", 4, &from, &to) && from == 1 && to == 4,
	    "an expression ends with the line");
	pattern_fini(&p);
}

/* An event of n bytes, made of `part`. */
static void
put_event(FILE *f, double t, const char *part, size_t n)
{
	fprintf(f, "[%f,\"o\",\"", t);
	for (size_t i = 0; i < n; i += strlen(part))
		fputs(part, f);
	fputs("\"]\n", f);
}

static long
most_memory(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void
hostile(const char *what, int rows, int cols, const char *part, const char *pattern, bool regex)
{
	int fd = memfd_create("cast", MFD_CLOEXEC);
	FILE *f = fdopen(dup(fd), "w");
	int64_t began = clock_mono();
	struct catch c;
	long before;

	fprintf(f, "{\"version\":2,\"width\":%d,\"height\":%d}\n", cols, rows);
	for (int i = 0; i < 5; i++)
		put_event(f, i, part, 100000);
	fclose(f);
	before = most_memory();
	ok(grep_fd(&c, pattern, regex, fd) == 0 && c.longest <= GREP_SHOWN, "%s: searched", what);
	ok(most_memory() - before < 200L << 10, "%s: in bounded memory", what);
	printf("# %zu found, %ld ms\n", c.n, (long)((clock_mono() - began) / 1000000));
}

static void
test_hostile(void)
{
	hostile("a line without an end", 500, 1000, "aaaaaaaaaa", "a.*b", true);
	hostile("a match without an end", 500, 1000, "aaaaaaaaaa", "a+", true);
	hostile("a sequence without an end", 500, 1000, "\\u001b]0;secret;", "secret", false);
	hostile("wipes", 24, 80, "a\\u001b[2J", "a", false);
	hostile("a match in every row", 50, 80, "a\\r\\n", "a", false);
	hostile("screens back and forth", 24, 80, "a\\u001b[?1049h\\u001b[Ha\\u001b[?1049l", "a",
	    false);
}

int
main(void)
{
	test_what_is_one();
	test_full_rows();
	test_once();
	test_what_went();
	test_as_shown();
	test_plain();
	test_patterns();
	test_hostile();
	return done_testing();
}
