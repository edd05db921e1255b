/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much the redactor finds and how much it hides for nothing, and that it does so however the
 * bytes arrive.  The texts are in tests/unit/redact. */
#include <stdlib.h>

#include "base/redact.h"
#include "base/mem.h"
#include "record/redactor_int.h"
#include "tap.h"

#define R REDACTED
#define TEXTS "tests/unit/redact/"

/* coral-policy(5) CAVEATS has these numbers. */
#define MISSED_MAX_PERCENT 8
#define HIDDEN_MAX_PERCENT 3

#define PIECES 8
#define KINDS 16

struct row {
	char kind[16];
	char text[2048];
	size_t len;
	struct {
		size_t from, to;
	} piece[PIECES];
	size_t pieces;
};

/* Digits that look like chance, and are the same in every run. */
static unsigned
chance(void)
{
	static unsigned seed = 12345;

	seed = seed * 1103515245 + 12345;
	return seed >> 16;
}

static size_t
expand(char *dst, const char *spec)
{
	static const char all[] = "0123456789abcdefABCDEFGHIJKLMNOPQRSTUVWXYZghijklmnopqrstuvwxyz";
	char set[80] = "";
	size_t n = (size_t)atoi(spec + 1);

	snprintf(set, sizeof set, "%.*s",
	    *spec == 'd'   ? 10
	    : *spec == 'h' ? 16
	    : *spec == 'U' ? 42
			   : 62,
	    all);
	for (size_t i = 0; i < n; i++) {
		size_t from = *spec == 'U' && i > 0 ? 16 : 0;

		dst[i] = set[from + chance() % (strlen(set) - from)];
		if (*spec == 'U' && dst[i] >= 'a' && dst[i] <= 'f')
			dst[i] = 'Q';
		if (*spec == 'b' && i % 9 == 4)
			dst[i] = i % 2 ? '+' : '/';
	}
	return n;
}

static char
escape_of(char c)
{
	return c == 'n'	  ? '\n'
	       : c == 'r' ? '\r'
	       : c == 't' ? '\t'
	       : c == 'a' ? '\a'
	       : c == 'e' ? 033
			  : 0;
}

static bool
read_row(FILE *f, struct row *r)
{
	char line[1024], *p;

	do {
		if (!fgets(line, sizeof line, f))
			return false;
	} while (line[0] == '#' || line[0] == '\n');
	*r = (struct row){0};
	p = strchr(line, '\t');
	snprintf(r->kind, sizeof r->kind, "%.*s", (int)(p - line), line);
	for (p++; *p && *p != '\n'; p++) {
		if (p[0] == '[' && p[1] == '[') {
			r->piece[r->pieces].from = r->len;
			p++;
		} else if (p[0] == ']' && p[1] == ']') {
			r->piece[r->pieces++].to = r->len;
			p++;
		} else if (p[0] == '{' && strchr("adhUb", p[1]) && p[2] >= '0' && p[2] <= '9') {
			r->len += expand(r->text + r->len, p + 1);
			p = strchr(p, '}');
		} else if (p[0] == '\\' && p[1] == '\\') {
			r->text[r->len++] = *p++;
		} else if (p[0] == '\\' && escape_of(p[1])) {
			r->text[r->len++] = escape_of(*++p);
		} else {
			r->text[r->len++] = *p;
		}
	}
	r->text[r->len++] = '\n';
	return true;
}

/* What comes of it in reads of `first` and then of `then` bytes; `paused`: with a pause between. */
static char *
redacted(
    struct redactor_rules *rules, const char *p, size_t n, size_t first, size_t then, bool paused)
{
	struct redactor *r = redactor_new(rules);
	struct buf out;
	char *text;

	buf_init(&out, 8 * n + REDACTOR_SLACK);
	for (size_t at = 0, take; at < n; at += take) {
		take = at == 0 ? first : then;
		take = take < n - at ? take : n - at;
		redactor_feed(r, 1, p + at, take, &out);
		if (paused)
			redactor_flush(r, &out);
	}
	redactor_flush(r, &out);
	text = strdup(buf_cstr(&out));
	buf_fini(&out);
	redactor_free(r);
	return text;
}

/* Whether a secret, or its second half, can be read there; `spare` bytes of its beginning do not
 * count. */
