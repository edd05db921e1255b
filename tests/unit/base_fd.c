/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "tap.h"

static char dir[] = "/tmp/coral-fd-XXXXXX";
static int dirfd_;

static int
read_file(const char *name, size_t max, struct buf *b)
{
	errno = 0;
	return fd_read_file(dirfd_, name, max, b);
}

static void
test_read_file(void)
{
	struct buf b;
	int fd = openat(dirfd_, "plain", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	fd_write_all(fd, "0123456789", 10);
	fd_close(&fd);
	is_int(fd, -1, "fd_close clears");
	fd_close(&fd);
	mkfifoat(dirfd_, "fifo", 0600);
	mkdirat(dirfd_, "sub", 0700);
	ok(symlinkat("plain", dirfd_, "link") == 0, "a link");
	buf_init(&b, 100);
	buf_put_str(&b, ">");
	is_int(read_file("plain", 10, &b), 0, "just as large as allowed");
	is_str(buf_cstr(&b), ">0123456789", "appended");
	ok(read_file("plain", 9, &b) < 0 && errno == EFBIG, "one over");
	is_int(b.len, 11, "nothing stays of it");
	ok(read_file("fifo", 10, &b) < 0 && errno == EINVAL, "a FIFO, without waiting");
	ok(read_file("link", 10, &b) < 0 && errno == ELOOP, "a symbolic link");
	ok(read_file("sub", 10, &b) < 0 && errno == EISDIR, "a directory");
	ok(read_file("none", 10, &b) < 0 && errno == ENOENT, "nothing");
	is_int(fd_read_file(AT_FDCWD, "/proc/self/stat", 80, &b) < 0 ? errno : 0, EFBIG, "procfs");
	buf_fini(&b);
	buf_init(&b, 10);
	is_int(read_file("plain", 99, &b), 0, "a buffer just as large");
	buf_fini(&b);
	buf_init(&b, 9);
	ok(read_file("plain", 99, &b) < 0 && errno == EFBIG, "a smaller buffer");
	buf_fini(&b);
}

static void
test_replace_file(void)
{
	char left[64], longest[256];
	struct stat st;
	struct buf b;
	int old, fd;

	is_int(fd_replace_file(dirfd_, "kept", "first", 5), 0, "where there was none");
	ok(fstatat(dirfd_, "kept", &st, 0) == 0 && (st.st_mode & 07777) == 0600, "mode 0600");
	old = openat(dirfd_, "kept", O_RDONLY | O_CLOEXEC);
	is_int(fd_replace_file(dirfd_, "kept", "second one", 10), 0, "replaced");
	buf_init(&b, 100);
	ok(read(old, longest, sizeof(longest)) == 5, "who had opened it has the old one, whole");
	read_file("kept", 99, &b);
	is_str(buf_cstr(&b), "second one", "the new one");
	snprintf(left, sizeof(left), ".kept.%d", (int)getpid());
	fd = openat(dirfd_, left, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	is_int(fd_replace_file(dirfd_, "kept", "third", 5), 0,
	    "what a dead process left is no matter");
	ok(faccessat(dirfd_, left, F_OK, 0) < 0, "  and gone");
	symlinkat("kept", dirfd_, "way");
	is_int(fd_replace_file(dirfd_, "way", "fourth", 6), 0, "a link is replaced, not followed");
	buf_clear(&b);
	read_file("kept", 99, &b);
	is_str(buf_cstr(&b), "third", "  what it named is as it was");
	mkdirat(dirfd_, "full", 0700);
	ok(fd_replace_file(dirfd_, "full", "x", 1) < 0 && errno == EISDIR, "not a directory");
	snprintf(left, sizeof(left), ".full.%d", (int)getpid());
	ok(faccessat(dirfd_, left, F_OK, 0) < 0, "  and nothing stays aside");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ok(fd_replace_file(dirfd_, longest, "x", 1) < 0 && errno == ENAMETOOLONG, "a long name");
	close(old);
	close(fd);
	buf_fini(&b);
}

static size_t
open_count(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
test_passing(int type)
{
	int s[2], p[2], got[FD_PASS_MAX], many[FD_PASS_MAX];
	size_t n = FD_PASS_MAX, before, i;
	char text[8] = "";

	is_int(fd_socketpair(type, 65536, s), 0, "a pair");
	ok(fcntl(s[0], F_GETFD) & FD_CLOEXEC, "close-on-exec");
	ok(pipe2(p, O_CLOEXEC) == 0, "a pipe");
	is_int(fd_send_msg(s[0], "hi", 2, p, 2), 2, "sent");
	is_int(fd_recv_msg(s[1], text, sizeof(text), got, &n), 2, "received");
	is_int(n, 2, "two descriptors");
	is_str(text, "hi", "and the bytes");
	ok(fcntl(got[0], F_GETFD) & FD_CLOEXEC, "received close-on-exec");
	is_int(write(got[1], "x", 1), 1, "they are the pipe");
	is_int(read(p[0], text, 1), 1, "indeed");
	close(got[0]);
	close(got[1]);

	for (i = 0; i < FD_PASS_MAX; i++)
		many[i] = p[0];
	before = open_count();
	fd_send_msg(s[0], "m", 1, many, FD_PASS_MAX);
	n = 1;
	is_int(fd_recv_msg(s[1], text, sizeof(text), got, &n), 1, "more than wanted");
	is_int(n, 1, "one is kept");
	close(got[0]);
	is_int(open_count(), before, "the others are closed");
	fd_send_msg(s[0], "m", 1, many, 3);
	is_int(fd_recv_msg(s[1], text, sizeof(text), NULL, NULL), 1, "none wanted");
	is_int(open_count(), before, "all closed");
	is_int(fd_send_msg(s[0], "m", 1, many, FD_PASS_MAX + 1), -1, "too many to send");
	if (type == SOCK_SEQPACKET) {
		fd_send_msg(s[0], "123456789", 9, many, 1);
		n = 1;
		ok(fd_recv_msg(s[1], text, sizeof(text), got, &n) < 0 && errno == EMSGSIZE, "cut");
		ok(n == 0 && open_count() == before, "and nothing leaks");
	}
	fd_close(&s[0]);
	n = FD_PASS_MAX;
	is_int(fd_recv_msg(s[1], text, sizeof(text), got, &n), 0, "the end");
	is_int(fd_send_msg(s[1], "x", 1, NULL, 0) < 0 ? errno : 0, EPIPE, "EPIPE, no signal");
	fd_close(&s[1]);
	close(p[0]);
	close(p[1]);
}

static void
test_full(void)
{
	int p[2];
	char text[8];

	ok(pipe2(p, O_CLOEXEC) == 0, "a pipe");
	is_int(fd_nonblock(p[0], true), 0, "non-blocking");
	ok(fcntl(p[0], F_GETFL) & O_NONBLOCK, "is");
	fd_nonblock(p[0], false);
	ok(!(fcntl(p[0], F_GETFL) & O_NONBLOCK), "is not");
	fd_cloexec(p[0], false);
	ok(!(fcntl(p[0], F_GETFD) & FD_CLOEXEC), "inherited");
	fd_write_all(p[1], "abcdef", 6);
	is_int(fd_read_full(p[0], text, 4), 4, "full");
	fd_close(&p[1]);
	ok(fd_read_full(p[0], text, 4) < 0 && errno == EPIPE, "cut short");
	is_int(fd_read_full(p[0], text, 4), 0, "a clean end");
	close(p[0]);
}

static void
test_make_dir(void)
{
	char path[128];
	struct err e;

	snprintf(path, sizeof(path), "%s/a/b//c/", dir);
	is_int(fd_make_dir(path, 0700, &e), 0, "made with its parents");
	is_int(fd_make_dir(path, 0700, &e), 0, "is there already");
	chmod(path, 0777);
	ok(fd_make_dir(path, 0700, &e) < 0 && strstr(e.why, "others may write"),
	    "others may write");
	chmod(path, 0700);
	snprintf(path, sizeof(path), "%s/l", dir);
	ok(symlink("a", path) == 0, "a link");
	ok(fd_make_dir(path, 0700, &e) < 0, "no link in the last part");
	snprintf(path, sizeof(path), "%s/plain/x", dir);
	ok(fd_make_dir(path, 0700, &e) < 0 && e.code == ERR_IO && e.sys == ENOTDIR,
	    "not a directory");
	if (geteuid() == 0) {
		snprintf(path, sizeof(path), "%s/a", dir);
		ok(chown(path, 12345, 0) == 0 && fd_make_dir(path, 0700, &e) < 0 &&
			strstr(e.why, "12345"),
		    "another's");
	}
}

static void
test_close_from(void)
{
	int keep[] = {107, 103, -1};

	for (int fd = 100; fd < 110; fd++)
		fcntl(0, F_DUPFD_CLOEXEC, fd);
	fd_close_from(101, keep, 3);
	ok(fcntl(100, F_GETFD) >= 0, "below stays");
	ok(fcntl(103, F_GETFD) >= 0 && fcntl(107, F_GETFD) >= 0, "kept");
	ok(fcntl(101, F_GETFD) < 0 && fcntl(104, F_GETFD) < 0 && fcntl(108, F_GETFD) < 0, "closed");
}

int
main(void)
{
	char cmd[64];

	if (!mkdtemp(dir))
		return 1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_read_file();
	test_replace_file();
	test_passing(SOCK_STREAM);
	test_passing(SOCK_SEQPACKET);
	test_full();
	test_make_dir();
	test_close_from();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) == 0 ? done_testing() : 1;
}
