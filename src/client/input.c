/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/run_int.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>

#include "base/clock.h"
#include "base/fd.h"

#define TYPED_MAX 4096

static size_t
room(struct client_run *s)
{
	uint64_t credit = s->credit - s->sent;
	size_t n = client_link_room(&s->link, s->raw);

	return n < credit ? n : (size_t)credit;
}

static short
in_interest(void *arg)
{
	struct client_run *s = arg;

	if (s->state != RUN_OPEN || s->lost || s->in_ended)
		return 0;
	/* ^C must be heard. */
	if (s->looks || (s->raw && s->away.shown))
		return POLLIN;
	if (s->away.since && client_run_guest(s))
		return s->raw ? POLLIN : 0;
	/* A tilde may have to go before what is read. */
	return room(s) > 1 || (room(s) == 1 && !s->raw) ? POLLIN : 0;
}

static void
conclude(struct client_run *s, int rc)
{
	if (rc < 0)
		client_run_fail(s);
	else
		client_run_pump(s);
}

/* Each line is cleared first: a program that has the whole screen leaves something on most. */
static void
help(const struct client_run *s)
{
	char key[4], last[8], text[900];
	int c = s->escape.ch, n;

	snprintf(key, sizeof(key), "%s%c", c < ' ' ? "^" : "", c < ' ' ? c + '@' : c);
	snprintf(last, sizeof(last), "%s%-3s", key, key);
	n = snprintf(text, sizeof(text),
	    "\r\n\033[KEscapes, at the beginning of a line:\r\n"
	    "\033[K %s.   %s\r\n"
	    "\033[K %sd   leave, and let the session go on\r\n"
	    "\033[K %sk   ask for the keyboard, take it back, or give it to who asked\r\n"
	    "\033[K %s#   who is attached\r\n"
	    "\033[K %s^Z  suspend coral\r\n"
	    "\033[K %s?   this help\r\n"
	    "\033[K %s the character itself\r\n",
	    key, client_run_guest(s) ? "leave" : "end the session", key, key, key, key, key, last);
	fd_write_all(s->io->out, text, (size_t)n);
}

static int
leave(struct client_run *s, enum frame_type how)
{
	if (s->away.since)
		return client_run_give_up(s);
	if (s->parting) {
		err_set(s->e, ERR_TRANSPORT, 0, "left before the agent answered");
		return err_hint(s->e, "coral sessions tells whether the session still runs");
	}
	/* Else the agent says why not, and the session goes on. */
	s->parting = how == FR_HANGUP || !json_is_false(json_object_get(s->opened, "detachable")) ||
		     client_run_guest(s);
	return client_run_send(s, how, NULL, 0);
}

static int
grant(struct client_run *s, enum client_wish wish)
{
	switch (wish) {
	case WISH_QUIT:
		return leave(s, FR_HANGUP);
	case WISH_DETACH:
		return leave(s, FR_DETACH);
	case WISH_KEYBOARD:
		return client_run_send(s, FR_KEYBOARD, NULL, 0);
	case WISH_WHO:
		return client_run_send(s, FR_WHO, NULL, 0);
	case WISH_SUSPEND:
		/* The whole job, as the key itself would: we find it in our signalfd. */
		kill(0, SIGTSTP);
		return 0;
	case WISH_HELP:
		help(s);
		return 0;
	case WISH_NOTHING:
		break;
	}
	return 0;
}

static int
pass_on(struct client_run *s, const unsigned char *p, size_t n)
{
	if (n == 0 || s->looks || (s->away.since && client_run_guest(s)))
		return 0;
	if (n > room(s)) {
		s->away.dropped += n;
		return 0;
	}
	s->sent += n;
	return client_run_send(s, FR_STDIN, p, n);
}

/* What a person typed. */
static int
typed(struct client_run *s, const unsigned char *p, size_t n)
{
	unsigned char out[TYPED_MAX + 1];
	enum client_wish wish;
	size_t at = 0, put;

	if (s->away.shown && memchr(p, CTRL('C'), n))
		return client_run_give_up(s);
	if (s->looks) {
		/* No line is typed: every character is the first of one. */
		s->escape.first = !s->escape.held;
		if (n == 1 && (*p == CTRL('C') || *p == 'q') && !s->escape.held)
			return leave(s, FR_DETACH);
	}
	while (at < n && s->state == RUN_OPEN) {
		at += client_escape_take(
		    &s->escape, p + at, n - at, n, clock_mono(), out, &put, &wish);
		if (pass_on(s, out, put) < 0 || grant(s, wish) < 0)
			return -1;
	}
	return s->state == RUN_OPEN ? client_run_key(s) : 0;
}

static void
in_end(struct client_run *s)
{
	s->in_ended = true;
	/* Of a raw terminal that is no end of what is typed: it went away. */
	conclude(s, s->looks || s->raw ? 0 : client_run_send(s, FR_STDIN_EOF, NULL, 0));
}

static void
end_of_input(struct client_run *s, ssize_t got)
{
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0 && !s->req->tty)
		s->in_errno = errno;
	in_end(s);
}

/* We may have been stopped since the loop looked, and a shell has read it. */
static bool
is_there(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static void
on_keys(struct client_run *s)
{
	unsigned char keys[TYPED_MAX];
	size_t n = sizeof(keys), free_room = room(s);
	ssize_t got;

	if (!is_there(s->io->in))
		return;
	if (!s->looks && !s->away.shown)
		n = free_room - 1 < n ? free_room - 1 : n;
	got = read(s->io->in, keys, n);
	if (got <= 0)
		end_of_input(s, got);
	else
		conclude(s, typed(s, keys, (size_t)got));
	explicit_bzero(keys, sizeof(keys));
}

static void
on_in(void *arg, short revents)
{
	struct client_run *s = arg;
	unsigned char *p;
	struct err e;
	ssize_t got;
	size_t n;

	(void)revents;
	if (s->raw || s->looks) {
		on_keys(s);
		return;
	}
	n = room(s);
	p = n ? client_link_reserve(&s->link, n) : NULL;
	if (!p)
		return;
	got = read(s->io->in, p, n);
	if (got <= 0) {
		end_of_input(s, got);
		return;
	}
	s->sent += (uint64_t)got;
	if (client_link_commit(&s->link, FR_STDIN, (size_t)got, &e) < 0 && e.code == ERR_TRANSPORT)
		client_run_lost(s, &e);
	client_run_pump(s);
}

int
client_run_input(struct client_run *s)
{
	if (s->io->in < 0)
		return 0;
	s->in = loop_add(s->loop, s->io->in, in_interest, on_in, s);
	return s->in ? 0 : -1;
}
