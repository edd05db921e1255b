/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pty/term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>

#include "base/fd.h"

static struct {
	struct termios modes;
	int fd;
	volatile sig_atomic_t raw;
	bool hooked;
} saved = {.fd = -1};

static const int fatal[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV,
    SIGPIPE, SIGTERM, SIGXCPU, SIGXFSZ};

/* From the background tcsetattr() would stop us with SIGTTOU; blocked, it proceeds. */
static int
set_modes(int fd, const struct termios *t)
{
	sigset_t ttou, old;
	int rc;

	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &old);
	do
		rc = tcsetattr(fd, TCSANOW, t);
	while (rc < 0 && errno == EINTR);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

void
term_restore(void)
{
	int err = errno;

	if (saved.raw) {
		saved.raw = 0;
		set_modes(saved.fd, &saved.modes);
	}
	errno = err;
}

/* SA_RESETHAND: the second delivery is the default action, and our parent sees the true cause. */
static void
on_fatal(int signo)
{
	term_restore();
	raise(signo);
}

static void
hook(void)
{
	struct sigaction sa = {.sa_handler = on_fatal, .sa_flags = SA_RESETHAND | SA_NODEFER}, old;

	if (saved.hooked)
		return;
	saved.hooked = true;
	atexit(term_restore);
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < COUNT_OF(fatal); i++) {
		if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(fatal[i], &sa, NULL);
	}
}

int
term_raw(int fd, struct err *e)
{
	struct termios raw;

	if (saved.raw && saved.fd != fd)
		term_restore();
	if (!saved.raw) {
		if (tcgetattr(fd, &saved.modes) < 0)
			return err_set(e, ERR_IO, errno, "cannot read the terminal's modes");
		saved.fd = fd;
	}
	hook();
	raw = saved.modes;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	saved.raw = 1;
	if (set_modes(fd, &raw) < 0) {
		err_set(e, ERR_IO, errno, "cannot put the terminal in raw mode");
		saved.raw = 0;
		return -1;
	}
	return 0;
}

bool
term_size(int fd, struct winsize *ws)
{
	auto_close int tty = -1;

	if (ioctl(fd, TIOCGWINSZ, ws) == 0 && ws->ws_row && ws->ws_col)
		return true;
	tty = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (tty >= 0 && ioctl(tty, TIOCGWINSZ, ws) == 0 && ws->ws_row && ws->ws_col)
		return true;
	memset(ws, 0, sizeof(*ws));
	ws->ws_row = 24;
	ws->ws_col = 80;
	return false;
}

void
term_reset_modes(int fd)
{
	/* In order: end synchronised output; leave the alternate screen (and be on it first: from
	 * the other one leaving it would move the cursor to where it was entered last, in xterm
	 * and tmux); mouse reports in all encodings, focus reports and bracketed paste off; cursor
	 * keys and keypad as usual; autowrap and the cursor on; whole-screen scrolling (with the
	 * cursor kept in place); ASCII in G0; attributes off. */
	static const char reset[] = "\033[?2026l\033[?1049h\033[?1049l"
				    "\033[?1000l\033[?1002l\033[?1003l\033[?1005l\033[?1006l"
				    "\033[?1015l\033[?1004l\033[?2004l"
				    "\033[?1l\033>\033[?7h\033[?25h"
				    "\0337\033[r\0338\033(B\017\033[0m";

	if (isatty(fd))
		fd_write_all(fd, reset, sizeof(reset) - 1);
}
