/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The user's terminal is as it was after every way out of a process that made it raw. */
#include "pty/term.h"

#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tap.h"

static void
by_signal(int signo)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	raise(signo);
}

static void
leave(int how)
{
	if (how > 0)
		by_signal(how);
	else if (how == 0)
		exit(0);
	else
		term_restore();
	_exit(0);
}

static void
run(const char *name, int how)
{
	struct termios before, raw, after;
	int master, slave, status;
	pid_t pid;

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		exit(99);
	tcgetattr(slave, &before);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (how > 0)
			signal(how, SIG_DFL);
		if (term_raw(slave, NULL) < 0 || term_raw(slave, NULL) < 0)
			_exit(1);
		tcgetattr(slave, &raw);
		if (raw.c_lflag & (ICANON | ECHO | ISIG))
			_exit(2);
		leave(how);
	}
	waitpid(pid, &status, 0);
	if (how > 0)
		ok(WIFSIGNALED(status) && WTERMSIG(status) == how, "%s: the true cause is seen",
		    name);
	else
		is_int(status, 0, name);
	tcgetattr(slave, &after);
	ok(after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag &&
		after.c_oflag == before.c_oflag && after.c_cc[VMIN] == before.c_cc[VMIN],
	    "%s: the modes are back", name);
	close(master);
	close(slave);
}

static void
test_size(void)
{
	struct winsize ws = {.ws_row = 50, .ws_col = 132}, got;
	int master, slave, p[2];

	if (openpty(&master, &slave, NULL, NULL, &ws) < 0 || pipe(p) < 0)
		exit(99);
	ok(term_size(slave, &got) && got.ws_row == 50 && got.ws_col == 132,
	    "the size of a terminal");
	term_size(p[0], &got);
	ok(got.ws_row > 0 && got.ws_col > 0, "of something else: never 0");
	ok(term_raw(p[0], NULL) < 0, "a pipe cannot be raw");
	term_reset_modes(p[1]);
	close(p[1]);
	ok(read(p[0], &got, 1) == 0, "nor is it sent escapes");
	close(p[0]);
	close(master);
	close(slave);
}

int
main(void)
{
	run("exit", 0);
	run("restore", -1);
	run("TERM", SIGTERM);
	run("HUP", SIGHUP);
	run("SEGV", SIGSEGV);
	run("ABRT", SIGABRT);
	run("PIPE", SIGPIPE);
	test_size();
	return done_testing();
}
