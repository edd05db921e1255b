/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What recordings may take: of one session, of one person's in a day, of all together. */
#include "record_util.h"

#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/json.h"
#include "base/str.h"
#include "record/verify.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define PIECE (256 * KIB)
#define CROWD 20

static char state[80];

/* A quota of the file system: bytes that a file may have blocks for.  0: none.  The kernel here has
 * none of its own to try. */
static off_t fs_quota;

int
fallocate(int fd, int mode, off_t at, off_t n)
{
	if (fs_quota && at + n > fs_quota) {
		errno = EDQUOT;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, at, n);
}

struct count {
	int64_t when;
	uint64_t bytes;
};

static void
counter(const char *name, struct count *n, bool put)
{
	char path[160];
	int fd;

	snprintf(path, sizeof path, "%s/usage/%s", state, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 ||
	    (put ? pwrite(fd, n, sizeof *n, 0) : pread(fd, n, sizeof *n, 0)) != (ssize_t)sizeof *n)
		*n = (struct count){0};
	close(fd);
}

static uint64_t
counted(const char *name)
{
	struct count n;

	counter(name, &n, false);
	return n.bytes;
}

static uint64_t
take_all(struct quota *q, uint64_t step, struct err *e)
{
	uint64_t taken = 0;

	while (taken < 1024 * MIB && quota_take(q, step, e) == 0)
		taken += step;
	return taken;
}

static void
test_a_day(void)
{
	struct quota_limits l = {.user_day = MIB};
	struct quota *a, *b, *root;
	struct err e = {0};
	struct count n;

	is_int(quota_open(&a, state, "ann", &l, &e), 0, "the first session of a day");
	is_int(take_all(a, 1000, &e), MIB / 1000 * 1000, "takes the day's bytes, and no more");
	is_int(e.code, ERR_LIMIT, "as a limit");
	ok(strstr(e.what, "ann") && strstr(e.why, "1 MiB") && strstr(e.why, "user_day_bytes") &&
		e.hint[0],
	    "whose, how much and which is said: %s: %s", e.what, e.why);
	is_int(quota_open(&b, state, "ann", &l, &e), -1, "another one does not begin");
	is_int(quota_open(&b, state, "bob", &l, &e), 0, "somebody else's does");
	is_int(quota_take(b, 300 * KIB, &e), 0, "and takes");
	quota_close(b);
	is_int(counted("user-bob"), 300 * KIB, "what was taken ahead is given back");
	is_int(quota_open(&root, state, "", &l, &e), 0, "nobody is limited who has no name");
	ok(!root, "at no cost");
	counter("user-ann", &n, false);
	n.when--;
	counter("user-ann", &n, true);
	is_int(quota_take(a, 1000, &e), 0, "on the next day it goes on");
	quota_give_back(a, 1000);
	quota_close(a);
	is_int(counted("user-ann"), 0, "from nothing");
	is_int(quota_open(&a, state, "../a b", &l, &e), 0, "a strange name");
	quota_close(a);
	is_int(counted("user-..%2fa%20b"), 0, "is spelt out");
}

static void
put_file(const char *name, uint64_t bytes)
{
	char path[200];
	int fd;

	snprintf(path, sizeof path, "%s/sessions/one", state);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/sessions/one/%s", state, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (posix_fallocate(fd, 0, (off_t)bytes) != 0)
		printf("Bail out! no room\n");
	close(fd);
}

static void
remove_file(const char *name)
{
	char path[200];

	snprintf(path, sizeof path, "%s/sessions/one/%s", state, name);
	unlink(path);
}

static void
test_all_together(void)
{
	struct quota_limits l = {.host = 4 * MIB};
	struct quota *q, *r;
	struct err e = {0};
	struct count n;

	put_file("a", 2 * MIB);
	put_file("b", MIB);
	is_int(quota_open(&q, state, "", &l, &e), 0, "a session where others take 3 of 4 MiB");
	is_int(counted("host"), 3 * MIB + 128 * KIB + PIECE, "they are counted, as du does");
	is_int(take_all(q, KIB, &e), MIB, "it takes the fourth");
	is_int(e.code, ERR_LIMIT, "and no more");
	ok(strstr(e.why, "4 MiB of 4 MiB") && strstr(e.why, "host_bytes") &&
		strstr(e.hint, "sessions rm"),
	    "how much, which, and what to do: %s", e.why);
	is_int(quota_open(&r, state, "", &l, &e), -1, "another does not begin");
	remove_file("b");
	counter("host", &n, false);
	n.when -= 3;
	counter("host", &n, true);
	is_int(quota_open(&r, state, "", &l, &e), 0, "when some is removed it does, seconds later");
	is_int(quota_take(q, KIB, &e), 0, "and the first goes on");
	quota_close(r);
	quota_close(q);
	is_int(counted("host"), 2 * MIB + KIB, "with what is there, and was taken since");
	remove_file("a");
}

