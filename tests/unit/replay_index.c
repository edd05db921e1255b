/* SPDX-License-Identifier: GPL-3.0-or-later */
/* With an index a search finds what it finds without, and reads less. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pattern.h"
#include "mirror_util.h"
#include "record/store.h"
#include "replay/grep.h"
#include "replay/player.h"
#include "replay/sidecar.h"
#include "tap.h"

#define CORAL ",\"coral\":{\"version\":1,\"tty\":true,\"evidence\":{\"x\":1}}"

static char dir[64], session[200], cast[256], side[256];

struct catch
{
	struct pattern pattern;
	char must[PATTERN_MAX + 1];
	struct buf text;
	size_t looked;
};

static bool
match(void *arg, const char *line, size_t n, size_t *from, size_t *to)
{
	struct catch *c = arg;

	c->looked++;
	return pattern_match(&c->pattern, line, n, from, to);
}

static int
found(void *arg, const struct grep_hit *h)
{
	struct catch *c = arg;

	buf_printf(&c->text, "%lld %zu-%zu %d%d %.*s|", (long long)h->t, h->from, h->to, h->before,
	    h->after, (int)h->len, h->line);
	return 0;
}

static int
grep(struct catch *c, const char *text, bool regex, bool fold, bool indexed)
{
	struct grep_want want = {match, found, c, c->must};
	struct err e = {0};
	int fd = open(cast, O_RDONLY | O_CLOEXEC), copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), rc;
	struct cast_reader *r = cast_open_fd(fd, cast, &e);

	memset(c, 0, sizeof(*c));
	buf_init(&c->text, (size_t)64 << 20);
	if (!r || pattern_init(&c->pattern, text, regex, fold, &e) < 0)
		abort();
	pattern_must(&c->pattern, c->must);
	rc = indexed ? grep_indexed(r, copy, &want, &e) : grep_recording(r, &want, &e);
	cast_close(r);
	close(copy);
	pattern_fini(&c->pattern);
	return rc;
}

static bool
agree(const char *text, bool regex, bool fold, size_t *looked)
{
	struct catch a, b;
	int rc = grep(&a, text, regex, fold, false), rc2 = grep(&b, text, regex, fold, true);
	bool same =
	    rc == rc2 && a.text.len == b.text.len &&
	    (a.text.len == 0 || memcmp(buf_head(&a.text), buf_head(&b.text), a.text.len) == 0);

	if (!same)
		printf("# %s: %zu, not %zu bytes\n", text, b.text.len, a.text.len);
	if (looked)
		*looked = b.looked;
	buf_fini(&a.text);
	buf_fini(&b.text);
	return same;
}

static void
put_event(FILE *f, double t, const char *p, size_t n)
{
	fprintf(f, "[%f,\"o\",\"", t);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)p[i] < 0x20 || p[i] == '"' || p[i] == '\\')
			fprintf(f, "\\u%04x", p[i]);
		else
			putc(p[i], f);
	}
	fputs("\"]\n", f);
}

enum how { RANDOM, LINES, PAINTED };

/* Appended to the recording, from second `t` on. */
static double
extend(enum how how, double t, size_t bytes)
{
	static char text[4096];
	FILE *f = fopen(cast, "a");
	size_t n;

	if (!f)
		abort();
	for (size_t i = 0; (size_t)ftell(f) < bytes; i++) {
		t += mu_rnd(50) == 0 ? 2 : 0.01;
		if (how == RANDOM)
			n = mu_program(text, 40 + mu_rnd(400), 12, 40);
		else
			n = (size_t)snprintf(text, sizeof(text), "%s%u of %u lines, %s\r\n",
			    how == PAINTED && i % 40 == 0 ? "\033[2J\033[H" : "", mu_rnd(100000),
			    mu_rnd(1000), mu_rnd(3000) ? "nothing to see" : "the Needle in it");
		put_event(f, t, text, n);
		if (i % 300 == 7)
			fprintf(f, "[%f,\"m\",\"mark %zu\"]\n", t, i);
		if (mu_rnd(1500) == 0)
			fprintf(f, "[%f,\"r\",\"%ux%u\"]\n", t, 30 + mu_rnd(20), 10 + mu_rnd(6));
	}
	fclose(f);
	return t;
}

static void
put_mark(double t)
{
	FILE *f = fopen(cast, "a");

	fprintf(f, "[%f,\"c\",\"{\\\"mark\\\":{\\\"lines\\\":1}}\"]\n", t);
	fclose(f);
}

static void
begin(const char *coral)
{
	FILE *f = fopen(cast, "w");

	unlink(side);
	fprintf(f, "{\"version\":2,\"width\":40,\"height\":12%s}\n", coral);
	fclose(f);
}

static bool
same_screens(const struct player *a, const struct player *b)
{
	const struct screen *s = player_screen(a), *t = player_screen(b);
	struct screen_cell c, d;

	if (player_frame(a) != player_frame(b) || player_time(a) != player_time(b) ||
	    screen_rows(s) != screen_rows(t) || screen_cols(s) != screen_cols(t))
		return false;
	for (int row = 0; row < screen_rows(s); row++) {
		for (int col = 0; col < screen_cols(s); col++) {
			screen_cell(s, row, col, &c);
			screen_cell(t, row, col, &d);
			if (memcmp(&c, &d, sizeof(c)) != 0)
				return false;
		}
	}
	return true;
}

