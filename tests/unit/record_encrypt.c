/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recordings that are encrypted as they are written. */
#include "record_util.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <zstd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "record/sealed_file.h"
#include "record/source.h"
#include "record/store_dir.h"
#include "record/verify.h"
#include "replay/sidecar.h"

#define NAME REC_ID ".cast.sealed"
#define PLAIN "plain.cast"

static struct auditors to;
static struct auditor_key key, other;

static void
make_key(struct auditor_key *k, const char *name)
{
	struct auditor who;

	if (auditor_key_create(rec_path(name), name, "", &who, NULL) < 0 ||
	    auditor_key_load(k, rec_path(name), NULL, NULL) < 0) {
		printf("Bail out! no key\n");
		exit(1);
	}
	unlink(rec_path(name));
}

static struct cast_writer *
create(const char *name, bool encrypt)
{
	struct err e = {0};
	struct cast_writer *w = rec_begin(
	    (struct cast_start){
		.name = name, .tty = true, .auditors = &to, .seal_input = true, .encrypt = encrypt},
	    &e);

	ok(w != NULL, "%s is begun: %s", name, e.why);
	return w;
}

static void
end(struct cast_writer *w, int64_t t)
{
	json_t *result = json_pack("{si ss}", "exit_code", 7, "cause", "exit");
	struct err e = {0};

	ok(cast_end(w, t, result, &e) == 0, "the end: %s", e.why);
	json_decref(result);
	cast_free(w);
	/* The writer's own key opened it so far. */
	source_unlock(&key);
}

/* Pieces of all lengths, a secret among them. */
static void
write_some(struct cast_writer *w, size_t pieces, size_t most)
{
	unsigned char *p = malloc(most);
	uint32_t seed = 3;
	bool good = true;

	for (size_t i = 0; i < pieces; i++) {
		size_t n = 1 + rec_random(&seed) % most;

		for (size_t k = 0; k < n; k++)
			p[k] = (unsigned char)('a' + rec_random(&seed) % 26);
		good &= cast_data(w, CAST_STDOUT, REC_T0 + (int64_t)i * 1000, p, n, NULL) == 0;
	}
	good &= cast_secret(w, REC_T0 + (int64_t)pieces * 1000, "hidden\r", 7, NULL) == 0;
	ok(good, "%zu pieces are taken", pieces);
	free(p);
}

/* All of it, decrypted; -1 with e. */
static int
slurp(const char *name, struct buf *out, struct err *e)
{
	struct source *s = source_open_fd(openat(rec_dirfd, name, O_RDONLY | O_CLOEXEC), name, e);
	ssize_t n = s ? 1 : -1;

	buf_clear(out);
	while (s && n > 0) {
		void *p = buf_tail(out, 65536);

		n = p ? source_read(s, p, 65536, e) : -1;
		if (n > 0)
			buf_added(out, (size_t)n);
	}
	source_close(s);
	return (int)n;
}

static int
state_of(const char *name)
{
	auto_close int fd = openat(rec_dirfd, name, O_RDONLY | O_CLOEXEC);
	struct verify_result r;

	return verify_fd(fd, name, &r, NULL) < 0 ? -1 : (int)r.state;
}