static void
test_others_room(void)
{
	struct quota_limits l = {0};
	struct quota *q;
	struct err e = {0};
	struct statvfs fs;

	statvfs(rec_dir, &fs);
	l.host_free = (uint64_t)fs.f_bavail * fs.f_frsize / 2;
	is_int(quota_open(&q, state, "ann", &l, &e), 0, "half of the disk is others'");
	is_int(quota_take(q, KIB, &e), 0, "there is the other half");
	quota_close(q);
	l.host_free *= 4;
	is_int(quota_open(&q, state, "ann", &l, &e), -1, "more than there is");
	is_int(e.code, ERR_LIMIT, "is refused");
	ok(strstr(e.why, "host_free") && e.hint[0], "and said: %s", e.why);
}

/* Ends are written, whatever is left; and what was taken back is not counted. */
static void
test_ends(void)
{
	struct quota_limits l = {.user_day = MIB, .host = 1024 * MIB};
	struct err e = {0};
	struct quota *q;

	is_int(quota_open(&q, state, "eve", &l, &e), 0, "a day with 1 MiB");
	is_int(quota_take(q, MIB - KIB, &e), 0, "most of it");
	quota_count(q, 3 * KIB);
	is_int(quota_take(q, 1, &e), -1, "an end beyond it leaves nothing");
	quota_give_back(q, 512 * KIB);
	quota_close(q);
	is_int((int)(counted("user-eve") / KIB), 512 + 2, "and is counted");
	quota_count(NULL, KIB);
}

/* Each in a process of its own: together they take what there is, and not a byte more. */
static void
test_crowd(void)
{
	struct quota_limits l = {.user_day = 8 * MIB, .host = 1024 * MIB};
	uint64_t sum = 0, one;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	for (int i = 0; i < CROWD; i++)
		if (fork() == 0) {
			struct err e = {0};
			struct quota *q;

			one =
			    quota_open(&q, state, "crowd", &l, &e) == 0 ? take_all(q, 777, &e) : 0;
			/* Every second is killed with what it took ahead. */
			if (i % 2)
				quota_close(q);
			_exit(write(ends[1], &one, sizeof one) != (ssize_t)sizeof one);
		}
	close(ends[1]);
	while (read(ends[0], &one, sizeof one) == (ssize_t)sizeof one)
		sum += one;
	while (wait(NULL) > 0)
		;
	close(ends[0]);
	ok(sum <= 8 * MIB && sum + CROWD * (PIECE + 128 * KIB) > 8 * MIB,
	    "twenty at once take %llu of 8 MiB", (unsigned long long)sum);
	ok(counted("user-crowd") >= sum && counted("user-crowd") <= 8 * MIB, "and are counted");
}

static struct cast_writer *
writer(const char *name, bool tty, uint64_t cap, struct quota *q, struct err *e)
{
	return rec_begin(
	    (struct cast_start){
		.name = name, .bulk_cap = cap, .max_bytes = 512 * KIB, .quota = q, .tty = tty},
	    e);
}

static bool
is_sealed(const char *name)
{
	int fd = open(rec_path(name), O_RDONLY | O_CLOEXEC);
	struct verify_result r = {.state = VERIFY_BAD};

	verify_fd(fd, name, &r, NULL);
	close(fd);
	return r.state == VERIFY_SEALED;
}

static void
test_terminal(void)
{
	static unsigned char block[3000];
	struct err e = {0};
	struct cast_writer *w = writer("tty.cast", true, 0, NULL, &e);
	struct rec_seen s;
	uint64_t taken = 0;
	struct stat st;

	memset(block, 'x', sizeof block);
	while (taken < 4 * MIB && cast_data(w, CAST_STDOUT, REC_T0, block, sizeof block, &e) == 0)
		taken += sizeof block;
	ok(cast_is_full(w) && e.code == ERR_LIMIT, "a terminal's recording is full: %s", e.why);
	ok(taken > 400 * KIB && taken < 512 * KIB, "at its limit: %llu", (unsigned long long)taken);
	is_int(cast_end(w, REC_T0, NULL, &e), 0, "its end has room");
	cast_free(w);
	rec_read(rec_path("tty.cast"), &s);
	ok(!s.failed && !s.truncated && s.stream[CAST_STDOUT].len == taken,
	    "it has what was taken");
	rec_forget(&s);
	ok(is_sealed("tty.cast"), "authentic and complete");
	stat(rec_path("tty.cast"), &st);
	ok(st.st_size < (off_t)(512 * KIB + 96 * KIB), "and is no larger: %lld",
	    (long long)st.st_size);
}

