/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record_util.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "record/verify.h"

/* A file system of our own that is soon full; ours alone, so nothing is left behind. */
static void
mount_small(const char *size)
{
	char options[64];

	snprintf(options, sizeof(options), "size=%s,mode=0700", size);
	if (mount("coral-test", rec_dir, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0) {
		printf("Bail out! no tmpfs: %s\n", strerror(errno));
		exit(1);
	}
	close(rec_dirfd);
	rec_dirfd = open(rec_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
unmount_small(void)
{
	close(rec_dirfd);
	rec_dirfd = -1;
	ok(umount(rec_dir) == 0, "nothing keeps the file system");
	rec_dirfd = open(rec_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Take all the room there is with a file of the test's. */
static void
fill_up(void)
{
	int fd = openat(rec_dirfd, "ballast", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	static const char block[4096];

	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

/* With its seal, and nothing in it that was taken back. */
static void
is_sealed(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct verify_result r = {.state = VERIFY_BAD};

	verify_fd(fd, path, &r, NULL);
	close(fd);
	ok(r.state == VERIFY_SEALED, "authentic and complete: %s", r.why);
}

static void
fill_block(unsigned char *p, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)((at + i) * 2654435761U >> 11);
}

/* Until the writer refuses; what it took must be what a reader finds. */
static void
test_full(const char *what, size_t piece)
{
	static unsigned char block[300000], all[4 << 20];
	struct cast_writer *w;
	struct err e = {0};
	struct rec_seen s;
	size_t at = 0;
	char before[65], after[65];

	mount_small("1m");
	w = rec_create("full.cast", true, 0);
	/* Of a disk of 1 MiB no more than that is taken, however often it is tried. */
	while (at + piece <= sizeof(all)) {
		fill_block(block, piece, at);
		if (cast_data(w, CAST_STDOUT, REC_T0, block, piece, &e) < 0)
			break;
		memcpy(all + at, block, piece);
		at += piece;
	}
	is_int(e.code, ERR_RECORDING, what);
	is_int(e.sys, ENOSPC, "says that there is no space");
	is_int(cast_count(w, CAST_STDOUT), at, "the refused call is not counted");
	cast_digest(w, CAST_STDOUT, before);
	is_int(
	    cast_data(w, CAST_STDOUT, REC_T0, block, piece, &e), -1, "a second try is refused too");
	cast_digest(w, CAST_STDOUT, after);
	is_str(after, before, "nor hashed");
	fill_up();
	ok(cast_end(w, REC_T0, NULL, &e) == 0, "the end still has its room: %s", e.why);
	cast_free(w);
	rec_read(rec_path("full.cast"), &s);
	ok(!s.failed && !s.truncated && rec_same(&s.stream[CAST_STDOUT], all, at),
	    "the file is whole and holds the %zu bytes that were taken", at);
	is_str(json_string_value(json_object_get(
		   json_object_get(json_object_get(s.end, "streams"), "stdout"), "sha256")),
	    before, "with their digest");
	rec_forget(&s);
	is_sealed(rec_path("full.cast"));
	unmount_small();
}

/* Room comes back: the session goes on. */
static void
test_recovers(void)
{
	static unsigned char block[50000];
	struct cast_writer *w;
	struct err e = {0};
	struct rec_seen s;

	mount_small("1m");
	w = rec_create("full.cast", true, 0);
	memset(block, 'x', sizeof(block));
	fill_up();
	for (int i = 0; i < 1000 && cast_data(w, CAST_STDOUT, REC_T0, block, 1000, &e) == 0; i++)
		;
	is_int(e.code, ERR_RECORDING, "a full disk");
	unlinkat(rec_dirfd, "ballast", 0);
	is_int(cast_data(w, CAST_STDOUT, REC_T0, block, sizeof(block), &e), 0,
	    "with room again it goes on");
	is_int(cast_end(w, REC_T0, NULL, &e), 0, "to the end");
	is_int((int64_t)cast_count(w, CAST_STDOUT) % 1000, 0, "of whole calls");
	rec_read(rec_path("full.cast"), &s);
	ok(!s.failed && s.stream[CAST_STDOUT].len == cast_count(w, CAST_STDOUT),
	    "and the file reads well");
	rec_forget(&s);
	cast_free(w);
	is_sealed(rec_path("full.cast"));
	unmount_small();
}

/* The tails of bulk streams may find no room: they are left out, and the end says so. */
static void
test_bulk(void)
{
	static unsigned char block[100000];
	struct cast_writer *w;
	struct err e = {0};
	struct rec_seen s;
	json_t *last;

	mount_small("1m");
	w = rec_create("full.cast", false, 1000);
	fill_block(block, sizeof(block), 0);
	is_int(cast_data(w, CAST_STDOUT, REC_T0, block, sizeof(block), &e), 0,
	    "a stream over its cap");
	is_int(cast_data(w, CAST_STDERR, REC_T0, block, sizeof(block), &e), 0, "and another");
	fill_up();
	is_int(cast_data(w, CAST_STDOUT, REC_T0, block, sizeof(block), &e), 0,
	    "what is only hashed needs no room");
	ok(cast_end(w, REC_T0, NULL, &e) == 0, "the end has its room: %s", e.why);
	cast_free(w);
	rec_read(rec_path("full.cast"), &s);
	ok(!s.failed && !s.truncated && s.stream[CAST_STDOUT].len <= 1000,
	    "the tails are left out");
	last = json_array_get(s.coral, json_array_size(s.coral) - 1);
	is_str(json_string_value(json_array_get(last, 0)), "elided", "which is written down");
	is_int((size_t)json_integer_value(json_object_get(json_array_get(last, 1), "bytes")) +
		   s.stream[CAST_STDERR].len,
	    sizeof(block), "with the number of bytes");
	rec_forget(&s);
	is_sealed(rec_path("full.cast"));
	unmount_small();
}

static void
test_no_room_at_all(void)
{
	struct err e = {0};
	struct cast_start s = {
	    .dirfd = -1, .name = "none.cast", .cols = 80, .rows = 24, .tty = true};
	struct stat st;

	mount_small("64k");
	s.dirfd = rec_dirfd;
	ok(!cast_create(&s, &e), "without room for an end, no recording begins");
	is_int(e.code, ERR_RECORDING, "and no session");
	is_int(fstatat(rec_dirfd, "none.cast", &st, 0), -1, "nor is a file left");
	unmount_small();
}

int
main(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("Bail out! no mount namespace: %s\n", strerror(errno));
		return 1;
	}
	rec_setup();
	test_full("small calls until the disk is full: refused", 1000);
	test_full("large calls until the disk is full: refused", 300000);
	test_recovers();
	test_bulk();
	test_no_room_at_all();
	return done_testing();
}
