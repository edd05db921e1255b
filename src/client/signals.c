/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/run_int.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "pty/term.h"

/* The same signal again within this time means us, not the command. */
#define INSIST (2 * NS_PER_S)

bool
client_run_size(const struct client_run *s, uint16_t v[4])
{
	struct winsize ws;
	bool known = term_size(s->io->out, &ws);

	v[0] = ws.ws_row;
	v[1] = ws.ws_col;
	v[2] = ws.ws_xpixel;
	v[3] = ws.ws_ypixel;
	return known;
}

/* Who looks on has no say in it; who is away says it on return. */
int
client_run_send_size(struct client_run *s)
{
	unsigned char p[8];
	uint16_t v[4];

	if (s->looks || s->away.since)
		return 0;
	client_run_size(s, v);
	s->rows = v[0];
	s->cols = v[1];
	for (size_t i = 0; i < COUNT_OF(v); i++) {
		p[2 * i] = (unsigned char)(v[i] >> 8);
		p[2 * i + 1] = (unsigned char)v[i];
	}
	return client_run_send(s, FR_WINCH, p, sizeof(p));
}

/* Stopped from outside while the terminal is raw: leave it usable for the shell behind us. */
static void
pause_here(const struct client_run *s)
{
	if (s->away.shown)
		client_line_hide(s);
	if (s->raw)
		term_reset_modes(s->io->out);
	term_restore();
	raise(SIGSTOP);
}

static bool
in_background(const struct client_run *s)
{
	pid_t group = tcgetpgrp(s->io->in);

	return group > 0 && group != getpgrp();
}

static int
again(struct client_run *s)
{
	if (!s->raw)
		return 0;
	/* To read from the terminal would stop us all the same. */
	if (in_background(s)) {
		raise(SIGSTOP);
		return 0;
	}
	if (term_raw(s->io->in, s->e) < 0)
		return -1;
	/* The terminal was somebody else's meanwhile. */
	if (s->away.since)
		s->away.stale = true;
	else if (client_run_send(s, FR_REPAINT, NULL, 0) < 0)
		return -1;
	return client_run_send_size(s);
}

static bool
owns(const struct client_run *s)
{
	return s->req->verb == REQ_EXEC || s->req->verb == REQ_SHELL;
}

static int
forward(struct client_run *s, int signo)
{
	const char *name = sigabbrev_np(signo);
	int64_t now = clock_mono();

	if (s->state != RUN_OPEN || s->looks || s->req->verb == REQ_JOIN ||
	    (signo == s->last_signo && now - s->last_signal < INSIST)) {
		client_run_leave(s, signo);
		return 0;
	}
	s->last_signo = signo;
	s->last_signal = now;
	return client_run_send(s, FR_SIGNAL, name, strlen(name));
}

static int
handle(struct client_run *s, int signo)
{
	switch (signo) {
	case SIGWINCH:
		return s->state == RUN_OPEN && s->tty ? client_run_send_size(s) : 0;
	case SIGTSTP:
		pause_here(s);
		return 0;
	case SIGCONT:
		return s->state == RUN_OPEN ? again(s) : 0;
	case SIGTERM:
	case SIGHUP:
		/* With a terminal these say that ours is going away; the keys of it travel as
		 * bytes.  And the command is not ours to end where we came later. */
		if (s->tty || !owns(s)) {
			client_run_leave(s, signo);
			return 0;
		}
		break;
	default:
		break;
	}
	return forward(s, signo);
}

static void
on_signal(void *arg, short revents)
{
	struct client_run *s = arg;
	struct signalfd_siginfo si;

	(void)revents;
	if (read(s->sigfd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (handle(s, (int)si.ssi_signo) < 0)
		client_run_fail(s);
	else if (s->state == RUN_OPEN)
		client_run_pump(s);
}

/* What our parent had us ignore (nohup, a background job of sh) stays ignored: the kernel queues a
 * blocked signal whatever its disposition, so it must not be in the set. */
static void catch (sigset_t *set, int signo)
{
	struct sigaction sa;

	if (sigaction(signo, NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
		sigaddset(set, signo);
}

int
client_run_signals(struct client_run *s)
{
	sigset_t set;

	sigemptyset(&set);
	catch (&set, SIGINT);
	catch (&set, SIGTERM);
	catch (&set, SIGHUP);
	catch (&set, SIGQUIT);
	if (s->req->tty)
		catch (&set, SIGWINCH);
	if (s->io->raw) {
		catch (&set, SIGTSTP);
		catch (&set, SIGCONT);
	}
	/* Writing to a closed pipe is told by errno. */
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, &s->old_mask) < 0)
		return -1;
	s->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->sigfd < 0)
		return -1;
	s->sig = loop_add_in(s->loop, s->sigfd, on_signal, s);
	return s->sig ? 0 : -1;
}

void
client_run_signals_end(struct client_run *s)
{
	loop_del(&s->sig);
	if (s->sigfd >= 0)
		sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
	fd_close(&s->sigfd);
}
