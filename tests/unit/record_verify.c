/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a recording proves: signed as it is written, and every damage found on its line. */
#include "record/verify.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "record_util.h"

#define LINES_MAX 4096

/* A recording as its lines. */
struct lines {
	unsigned char *all;
	size_t size, n;
	size_t at[LINES_MAX + 1];
};

static void
load(struct lines *l, const char *path)
{
	struct buf b;

	buf_init(&b, 64 << 20);
	if (fd_read_file(AT_FDCWD, path, 64 << 20, &b) < 0)
		printf("Bail out! %s\n", path);
	l->all = b.data;
	l->size = b.len;
	l->n = 0;
	l->at[0] = 0;
	for (size_t i = 0; i < b.len && l->n < LINES_MAX; i++)
		if (b.data[i] == '\n')
			l->at[++l->n] = i + 1;
}

static void
verify_bytes(struct verify_result *r, const void *p, size_t n)
{
	int fd = memfd_create("cast", MFD_CLOEXEC);
	struct err e = {0};

	if (fd < 0 || fd_write_all(fd, p, n) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
	    verify_fd(fd, "x", r, &e) < 0)
		printf("Bail out! verify\n");
	close(fd);
}

/* Both streams, bytes that are no text, marks in between; `end`: and all that follows it. */
static void
record(const char *name, bool end)
{
	struct cast_writer *w = rec_create(name, false, 0);
	json_t *facts = json_pack("{ss}", "text", "a notice");
	int64_t t = REC_T0;
	struct err e = {0};
	char text[64];
	bool good = true;

	for (int i = 0; i < 12; i++) {
		int n = snprintf(text, sizeof(text), "line %d of the output\n", i);

		t += 10 * NS_PER_MS;
		good = good && cast_data(w, CAST_STDOUT, t, text, (size_t)n, &e) == 0;
		good = good && cast_data(w, CAST_STDERR, t, "\xff\xfe no text\n", 11, &e) == 0;
		if (i % 4 == 3)
			good = good && cast_sync(w, t, true, &e) == 0;
		if (i == 5)
			good = good && cast_event(w, t, "notice", facts, &e) == 0 &&
			       cast_resize(w, t, 100, 30, &e) == 0;
	}
	if (end)
		good = good && cast_end(w, t, NULL, &e) == 0;
	ok(good, "%s is recorded", name);
	cast_free(w);
	json_decref(facts);
}

static void
test_whole(void)
{
	struct verify_result r;
	struct rec_seen seen;
	struct lines l;

	record("whole.cast", true);
	load(&l, rec_path("whole.cast"));
	verify_bytes(&r, l.all, l.size);
	is_int(r.state, VERIFY_SEALED, "it is sealed");
	is_int(r.lines, l.n, "all lines");
	is_int(r.bytes, l.size, "all bytes");
	is_int(r.good_bytes, l.size, "all signed");
	is_int(r.marks, 5, "the first mark, three in between, and the seal");
	ok(r.has_key && memcmp(r.agent_key, rec_agent.public, KEYFILE_PUBLIC) == 0, "by this key");
	is_str(r.session_id, REC_ID, "of this session");
	rec_read(rec_path("whole.cast"), &seen);
	ok(!seen.failed && !seen.truncated && seen.end, "a reader takes it");
	is_int(json_array_size(seen.coral), 1, "and is told of no mark");
	rec_forget(&seen);
	free(l.all);
}

/* A copy with one line changed: `make` writes it to `to` and says how long it is. */
static size_t
put(unsigned char *to, size_t at, const struct lines *l, size_t from, size_t upto)
{
	memcpy(to + at, l->all + l->at[from], l->at[upto] - l->at[from]);
	return at + l->at[upto] - l->at[from];
}

enum damage {
	FLIP,
	FLIP_FIRST,
	FLIP_LAST,
	NO_NEWLINE,
	DROP,
	SWAP,
	TWICE,
	INSERT,
	SHORTEN,
	DAMAGES
};
static const char *const names[] = {"flipped", "flipped at its first byte",
    "flipped at its last byte", "run into the next", "dropped", "swapped", "doubled", "inserted",
    "shortened"};