static bool
shows(const struct row *r, const char *out, size_t spare)
{
	char piece[1024];

	for (size_t i = 0; i < r->pieces; i++) {
		size_t from = r->piece[i].from, n = r->piece[i].to - from;

		if (n > 2 * spare) {
			from += spare;
			n -= spare;
		}
		snprintf(piece, sizeof piece, "%.*s", (int)n, r->text + from);
		if (strstr(out, piece) || (n >= 8 && strstr(out, piece + n / 2)))
			return true;
	}
	return false;
}

struct kind {
	char name[16];
	unsigned all, missed;
};

static struct kind *
kind_of(struct kind *all, const char *name)
{
	while (all->name[0] && strcmp(all->name, name) != 0)
		all++;
	snprintf(all->name, sizeof all->name, "%s", name);
	return all;
}

static bool
shown_when_split(struct redactor_rules *rules, const struct row *r)
{
	bool any = false;

	for (size_t first = 1; first < r->len && !any; first++) {
		char *out = redacted(rules, r->text, r->len, first, r->len, false);

		any = shows(r, out, 3);
		if (any)
			printf("# split at %zu: %s", first, out);
		free(out);
	}
	return any;
}

static void
test_secrets(struct redactor_rules *rules)
{
	FILE *f = fopen(TEXTS "secrets.txt", "re");
	struct kind kinds[KINDS + 1] = {0};
	unsigned all = 0, missed = 0, split = 0, slow = 0, found_not = 0;
	struct row r;

	while (f && read_row(f, &r)) {
		char *out = redacted(rules, r.text, r.len, r.len, 1, false);
		char *keys = redacted(rules, r.text, r.len, 1, 1, true);
		bool not_found = shows(&r, out, 0);

		if (strncmp(r.kind, "not-", 4) == 0) {
			found_not += !not_found;
		} else {
			struct kind *k = kind_of(kinds, r.kind);

			all++;
			k->all++;
			k->missed += not_found;
			missed += not_found;
			slow += !not_found && shows(&r, keys, 4);
			if (not_found)
				printf("# not found: %.*s -> %s", (int)r.len, r.text, out);
			else if (shown_when_split(rules, &r))
				split++;
		}
		free(out);
		free(keys);
	}
	for (struct kind *k = kinds; k->name[0]; k++)
		printf("# %-8s %3u of %3u found\n", k->name, k->all - k->missed, k->all);
	printf("# missed: %u of %u (%.1f %%); typed key by key and slowly, %u more\n", missed, all,
	    100.0 * missed / all, slow);
	ok(f && all >= 150, "the texts are there");
	ok(missed * 100 <= all * MISSED_MAX_PERCENT, "few secrets are missed");
	is_int(split, 0, "found, and not when it comes in two reads");
	is_int(found_not, 0, "what the page says cannot be found is not");
	if (f)
		fclose(f);
}

static void
test_harmless(struct redactor_rules *rules)
{
	FILE *f = fopen(TEXTS "harmless.txt", "re");
	unsigned all = 0, hidden = 0;
	char line[1024];

	while (f && fgets(line, sizeof line, f)) {
		char *out = redacted(rules, line, strlen(line), strlen(line), 1, false);
		all++;
		hidden += strcmp(out, line) != 0;
		if (strcmp(out, line) != 0)
			printf("# hidden for nothing: %s", out);
		free(out);
	}
	printf("# hidden for nothing: %u of %u (%.1f %%)\n", hidden, all, 100.0 * hidden / all);
	ok(f && all >= 100 && hidden * 100 <= all * HIDDEN_MAX_PERCENT,
	    "little is hidden for nothing");
	if (f)
		fclose(f);
}

static const struct {
	const char *in, *out;
} exact[] = {
    {"a\r\nb\n", "a\r\nb\n"},
    {"$ TOKEN=\033[31mab\033[1mcd\033[0m x\n", "$ TOKEN=\033[31m" R "\033[1m\033[0m x\n"},
    {"TOKEN=ab\033[2Jcd\n", "TOKEN=" R "\033[2Jcd\n"},
    {"-----BEGIN PRIVATE KEY-----\r\nMII=\r\nabc\r\n-----END PRIVATE KEY-----\r\n$ ls\r\n",
	R "\r\n" R "\r\n" R "\r\n-----END PRIVATE KEY-----\r\n$ ls\r\n"},
    {"-----BEGIN PRIVATE KEY-----\n$ rm -r x\n", R "\n$ rm -r x\n"},
    {"x hunter2hunter2 y the-other-one\n", "x " R " y " R "\n"},
    {"hunter2hunter2hunter2\n", R "\n"},
    {"hunter2\033[mhunter2\n", R "\033[m\n"},
    {"line one of it, line two of it\n", R ", " R "\n"},
    {"card 1234-5678 and 12-34\n", "card " R " and 12-34\n"},
    {"\377\300\001\033X\n", "\377\300\001\033X\n"},
    {"/run/secrets/db.sock\n", "/run/secrets/db.sock\n"},
};