static void
put_file(const char *name, const unsigned char *p, size_t n)
{
	int fd = openat(rec_dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (write(fd, p, n) != (ssize_t)n)
		printf("Bail out! no file\n");
	close(fd);
}

static void
test_whole(struct buf *all)
{
	struct cast_writer *w = create(NAME, true);
	struct err e = {0};
	struct store_peek peek;
	struct rec_seen seen;

	write_some(w, 300, 30000);
	end(w, REC_T0 + NS_PER_S);
	ok(slurp(NAME, all, &e) == 0 && all->len > 4000000, "it is read: %s", e.why);
	is_int(state_of(NAME), VERIFY_SEALED, "authentic and complete");
	rec_read(rec_path(NAME), &seen);
	ok(!seen.failed && !seen.truncated && seen.end, "a recording");
	rec_forget(&seen);
	store_peek(rec_dirfd, REC_ID, &peek);
	ok(peek.header && peek.end && peek.sealed && !peek.why[0] &&
		json_int(peek.end, "exit_code", 0) == 7,
	    "what is in clear says who and how it ended");
	ok(!json_object_get(json_object_get(peek.header, "coral"), "evidence"), "and no more");
	store_peek_fini(&peek);
	source_unlock(NULL);
	ok(slurp(NAME, all, &e) < 0 && e.code == ERR_AUTH && strstr(e.why, "alice") && e.hint[0],
	    "without a key: %s", e.why);
	source_unlock(&other);
	ok(slurp(NAME, all, &e) < 0 && e.code == ERR_AUTH, "with another's");
	source_unlock(&key);
	slurp(NAME, all, NULL);
}

/* There and back, what is read is what stands there. */
static void
test_seek(const struct buf *all)
{
	struct source *s =
	    source_open_fd(openat(rec_dirfd, NAME, O_RDONLY | O_CLOEXEC), NAME, NULL);
	unsigned char got[5000];
	uint32_t seed = 11;
	size_t bad = 0;

	is_int(source_size(s), all->len, "its size");
	for (int i = 0; i < 1000; i++) {
		uint64_t at = rec_random(&seed) % (all->len + 1000);
		ssize_t n = source_read_at(s, at, got, sizeof(got), NULL);
		size_t want = at >= all->len ? 0 : all->len - (size_t)at;

		if (want > sizeof(got))
			want = sizeof(got);
		bad += n != (ssize_t)want || (n > 0 && memcmp(got, buf_head(all) + at, want) != 0);
		bad += i % 100 == 0 && source_size(s) != (int64_t)all->len;
	}
	is_int(bad, 0, "every place is found");
	source_close(s);
}

/* Of a small one: cut at every byte it reads up to a whole frame, and is never refused; with any
 * byte altered nothing is read that was not written. */
static void
test_damage(struct buf *all)
{
	struct cast_writer *w = create("small.cast.sealed", true);
	size_t refused = 0, odd = 0, taken = 0, before = 0, first;
	struct buf file, got;
	struct err e = {0};
	int fd;

	write_some(w, 6, 40);
	end(w, REC_T0 + NS_PER_S);
	buf_init(&file, 1 << 20);
	buf_init(&got, 1 << 20);
	slurp("small.cast.sealed", all, NULL);
	fd = openat(rec_dirfd, "small.cast.sealed", O_RDONLY | O_CLOEXEC);
	buf_read_fd(&file, fd, 65536);
	close(fd);
	first = (size_t)((const unsigned char *)memchr(buf_head(&file), '\n', file.len) + 1 -
			 buf_head(&file));
	for (size_t n = first; n <= file.len; n++) {
		put_file("cut.cast.sealed", buf_head(&file), n);
		refused += slurp("cut.cast.sealed", &got, NULL) != 0;
		odd += got.len < before || memcmp(buf_head(&got), buf_head(all), got.len) != 0 ||
		       (got.len > 0 && buf_head(&got)[got.len - 1] != '\n');
		before = got.len;
	}
	ok(refused == 0 && odd == 0 && before == all->len,
	    "cut anywhere, it ends with a whole line");
	/* Of another beginning it is no such file. */
	for (size_t i = SEALED_MAGIC_LEN; i < file.len; i++) {
		file.data[file.off + i] ^= 1;
		put_file("cut.cast.sealed", buf_head(&file), file.len);
		/* A length that reaches beyond the end is that of a frame which was cut. */
		if (slurp("cut.cast.sealed", &got, &e) == 0)
			taken += got.len > all->len ||
				 memcmp(buf_head(&got), buf_head(all), got.len) != 0;
		file.data[file.off + i] ^= 1;
	}
	is_int(taken, 0, "altered anywhere, it is refused, or ends before that");
	buf_fini(&file);
	buf_fini(&got);
}

/* A call that found no room leaves nothing, and the end always fits. */
static void
test_no_room(struct buf *all)
{
	struct cast_writer *w = create("full.cast.sealed", true);
	struct rlimit was, now;
	unsigned char *block = malloc(300000);
	uint32_t seed = 17;
	struct err e = {0};

	for (size_t i = 0; i < 300000; i++)
		block[i] = (unsigned char)('a' + rec_random(&seed) % 26);
	ok(cast_data(w, CAST_STDOUT, REC_T0, block, 1000, &e) == 0, "some output");
	getrlimit(RLIMIT_FSIZE, &was);
	now = was;
	now.rlim_cur = 120000;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &now);
	ok(cast_data(w, CAST_STDOUT, REC_T0, block, 300000, &e) < 0 && e.code == ERR_RECORDING,
	    "no room for more than a frame of it");
	setrlimit(RLIMIT_FSIZE, &was);
	ok(cast_data(w, CAST_STDOUT, REC_T0, block, 300000, &e) == 0, "there is again");
	is_int(cast_count(w, CAST_STDOUT), 301000, "once");
	end(w, REC_T0 + NS_PER_S);
	is_int(state_of("full.cast.sealed"), VERIFY_SEALED, "authentic and complete");
	ok(slurp("full.cast.sealed", all, &e) == 0, "and read: %s", e.why);
	free(block);
}

