/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record_util.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/json.h"
#include "record/store.h"
#include "record/verify.h"
#include "replay/player.h"

#define CUTS 1000
#define MARKS 64

/* Byte i of the stream that the child writes: text, characters and noise. */
static unsigned char
byte_at(size_t i)
{
	static const char text[] = "plain words \xc3\xa9\xe2\x82\xac \x1b[0m\r\n";
	size_t block = i / 5000;

	return block % 3 == 2 ? (unsigned char)(i * 2654435761U >> 13)
			      : (unsigned char)text[i % (sizeof(text) - 1)];
}

static void __attribute__((noreturn)) write_until_killed(const char *name, uint32_t seed)
{
	struct cast_writer *w = rec_create(name, true, 0);
	static unsigned char block[100000];
	size_t at = 0;

	for (;;) {
		size_t n = 1 + rec_random(&seed) % (seed % 4 ? 300 : sizeof(block));

		for (size_t i = 0; i < n; i++)
			block[i] = byte_at(at + i);
		at += n;
		if (cast_data(w, CAST_STDOUT, REC_T0 + (int64_t)at, block, n, NULL) < 0)
			_exit(1);
	}
}

static void
verify_path(const char *path, struct verify_result *r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*r = (struct verify_result){.state = VERIFY_BAD};
	verify_fd(fd, path, r, NULL);
	close(fd);
}

