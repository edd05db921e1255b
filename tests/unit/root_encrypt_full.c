/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An encrypted recording on a file system that is full. */
#include "record_util.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "record/source.h"
#include "record/verify.h"

#define NAME "full.cast.sealed"

static struct auditors to;
static struct auditor_key key;

static void
make_key(void)
{
	char line[AUDITOR_LINE];
	struct auditor who;
	const char *why;

	if (auditor_key_create(rec_path("alice"), "alice", "", &who, NULL) < 0 ||
	    auditor_key_load(&key, rec_path("alice"), NULL, NULL) < 0) {
		printf("Bail out! no key\n");
		exit(1);
	}
	unlink(rec_path("alice"));
	auditor_line(line, &who);
	auditors_add(&to, line, &why);
}

/* Of this process alone. */
static void
mount_small(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("coral-test", rec_dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0700") < 0) {
		printf("Bail out! no tmpfs: %s\n", strerror(errno));
		exit(1);
	}
	close(rec_dirfd);
	rec_dirfd = open(rec_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
fill_up(void)
{
	int fd = openat(rec_dirfd, "ballast", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	static const char block[4096];

	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

static struct cast_writer *
create(void)
{
	struct err e = {0};
	struct cast_writer *w = rec_begin(
	    (struct cast_start){
		.name = NAME, .tty = true, .auditors = &to, .seal_input = true, .encrypt = true},
	    &e);

	ok(w != NULL, "a recording is begun: %s", e.why);
	return w;
}

/* What was taken is there, what was refused is not, and the end and the seal fit. */
static void
test_full(size_t piece)
{
	static unsigned char block[100000], all[2 << 20];
	struct cast_writer *w = create();
	struct verify_result r = {.state = VERIFY_BAD};
	struct err e = {0};
	struct rec_seen s;
	uint32_t seed = 5;
	size_t n = 0;
	int fd;

	while (n + piece <= sizeof(all)) {
		for (size_t i = 0; i < piece; i++)
			block[i] = (unsigned char)('a' + rec_random(&seed) % 26);
		if (cast_data(w, CAST_STDOUT, REC_T0, block, piece, &e) < 0)
			break;
		memcpy(all + n, block, piece);
		n += piece;
	}
	ok(e.code == ERR_RECORDING && e.sys == ENOSPC, "it is full after %zu bytes", n);
	/* It is only held; but a mark may be due, for which there is no room either. */
	memset(&e, 0, sizeof(e));
	ok(cast_secret(w, REC_T0 + 1, "not a whole line", 16, &e) == 0 || e.sys == ENOSPC,
	    "a line is typed unseen");
	fill_up();
	ok(cast_end(w, REC_T0 + 2, NULL, &e) == 0, "the end fits: %s", e.why);
	cast_free(w);
	source_unlock(&key);
	fd = openat(rec_dirfd, NAME, O_RDONLY | O_CLOEXEC);
	ok(verify_fd(fd, NAME, &r, &e) == 0 && r.state == VERIFY_SEALED,
	    "authentic and complete: %s", r.why);
	close(fd);
	rec_read(rec_path(NAME), &s);
	ok(!s.failed && !s.truncated && rec_same(&s.stream[CAST_STDOUT], all, n),
	    "what was taken is there");
	rec_forget(&s);
	unlinkat(rec_dirfd, NAME, 0);
	unlinkat(rec_dirfd, "ballast", 0);
}

int
main(void)
{
	rec_setup();
	make_key();
	mount_small();
	test_full(100);
	test_full(sizeof("a line\n") - 1);
	test_full(65536);
	test_full(100000);
	auditor_key_free(&key);
	close(rec_dirfd);
	ok(umount(rec_dir) == 0, "nothing keeps the file system");
	return done_testing();
}