static uint64_t
counted(const char *name)
{
	uint64_t count[2] = {0};
	auto_close int fd = openat(rec_dirfd, name, O_RDONLY | O_CLOEXEC);

	return read(fd, count, sizeof(count)) == sizeof(count) ? count[1] : 0;
}

/* Every byte of the file is counted: its first line, what is before each piece, its end. */
static void
test_limit(void)
{
	enum { MOST = 256 * 1024 };
	struct cast_start s = {.name = "limit.cast.sealed",
	    .tty = true,
	    .auditors = &to,
	    .encrypt = true,
	    .max_bytes = MOST};
	struct quota_limits l = {.user_day = 4 * MOST};
	struct err e = {0};
	struct cast_writer *w;
	struct stat st = {0};
	uint64_t taken = 0;

	is_int(quota_open(&s.quota, rec_dir, "ann", &l, &e), 0, "a day with some room");
	w = rec_begin(s, &e);
	while (taken < MOST && cast_data(w, CAST_STDOUT, REC_T0, "key", 3, &e) == 0)
		taken++;
	fstatat(rec_dirfd, s.name, &st, 0);
	ok(cast_is_full(w) && st.st_size <= MOST && st.st_size > MOST - 1024,
	    "with small pieces it is full at its limit: %lld", (long long)st.st_size);
	is_int(cast_taken(w), st.st_size, "as it says");
	end(w, REC_T0);
	fstatat(rec_dirfd, s.name, &st, 0);
	is_int(counted("usage/user-ann"), st.st_size, "all of it is counted for the day");
	is_int(state_of(s.name), VERIFY_SEALED, "authentic and complete");
}

/* What a follower read ahead was taken back, and another, shorter frame stands there now. */
static void
test_taken_back(const struct buf *all)
{
	unsigned char head[SEALED_HEAD], got[5000];
	struct source *s;
	struct buf file;
	size_t len, at;
	ssize_t n;
	int fd = openat(rec_dirfd, "small.cast.sealed", O_RDONLY | O_CLOEXEC);

	buf_init(&file, 1 << 20);
	buf_read_fd(&file, fd, 65536);
	close(fd);
	at = (size_t)((const unsigned char *)memchr(buf_head(&file), '\n', file.len) + 1 -
		      buf_head(&file));
	memcpy(head, buf_head(&file) + at, SEALED_HEAD);
	is_int(sealed_head_parse(head, &len), SEALED_PACKED, "a frame");
	at += SEALED_HEAD + len;
	memcpy(head, file.data + file.off + at, SEALED_HEAD);
	file.data[file.off + at + 2] ^= 0x40; /* longer than what follows */
	put_file("torn.cast.sealed", buf_head(&file), file.len);
	s = source_open_fd(
	    openat(rec_dirfd, "torn.cast.sealed", O_RDONLY | O_CLOEXEC), "torn", NULL);
	n = source_read(s, got, sizeof(got), NULL);
	ok(n > (ssize_t)len && memcmp(got, buf_head(all), (size_t)n) == 0,
	    "the first frame is read");
	len = (size_t)n;
	is_int(source_read(s, got, sizeof(got), NULL), 0, "the second is not all there");
	memcpy(file.data + file.off + at, head, SEALED_HEAD);
	put_file("torn.cast.sealed", buf_head(&file), file.len);
	n = source_read(s, got, sizeof(got), NULL);
	ok(n > 0 && memcmp(got, buf_head(all) + len, (size_t)n) == 0, "then it is");
	source_close(s);
	buf_fini(&file);
}

/* As output of a build comes: not much at once, and much alike. */
static void
test_packed(struct buf *all)
{
	struct cast_writer *w = create("log.cast.sealed", true);
	char line[200];
	uint32_t seed = 23;
	struct err e = {0};
	struct stat st;
	struct buf text;

	buf_init(&text, 8192);
	for (int i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line),
		    "cc -O2 -Wall -Isrc -c -o build/room%u/file%u.o src/%u.c\r\n",
		    rec_random(&seed) % 9, rec_random(&seed) % 1000, rec_random(&seed));
		buf_put(&text, line, strlen(line));
		if (text.len < 4000)
			continue;
		cast_data(w, CAST_STDOUT, REC_T0 + i, buf_head(&text), text.len, &e);
		buf_clear(&text);
	}
	end(w, REC_T0 + NS_PER_S);
	buf_fini(&text);
	is_int(slurp("log.cast.sealed", all, &e), 0, "a log is read");
	fstatat(rec_dirfd, "log.cast.sealed", &st, 0);
	ok(all->len > 250000 && st.st_size * 2 < (off_t)all->len, "of %zu bytes it takes %lld",
	    all->len, (long long)st.st_size);
	is_int(state_of("log.cast.sealed"), VERIFY_SEALED, "authentic and complete");
}

