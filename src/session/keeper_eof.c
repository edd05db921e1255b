/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The end of input on a terminal is what the user would type for it, and a terminal forgets it: it
 * is for one read, and to who switches ICANON off before that read a NUL, as shells do that begin.
 * So it is typed again for who reads on, as the end of a pipe would be found again. */
#include <errno.h>
#include <termios.h>
#include <unistd.h>

#include "pty/pty.h"
#include "session/keeper_int.h"

/* Then twice as long each time: what begins to read late is late by as much again at most. */
#define AGAIN_NS (200 * NS_PER_MS)
/* To who takes it for a key. */
#define TYPED_MAX 10

/* false: there is no room. */
static bool
type(int master, const struct termios *t, unsigned char last)
{
	unsigned char eof[2] = {t->c_cc[VEOF], t->c_cc[VEOF]};
	/* After half a line the first one only hands that over: termios(3). */
	size_t n = last == '\0' || last == '\n' || last == '\r' || last == eof[0] ? 1 : 2;

	return write(master, eof, n) >= 0 || errno != EAGAIN;
}

/* A NUL may stand in the line that is edited, and there the end of input is a key that deletes. */
static bool
discard(int master, const struct termios *t)
{
	return (t->c_lflag & ICANON) || t->c_cc[VKILL] == _POSIX_VDISABLE ||
	       write(master, &t->c_cc[VKILL], 1) == 1;
}

static void
again(void *arg)
{
	struct keeper *k = arg;
	struct termios t;

	if (k->master < 0 || k->phase >= KEEPER_DRAINING)
		return;
	/* Who is lost may be back; who has gone leaves the terminal to the next. */
	if (!k->frozen && keeper_client_is_here(k->keyboard) && pty_is_read(k->master) &&
	    tcgetattr(k->master, &t) == 0 && t.c_cc[VEOF] != _POSIX_VDISABLE) {
		/* Not at first: an editor whose line is empty rings the bell for it. */
		if (k->eof_typed == 0 || discard(k->master, &t))
			type(k->master, &t, '\0');
		if (++k->eof_typed >= TYPED_MAX)
			return;
	}
	k->eof_delay *= 2;
	loop_timer_set(k->loop, &k->t_eof, k->eof_delay, again, k);
}

bool
keeper_eof(struct keeper *k)
{
	struct termios t;

	if (tcgetattr(k->master, &t) == 0 && (t.c_lflag & ICANON) &&
	    !type(k->master, &t, k->input_last))
		return false;
	/* Who came later may leave it running. */
	if (k->keyboard && k->keyboard->began) {
		k->eof_typed = 0;
		k->eof_delay = AGAIN_NS;
		loop_timer_set(k->loop, &k->t_eof, k->eof_delay, again, k);
	}
	return true;
}