/* Kill the writer when its file has reached a size; at once may be in the middle of a write. */
static void
kill_at(uint32_t round)
{
	uint32_t seed = 0x9e3779b9U * (round + 1);
	off_t limit = (off_t)(rec_random(&seed) % 3000000);
	struct verify_result r;
	struct rec_seen s;
	struct stat st = {0};
	bool same = true;
	const unsigned char *got;
	pid_t pid = fork();

	if (pid == 0)
		write_until_killed("killed.cast", seed);
	while (st.st_size <= limit && waitpid(pid, NULL, WNOHANG) == 0) {
		if (fstatat(rec_dirfd, "killed.cast", &st, 0) < 0)
			sched_yield();
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	rec_read(rec_path("killed.cast"), &s);
	verify_path(rec_path("killed.cast"), &r);
	got = buf_head(&s.stream[CAST_STDOUT]);
	for (size_t i = 0; i < s.stream[CAST_STDOUT].len && same; i++)
		same = got[i] == byte_at(i);
	ok(!s.failed && s.truncated && !s.end, "round %u: killed at %lld: readable and truncated",
	    round, (long long)st.st_size);
	ok(r.state == VERIFY_OPEN && r.marks > 0,
	    "round %u: authentic up to a mark, not complete: %s", round, r.why);
	/* The first call alone may be as large as this. */
	ok(same && (limit < 1000000 || s.stream[CAST_STDOUT].len > 0),
	    "round %u: a true beginning of what was written", round);
	rec_forget(&s);
	unlinkat(rec_dirfd, "killed.cast", 0);
}

/* The same file cut at every place near its end, as after a power cut. */
static void
test_cuts(void)
{
	struct cast_writer *w = rec_create("cut.cast", false, 0);
	struct err e = {0};
	struct rec_seen s;
	struct stat st;
	size_t whole = 0, cut = 0, wrong = 0, header;
	struct buf b;
	int fd;

	buf_init(&b, 1 << 20);
	cast_data(w, CAST_STDERR, REC_T0, "caf\xc3\xa9\xff!", 7, &e);
	cast_data(w, CAST_STDOUT, REC_T0, "out", 3, &e);
	cast_end(w, REC_T0, NULL, &e);
	cast_free(w);
	fstatat(rec_dirfd, "cut.cast", &st, 0);
	fd = openat(rec_dirfd, "cut.cast", O_RDWR | O_CLOEXEC);
	buf_read_fd(&b, fd, (size_t)st.st_size);
	header =
	    (size_t)((const char *)memchr(buf_head(&b), '\n', b.len) - (const char *)buf_head(&b));
	for (off_t n = st.st_size; n >= 0; n--) {
		if (ftruncate(fd, n) < 0)
			break;
		rec_read(rec_path("cut.cast"), &s);
		whole += !s.failed && !s.truncated;
		cut += !s.failed && s.truncated;
		wrong += s.failed && n > (off_t)header;
		/* A cut between exact bytes and their event must not show replaced ones. */
		wrong += !s.failed && s.stream[CAST_STDERR].len != 0 &&
			 !rec_same(&s.stream[CAST_STDERR], "caf\xc3\xa9\xff!", 7);
		rec_forget(&s);
	}
	is_int(whole, 2, "only the file with its end is whole, also without the seal behind it");
	is_int(wrong, 0, "every cut after the header is readable and exact");
	is_int(cut, (int64_t)st.st_size - (int64_t)header - 1, "and truncated");
	close(fd);
	buf_fini(&b);
}

/* Where the writer stood after each mark, and how much of the stream each line ends. */
struct known {
	uint64_t mark[MARKS], end;
	size_t marks;
	struct {
		uint64_t at, stream;
	} * event;
	size_t events;
};

/* What must be read of a file of n bytes; and a character that was cut may stand before the next.
 */
static bool
is_known_stream(const struct known *k, uint64_t n, uint64_t read)
{
	uint64_t least = 0;
	size_t i;

	for (i = 0; i < k->events && k->event[i].at <= n; i++)
		least = k->event[i].stream;
	return read >= least && (i == k->events || read < k->event[i].stream);
}

static uint64_t
known_mark(const struct known *k, uint64_t n)
{
	uint64_t mark = 0;

	for (size_t i = 0; i < k->marks && k->mark[i] <= n; i++)
		mark = k->mark[i];
	return mark;
}

/* Some of everything: text, noise, sizes, events of coral's own, marks. */
static int
record_some(struct known *k, int sessdir)
{
	static unsigned char block[3000];
	struct cast_writer *w;
	uint32_t seed = 4711;
	uint64_t at = 0;
	int own = rec_dirfd, events = 150;

	rec_dirfd = sessdir;
	w = rec_create(REC_ID ".cast", true, 0);
	rec_dirfd = own;
	k->event = calloc((size_t)events, sizeof *k->event);
	k->mark[k->marks++] = cast_offset(w);
	for (int i = 0; i < events; i++) {
		size_t n = 1 + rec_random(&seed) % (i % 7 ? 200 : sizeof block);

		for (size_t j = 0; j < n; j++)
			block[j] = byte_at(at + j);
		at += n;
		cast_data(w, CAST_STDOUT, REC_T0 + i, block, n, NULL);
		cast_flush(w, REC_T0 + i, NULL);
		k->event[k->events].at = cast_offset(w);
		k->event[k->events++].stream = at;
		if (i % 11 == 0)
			cast_resize(w, REC_T0 + i, 80 + i % 9, 24, NULL);
		if (i % 13 == 0)
			cast_event(w, REC_T0 + i, "notice", NULL, NULL);
		if (i % 13 == 0 && k->marks < MARKS) {
			cast_sync(w, REC_T0 + i, true, NULL);
			k->mark[k->marks++] = cast_offset(w);
		}
	}
	k->end = cast_offset(w);
	cast_end(w, REC_T0 + events, NULL, NULL);
	cast_free(w);
	return openat(sessdir, REC_ID ".cast", O_RDWR | O_CLOEXEC);
}

static bool
reads_its_beginning(const struct known *k, const char *path, uint64_t n)
{
	struct rec_seen s;
	bool same, right;

	rec_read(path, &s);
	same = is_known_stream(k, n, s.stream[CAST_STDOUT].len);
	for (size_t i = 0; i < s.stream[CAST_STDOUT].len && same; i++)
		same = buf_head(&s.stream[CAST_STDOUT])[i] == byte_at(i);
	right = same && !s.failed && s.truncated && s.sorted && !s.end;
	rec_forget(&s);
	return right;
}

static bool
is_authentic_so_far(const struct known *k, int fd, uint64_t n)
{
	struct verify_result r = {.state = VERIFY_BAD};

	lseek(fd, 0, SEEK_SET);
	verify_fd(fd, "cut", &r, NULL);
	return n < k->mark[0] ? r.state != VERIFY_SEALED
			      : r.state == VERIFY_OPEN && !r.ended &&
				    r.good_bytes == known_mark(k, n) && r.bytes <= n;
}

static bool
plays_to_its_end(const char *path)
{
	struct player *p = player_open(open(path, O_RDONLY | O_CLOEXEC), path, NULL);
	bool right;

	if (!p)
		return false;
	while (player_apply(p))
		;
	right = player_ending(p, NULL) == PLAYER_TRUNCATED;
	player_free(p);
	return right;
}

/* What a list of sessions says, and whether it plays. */
static bool
is_told_as_truncated(const char *path, bool play)
{
	json_t *shown = store_show(rec_dir, REC_ID, NULL);
	const char *state = json_str(shown, "state");
	bool right = state && strcmp(state, "truncated") == 0;

	json_decref(shown);
	return right && (!play || plays_to_its_end(path));
}

/* One signed recording, cut anywhere: all readers agree on what is left. */
static void
test_thousand_cuts(void)
{
	struct known k = {0};
	int lock, sessdir, fd, unread = 0, unproven = 0, untold = 0, cuts = 0;
	uint32_t seed = 99;
	char path[160];
	struct buf all;
	struct stat st;
	uint64_t header;

	sessdir = store_create(rec_dir, REC_ID, &lock, NULL);
	fd = record_some(&k, sessdir);
	close(lock);
	snprintf(path, sizeof path, "%s/sessions/%s/%s.cast", rec_dir, REC_ID, REC_ID);
	fstat(fd, &st);
	buf_init(&all, (size_t)st.st_size);
	buf_read_fd(&all, fd, (size_t)st.st_size);
	header = (uint64_t)((const unsigned char *)memchr(buf_head(&all), '\n', all.len) -
			    buf_head(&all)) +
		 1;
	for (; cuts < CUTS; cuts++) {
		uint64_t n = header + rec_random(&seed) % (k.end - header);

		if (ftruncate(fd, (off_t)n) < 0)
			break;
		unread += !reads_its_beginning(&k, path, n);
		unproven += !is_authentic_so_far(&k, fd, n);
		untold += !is_told_as_truncated(path, cuts % 100 == 0);
		if (pwrite(fd, buf_head(&all) + n, all.len - n, (off_t)n) < 0)
			break;
	}
	ok(cuts == CUTS && k.marks > 10, "a recording of %lld bytes and %zu marks, cut anywhere",
	    (long long)st.st_size, k.marks);
	is_int(unread, 0, "reads as its whole events");
	is_int(unproven, 0, "is authentic up to its last whole mark, and not complete");
	is_int(untold, 0, "is told as truncated, and plays");
	close(fd);
	close(sessdir);
	buf_fini(&all);
	free(k.event);
}

int
main(void)
{
	rec_setup();
	for (uint32_t round = 0; round < 40; round++)
		kill_at(round);
	test_cuts();
	test_thousand_cuts();
	return done_testing();
}
