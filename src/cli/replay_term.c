/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay_term.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unibilium.h>
#include <unistd.h>

#include "base/fd.h"

/* Alternate screen, no cursor, no wrapping at the edge. */
#define ENTER "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[0m\x1b[2J"
/* Plain looks, wrapping, cursor, keypad as before, primary screen. */
#define LEAVE "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1l\x1b>\x1b[?1049l"

/* Seen by signal handlers, which see nothing else. */
static struct {
	volatile sig_atomic_t taken;
	int in, out;
	struct termios before, raw;
	bool hooked;
} term = {.in = -1, .out = -1};

static char stack[32768];

/* Async-signal-safe: write(2) and tcsetattr(3) are on the list of signal-safety(7). */
void
rterm_leave(void)
{
	int saved = errno;
	ssize_t n;

	if (term.taken) {
		term.taken = 0;
		n = write(term.out, LEAVE, sizeof(LEAVE) - 1);
		(void)n;
		tcsetattr(term.in, TCSANOW, &term.before);
	}
	errno = saved;
}

static void
on_fatal(int sig)
{
	static const char hang[] = "coral: the player hung on this recording and was ended\n";
	static const char crash[] = "coral: the player crashed on this recording\n";
	const char *text = sig == SIGALRM ? hang : crash;
	ssize_t n;

	rterm_leave();
	n = write(STDERR_FILENO, text, strlen(text));
	(void)n;
	if (sig == SIGALRM)
		_exit(1);
	raise(sig); /* SA_RESETHAND: as if we had not been here */
}

static void
hook(void)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGALRM};
	stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_handler = on_fatal, .sa_flags = SA_RESETHAND | SA_ONSTACK};
	size_t i;

	if (term.hooked)
		return;
	term.hooked = true;
	sigaltstack(&alt, NULL);
	sigemptyset(&sa.sa_mask);
	for (i = 0; i < COUNT_OF(fatal); i++)
		sigaction(fatal[i], &sa, NULL);
	atexit(rterm_leave);
}

static int
take(void)
{
	if (tcsetattr(term.in, TCSADRAIN, &term.raw) < 0)
		return -1;
	term.taken = 1;
	return fd_write_all(term.out, ENTER, sizeof(ENTER) - 1);
}

bool
rterm_has_colors(void)
{
	const char *name = getenv("TERM");
	unibi_term *t = name ? unibi_from_term(name) : NULL;
	/* Most that is not described has them. */
	bool has = !t || unibi_get_num(t, unibi_max_colors) > 1;

	if (t)
		unibi_destroy(t);
	return has;
}

int
rterm_enter(int in, int out, struct err *e)
{
	const char *name = getenv("TERM");

	if (name && strcmp(name, "dumb") == 0) {
		err_set(e, ERR_IO, 0, "cannot draw on this terminal");
		err_why(e, "TERM is \"dumb\": it has no cursor to move");
		return err_hint(e, "use --format text, or set TERM to what the terminal is");
	}
	term.in = in;
	term.out = out;
	if (tcgetattr(in, &term.before) < 0)
		return err_set(e, ERR_IO, errno, "cannot read the settings of this terminal");
	term.raw = term.before;
	term.raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR | IGNCR | ISTRIP | BRKINT);
	term.raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
	term.raw.c_cc[VMIN] = 1;
	term.raw.c_cc[VTIME] = 0;
	hook();
	if (take() < 0) {
		err_set(e, ERR_IO, errno, "cannot draw on this terminal");
		rterm_leave();
		return -1;
	}
	return 0;
}

void
rterm_size(int *rows, int *cols)
{
	struct winsize ws;

	*rows = 24;
	*cols = 80;
	if (ioctl(term.out, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 0 && ws.ws_col > 0) {
		*rows = ws.ws_row;
		*cols = ws.ws_col;
	}
}

/* readline shows what is typed only where the terminal did. */
void
rterm_echo(void)
{
	struct termios t = term.raw;

	t.c_lflag |= ECHO;
	tcsetattr(term.in, TCSADRAIN, &t);
}

/* readline lets ^C be one, which ends whoever started the player as well. */
void
rterm_no_signals(void)
{
	struct termios t;

	if (tcgetattr(term.in, &t) < 0)
		return;
	t.c_lflag &= ~(tcflag_t)ISIG;
	tcsetattr(term.in, TCSADRAIN, &t);
}

void
rterm_lend_row(int row)
{
	char seq[64];
	int n = snprintf(seq, sizeof(seq), "\x1b[0m\x1b[%d;1H\x1b[K\x1b[?7h\x1b[?25h", row + 1);

	fd_write_all(term.out, seq, (size_t)n);
}

void
rterm_take_row(void)
{
	tcsetattr(term.in, TCSADRAIN, &term.raw);
	fd_write_all(term.out, ENTER, sizeof(ENTER) - 1);
}

void
rterm_suspend(void)
{
	rterm_watchdog(0);
	rterm_leave();
	/* The whole foreground group, as the terminal's ^Z would. */
	kill(0, SIGSTOP);
	take();
}

void
rterm_watchdog(unsigned seconds)
{
	alarm(seconds);
}
