/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Terminals from a devpts that somebody else may have prepared. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>
#include "base/fd.h"
#include "pty/pty.h"
#include "tap.h"

static char dir[] = "/tmp/coral-pty-XXXXXX";

static void
clean(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/dev/pts", dir);
	umount2(path, MNT_DETACH);
	if (chdir(dir) == 0) {
		unlink("dev/pts/ptmx");
		rmdir("dev/pts");
		unlink("dev/pts");
		rmdir("dev/real");
		rmdir("dev");
	}
	rmdir(dir);
}

static int
try(struct pty *p, struct err *e)
{
	struct winsize ws = {.ws_row = 7, .ws_col = 13};
	int root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), rc;

	*e = (struct err){0};
	rc = pty_open_in(root, &ws, 4242, p, e);
	close(root);
	return rc;
}

static void
refused(const char *what)
{
	struct pty p;
	struct err e;

	is_int(try(&p, &e), -1, what);
	is_int(e.code, ERR_DENIED, "is denied");
	ok(p.master < 0 && p.slave < 0, "and nothing is open: %s", e.why);
	unlink("dev/pts/ptmx");
}

static void
test_fakes(void)
{
	is_int(mkfifo("dev/pts/ptmx", 0666), 0, "mkfifo");
	refused("a FIFO");
	is_int(close(open("dev/pts/ptmx", O_CREAT | O_WRONLY | O_CLOEXEC, 0666)), 0, "creat");
	refused("a regular file");
	is_int(symlink("/dev/ptmx", "dev/pts/ptmx"), 0, "symlink");
	refused("a symbolic link");
	is_int(mknod("dev/pts/ptmx", S_IFCHR | 0666, makedev(5, 2)), 0, "mknod");
	refused("the right device on the wrong file system");
	rmdir("dev/pts");
	is_int(symlink("real", "dev/pts"), 0, "symlink");
	refused("a linked directory");
	unlink("dev/pts");
	mkdir("dev/pts", 0755);
}

static void
test_true(void)
{
	struct winsize ws = {0};
	struct termios t;
	struct pty p;
	struct err e;
	struct stat st;
	char path[64];

	is_int(mount("devpts", "dev/pts", "devpts", 0, "newinstance,ptmxmode=0000,mode=0620"), 0,
	    "a devpts of its own");
	is_int(try(&p, &e), 0, "opens");
	ok(!p.foreign, "there");
	snprintf(path, sizeof(path), "dev/pts/%u", p.number);
	ok(fstat(p.slave, &st) == 0 && (st.st_mode & 07777) == 0600 && st.st_uid == 4242,
	    "owner and mode");
	ok(stat(path, &st) == 0 && st.st_uid == 4242, "under its name there");
	is_int(ioctl(p.slave, TIOCGWINSZ, &ws), 0, "size");
	is_int(ws.ws_row * 1000 + ws.ws_col, 7013, "is set");
	ws.ws_col = 99;
	is_int(pty_resize(p.master, &ws), 0, "resize");
	ok(ioctl(p.slave, TIOCGWINSZ, &ws) == 0 && ws.ws_col == 99, "is seen");
	ok(fcntl(p.master, F_GETFL) & O_NONBLOCK, "the master does not block");
	ok(fcntl(p.master, F_GETFD) & FD_CLOEXEC && fcntl(p.slave, F_GETFD) & FD_CLOEXEC,
	    "close-on-exec");
	ok(!pty_is_secret(p.master), "echo is on");
	tcgetattr(p.slave, &t);
	t.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(p.slave, TCSANOW, &t);
	ok(pty_is_secret(p.master), "a password prompt");
	t.c_lflag &= ~(tcflag_t)ICANON;
	tcsetattr(p.slave, TCSANOW, &t);
	ok(pty_is_secret(p.master), "one that takes single characters");
	t.c_iflag &= ~(tcflag_t)ICRNL;
	tcsetattr(p.slave, TCSANOW, &t);
	ok(!pty_is_secret(p.master), "a line editor is none");
	t.c_iflag |= ICRNL | INLCR;
	tcsetattr(p.slave, TCSANOW, &t);
	ok(!pty_is_secret(p.master), "nor zsh's");
	t.c_iflag &= ~(tcflag_t)INLCR;
	t.c_lflag &= ~(tcflag_t)ISIG;
	tcsetattr(p.slave, TCSANOW, &t);
	ok(!pty_is_secret(p.master), "nor one that takes ^C as it comes");
	pty_close(&p);
	ok(p.master == -1 && p.slave == -1, "closed");
}

int
main(void)
{
	struct pty p;
	struct err e;

	if (!mkdtemp(dir) || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || chdir(dir) < 0) {
		printf("Bail out! %s\n", strerror(errno));
		return 1;
	}
	atexit(clean);
	is_int(try(&p, &e), 0, "without /dev/pts");
	ok(p.foreign, "the agent's own serves");
	pty_close(&p);
	mkdir("dev", 0755);
	mkdir("dev/pts", 0755);
	mkdir("dev/real", 0755);
	test_fakes();
	test_true();
	return done_testing();
}