/* A frame with this text, by who has the key.  What is read of it, or -1. */
static int
read_frame(const struct sealed_file *f, const void *text, size_t len, struct buf *got)
{
	static const char line[] = SEALED_MAGIC "\"session_id\":\"x\"}\n";
	unsigned char head[SEALED_HEAD], *sealed = malloc(len);
	struct buf file;
	int rc;

	memcpy(sealed, text, len);
	sealed_file_put(f, SEALED_PACKED, 0, 0, head, sealed, len);
	buf_init(&file, 1 << 20);
	buf_put(&file, line, sizeof(line) - 1);
	buf_put(&file, head, sizeof(head));
	buf_put(&file, sealed, len);
	put_file("frame.cast.sealed", buf_head(&file), file.len);
	rc = slurp("frame.cast.sealed", got, NULL);
	buf_fini(&file);
	free(sealed);
	return rc < 0 ? -1 : (int)got->len;
}

/* Whoever has the key, what he wrote is not more than a frame may be. */
static void
test_unpacked(struct buf *got)
{
	static unsigned char zeros[SEALED_FRAME_MAX + 1], text[4096];
	static const struct sealed_file own;
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	size_t n;

	source_unlock_own(&own);
	n = ZSTD_compress(text, sizeof(text), zeros, SEALED_FRAME_MAX, 1);
	is_int(read_frame(&own, text, n, got), SEALED_FRAME_MAX, "the largest frame");
	is_int(read_frame(&own, text, n - 1, got), -1, "cut");
	memcpy(text + n, text, n);
	is_int(read_frame(&own, text, 2 * n, got), -1, "two of them");
	n = ZSTD_compress(text, sizeof(text), zeros, SEALED_FRAME_MAX + 1, 1);
	is_int(read_frame(&own, text, n, got), -1, "a larger one");
	n = ZSTD_compress(text, sizeof(text), zeros, 0, 1);
	is_int(read_frame(&own, text, n, got), -1, "of nothing");
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0);
	n = ZSTD_compress2(zstd, text, sizeof(text), zeros, 1000);
	is_int(read_frame(&own, text, n, got), -1, "that does not say how large it is");
	is_int(read_frame(&own, "not compressed", 14, got), -1, "of something else");
	ZSTD_freeCCtx(zstd);
	source_unlock_own(NULL);
	source_unlock(&key);
}

/* An index would have in clear what the recording has not. */
static void
test_no_index(void)
{
	struct sidecar_home h = {.dir = -1};
	const char *names[] = {REC_ID "/" REC_ID ".cast", REC_ID "/" NAME};
	int fd;

	mkdirat(rec_dirfd, REC_ID, 0700);
	end(create(PLAIN, false), REC_T0 + 1);
	ok(renameat(rec_dirfd, PLAIN, rec_dirfd, names[0]) == 0 &&
		renameat(rec_dirfd, NAME, rec_dirfd, names[1]) == 0,
	    "as they lie in the store");
	for (int i = 0; i < 2; i++) {
		fd = openat(rec_dirfd, names[i], O_RDONLY | O_CLOEXEC);
		is_int(sidecar_home(fd, &h), -i, names[i]);
		close(fd);
		sidecar_home_fini(&h);
		unlinkat(rec_dirfd, names[i], 0);
	}
	unlinkat(rec_dirfd, REC_ID, AT_REMOVEDIR);
}

int
main(void)
{
	char line[AUDITOR_LINE];
	const char *why;
	struct buf all;

	rec_setup();
	buf_init(&all, 64 << 20);
	make_key(&key, "alice");
	make_key(&other, "bob");
	auditor_line(line, &key.who);
	auditors_add(&to, line, &why);
	test_whole(&all);
	test_seek(&all);
	test_damage(&all);
	test_taken_back(&all);
	test_no_room(&all);
	test_limit();
	test_packed(&all);
	test_unpacked(&all);
	test_no_index();
	auditor_key_free(&key);
	auditor_key_free(&other);
	buf_fini(&all);
	return done_testing();
}
