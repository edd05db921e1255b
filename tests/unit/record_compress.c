/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record_util.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/json.h"
#include "record/compress.h"
#include "record/source.h"
#include "record/store.h"
#include "record/verify.h"
#include "replay/archive.h"
#include "stops.h"

#define LINES 150

static struct buf wanted; /* the recording */
static int sessdir;

static void
make_recording(void)
{
	struct cast_writer *w = rec_create("made", true, 0);
	json_t *end = json_pack("{s:i}", "exit_code", 0);
	struct err e = {0};
	char text[8192];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "a line of text that comes again\r\n"[i * i % 33];
	for (int i = 0; i < LINES; i++)
		cast_data(w, CAST_STDOUT, REC_T0 + i, text, sizeof(text), &e);
	cast_end(w, REC_T0 + LINES, end, &e);
	json_decref(end);
	cast_free(w);
	buf_init(&wanted, 64 << 20);
	if (fd_read_file(rec_dirfd, "made", 64 << 20, &wanted) < 0)
		abort();
}

/* The session as its keeper left it. */
static void
plant(void)
{
	struct err e = {0};
	int lock, fd;

	store_remove(rec_dir, REC_ID, NULL);
	sessdir = store_create(rec_dir, REC_ID, &lock, &e);
	fd = openat(sessdir, REC_ID ".cast", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (sessdir < 0 || fd_write_all(fd, buf_head(&wanted), wanted.len) < 0)
		abort();
	close(fd);
	close(lock);
}

/* Everything is as it was, for who asks the store. */
static bool
is_whole(void)
{
	static unsigned char got[1 << 20];
	struct err e = {0};
	json_t *shown = store_show(rec_dir, REC_ID, &e);
	struct source *s = source_open_fd(store_open_cast(rec_dir, REC_ID, &e), "it", &e);
	size_t at = 0;
	ssize_t n;
	bool good = s && shown && strcmp(json_str(shown, "state"), "ended") == 0 &&
		    json_int(shown, "size", 0) == (int64_t)wanted.len;

	while (s && (n = source_read(s, got, sizeof(got), &e)) > 0) {
		good = good && at + (size_t)n <= wanted.len &&
		       memcmp(got, buf_head(&wanted) + at, (size_t)n) == 0;
		at += (size_t)n;
	}
	source_close(s);
	json_decref(shown);
	return good && at == wanted.len;
}

static bool
has(const char *name)
{
	return faccessat(sessdir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Nothing but the one form and the lock. */
static bool
is_alone(const char *name)
{
	DIR *d = opendir(rec_path("sessions/" REC_ID));
	struct dirent *at;
	size_t n = 0;

	while (d && (at = readdir(d)))
		n++;
	closedir(d);
	return n == 4 && has(name) && has("lock");
}

static void
test_compress(void)
{
	struct verify_result r;
	struct stat plain, small;
	struct err e = {0};
	int fd;

	plant();
	fstatat(sessdir, REC_ID ".cast", &plain, 0);
	is_int(compress_recording(sessdir, REC_ID, &e), 1, "compressed");
	ok(is_alone(REC_ID ".cast.zst") && is_whole(), "and that is all there is");
	fstatat(sessdir, REC_ID ".cast.zst", &small, 0);
	ok(small.st_size * 5 < plain.st_size && (small.st_mode & 07777) == 0600, "%ld of %ld bytes",
	    (long)small.st_size, (long)plain.st_size);
	ok(small.st_mtim.tv_sec == plain.st_mtim.tv_sec &&
		small.st_mtim.tv_nsec == plain.st_mtim.tv_nsec,
	    "the time stays");
	fd = store_open_cast(rec_dir, REC_ID, &e);
	ok(verify_fd(fd, "it", &r, &e) == 0 && r.state == VERIFY_SEALED && r.bytes == wanted.len,
	    "it verifies");
	close(fd);
	is_int(compress_recording(sessdir, REC_ID, &e), 0, "a second time there is nothing to do");
	close(sessdir);
}

static int
compress_it(void)
{
	return compress_recording(sessdir, REC_ID, NULL) < 0;
}

static int
remove_it(void)
{
	return store_remove(rec_dir, REC_ID, NULL) < 0;
}

static void
test_killed(void)
{
	int n = 1, bad = 0, both = 0, after = 0;

	do {
		plant();
		if (!killed_at(n, compress_it))
			n = -n;
		both += has(REC_ID ".cast") && has(REC_ID ".cast.zst");
		after += has(REC_ID ".cast.zst");
		if (!is_whole()) {
			printf("# killed at stop %d: not whole\n", n);
			bad++;
		}
		/* And who comes next finishes it. */
		compress_recording(sessdir, REC_ID, NULL);
		if (!is_whole() || !is_alone(REC_ID ".cast.zst")) {
			printf("# killed at stop %d: not finished\n", n);
			bad++;
		}
		close(sessdir);
		n++;
	} while (n > 0);
	ok(n < -40 && both > 0 && after > both, "killed at each of %d stops", -n);
	is_int(bad, 0, "there is one whole recording, and later it is compressed");
}

/* One does all of it between two system calls of the other: what was removed does not come back. */
static void
test_removed(int (*stopping)(void), int (*between)(void), const char *what)
{
	int n = 0, status, bad = 0;
	pid_t pid;

	for (;;) {
		plant();
		pid = stopped_at(++n, stopping);
		if (pid <= 0)
			break;
		status = between();
		bad += between == remove_it && status != 0;
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
		waitpid(pid, &status, 0);
		bad += stopping == remove_it && status != 0;
		if (access(rec_path("sessions/" REC_ID), F_OK) == 0) {
			printf("# at stop %d: it is still there\n", n);
			bad++;
		}
		close(sessdir);
	}
	close(sessdir);
	ok(n > 20 && bad == 0, "%s: %d of %d times it went wrong", what, bad, n);
}

static void
test_not_ours(void)
{
	struct err e = {0};
	int lock, dir, fd;

	/* What does not fit, as on a full disk. */
	plant();
	fd = fork();
	if (fd == 0) {
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000});
		_exit(compress_recording(sessdir, REC_ID, &e) != -1 || e.sys != EFBIG);
	}
	waitpid(fd, &lock, 0);
	ok(lock == 0 && is_alone(REC_ID ".cast") && is_whole(), "no room: it stays as it was");
	/* Live. */
	fd = openat(sessdir, "lock", O_RDONLY | O_CLOEXEC);
	flock(fd, LOCK_EX);
	is_int(compress_recording(sessdir, REC_ID, &e), 0, "a live one is left alone");
	close(fd);
	ok(is_alone(REC_ID ".cast"), "as it is");
	/* What is no text. */
	fd = openat(sessdir, REC_ID ".cast", O_WRONLY | O_TRUNC | O_CLOEXEC);
	ok(write(fd, "\x01sealed", 7) == 7, "another form");
	close(fd);
	is_int(compress_recording(sessdir, REC_ID, &e), 0, "is left alone");
	unlinkat(sessdir, REC_ID ".cast", 0);
	ok(symlinkat("/etc/passwd", sessdir, REC_ID ".cast") == 0 &&
		compress_recording(sessdir, REC_ID, &e) == -1 && e.sys == ELOOP,
	    "a link is not followed");
	close(sessdir);
	dir = store_create(rec_dir, "01jd0z5s8w7k3mtq4v9x2c6b2n", &lock, &e);
	close(lock);
	is_int(compress_recording(dir, "01jd0z5s8w7k3mtq4v9x2c6b2n", &e), 0, "nothing is nothing");
	close(dir);
	store_remove(rec_dir, "01jd0z5s8w7k3mtq4v9x2c6b2n", &e);
}

static void
test_archive(void)
{
	struct archive a = {.compress_ns = -1};
	struct timespec old[] = {{.tv_sec = 1}, {.tv_sec = 1}};

	plant();
	a.sessions = open(rec_path("sessions"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(archive_run(&a) && is_alone(REC_ID ".cast"), "never is never; an index comes later");
	a.compress_ns = 3600 * NS_PER_S;
	ok(archive_run(&a) && is_alone(REC_ID ".cast"), "too soon: later");
	utimensat(sessdir, REC_ID ".cast", old, 0);
	ok(!archive_run(&a), "then it is done");
	ok(unlinkat(sessdir, REC_ID ".index", 0) == 0, "with an index");
	ok(is_alone(REC_ID ".cast.zst") && is_whole(), "in the place of the plain one");
	ok(!archive_run(&a), "and nothing is left to do");
	close(a.sessions);
	close(sessdir);
	is_int(store_remove(rec_dir, REC_ID, NULL), 0, "it can be removed");
}

int
main(void)
{
	rec_setup();
	make_recording();
	test_compress();
	test_killed();
	test_removed(compress_it, remove_it, "removed while it is compressed");
	test_removed(remove_it, compress_it, "compressed while it is removed");
	test_not_ours();
	test_archive();
	buf_fini(&wanted);
	return done_testing();
}