/* What the file system allows is used up: as a full disk, and the end still fits. */
static void
test_fs_quota(void)
{
	static unsigned char block[3000];
	struct err e = {0};
	struct cast_writer *w = writer("fs.cast", true, 0, NULL, &e);
	uint64_t taken = 0;

	memset(block, 'x', sizeof block);
	fs_quota = 300 * KIB;
	while (taken < MIB && cast_data(w, CAST_STDOUT, REC_T0, block, sizeof block, &e) == 0)
		taken += sizeof block;
	ok(e.code == ERR_RECORDING && e.sys == EDQUOT && !cast_is_full(w) && taken > 100 * KIB,
	    "a quota of the file system is told: %s", e.why);
	ok(strstr(e.hint, "sessions rm"), "and what to do: %s", e.hint);
	fs_quota *= 2;
	is_int(
	    cast_data(w, CAST_STDOUT, REC_T0, block, sizeof block, &e), 0, "with more it goes on");
	while (cast_data(w, CAST_STDOUT, REC_T0, block, sizeof block, &e) == 0)
		;
	is_int(cast_end(w, REC_T0, NULL, &e), 0, "the end has its room");
	cast_free(w);
	fs_quota = 0;
	ok(is_sealed("fs.cast"), "authentic and complete");
}

/* Pipes: digest, head and tail, as over the cap; nothing is refused. */
static void
test_pipes(uint64_t cap)
{
	static unsigned char block[3001];
	struct err e = {0};
	struct quota_limits l = {.user_day = 100 * MIB};
	struct quota *q;
	struct cast_writer *w;
	struct rec_seen s;
	uint64_t taken = 0, before;
	char digest[65];
	struct stat st;

	before = counted("user-pipes");
	quota_open(&q, state, "pipes", &l, &e);
	w = writer("pipes.cast", false, cap, q, &e);
	for (int i = 0; taken < 4 * MIB; i++) {
		enum cast_stream to = i % 5 ? CAST_STDOUT : CAST_STDERR;

		for (size_t j = 0; j < sizeof block; j++)
			block[j] = (unsigned char)((taken + j) * 2654435761U >> 11);
		if (cast_data(w, to, REC_T0, block, sizeof block, &e) < 0)
			break;
		taken += sizeof block;
	}
	ok(taken >= 4 * MIB, "pipes are never refused: %s", e.why);
	cast_digest(w, CAST_STDOUT, digest);
	is_int(cast_end(w, REC_T0, NULL, &e), 0, "the end");
	cast_free(w);
	rec_read(rec_path("pipes.cast"), &s);
	ok(!s.failed && !s.truncated, "reads well: %s", s.e.why);
	ok(s.stream[CAST_STDOUT].len < 512 * KIB &&
		memcmp(buf_head(&s.stream[CAST_STDERR]) + s.stream[CAST_STDERR].len - 1000,
		    block + sizeof block - 1000, 1000) != 0,
	    "head and tail");
	is_str(json_str(json_object_get(json_object_get(s.end, "streams"), "stdout"), "sha256"),
	    digest, "with the digest of all");
	ok(json_is_false(json_object_get(
	       json_object_get(json_object_get(s.end, "streams"), "stdout"), "whole")),
	    "which is not whole");
	rec_forget(&s);
	ok(is_sealed("pipes.cast"), "authentic and complete");
	stat(rec_path("pipes.cast"), &st);
	/* Two tails of noise, in base64 and as text. */
	ok(st.st_size < (off_t)(512 * KIB + 2 * 512 * KIB), "of a bounded size: %lld",
	    (long long)st.st_size);
	ok(counted("user-pipes") - before == (uint64_t)st.st_size,
	    "and counted for its day, its end as well: %llu",
	    (unsigned long long)(counted("user-pipes") - before));
	unlink(rec_path("pipes.cast"));
}

static void
test_sizes(void)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {{0, "0 bytes"}, {1023, "1023 bytes"}, {1024, "1 KiB"}, {1536, "1.5 KiB"},
	    {MIB - 1, "1023.9 KiB"}, {MIB, "1 MiB"}, {5 * 1024 * MIB, "5 GiB"},
	    {UINT64_MAX, "16777215.9 TiB"}};
	char text[STR_SIZE_MAX];

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		str_size(text, rows[i].bytes);
		is_str(text, rows[i].text, "a size for people");
	}
}

int
main(void)
{
	rec_setup();
	snprintf(state, sizeof state, "%s/state", rec_dir);
	test_sizes();
	test_a_day();
	test_all_together();
	test_others_room();
	test_ends();
	test_crowd();
	test_terminal();
	test_fs_quota();
	test_pipes(0);
	test_pipes(100 * MIB);
	return done_testing();
}
