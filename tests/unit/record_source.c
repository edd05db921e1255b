/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record_util.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <zstd.h>

#include "record/seektable.h"
#include "record/source.h"
#include "record/verify.h"
#include "replay/export.h"
#include "replay/player.h"

#define FRAME (64u << 10)

/* A file with these bytes, at its start. */
static int
file_of(const void *p, size_t n)
{
	int fd = memfd_create("source", MFD_CLOEXEC);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

/* Frames of so many bytes, and what `table` says of them: NULL, the truth. */
static void
squeeze(
    const unsigned char *p, size_t n, size_t frame, const struct seektable *table, struct buf *out)
{
	struct seektable told = {0};
	size_t room = ZSTD_compressBound(frame), len;
	ZSTD_CCtx *c = ZSTD_createCCtx();

	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	buf_init(out, 256 << 20);
	for (size_t at = 0; at < n; at += frame) {
		size_t piece = n - at < frame ? n - at : frame;

		len = ZSTD_compress2(c, buf_tail(out, room), room, p + at, piece);
		buf_added(out, len);
		if (ZSTD_isError(len) || seektable_add(&told, len, piece) < 0)
			abort();
	}
	if (seektable_put(table ? table : &told, out) < 0)
		abort();
	seektable_fini(&told);
	ZSTD_freeCCtx(c);
}

/* All there is, with reads of `step`; -1 and e. */
static ssize_t
drain(int fd, size_t step, struct buf *out, struct err *e)
{
	struct source *s = source_open_fd(fd, "a test", e);
	ssize_t n = s ? 0 : -1;

	buf_init(out, 64 << 20);
	while (s && (n = source_read(s, buf_tail(out, step), step, e)) > 0)
		buf_added(out, (size_t)n);
	source_close(s);
	return n < 0 ? -1 : (ssize_t)out->len;
}

static bool
same(const struct buf *b, const unsigned char *p, size_t n)
{
	return b->len == n && (n == 0 || memcmp(buf_head(b), p, n) == 0);
}

/* In through a pipe, by a process of its own. */
static int
pipe_of(const struct buf *b, pid_t *pid)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0 || (*pid = fork()) < 0)
		abort();
	if (*pid == 0) {
		close(ends[0]);
		/* The magic number in pieces. */
		for (size_t at = 0; at < b->len;) {
			size_t n = at < 3 ? 1 : b->len - at;
			ssize_t put = write(ends[1], buf_head(b) + at, n);

			if (put <= 0)
				_exit(0);
			at += (size_t)put;
		}
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

static void
fill_text(unsigned char *p, size_t n)
{
	uint32_t x = 7;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = "0123456789abcdef \n"[(x >> 24) % 18];
	}
}

static void
test_read(const unsigned char *p, size_t n)
{
	struct buf z, got;
	struct err e = {0};
	pid_t pid;

	ok(drain(file_of(p, n), 4096, &got, &e) == (ssize_t)n && same(&got, p, n), "a plain file");
	buf_fini(&got);
	squeeze(p, n, FRAME, NULL, &z);
	ok(z.len < n, "compressed it is smaller");
	for (size_t step = 1000; step < 600000; step *= 23) {
		ok(drain(file_of(buf_head(&z), z.len), step, &got, &e) == (ssize_t)n &&
			same(&got, p, n),
		    "a compressed one with reads of %zu: %s", step, e.why);
		buf_fini(&got);
	}
	ok(drain(pipe_of(&z, &pid), 65536, &got, &e) == (ssize_t)n && same(&got, p, n),
	    "through a pipe: %s", e.why);
	waitpid(pid, NULL, 0);
	buf_fini(&got);
	buf_fini(&z);
	buf_init(&z, 16);
	buf_put(&z, "\x28\xb5", 2);
	ok(drain(pipe_of(&z, &pid), 65536, &got, &e) == 2 && same(&got, buf_head(&z), 2),
	    "what only begins like it, is none");
	waitpid(pid, NULL, 0);
	buf_fini(&got);
	buf_fini(&z);
}

static bool
seeks(int fd, const unsigned char *p, size_t n, int64_t size)
{
	struct err e = {0};
	struct source *s = source_open_fd(fd, "a test", &e);
	bool good = s && source_size(s) == size;
	unsigned char got[5000];
	uint32_t x = 1;

	for (int i = 0; good && i < 60; i++) {
		size_t at, want = i % 7 ? sizeof(got) : 1;
		ssize_t have;

		x = x * 1664525 + 1013904223;
		/* Near and far, to and fro, to the seams, to the end and beyond it. */
		at = i % 5 == 4 ? (x >> 8) % (n / FRAME) * FRAME : (x >> 3) % (n + 10);
		have = source_read_at(s, at, got, want, &e);
		if (at + want > n)
			want = at < n ? n - at : 0;
		good = have == (ssize_t)want && (want == 0 || memcmp(got, p + at, want) == 0) &&
		       (at > n || source_at(s) == at + want);
	}
	source_close(s);
	return good;
}