static struct redactor_rules *
rules_with_values(void)
{
	static const char *const env[] = {"DB_PASSWORD=hunter2hunter2", "B_TOKEN=the-other-one",
	    "SHORT_TOKEN=abc", "KEY=line one of it\nline two of it", "HOME=/root/home",
	    "DB_PASSWORD_FILE=/run/secrets/db.sock", NULL};
	struct redactor_rules *rules = redactor_rules_new();

	is_int(redactor_rules_environ(rules, env), 0, "the environment");
	is_int((intmax_t)redactor_rules_values(rules), 4, "its values");
	return rules;
}

static struct redactor_rules *
rules_with_all(void)
{
	struct redactor_rules *rules = rules_with_values();

	is_int(redactor_rules_pattern(rules, "[0-9]{4}-[0-9]{4}", NULL), 0, "a pattern");
	is_int((intmax_t)redactor_rules_patterns(rules), 1, "its patterns");
	return rules;
}

static void
test_exact(void)
{
	struct redactor_rules *rules = rules_with_all();

	for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
		size_t n = strlen(exact[i].in);
		char *out = redacted(rules, exact[i].in, n, n, 1, false);
		char *two;

		is_str(out, exact[i].out, "replaced");
		free(out);
		for (size_t first = 1; first < n; first++) {
			two = redacted(rules, exact[i].in, n, first, n, false);
			/* The first line of a key is no secret. */
			if (exact[i].in[0] != '-')
				is_str(two, exact[i].out, "replaced, in two reads");
			free(two);
		}
	}
	redactor_rules_free(rules);
}

static void
split_anywhere(struct redactor_rules *rules, const char *in, const char *want)
{
	size_t n = strlen(in), wrong = 0;

	for (size_t first = 1; first < n; first++) {
		char *out = redacted(rules, in, n, first, n, false);

		if (strcmp(out, want) != 0 && wrong++ == 0)
			printf("# split at %zu: %s", first, out);
		free(out);
	}
	ok(wrong == 0, "in two reads, %.16s...", in);
}

/* As long as coral-policy(5) says, and no longer. */
static void
test_long(struct redactor_rules *rules)
{
	char many[1000], in[1200];

	memset(many, 'a', sizeof many);
	snprintf(in, sizeof in, "- eyJ%.980s.b_.c-9 end\n", many);
	split_anywhere(rules, in, "- " R " end\n");
	snprintf(in, sizeof in, "see x://me:%.1000s@host/\n", many);
	split_anywhere(rules, in, "see x://me:" R "@host/\n");
	split_anywhere(rules, "x://me:p@q:r@host y\n", "x://me:" R "@host y\n");
}

/* Nothing waits that need not, and nothing waits for long. */
static void
test_hold(void)
{
	static const char begins[] = "a long line of output that is over, and then hunter2hun";
	struct redactor_rules *rules = rules_with_values();
	struct redactor *r = redactor_new(rules);
	struct buf out;

	buf_init(&out, 1 << 20);
	redactor_feed(r, 5, "DB_PASSWORD", 11, &out);
	ok(redactor_due(r) == 0 && out.len == 11, "a name does not wait");
	redactor_feed(r, 6, "=x\n", 3, &out);
	is_str(buf_cstr(&out), "DB_PASSWORD=" R "\n", "and what follows it is found");
	buf_clear(&out);
	redactor_feed(r, 7, begins, sizeof begins - 1, &out);
	is_int(redactor_due(r), 7 + REDACTOR_HOLD_NS, "the beginning of a value waits");
	redactor_feed(r, 9, "te", 2, &out);
	is_int(redactor_due(r), 7 + REDACTOR_HOLD_NS, "and not anew with each byte");
	redactor_flush(r, &out);
	is_int(redactor_due(r), 0, "it is let go");
	redactor_feed(r, 9, "r2\n", 3, &out);
	is_str(buf_cstr(&out), "a long line of output that is over, and then hunter2hunte" R "\n",
	    "and the rest is found");
	is_int((intmax_t)redactor_count(r), 2, "counted");
	redactor_feed(r, 10, "x hunter2hun", 12, &out);
	redactor_feed(r, 20, "gry hunter2hun", 14, &out);
	is_int(redactor_due(r), 20 + REDACTOR_HOLD_NS, "what waits anew waits as long");
	redactor_feed(r, 21, "ter2\n", 5, &out);
	is_int(redactor_due(r), 0, "nothing waits at the end of a line");
	redactor_trim(r);
	redactor_free(r);
	redactor_rules_free(rules);
	buf_fini(&out);
}

