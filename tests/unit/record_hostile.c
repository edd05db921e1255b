/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast_parse.h"
#include "record_util.h"

#include <stdlib.h>

#define V2 "{\"version\":2,\"width\":80,\"height\":24}\n"
#define V3 "{\"version\":3,\"term\":{\"cols\":100,\"rows\":30}}\n"
#define OURS "{\"version\":2,\"width\":80,\"height\":24,\"coral\":{}}\n"
#define END "[2,\"c\",\"{\\\"end\\\":{}}\"]\n"

static const char *
plant(const char *text, size_t n)
{
	int fd = openat(rec_dirfd, "planted.cast", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (size_t put = 0; put < n;) {
		ssize_t rc = write(fd, text + put, n - put);

		if (rc < 0)
			break;
		put += (size_t)rc;
	}
	close(fd);
	return rec_path("planted.cast");
}

static void
test_bad_files(void)
{
	static const struct {
		const char *what, *text, *why;
	} cases[] = {
	    {"an empty file", "", "the file is empty"},
	    {"no JSON", "hello\nworld\n", "line 1:"},
	    {"a cut header", "{\"version\":2,", "ends within the header"},
	    {"version 1", "{\"version\":1,\"width\":80,\"height\":24}\n", "version 2 or 3"},
	    {"a header that is an array", "[2]\n", "version 2 or 3"},
	    {"no size", "{\"version\":2}\n", "no terminal size"},
	    {"a size that is text", "{\"version\":2,\"width\":\"80\",\"height\":24}\n",
		"no terminal size"},
	    {"a key twice", "{\"version\":2,\"version\":2,\"width\":1,\"height\":1}\n", "line 1:"},
	    {"an event that is an object", V2 "{\"a\":1}\n", "line 2: an event begins"},
	    {"a time that is text", V2 "[\"1\",\"o\",\"x\"]\n", "line 2: an event begins"},
	    {"a time with zeros", V2 "[01,\"o\",\"x\"]\n", "line 2: an event begins"},
	    {"a code that is a number", V2 "[1,5,\"x\"]\n", "line 2: an event begins"},
	    {"data that is a number", V2 "[1,\"o\",5]\n", "line 2: an event's data"},
	    {"two elements", V2 "[1,\"o\"]\n", "line 2: an event's data"},
	    {"four elements", V2 "[1,\"o\",\"x\",1]\n", "line 2: an event has three"},
	    {"bytes after the event", V2 "[1,\"o\",\"x\"] x\n", "line 2: an event has three"},
	    {"a raw control character", V2 "[1,\"o\",\"\x1b\"]\n", "line 2: not a JSON string"},
	    {"wrong UTF-8", V2 "[1,\"o\",\"\xc3(\"]\n", "line 2: not a JSON string"},
	    {"an overlong NUL", V2 "[1,\"o\",\"\xc0\x80\"]\n", "line 2: not a JSON string"},
	    {"a lone surrogate", V2 "[1,\"o\",\"\\ud800\"]\n", "line 2: not a JSON string"},
	    {"surrogates in the wrong order", V2 "[1,\"o\",\"\\udc00\\ud800\"]\n", "line 2:"},
	    {"a wrong escape", V2 "[1,\"o\",\"\\x41\"]\n", "line 2: not a JSON string"},
	    {"a wrong resize", V2 "[1,\"r\",\"80*24\"]\n", "line 2: a resize"},
	    {"a resize too large", V2 "[1,\"r\",\"80x99999999999999999999\"]\n",
		"line 2: a resize"},
	    {"a wrong unknown event", V2 "[1,\"zz\",{]\n", "line 2:"},
	    {"an exit that is text", V3 "[1,\"x\",\"nine\"]\n", "line 2: the exit status"},
	    {"facts that are no JSON", OURS "[1,\"c\",\"{\"]\n", "line 2:"},
	    {"two facts", OURS "[1,\"c\",\"{\\\"a\\\":1,\\\"b\\\":1}\"]\n",
		"line 2: an event of coral's own"},
	    {"next before a resize",
		OURS "[1,\"c\",\"{\\\"next\\\":{\\\"stream\\\":2}}\"]\n[1,\"r\",\"1x1\"]\n",
		"line 3: output or input"},
	    {"next of an unknown stream", OURS "[1,\"c\",\"{\\\"next\\\":{\\\"stream\\\":9}}\"]\n",
		"line 2: a wrong"},
	    {"bytes that are no base64",
		OURS "[1,\"c\",\"{\\\"next\\\":{\\\"bytes\\\":\\\"!!!!\\\"}}\"]\n[1,\"o\",\"x\"]\n",
		"line 2: exact bytes"},
	    {"bytes that say something else",
		OURS
		"[1,\"c\",\"{\\\"next\\\":{\\\"bytes\\\":\\\"cm0=\\\"}}\"]\n[1,\"o\",\"ls\"]\n",
		"line 3: its exact bytes"},
	    {"output after the end", OURS END "[3,\"o\",\"x\"]\n", "line 3: something follows"},
	};
	struct rec_seen s;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		rec_read(plant(cases[i].text, strlen(cases[i].text)), &s);
		if (!ok(s.failed && s.e.code == ERR_BAD_FILE && strstr(s.e.why, cases[i].why),
			"%s is refused by line", cases[i].what))
			printf("# why: %s\n", s.e.why);
		rec_forget(&s);
	}
}