static void
test_seek(const unsigned char *p, size_t n)
{
	struct source *s, *other;
	struct buf z;
	struct err e = {0};
	unsigned char c[2];
	int fd;
	pid_t pid;

	ok(seeks(file_of(p, n), p, n, (int64_t)n), "offsets of a plain file");
	squeeze(p, n, FRAME, NULL, &z);
	fd = file_of(buf_head(&z), z.len);
	s = source_open_fd(dup(fd), "a test", &e);
	other = source_open_fd(dup(fd), "a test", &e);
	ok(source_read_at(s, n - 1, c, 1, &e) == 1 && source_read_at(other, 7, c + 1, 1, &e) == 1 &&
		c[0] == p[n - 1] && c[1] == p[7],
	    "two of one file do not disturb each other");
	source_close(s);
	source_close(other);
	ok(seeks(fd, p, n, (int64_t)n), "and of a compressed one are the same");
	/* Without the table. */
	z.len -= seektable_length(buf_head(&z) + z.len - SEEKTABLE_FOOT);
	ok(seeks(file_of(buf_head(&z), z.len), p, n, -1), "as those of others, without a table");
	s = source_open_fd(pipe_of(&z, &pid), "a test", &e);
	ok(s && source_seek(s, 0, &e) < 0 && e.code == ERR_IO, "not so of a pipe");
	source_close(s);
	waitpid(pid, NULL, 0);
	buf_fini(&z);
}

static void
refuse(const void *p, size_t n, bool pipes, const char *what)
{
	struct buf got, all = {.data = (void *)(uintptr_t)p, .len = n};
	struct err e = {0};
	pid_t pid;
	int fd = pipes ? pipe_of(&all, &pid) : file_of(p, n);

	ok(drain(fd, 65536, &got, &e) < 0 && e.code == ERR_BAD_FILE && e.why[0],
	    "refused%s: %s: %s", pipes ? " through a pipe" : "", what, e.why);
	buf_fini(&got);
	if (pipes)
		waitpid(pid, NULL, 0);
}

/* Who seeks must not see what who reads in order does not. */
static void
test_hostile(const unsigned char *p, size_t n)
{
	struct buf z, plain;
	unsigned char *foot;
	size_t table;

	squeeze(p, n, FRAME, NULL, &z);
	table = seektable_length(buf_head(&z) + z.len - SEEKTABLE_FOOT);
	ok(table > SEEKTABLE_FOOT && table < z.len, "there is a table");
	refuse(buf_head(&z), z.len - table - 5, false, "cut in a frame");
	refuse(buf_head(&z), z.len - 3, true, "cut in the table");
	foot = z.data + z.off + z.len - SEEKTABLE_FOOT;
	foot[4] = 0x40;
	refuse(buf_head(&z), z.len, false, "a reserved bit");
	foot[4] = 0x80;
	refuse(buf_head(&z), z.len, false, "checksums that are not there");
	foot[4] = 0;
	foot[3] = 0x7f;
	refuse(buf_head(&z), z.len, false, "two milliards of frames");
	foot[3] = 0;
	foot[0]--;
	refuse(buf_head(&z), z.len, false, "a frame fewer");
	foot[0]++;
	z.data[z.off + 1000] ^= 1;
	refuse(buf_head(&z), z.len, false, "a bit of a frame");
	z.data[z.off + 1000] ^= 1;
	z.data[z.off + z.len - table + 8]++;
	z.data[z.off + z.len - table + 16]--;
	refuse(buf_head(&z), z.len, false, "a table of other frames");
	refuse(buf_head(&z), z.len, true, "a table of other frames");
	z.data[z.off + z.len - table + 8]--;
	z.data[z.off + z.len - table + 16]++;
	buf_put(&z, "more", 4);
	refuse(buf_head(&z), z.len, false, "something behind the table");
	buf_fini(&z);
	buf_init(&plain, 256 << 20);
	squeeze(p, 3 * FRAME, FRAME, NULL, &z);
	table = seektable_length(buf_head(&z) + z.len - SEEKTABLE_FOOT);
	buf_put(&plain, buf_head(&z), z.len - table);
	buf_put(&plain, "\x50\x2a\x4d\x18\x04\0\0\0hide", 12);
	buf_put(&plain, buf_head(&z), z.len);
	refuse(buf_head(&plain), plain.len, true, "a frame that decompressors skip");
	buf_fini(&z);
	buf_fini(&plain);
}

