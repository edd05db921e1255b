/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A recording on a device that fails, and what a power cut leaves of one. */
#include "record_util.h"

#include "disk_util.h"

#include "record/verify.h"

#define CUTS 24

static void
test_failing_sync(void)
{
	static unsigned char block[20000];
	int image = make_image("^has_journal");
	struct err e = {0};
	struct cast_writer *w;
	uint64_t taken;

	mount_image(image, rec_dir, "");
	rec_dirfd = open(rec_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w = rec_create("fail.cast", true, 0);
	memset(block, 'x', sizeof block);
	is_int(cast_data(w, CAST_STDOUT, REC_T0, block, sizeof block, &e), 0, "a disk that works");
	is_int(cast_sync(w, REC_T0, true, &e), 0, "keeps it");
	is_int(cast_data(w, CAST_STDOUT, REC_T0, block, sizeof block, &e), 0, "in the page cache");
	if (fcntl(image, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0)
		bail("no seal");
	is_int(cast_sync(w, REC_T0, true, &e), -1, "the disk fails: the sync says so");
	is_int(e.code, ERR_RECORDING, "as a failure of the recording");
	is_int(e.sys, EIO, "of the device");
	ok(cast_is_lost(w), "for good");
	taken = cast_count(w, CAST_STDOUT);
	is_int(cast_data(w, CAST_STDOUT, REC_T0, "more", 4, &e), -1,
	    "what follows a part that was lost is refused");
	is_int(cast_sync(w, REC_T0, true, &e), -1, "and a second sync is no better");
	is_int(cast_count(w, CAST_STDOUT), taken, "nothing of it counts");
	is_int(cast_end(w, REC_T0, NULL, &e), -1, "nor is its end believed to be on the disk");
	cast_free(w);
	close(rec_dirfd);
	umount2(rec_dir, MNT_DETACH);
	close(image);
}

/* Byte i of what is recorded. */
static unsigned char
byte_at(uint64_t i)
{
	return (unsigned char)(i * 2654435761U >> 11);
}

/* The disk as it is, and nothing of what only the page cache has. */
static int
copy_of(int image)
{
	static unsigned char all[IMAGE];
	int copy = memfd_create("coral-test", 0);

	if (pread(image, all, IMAGE, 0) != IMAGE || pwrite(copy, all, IMAGE, 0) != IMAGE)
		bail("no copy");
	return copy;
}

static bool
is_beginning(const struct buf *b)
{
	const unsigned char *p = buf_head(b);

	for (size_t i = 0; i < b->len; i++)
		if (p[i] != byte_at(i))
			return false;
	return true;
}

static void
look_after_cut(int copy, const char *dir, unsigned n, uint64_t synced, uint64_t marked)
{
	char path[128];
	struct verify_result r = {.state = VERIFY_BAD};
	struct rec_seen s;
	int fd;

	mount_image(copy, dir, "");
	snprintf(path, sizeof path, "%s/cut.cast", dir);
	rec_read(path, &s);
	ok(!s.failed && s.truncated && !s.end && is_beginning(&s.stream[CAST_STDOUT]) &&
		s.stream[CAST_STDOUT].len >= synced,
	    "cut %u: a true beginning, and not less than the %llu bytes that were synced", n,
	    (unsigned long long)synced);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	verify_fd(fd, path, &r, NULL);
	close(fd);
	ok(r.state == VERIFY_OPEN && !r.ended && r.good_bytes >= marked,
	    "cut %u: authentic up to a mark, not complete: %s", n, r.why);
	rec_forget(&s);
	umount2(dir, MNT_DETACH);
}

/* Some of what was written since the last sync is on the disk, without the file's size. */
static void
write_back_some(uint32_t *seed)
{
	int fd = openat(rec_dirfd, "cut.cast", O_RDWR | O_CLOEXEC);

	if (rec_random(seed) % 2)
		sync_file_range(fd, rec_random(seed) % 400000, 1 + rec_random(seed) % 100000,
		    SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	close(fd);
}

/* The disk of a machine that loses its power in the middle of a recording. */
static void
test_power_cuts(const char *dir)
{
	static unsigned char block[8000];
	int image = make_image("has_journal"), copy;
	uint64_t at = 0, synced = 0, marked = 0;
	uint32_t seed = 20261122;
	struct cast_writer *w;

	/* Nothing reaches the disk but what is asked for. */
	mount_image(image, rec_dir, "commit=300");
	rec_dirfd = open(rec_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w = rec_create("cut.cast", true, 0);
	cast_sync(w, REC_T0, true, NULL);
	for (unsigned n = 0; n < CUTS; n++) {
		for (uint32_t i = rec_random(&seed) % 6; i > 0; i--) {
			size_t len = 1 + rec_random(&seed) % sizeof block;

			for (size_t j = 0; j < len; j++)
				block[j] = byte_at(at + j);
			at += cast_data(w, CAST_STDOUT, REC_T0, block, len, NULL) == 0 ? len : 0;
		}
		if (rec_random(&seed) % 3 == 0) {
			cast_flush(w, REC_T0, NULL);
			is_int(cast_sync(w, REC_T0, true, NULL), 0, "synced");
			synced = at;
			marked = cast_offset(w);
		}
		write_back_some(&seed);
		copy = copy_of(image);
		look_after_cut(copy, dir, n, synced, marked);
		close(copy);
	}
	ok(at > synced && synced > 0, "some of it was not synced");
	cast_free(w);
	close(rec_dirfd);
	umount2(rec_dir, MNT_DETACH);
	close(image);
}

int
main(void)
{
	char dir[80];

	mounts_of_our_own();
	rec_setup();
	close(rec_dirfd);
	snprintf(dir, sizeof dir, "%s.copy", rec_dir);
	mkdir(dir, 0700);
	test_failing_sync();
	test_power_cuts(dir);
	rmdir(dir);
	return done_testing();
}