/* Much without the end of a line, in all ways that cost most. */
static void
test_endless(void)
{
	static const char *const parts[] = {"a", "PASSWORD=", "hunter2hunte", "eyJ", "\033[m", "\"",
	    "-p ", "x://u:", "$(", "TOKEN=abc ", "-----BEGIN PRIVATE KEY-----", "1234-567"};
	struct redactor_rules *rules = rules_with_all();
	static char piece[16384];
	struct buf out;

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		struct redactor *r = redactor_new(rules);
		size_t len = strlen(parts[i]), n = sizeof piece / len * len;
		int rc = 0;

		for (size_t at = 0; at < n; at += len)
			memcpy(piece + at, parts[i], len);
		for (int k = 0; k < 2 && rc == 0; k++) {
			buf_init(&out, 6 * n + REDACTOR_SLACK);
			rc = redactor_feed(r, 1, piece, n, &out);
			buf_fini(&out);
		}
		ok(rc == 0, "endless %s", parts[i]);
		redactor_free(r);
	}
	redactor_rules_free(rules);
}

static void
test_patterns(void)
{
	struct err e = {0};

	is_int(redactor_check_pattern("[A-Z]{2}-[0-9]+", &e), 0, "a pattern");
	is_int(redactor_check_pattern("(a", &e), -1, "no pattern");
	is_int(redactor_check_pattern("(a)\\1", &e), -1, "one that may take for ever");
	is_int(redactor_check_pattern("((a{100}){100}){100}", &e), -1, "one that is too large");
}

/* A line of letters, digits and what stands between them. */
static size_t
any_line(char *to, size_t most)
{
	static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789-/+ ABCDEFXYZ=";
	size_t n = 20 + chance() % (most - 22);

	for (size_t i = 0; i < n; i++)
		to[i] = all[chance() % (sizeof all - 1)];
	to[n++] = '\n';
	return n;
}

/* What the C library learns of a pattern makes it fast, and is kept; without end it is not. */
static void
test_compiled(void)
{
	struct redactor_rules *rules = redactor_rules_new();
	struct redactor *r = redactor_new(rules);
	size_t before, after;
	char line[400];
	regex_t was;
	struct buf out;

	buf_init(&out, 1 << 20);
	redactor_rules_pattern(rules, "[0-9]{4}-[0-9]{4}-[0-9]{4}", NULL);
	was = rules->pattern[0].re;
	for (int i = 0; i < 2000; i++) {
		redactor_feed(r, 1, line, any_line(line, sizeof line), &out);
		buf_clear(&out);
	}
	ok(memcmp(&was, &rules->pattern[0].re, sizeof was) == 0, "a pattern is compiled once");
	before = mem_in_use();
	is_int(redactor_rules_pattern(rules, "[a-m].{18}[n-z]!!", NULL), 0, "a costly one");
	is_int(redactor_rules_pattern(rules, "[a-z]{1,300}x=", NULL), 0, "and another");
	for (int i = 0; i < 150; i++) {
		redactor_feed(r, 1, line, any_line(line, sizeof line), &out);
		buf_clear(&out);
	}
	after = mem_in_use();
	ok(after < before + (6 << 20), "one that takes memory is bounded: %zu KiB",
	    (after - before) >> 10);
	rules->grown = 1 << 20;
	was = rules->pattern[0].re;
	redactor_rules_trim(rules);
	ok(rules->grown == 0 && memcmp(&was, &rules->pattern[0].re, sizeof was) != 0,
	    "and gives it back when it is idle");
	redactor_free(r);
	redactor_rules_free(rules);
	buf_fini(&out);
}

int
main(void)
{
	struct redactor_rules *rules = redactor_rules_new();

	test_secrets(rules);
	test_harmless(rules);
	test_long(rules);
	redactor_rules_free(rules);
	test_exact();
	test_hold();
	test_endless();
	test_patterns();
	test_compiled();
	return done_testing();
}