static size_t
damage(unsigned char *to, const struct lines *l, size_t i, enum damage how)
{
	static const char fresh[] = "[0.000001,\"o\",\"forged\"]\n";
	size_t len = l->at[i + 1] - l->at[i], n = put(to, 0, l, 0, i);

	switch (how) {
	case DROP:
		return put(to, n, l, i + 1, l->n);
	case SWAP:
		n = put(to, n, l, i + 1, i + 2);
		n = put(to, n, l, i, i + 1);
		return put(to, n, l, i + 2, l->n);
	case TWICE:
		n = put(to, n, l, i, i + 1);
		return put(to, n, l, i, l->n);
	case INSERT:
		memcpy(to + n, fresh, sizeof(fresh) - 1);
		return put(to, n + sizeof(fresh) - 1, l, i, l->n);
	case SHORTEN:
		n = put(to, n, l, i, i + 1) - 4;
		to[n - 1] = '\n';
		return put(to, n, l, i + 1, l->n);
	default:
		n = put(to, n, l, i, l->n);
		to[l->at[i] + (how == FLIP	      ? len / 2
				  : how == FLIP_FIRST ? 0
				  : how == FLIP_LAST  ? len - 2
						      : len - 1)] ^= 0x04;
		return n;
	}
}

static void
test_damage(void)
{
	unsigned char *copy;
	struct verify_result r;
	struct lines l;

	load(&l, rec_path("whole.cast"));
	copy = malloc(2 * l.size + 64);
	for (int how = 0; how < DAMAGES; how++) {
		size_t wrong = 0;

		for (size_t i = 0; i < l.n; i++) {
			bool last = i + 1 == l.n;
			uint64_t want = i + 1 + (how == TWICE);

			if (how == SWAP && last)
				continue;
			verify_bytes(&r, copy, damage(copy, &l, i, (enum damage)how));
			/* Without its last line it is a recording that was cut. */
			if (last && (how == DROP || how == NO_NEWLINE)) {
				wrong += r.state != VERIFY_OPEN;
				continue;
			}
			/* A mark that is lost in another line says nothing of that line. */
			if (r.state == VERIFY_BAD && how == NO_NEWLINE && r.bad_line == want + 1)
				continue;
			if (r.state == VERIFY_BAD && r.bad_line == want)
				continue;
			wrong++;
			printf("# line %zu %s: state %d, line %llu, %s\n", i + 1, names[how],
			    r.state, (unsigned long long)r.bad_line, r.why);
		}
		is_int(wrong, 0, names[how]);
	}
	free(copy);
	free(l.all);
}

static void
test_cuts(void)
{
	struct verify_result r;
	size_t wrong = 0, opened = 0;
	struct lines l;

	load(&l, rec_path("whole.cast"));
	for (size_t n = 0; n < l.size; n++) {
		verify_bytes(&r, l.all, n);
		/* There is nothing to go by before the first mark. */
		if (r.state != (n < l.at[2] ? VERIFY_BAD : VERIFY_OPEN))
			wrong++;
		opened += r.state == VERIFY_OPEN && r.good_bytes <= n;
	}
	is_int(wrong, 0, "cut anywhere it is never complete, and authentic behind its first mark");
	is_int(opened, l.size - l.at[2], "and never more is signed than there is");
	free(l.all);
}

static void
test_open(void)
{
	struct verify_result r;
	struct lines l;

	record("open.cast", false);
	load(&l, rec_path("open.cast"));
	verify_bytes(&r, l.all, l.size);
	is_int(r.state, VERIFY_OPEN, "one that has no end is open");
	ok(r.good_lines == l.n && !r.ended, "signed up to its last mark");
	free(l.all);
}

