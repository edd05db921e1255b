/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A power cut while a recording is compressed. */
#include "record_util.h"

#include <signal.h>
#include <sys/ptrace.h>

#define IMAGE (8 * 1024 * 1024) /* compressing wants room beside it */
#include "disk_util.h"

#include "base/fd.h"
#include "record/compress.h"
#include "record/source.h"
#include "record/store.h"

#define SIZE 300000

static unsigned char wanted[SIZE], got[SIZE + 1];

static void
fill(void)
{
	uint32_t seed = 20261122;

	for (size_t i = 0; i < SIZE; i++)
		wanted[i] = (unsigned char)('a' + rec_random(&seed) % 16);
	memcpy(wanted, "{\"version\":2,\"width\":80,\"height\":24}\n", 37);
	wanted[SIZE - 1] = '\n';
}

/* The recording of a session that is over, on disk. */
static int
plant(void)
{
	struct err e = {0};
	int lock, dir = store_create(rec_dir, REC_ID, &lock, &e), fd;

	fd = openat(dir, REC_ID ".cast", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, wanted, SIZE) < 0 || syncfs(fd) < 0)
		bail("no recording");
	close(fd);
	close(lock);
	return dir;
}

/* The disk as it is, and nothing of what only the page cache has. */
static int
copy_of(int image)
{
	int copy = memfd_create("coral-test", 0);
	unsigned char *all = malloc(IMAGE);

	if (!all || pread(image, all, IMAGE, 0) != IMAGE || pwrite(copy, all, IMAGE, 0) != IMAGE)
		bail("no copy");
	free(all);
	return copy;
}

/* What the next agent finds on the disk.  Whether it is compressed. */
static bool
look(int image, const char *dir, bool *whole)
{
	int copy = copy_of(image);
	struct err e = {0};
	struct source *s;
	char path[256];
	bool plain;

	mount_image(copy, dir, "");
	s = source_open_fd(store_open_cast(dir, REC_ID, &e), "it", &e);
	*whole = s && source_read_at(s, 0, got, sizeof(got), &e) == SIZE &&
		 memcmp(got, wanted, SIZE) == 0;
	source_close(s);
	snprintf(path, sizeof(path), "%s/sessions/" REC_ID "/" REC_ID ".cast", dir);
	plain = access(path, F_OK) == 0;
	umount2(dir, MNT_DETACH);
	close(copy);
	return !plain;
}

/* The power is cut before and after each system call. */
static void
test_cuts(const char *dir)
{
	int image = make_image("has_journal"), sessdir, status, n = 0, bad = 0;
	bool whole, compressed = false;
	pid_t pid;

	/* Nothing reaches the disk but what is asked for. */
	mount_image(image, rec_dir, "commit=300");
	sessdir = plant();
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(compress_recording(sessdir, REC_ID, NULL) != 1);
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL);
	for (; WIFSTOPPED(status); n++) {
		compressed = look(image, dir, &whole);
		if (!whole) {
			printf("# cut %d: it is not whole\n", n);
			bad++;
		}
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		waitpid(pid, &status, 0);
	}
	ok(status == 0 && n > 40, "compressed with %d cuts", n);
	is_int(bad, 0, "after each of them the recording is whole");
	ok(compressed, "in the end only the compressed one is on the disk");
	close(sessdir);
	umount2(rec_dir, MNT_DETACH);
	close(image);
}

int
main(void)
{
	char dir[80];

	mounts_of_our_own();
	rec_setup();
	snprintf(dir, sizeof dir, "%s.copy", rec_dir);
	mkdir(dir, 0700);
	fill();
	test_cuts(dir);
	rmdir(dir);
	return done_testing();
}
