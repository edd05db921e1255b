/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/escape.h"

#include <string.h>

#include "screen/answer.h"

/* Sent by a terminal around a paste; the two differ in one byte. */
#define MARK_LEN 6
static const unsigned char mark_begin[MARK_LEN + 1] = "\033[200~";
static const unsigned char mark_end[MARK_LEN + 1] = "\033[201~";

void
client_escape_init(struct client_escape *s, int ch)
{
	*s = (struct client_escape){.ch = ch, .first = true};
}

static enum client_wish
wish_of(unsigned char c)
{
	switch (c) {
	case '.':
		return WISH_QUIT;
	case 'd':
		return WISH_DETACH;
	case 'k':
		return WISH_KEYBOARD;
	case '#':
		return WISH_WHO;
	case 'Z' & 0x1f:
		return WISH_SUSPEND;
	case '?':
		return WISH_HELP;
	default:
		return WISH_NOTHING;
	}
}

/* How far c brings us in the mark that would change `pasting`. */
static void
follow_marks(struct client_escape *s, unsigned char c)
{
	const unsigned char *mark = s->pasting ? mark_end : mark_begin;

	if (c != mark[s->marked])
		s->marked = 0;
	if (c == mark[s->marked])
		s->marked++;
	if (s->marked == MARK_LEN) {
		s->pasting = !s->pasting;
		s->marked = 0;
	}
}

static bool
was_typed(struct client_escape *s, size_t whole, int64_t now)
{
	if (whole > CLIENT_ESCAPE_TYPED) {
		s->pasted = now;
		return false;
	}
	if (s->pasted && now - s->pasted < CLIENT_ESCAPE_MOMENT) {
		s->pasted = now;
		return false;
	}
	s->pasted = 0;
	return true;
}

size_t
client_escape_take(struct client_escape *s, const unsigned char *p, size_t n, size_t whole,
    int64_t now, unsigned char *out, size_t *put, enum client_wish *wish)
{
	bool typed = was_typed(s, whole, now);

	*put = 0;
	*wish = WISH_NOTHING;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = p[i];
		size_t answer = s->pasting ? 0 : screen_answer(p + i, n - i);

		if (answer > 0) {
			memcpy(out + *put, p + i, answer);
			*put += answer;
			s->marked = 0;
			i += answer - 1;
			continue;
		}
		if (s->held) {
			s->held = false;
			if (typed)
				*wish = wish_of(c);
			if (*wish != WISH_NOTHING) {
				s->first = true;
				return i + 1;
			}
			out[(*put)++] = (unsigned char)s->ch;
			if (typed && c == s->ch)
				continue;
		} else if (typed && s->first && !s->pasting && c == s->ch) {
			s->held = true;
			s->first = false;
			continue;
		}
		follow_marks(s, c);
		s->first = !s->pasting && (c == '\r' || c == '\n');
		out[(*put)++] = c;
	}
	return n;
}