static void
test_large(void)
{
	size_t n = 3 << 20;
	char *p = malloc(n);
	struct rec_seen s;

	memset(p, ' ', n);
	memcpy(p, V2, strlen(V2));
	rec_read(plant(p, n), &s);
	ok(s.failed && strstr(s.e.why, "line 2: it is longer than 1 MiB"),
	    "a line of 3 MiB is refused");
	rec_forget(&s);
	memset(p, '[', n);
	memcpy(p, V2, strlen(V2));
	memcpy(p + strlen(V2), "[1,\"q\",", 7);
	p[strlen(V2) + 500000] = '\n';
	rec_read(plant(p, strlen(V2) + 500001), &s);
	ok(s.failed && s.e.code == ERR_BAD_FILE, "deep nesting in an event is refused");
	rec_forget(&s);
	memset(p, '[', n);
	p[500000] = '\n';
	rec_read(plant(p, 500001), &s);
	ok(s.failed && s.e.code == ERR_BAD_FILE, "deep nesting in the header is refused");
	rec_forget(&s);
	free(p);
}

static void
test_foreign(void)
{
	static const char v3[] =
	    V3 "# a comment\n[0.5,\"o\",\"a\"]\n\n[0.25,\"\\u006f\",\"\\ud83d\\ude00\"]\n"
	       "[1e-1,\"z\",{\"any\":[1]}]\n[0.000001,\"m\",\"here\"]\n"
	       "[ 0.1 , \"x\" , \"7\" ]\r\n";
	static const char ages[] =
	    V3 "[9e9,\"o\",\"a\"]\n[9e9,\"m\",\"b\"]\n[9e9,\"o\",\"c\"]\n[9e9,\"o\",\"d\"]\n"
	       "[9e9,\"o\",\"e\"]\n";
	static const char v2[] =
	    V2 "[5,\"o\",\"b\"]\n[1e300,\"c\",\"not ours\"]\n[-3.5,\"r\",\"0x65535\"]\n"
	       "[0.1,\"o\",\"end\"]";
	struct cast_event ev;
	struct rec_seen s;
	struct cast_reader *r;
	struct err e = {0};
	uint64_t offset, line;

	rec_read(plant(v3, sizeof(v3) - 1), &s);
	ok(!s.failed && !s.truncated, "version 3 reads: %s", s.e.why);
	ok(rec_same(&s.stream[CAST_STDOUT], "a\xf0\x9f\x98\x80", 5), "with all its output");
	is_int(s.last_t, 950001000, "and intervals that add up");
	is_int(json_integer_value(json_object_get(s.end, "exit_code")), 7, "and its exit status");
	rec_forget(&s);
	rec_read(plant(ages, sizeof(ages) - 1), &s);
	is_int(s.last_t, CAST_T_MAX, "and intervals that would be ages");
	rec_forget(&s);
	rec_read(plant(v2, sizeof(v2) - 1), &s);
	ok(!s.failed && !s.truncated && s.sorted,
	    "version 2 of others reads, without a last newline");
	ok(rec_same(&s.stream[CAST_STDOUT], "bend", 4), "with all its output");
	is_int(json_array_size(s.coral), 0, "their events are not taken for ours");
	rec_forget(&s);
	rec_read(plant(v2, sizeof(v2) - 3), &s);
	ok(!s.failed && s.truncated, "and a cut one is truncated");
	rec_forget(&s);

	r = cast_open(plant(v3, sizeof(v3) - 1), &e);
	is_int(cast_cols(r), 100, "columns");
	is_int(cast_rows(r), 30, "rows");
	cast_next(r, &ev, &e);
	cast_next(r, &ev, &e);
	offset = ev.offset;
	line = ev.line;
	while (cast_next(r, &ev, &e) > 0)
		;
	ok(cast_seek(r, offset, line, 750000000, &e) == 0 && cast_next(r, &ev, &e) == 1,
	    "seek back");
	ok(ev.t == 750000000 && ev.len == 4 && ev.line == line && ev.offset == offset,
	    "to the same event");
	ok(cast_next(r, &ev, &e) == 1 && ev.t == 850000000 && ev.kind == CAST_EV_OTHER, "and on");
	cast_close(r);
}

/* A file that grows while it is read. */
static void
test_follow(void)
{
	struct cast_writer *w = rec_create("follow.cast", false, 0);
	struct err e = {0};
	struct cast_reader *r = cast_open(rec_path("follow.cast"), &e);
	struct cast_event ev;
	uint64_t offset, line;

	is_int(cast_next(r, &ev, &e), 0, "nothing yet");
	cast_data(w, CAST_STDERR, REC_T0, "a\xff", 2, &e);
	ok(cast_next(r, &ev, &e) == 1 && ev.stream == CAST_STDERR && ev.len == 2 &&
		ev.data[1] == 0xff,
	    "an event as it comes, exact");
	offset = ev.offset;
	line = ev.line;
	is_int(line, 3, "its line is the one that tells of it");
	is_int(cast_next(r, &ev, &e), 0, "and no more");
	ok(cast_truncated(r), "so far it has no end");
	cast_end(w, REC_T0, NULL, &e);
	ok(cast_next(r, &ev, &e) == 1 && ev.kind == CAST_EV_END, "the end");
	ok(cast_next(r, &ev, &e) == 0 && !cast_truncated(r), "and it is whole");
	ok(cast_seek(r, offset, line, 0, &e) == 0 && cast_next(r, &ev, &e) == 1 &&
		ev.stream == CAST_STDERR && ev.len == 2,
	    "a seek finds the exact bytes too");
	cast_close(r);
	cast_free(w);
}

int
main(void)
{
	rec_setup();
	test_bad_files();
	test_large();
	test_foreign();
	test_follow();
	return done_testing();
}
