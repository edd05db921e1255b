/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record_util.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

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

/* Kill the writer when its file has reached a size; at once may be in the middle of a write. */
static void
kill_at(uint32_t round)
{
	uint32_t seed = 0x9e3779b9U * (round + 1);
	off_t limit = (off_t)(rec_random(&seed) % 3000000);
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
	got = buf_head(&s.stream[CAST_STDOUT]);
	for (size_t i = 0; i < s.stream[CAST_STDOUT].len && same; i++)
		same = got[i] == byte_at(i);
	ok(!s.failed && s.truncated && !s.end, "round %u: killed at %lld: readable and truncated",
	    round, (long long)st.st_size);
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

int
main(void)
{
	rec_setup();
	for (uint32_t round = 0; round < 40; round++)
		kill_at(round);
	test_cuts();
	return done_testing();
}
