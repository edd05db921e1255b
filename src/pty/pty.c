/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pty/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"

#define PTMX_MAJOR 5
#define PTMX_MINOR 2
#define PTMX_INO 2 /* of ptmx in every devpts instance */

static int
fake(struct err *e, const char *fact)
{
	err_set(e, ERR_DENIED, 0, "the container's /dev/pts/ptmx is not a terminal multiplexer");
	err_why(e, "%s", fact);
	return err_hint(e, "run the command without -t");
}

/* O_PATH of a true ptmx below rootfd; -1 with ENOENT when there is none, else with err. */
static int
find_ptmx(int rootfd, int *out, struct err *e)
{
	struct open_how how = {
	    .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
	    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	auto_close int fd = -1;
	struct statfs fs;
	struct stat st;

	/* The name comes from the container: only what it is counts. */
	fd = (int)syscall(SYS_openat2, rootfd, "dev/pts/ptmx", &how, sizeof(how));
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 1;
	if (fd < 0 && errno == ELOOP)
		return fake(e, "a part of the path is a symbolic link");
	if (fd < 0)
		return err_set(e, ERR_IO, errno, "cannot open the container's /dev/pts/ptmx");
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return err_set(e, ERR_IO, errno, "cannot examine the container's /dev/pts/ptmx");
	if (fs.f_type != DEVPTS_SUPER_MAGIC)
		return fake(e, "it does not lie on a devpts file system");
	if (!S_ISCHR(st.st_mode) || major(st.st_rdev) != PTMX_MAJOR ||
	    minor(st.st_rdev) != PTMX_MINOR || st.st_ino != PTMX_INO)
		return fake(e, "it is not character device 5:2");
	*out = steal_fd(&fd);
	return 0;
}

static int
open_master(int rootfd, struct pty *p, struct err *e)
{
	auto_close int ptmx = -1;
	char name[40];
	int none = find_ptmx(rootfd, &ptmx, e);
	bool full;

	if (none < 0)
		return -1;
	p->foreign = none;
	if (none)
		snprintf(name, sizeof(name), "/dev/ptmx");
	else
		snprintf(name, sizeof(name), "/proc/self/fd/%d", ptmx);
	p->master = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (p->master >= 0)
		return 0;
	full = errno == ENOSPC;
	err_set(e, ERR_IO, errno, "cannot allocate a terminal from %s",
	    none ? "the agent's /dev/ptmx" : "the container's /dev/pts/ptmx");
	if (full)
		err_why(e, "all are taken: /proc/sys/kernel/pty/max");
	return full ? err_hint(e, "end sessions that are not needed, or run without -t") : -1;
}

static int
set_up(struct pty *p, const struct winsize *ws, uid_t uid, struct err *e)
{
	int unlock = 0;

	if (ioctl(p->master, TIOCSPTLCK, &unlock) < 0 || ioctl(p->master, TIOCGPTN, &p->number) < 0)
		return err_set(e, ERR_IO, errno, "cannot unlock the terminal");
	p->slave = ioctl(p->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (p->slave < 0)
		return err_set(e, ERR_IO, errno, "cannot open the terminal's slave");
	if (ws && pty_resize(p->master, ws) < 0)
		return err_set(e, ERR_IO, errno, "cannot set the terminal's size");
	/* 0600 and not 0620: with a tty group write(1) could draw on the screen. */
	if (fchown(p->slave, uid, (gid_t)-1) < 0 || fchmod(p->slave, 0600) < 0)
		return err_set(
		    e, ERR_IO, errno, "cannot give the terminal to uid %u", (unsigned)uid);
	return 0;
}

int
pty_open_in(int rootfd, const struct winsize *ws, uid_t uid, struct pty *out, struct err *e)
{
	*out = (struct pty){.master = -1, .slave = -1};
	if (open_master(rootfd, out, e) == 0 && set_up(out, ws, uid, e) == 0)
		return 0;
	pty_close(out);
	return -1;
}

void
pty_close(struct pty *p)
{
	fd_close(&p->slave);
	fd_close(&p->master);
}

int
pty_resize(int master, const struct winsize *ws)
{
	return ioctl(master, TIOCSWINSZ, ws);
}

bool
pty_is_read(int master)
{
	/* The master's side cannot be asked: tty_chars_in_buffer() of a pty is 0. */
	auto_close int slave =
	    ioctl(master, TIOCGPTPEER, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct pollfd p = {.fd = slave, .events = POLLIN};

	return slave >= 0 && poll(&p, 1, 0) == 0;
}

bool
pty_is_secret(int master)
{
	struct termios t;

	/* On a master this reads the slave's modes: ioctl_tty(2). */
	if (tcgetattr(master, &t) < 0 || (t.c_lflag & ECHO))
		return false;
	/* A prompt that takes single characters; line editors echo by themselves, and take the
	 * return key or ^C as they come.  zsh's has it and ^J change places, to tell them apart. */
	return (t.c_lflag & ICANON) ||
	       ((t.c_iflag & (ICRNL | INLCR)) == ICRNL && (t.c_lflag & ISIG));
}