/* Two players, of which one has no index: its file is not where one is looked for. */
static void
test_player(double length)
{
	char other[300];
	struct player *a, *b;
	const struct player_moment *m;
	int bad = 0, far = 0, named = 0;

	snprintf(other, sizeof(other), "%s/other.cast", session);
	if (link(cast, other) < 0)
		abort();
	a = player_open(open(cast, O_RDONLY | O_CLOEXEC), "a", NULL);
	b = player_open(open(other, O_RDONLY | O_CLOEXEC), "b", NULL);
	while (player_work(b, 1000000000) != PLAYER_IDLE)
		;
	m = player_moment(a, 0, true);
	ok(m && player_moment(b, 0, true) && m->t == player_moment(b, 0, true)->t,
	    "the moments are known at once");
	for (const struct player_moment *x = m; x; x = player_moment(a, x->t, true))
		named++;
	for (const struct player_moment *x = player_moment(b, 0, true); x;
	     x = player_moment(b, x->t, true))
		named--;
	ok(named == 0, "all of them");
	for (int i = 0; i < 60; i++) {
		int64_t t = (int64_t)(length * 1e6 * mu_rnd(1000));

		if (i % 7 == 3) {
			player_find(a, "needle", i % 2);
			player_find(b, "needle", i % 2);
		} else if (i % 7 == 4) {
			player_seek_frame(a, player_frame(a) / 2 + mu_rnd(1000));
			player_finish(a);
			player_seek_frame(b, player_frame(a));
		} else {
			player_seek(a, t);
			player_seek(b, t);
		}
		player_finish(a);
		player_finish(b);
		bad += !same_screens(a, b);
		far += player_time(a) > 0;
	}
	ok(bad == 0 && far > 30, "wherever it goes, the player shows the same with and without");
	player_work(a, 1);
	while (player_work(a, 1000000000) != PLAYER_IDLE)
		;
	ok(player_total(a, NULL) == player_total(b, NULL), "and knows the same length");
	player_free(a);
	player_free(b);
	unlink(other);
}

static void
test_same(enum how how, const char *what, const char *coral)
{
	static const char *const words[] = {"Needle", "nothing", "qz"};
	size_t looked = 1, whole;
	bool same = true;
	struct stat st, index;
	double t;

	begin(coral);
	t = extend(how, 0, 600000);
	put_mark(t);
	same = agree("no such text", false, false, &whole);
	ok(same && stat(side, &index) == 0, "%s: the first search leaves an index", what);
	stat(cast, &st);
	ok(index.st_size < st.st_size / 10, "of %lld bytes for %lld", (long long)index.st_size,
	    (long long)st.st_size);
	for (size_t i = 0; i < COUNT_OF(words); i++)
		same &= agree(words[i], false, i == 0, NULL);
	same &= agree("[0-9]9 of 99?[0-9] li", true, false, NULL);
	ok(same, "the same is found");
	agree("no such text", false, false, &looked);
	ok(looked == 0, "and without a look where it cannot be: %zu of %zu", looked, whole);
	t = extend(how, t, 800000);
	same = agree("no such text", false, false, &looked);
	ok(same && (looked < whole || how == PAINTED), "of one that grew, what is new is searched");
	agree("no such text", false, false, &looked);
	same = agree("needle", false, true, NULL);
	ok(same && looked == 0, "and then in the index");
	if (how != PAINTED)
		test_player(t);
}

/* The bytes of another line in the place of some. */
static void
change(off_t at)
{
	static const char other[] = "\"]\n[0.5,\"o\",\"an other\"]\n[0.6,\"o\",\"";
	int fd = open(cast, O_RDWR | O_CLOEXEC);

	if (pwrite(fd, other, sizeof(other) - 1, at) != (ssize_t)sizeof(other) - 1)
		abort();
	close(fd);
}

/* Marks bind what is before them: behind the last one every byte is looked at. */
static void
test_changed(const char *coral)
{
	bool marks = *coral != '\0';
	size_t looked, whole;
	double t;

	begin(coral);
	t = extend(LINES, 0, 300000);
	agree("Needle", false, false, NULL);
	change(200000);
	ok(agree("Needle", false, false, NULL) && agree("an other", false, false, NULL),
	    "one of another state of the file is not used, %s",
	    marks ? "without a mark" : "either");
	begin(coral);
	t = extend(LINES, 0, 150000);
	put_mark(t);
	t = extend(LINES, t, 300000);
	agree("no such text", false, false, &whole);
	t = extend(LINES, t, 400000);
	agree("no such text", false, false, &looked);
	ok(marks ? looked < whole / 2 : looked > whole, "what grew is searched from %s on",
	    marks ? "its end" : "its beginning");
	change(200000);
	ok(agree("an other", false, false, NULL), "what is behind the mark is looked at");
	begin(coral);
	t = extend(LINES, 0, 300000);
	put_mark(t);
	agree("no such text", false, false, NULL);
	change(100000);
	ok(agree("an other", false, false, NULL),
	    "and what was changed before it, of the same size");
}