/* By volume, without a sync. */
static void
test_volume(void)
{
	static char block[65536];
	struct cast_writer *w = rec_create("volume.cast", true, 0);
	struct verify_result r;
	struct err e = {0};
	bool good = true;
	struct lines l;

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 2100; i++)
		good = good && cast_data(w, CAST_STDOUT, REC_T0, "a few bytes", 11, &e) == 0;
	for (int i = 0; i < 160; i++)
		good = good && cast_data(w, CAST_STDOUT, REC_T0, block, sizeof(block), &e) == 0;
	ok(good, "much is recorded");
	load(&l, rec_path("volume.cast"));
	verify_bytes(&r, l.all, l.size);
	is_int(r.state, VERIFY_OPEN, "it is true");
	ok(r.marks >= 5 && r.marks <= 8, "marks after 1024 lines and after 4 MiB: %d",
	    (int)r.marks);
	ok(r.lines - r.good_lines <= 1024 && r.bytes - r.good_bytes <= 5 << 20, "little is open");
	free(l.all);
	ok(cast_end(w, REC_T0, NULL, &e) == 0, "its end");
	cast_free(w);
	load(&l, rec_path("volume.cast"));
	verify_bytes(&r, l.all, l.size);
	is_int(r.state, VERIFY_SEALED, "and it is sealed");
	free(l.all);
}

/* Whose key it is cannot be made up: with another session's certificate, or by another agent. */
static void
test_certificate(void)
{
	struct evidence was = rec_evidence, other;
	struct verify_result r;
	struct lines l;

	evidence_issue(&other, &rec_agent, "01jd0z5s8w7k3mtq4v9x2c6b2n", 1);
	rec_evidence = other;
	record("other.cast", true);
	load(&l, rec_path("other.cast"));
	verify_bytes(&r, l.all, l.size);
	ok(r.state == VERIFY_BAD && r.bad_line == 1, "a certificate of another session");
	ok(!r.has_key, "names no key");
	free(l.all);

	rec_evidence = was;
	rec_evidence.agent_key[0] ^= 1;
	record("forged.cast", true);
	load(&l, rec_path("forged.cast"));
	verify_bytes(&r, l.all, l.size);
	ok(r.state == VERIFY_BAD && r.bad_line == 1, "a key that certified nothing");
	free(l.all);

	rec_evidence = was;
	memcpy(rec_evidence.seed, other.seed, sizeof(other.seed));
	record("thief.cast", true);
	load(&l, rec_path("thief.cast"));
	verify_bytes(&r, l.all, l.size);
	ok(r.state == VERIFY_BAD && r.bad_line == 2, "marks that another key signed");
	free(l.all);
	rec_evidence = was;
}

static void
test_foreign(void)
{
	static const char old[] =
	    "{\"version\":2,\"width\":80,\"height\":24,\"coral\":{\"version\":1}}\n"
	    "[0.1,\"o\",\"x\"]\n[0.2,\"c\",\"{\\\"end\\\":{}}\"]\n";
	struct verify_result r;
	char more[256];

	verify_bytes(&r, old, sizeof(old) - 1);
	ok(r.state == VERIFY_UNSIGNED && r.ended && r.lines == 3,
	    "one without evidence is unsigned");
	verify_bytes(&r, old, sizeof(old) - 30);
	ok(r.state == VERIFY_UNSIGNED && !r.ended && r.cut, "and one that is cut");
	snprintf(more, sizeof(more), "%s[0.3,\"o\",\"y\"]\n", old);
	verify_bytes(&r, more, strlen(more));
	ok(r.state == VERIFY_BAD && r.bad_line == 4, "nothing follows an end");
	verify_bytes(&r, "rubbish\n", 8);
	ok(r.state == VERIFY_BAD && r.bad_line == 1, "rubbish");
	verify_bytes(&r, "", 0);
	ok(r.state == VERIFY_BAD && r.bad_line == 1, "nothing");
}

/* A child that asks for the key dies; and it is gone with the end. */
static void
test_key_is_kept(void)
{
	struct cast_writer *w = rec_create("child.cast", true, 0);
	struct err e = {0};
	int status = 0;
	pid_t pid;

	cast_data(w, CAST_STDOUT, REC_T0, "x", 1, &e);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL); /* not a sanitizer's */
		cast_sync(w, REC_T0, true, &e);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "a child cannot sign");
	ok(cast_end(w, REC_T0, NULL, &e) == 0, "its parent can");
	cast_free(w);
}

int
main(void)
{
	rec_setup();
	test_whole();
	test_damage();
	test_cuts();
	test_open();
	test_volume();
	test_certificate();
	test_foreign();
	test_key_is_kept();
	return done_testing();
}
