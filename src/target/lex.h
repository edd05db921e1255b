/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_LEX_H
#define CORAL_TARGET_LEX_H

/* A cursor over text that someone else owns and an enemy wrote: no NUL is
 * expected at its end, nothing is skipped silently. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct lex {
	const char *p;
	size_t n;
};

/* Up to `sep` or the end into `out`, the separator dropped; false when nothing is left. */
static inline bool
lex_until(struct lex *l, char sep, struct lex *out)
{
	const char *at;

	if (l->n == 0)
		return false;
	at = memchr(l->p, sep, l->n);
	out->p = l->p;
	out->n = at ? (size_t)(at - l->p) : l->n;
	l->p += out->n + (at ? 1 : 0);
	l->n -= out->n + (at ? 1 : 0);
	return true;
}

static inline bool
lex_is(const struct lex *l, const char *word)
{
	return l->n == strlen(word) && memcmp(l->p, word, l->n) == 0;
}

static inline bool
lex_skip(struct lex *l, const char *word)
{
	size_t len = strlen(word);

	if (l->n < len || memcmp(l->p, word, len) != 0)
		return false;
	l->p += len;
	l->n -= len;
	return true;
}

static inline void
lex_blanks(struct lex *l)
{
	while (l->n > 0 && (*l->p == ' ' || *l->p == '\t')) {
		l->p++;
		l->n--;
	}
}

static inline int
lex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 99;
}

/* Digits of `base` (8, 10, 16), at least one, at most `max`. */
static inline bool
lex_number(struct lex *l, unsigned base, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t used = 0;

	while (used < l->n) {
		unsigned d = (unsigned)lex_digit(l->p[used]);

		if (d >= base)
			break;
		if (d > max || v > (max - d) / base)
			return false;
		v = v * base + d;
		used++;
	}
	if (used == 0)
		return false;
	l->p += used;
	l->n -= used;
	*out = v;
	return true;
}

/* A decimal number and nothing else. */
static inline bool
lex_whole(const struct lex *l, uint64_t max, uint64_t *out)
{
	struct lex copy = *l;

	return lex_number(&copy, 10, max, out) && copy.n == 0;
}

/* A copy with a NUL; false when it does not fit or holds a NUL. */
static inline bool
lex_copy(const struct lex *l, char *dst, size_t size)
{
	if (l->n >= size || memchr(l->p, '\0', l->n))
		return false;
	memcpy(dst, l->p, l->n);
	dst[l->n] = '\0';
	return true;
}

#endif