static void
test_damage(void)
{
	unsigned char byte;
	struct stat st;
	int fd, bad = 0;

	stat(side, &st);
	for (int i = 0; i < 6; i++) {
		off_t at = (off_t)(mu_rnd((unsigned)st.st_size));

		fd = open(side, O_RDWR | O_CLOEXEC);
		if (fd < 0 || pread(fd, &byte, 1, at) != 1)
			break;
		byte ^= 1u << i % 8;
		if (pwrite(fd, &byte, 1, at) != 1)
			abort();
		close(fd);
		bad += !agree("Needle", false, false, NULL);
		/* Made again. */
		agree("no such text", false, false, NULL);
		stat(side, &st);
	}
	ok(bad == 0, "a damaged one changes nothing that is found");
	test_changed("");
	test_changed(CORAL);
}

/* What a killed one left goes; what one at work has does not. */
static void
test_leftovers(void)
{
	char dead[300], held[300], other[300];
	const char *base = strrchr(side, '/') + 1;
	int fds[3];

	snprintf(dead, sizeof(dead), "%s/.%s.4194301", session, base);
	snprintf(held, sizeof(held), "%s/.%s.4194302", session, base);
	snprintf(other, sizeof(other), "%s/.%s.tried", session, base);
	fds[0] = open(dead, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	fds[1] = open(held, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	fds[2] = open(other, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	flock(fds[1], LOCK_EX);
	begin("");
	extend(LINES, 0, 100000);
	agree("Needle", false, false, NULL);
	ok(access(side, F_OK) == 0 && access(dead, F_OK) < 0 && access(held, F_OK) == 0 &&
		access(other, F_OK) == 0,
	    "what a killed one left is removed, what another builds is not");
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	unlink(held);
	unlink(other);
}

/* What says where a text is stands beside no recording that is to be read with a key alone. */
static void
test_home(void)
{
	static const struct {
		const char *end;
		bool has;
	} v[] = {
	    {".cast", true}, {".cast.zst", true}, {".cast.sealed", false}, {".cast.bak", false}};
	struct sidecar_home h;
	char path[300];
	int bad = 0, fd;

	for (size_t i = 0; i < COUNT_OF(v); i++) {
		snprintf(path, sizeof(path), "%.*s%s", (int)strlen(cast) - 5, cast, v[i].end);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		bad += (sidecar_home(fd, &h) == 0) != v[i].has;
		if (v[i].has)
			sidecar_home_fini(&h);
		close(fd);
		if (i > 0)
			unlink(path);
	}
	chmod(session, 0777);
	fd = open(cast, O_RDONLY | O_CLOEXEC);
	bad += sidecar_home(fd, &h) == 0;
	close(fd);
	chmod(session, 0700);
	ok(bad == 0, "an index stands beside recordings in the clear, where others cannot write");
}

static void
test_must(void)
{
	static const struct {
		const char *text, *must;
		bool regex, fold;
	} v[] = {{"a.b*", "a.b*", false, false}, {"passw\xc3\xb6rt", "passw", false, true},
	    {"ab+cdef?g", "cde", true, false}, {"[x|y]", "", true, false},
	    {"(abc)?", "", true, false}, {"[[:alpha:]]key", "key", true, false},
	    {"[]]key", "key", true, false}, {"abc{0,3}de", "ab", true, false},
	    {"a\\.bcd", "bcd", true, false}, {"task", "ta", true, true},
	    {"rm -[rf]+ /", "rm -", true, false}, {"x{3}yyy", "yyy", true, false}};
	char must[PATTERN_MAX + 1];
	struct pattern p;

	for (size_t i = 0; i < COUNT_OF(v); i++) {
		if (pattern_init(&p, v[i].text, v[i].regex, v[i].fold, NULL) < 0)
			abort();
		pattern_must(&p, must);
		ok(strcmp(must, v[i].must) == 0, "\"%s\" has \"%s\": \"%s\"", v[i].text, v[i].must,
		    must);
		pattern_fini(&p);
	}
}

int
main(void)
{
	char id[STORE_ID_LEN + 1];

	snprintf(dir, sizeof(dir), "/tmp/coral-index-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	mu_seed = 88172645463325252u;
	store_new_id(id);
	snprintf(session, sizeof(session), "%s/%s", dir, id);
	snprintf(cast, sizeof(cast), "%s/%s.cast", session, id);
	snprintf(side, sizeof(side), "%s/%s.index", session, id);
	mkdir(session, 0700);
	test_must();
	test_home();
	test_same(RANDOM, "random programs", CORAL);
	test_same(LINES, "lines", CORAL);
	/* Nothing there tells a file from one that was changed, but its time. */
	test_same(PAINTED, "no terminal", ",\"coral\":{\"version\":1,\"tty\":false}");
	test_damage();
	test_leftovers();
	unlink(cast);
	unlink(side);
	rmdir(session);
	rmdir(dir);
	return done_testing();
}
