/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"

static const int signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};
static volatile sig_atomic_t came;

static void
on_signal(int sig)
{
	came = sig;
}

struct held {
	struct sigaction before[COUNT_OF(signals)];
	sigset_t mask; /* as it was */
};

/* Delivered only inside ppoll(2), so that none is missed just before it. */
static void
hold(struct held *h)
{
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t set;

	came = 0;
	sigemptyset(&set);
	for (size_t i = 0; i < COUNT_OF(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, &h->mask);
	for (size_t i = 0; i < COUNT_OF(signals); i++) {
		sigaction(signals[i], NULL, &h->before[i]);
		if (h->before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
	}
}

static void
let_go(const struct held *h)
{
	for (size_t i = 0; i < COUNT_OF(signals); i++)
		sigaction(signals[i], &h->before[i], NULL);
	sigprocmask(SIG_SETMASK, &h->mask, NULL);
}

static int
none(const char *why, struct err *e)
{
	err_set(e, ERR_USAGE, 0, "no passphrase was typed");
	err_why(e, "%s", why);
	return err_hint(e, "try again, and end it with the return key");
}

/* A line without its end. */
static int
read_line(int tty, const sigset_t *mask, char *out, size_t size, struct err *e)
{
	struct pollfd p = {.fd = tty, .events = POLLIN};

	for (size_t n = 0; n < size;) {
		ssize_t got = ppoll(&p, 1, NULL, mask);

		if (got >= 0)
			got = read(tty, out + n, 1);
		if (came)
			return none("a signal came", e);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return none(got == 0 ? "the input ended" : "the terminal is gone", e);
		if (out[n] == '\n') {
			out[n] = '\0';
			return 0;
		}
		n++;
	}
	return none("it is too long", e);
}

static int
ask_once(int tty, const char *prompt, char *out, size_t size, struct err *e)
{
	struct termios before, quiet;
	struct held held;
	int rc;

	if (tcgetattr(tty, &before) < 0)
		return none("the terminal is gone", e);
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ICANON | ISIG | ECHONL;
	hold(&held);
	tcsetattr(tty, TCSAFLUSH, &quiet);
	fd_write_all(tty, prompt, strlen(prompt));
	rc = read_line(tty, &held.mask, out, size, e);
	if (rc < 0) {
		explicit_bzero(out, size);
		fd_write_all(tty, "\n", 1);
	}
	tcsetattr(tty, TCSAFLUSH, &before);
	let_go(&held);
	return rc;
}

int
passphrase_ask(const char *prompt, char *out, size_t size, struct err *e)
{
	auto_close int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	int rc;

	if (tty < 0) {
		err_set(e, ERR_USAGE, errno, "cannot ask for a passphrase: there is no terminal");
		err_why(e, "it is typed on the terminal alone, whatever standard input is");
		return err_hint(e, "run it on a terminal");
	}
	do {
		rc = ask_once(tty, prompt, out, size, e);
		/* With what it had in mind for us before; from a stop we come back. */
		if (rc < 0 && came)
			raise(came);
	} while (rc < 0 && came == SIGTSTP);
	return rc;
}