/* Memory for a window of 128 MiB. */
static void
test_window(void)
{
	size_t n = 20 << 20, room = ZSTD_compressBound(n), len;
	unsigned char *p = calloc(1, n), *out = malloc(room);
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_outBuffer to = {out, room, 0};
	ZSTD_inBuffer from = {p, n, 0};

	ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 27);
	do
		len = ZSTD_compressStream2(c, &to, &from, ZSTD_e_end);
	while (len > 0 && !ZSTD_isError(len));
	refuse(out, to.pos, false, "a window of 128 MiB");
	ZSTD_freeCCtx(c);
	free(p);
	free(out);
}

/* A recording, and the same compressed: every reader sees no difference. */
static void
test_readers(void)
{
	struct cast_writer *w = rec_create("whole.cast", true, 0);
	json_t *end = json_pack("{s:i}", "exit_code", 3);
	struct verify_result plain, small;
	struct err e = {0};
	struct rec_seen a, b;
	struct player *pl;
	unsigned char text[9000];
	struct buf z, file;
	char *out[2];
	size_t n[2];
	bool exact;
	int fd;

	fill_text(text, sizeof(text));
	for (int i = 0; i < 100; i++)
		cast_data(w, CAST_STDOUT, REC_T0 + i * NS_PER_S, text, sizeof(text), &e);
	cast_end(w, REC_T0 + 100 * NS_PER_S, end, &e);
	json_decref(end);
	cast_free(w);
	buf_init(&file, 64 << 20);
	drain(open(rec_path("whole.cast"), O_RDONLY | O_CLOEXEC), 65536, &file, &e);
	squeeze(buf_head(&file), file.len, FRAME, NULL, &z);
	fd = openat(rec_dirfd, "whole.cast.zst", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ok(write(fd, buf_head(&z), z.len) == (ssize_t)z.len && lseek(fd, 0, SEEK_SET) == 0,
	    "compressed to %zu of %zu bytes", z.len, file.len);
	rec_read(rec_path("whole.cast"), &a);
	rec_read(rec_path("whole.cast.zst"), &b);
	ok(!b.failed && !b.truncated && a.events == b.events && json_equal(a.end, b.end) &&
		rec_same(&b.stream[CAST_STDOUT], buf_head(&a.stream[CAST_STDOUT]),
		    a.stream[CAST_STDOUT].len),
	    "the reader: %s", b.e.why);
	rec_forget(&a);
	rec_forget(&b);
	ok(verify_fd(fd, "small", &small, &e) == 0 && small.state == VERIFY_SEALED &&
		small.bytes == file.len,
	    "verify: %s", e.why);
	pl = player_open(dup(fd), "small", &e);
	player_seek(pl, 50 * NS_PER_S);
	player_finish(pl);
	ok(player_time(pl) == 50 * NS_PER_S, "the player, on");
	player_seek(pl, 3 * NS_PER_S);
	player_finish(pl);
	ok(player_time(pl) == 3 * NS_PER_S, "and back");
	while (player_apply(pl))
		;
	is_int(player_total(pl, &exact), 100 * NS_PER_S, "to the end");
	player_free(pl);
	for (int i = 0; i < 2; i++) {
		int from = i ? fd : open(rec_path("whole.cast"), O_RDONLY | O_CLOEXEC);
		struct export x = {.fd = from, .name = "x", .out = open_memstream(&out[i], &n[i])};

		ok(export_cast(&x, 2, &e) == 0, "exported");
		fclose(x.out);
		verify_fd(from, "plain", &plain, &e);
		close(from);
	}
	ok(n[0] == n[1] && memcmp(out[0], out[1], n[0]) == 0 && n[0] == file.len,
	    "the very bytes come out");
	free(out[0]);
	free(out[1]);
	buf_fini(&file);
	buf_fini(&z);
}

int
main(void)
{
	size_t n = 5 * FRAME + 777;
	unsigned char *p = malloc(n);

	rec_setup();
	fill_text(p, n);
	test_read(p, n);
	test_seek(p, n);
	test_hostile(p, n);
	test_window();
	test_readers();
	free(p);
	return done_testing();
}
