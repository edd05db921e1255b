/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "screen/answer.h"

#include <string.h>

#define ESC '\033'
#define BEL '\a'

/* Parameters are '0' to '?', intermediates ' ' to '/', and what is behind them ends it. */
static size_t
control(const unsigned char *p, size_t n)
{
	unsigned char lead = 0, final;
	size_t i = 2;

	if (i < n && p[i] >= '<' && p[i] <= '?')
		lead = p[i++];
	while (i < n && p[i] >= ' ' && p[i] < '@')
		i++;
	if (i == n)
		return 0;
	final = p[i];
	/* Where the cursor is, what it is, a mode, a size; the focus; the mouse; the keyboard. */
	if (memchr("RcnytIO", final, 7) || (lead == '<' && (final == 'M' || final == 'm')) ||
	    (lead == '?' && final == 'u'))
		return i + 1;
	return 0;
}

/* A colour, a title, a capability. */
static size_t
string(const unsigned char *p, size_t n)
{
	for (size_t i = 2; i < n; i++)
		if (p[i] == BEL || (p[i] == '\\' && p[i - 1] == ESC))
			return i + 1;
	return 0;
}

size_t
screen_answer(const unsigned char *p, size_t n)
{
	if (n < 3 || p[0] != ESC)
		return 0;
	if (p[1] == '[')
		return control(p, n);
	return p[1] == ']' || p[1] == 'P' ? string(p, n) : 0;
}

bool
screen_answers_only(const unsigned char *p, size_t n)
{
	size_t at = 0, len;

	while (at < n && (len = screen_answer(p + at, n - at)) > 0)
		at += len;
	return at == n;
}
