/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/*
 * One UTF-8 sequence at p[0..n), n > 0: its length, or 0 when invalid.  When
 * it is valid so far and only cut by n, *cut is set (and 0 returned).
 * Shortest form only, no surrogates, nothing over U+10FFFF.
 */
static size_t
decode(const unsigned char *p, size_t n, uint32_t *cp, bool *cut)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len, i;

	*cut = false;
	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	*cp = p[0] & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		if (i == n) {
			*cut = true;
			return 0;
		}
		if (p[i] < lo || p[i] > hi)
			return 0;
		lo = 0x80;
		hi = 0xbf;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	return len;
}

size_t
str_utf8_prefix(const unsigned char *p, size_t n, size_t *partial)
{
	size_t at = 0, len;
	uint32_t cp;
	bool cut;

	*partial = 0;
	while (at < n) {
		len = decode(p + at, n - at, &cp, &cut);
		if (len == 0) {
			*partial = cut ? n - at : 0;
			break;
		}
		at += len;
	}
	return at;
}

size_t
str_utf8_one(const unsigned char *p, size_t n, uint32_t *cp)
{
	bool cut;

	return decode(p, n, cp, &cut);
}

bool
str_is_hidden(uint32_t cp)
{
	static const uint32_t ranges[][2] = {
	    {0x00, 0x1f},	/* C0 */
	    {0x7f, 0x9f},	/* DEL, C1 */
	    {0xad, 0xad},	/* soft hyphen */
	    {0x34f, 0x34f},	/* combining grapheme joiner */
	    {0x61c, 0x61c},	/* Arabic letter mark */
	    {0x115f, 0x1160},	/* Hangul fillers */
	    {0x17b4, 0x17b5},	/* Khmer inherent vowels */
	    {0x180b, 0x180f},	/* Mongolian selectors */
	    {0x200b, 0x200f},	/* zero width, direction */
	    {0x2028, 0x202e},	/* line and paragraph, embeddings */
	    {0x2060, 0x206f},	/* word joiner, isolates */
	    {0x3164, 0x3164},	/* Hangul filler */
	    {0xfe00, 0xfe0f},	/* variation selectors */
	    {0xfeff, 0xfeff},	/* byte order mark */
	    {0xffa0, 0xffa0},	/* Hangul filler */
	    {0xfff0, 0xfffb},	/* annotation marks */
	    {0x1bca0, 0x1bca3}, /* shorthand controls */
	    {0x1d173, 0x1d17a}, /* musical controls */
	    {0xe0000, 0xe0fff}, /* tags, more selectors */
	};
	size_t i;

	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (cp <= ranges[i][1])
			return cp >= ranges[i][0];
	}
	return false;
}

/* The next character of p[0..n), made harmless, in out; how many bytes it took. */
static size_t
vis_one(const unsigned char *p, size_t n, char out[16], size_t *outlen)
{
	uint32_t cp;
	bool cut;
	size_t len = decode(p, n, &cp, &cut);

	if (len == 0 || (len == 1 && str_is_hidden(cp)))
		*outlen = (size_t)snprintf(out, 16, "\\x%02x", p[0]);
	else if (str_is_hidden(cp))
		*outlen = (size_t)snprintf(out, 16, "\\u{%04x}", (unsigned)cp);
	else if (cp == '\\')
		*outlen = (size_t)snprintf(out, 16, "\\\\");
	else
		memcpy(out, p, *outlen = len);
	return len ? len : 1;
}

size_t
str_vis_n(char *dst, size_t size, const char *src, size_t n)
{
	const unsigned char *p = (const unsigned char *)src;
	size_t len = 0, one, took;
	char out[16];

	if (size == 0)
		return 0;
	while (n > 0) {
		took = vis_one(p, n, out, &one);
		if (one > size - 1 - len)
			break;
		memcpy(dst + len, out, one);
		len += one;
		p += took;
		n -= took;
	}
	dst[len] = '\0';
	return len;
}

size_t
str_vis(char *dst, size_t size, const char *src)
{
	return str_vis_n(dst, size, src, strlen(src));
}

/* A line under construction; `mark` is the last place where "..." still fits. */
struct line {
	char *dst;
	size_t size, len, mark;
	bool cut;
};

static void
line_put(struct line *l, const char *p, size_t n)
{
	static const char dots[] = "...";
	size_t room = l->size - 1;

	if (l->cut)
		return;
	if (n > room - l->len) {
		l->cut = true;
		l->len = l->mark;
		n = room - l->len < 3 ? room - l->len : 3;
		p = dots;
	}
	memcpy(l->dst + l->len, p, n);
	l->len += n;
	if (!l->cut && l->len + 3 <= room)
		l->mark = l->len;
}

static bool
is_plain(const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789@%_-+=:,./";

	return *word && !word[strspn(word, safe)];
}

/* The word holds bytes that must not be shown as they are. */
static bool
needs_escapes(const char *word)
{
	const unsigned char *p = (const unsigned char *)word;
	size_t n = strlen(word), len;
	uint32_t cp;
	bool cut;

	for (; n > 0; p += len, n -= len) {
		len = decode(p, n, &cp, &cut);
		if (len == 0 || str_is_hidden(cp))
			return true;
	}
	return false;
}

/* $'...': octal, because \x has no fixed length in every shell. */
static void
put_escaped(struct line *l, const char *word)
{
	const unsigned char *p = (const unsigned char *)word;
	size_t n = strlen(word), len, i;
	char out[8];
	uint32_t cp;
	bool cut;

	line_put(l, "$'", 2);
	for (; n > 0; p += len, n -= len) {
		len = decode(p, n, &cp, &cut);
		if (len == 1 && (cp == '\'' || cp == '\\')) {
			out[0] = '\\';
			out[1] = (char)cp;
			line_put(l, out, 2);
		} else if (len == 1 && (cp == '\n' || cp == '\t')) {
			line_put(l, cp == '\n' ? "\\n" : "\\t", 2);
		} else if (len && !str_is_hidden(cp)) {
			line_put(l, (const char *)p, len);
		} else {
			len = len ? len : 1;
			for (i = 0; i < len; i++) {
				snprintf(out, sizeof(out), "\\%03o", p[i]);
				line_put(l, out, 4);
			}
		}
	}
	line_put(l, "'", 1);
}

/* A byte at a time: a long word is cut within. */
static void
put_plain(struct line *l, const char *word)
{
	for (; *word; word++)
		line_put(l, word, 1);
}

static void
put_quoted(struct line *l, const char *word)
{
	uint32_t cp;
	bool cut;

	line_put(l, "'", 1);
	while (*word) {
		size_t n = decode((const unsigned char *)word, strlen(word), &cp, &cut);

		if (*word == '\'')
			line_put(l, "'\\''", 4);
		else
			line_put(l, word, n);
		word += n;
	}
	line_put(l, "'", 1);
}

size_t
str_quote_argv(char *dst, size_t size, const char *const *argv)
{
	struct line l = {.dst = dst, .size = size};
	size_t i;

	if (size == 0)
		return 0;
	for (i = 0; argv[i] && !l.cut; i++) {
		if (i)
			line_put(&l, " ", 1);
		/* A first word with '=' would be read back as an assignment. */
		if (is_plain(argv[i]) && (i || !strchr(argv[i], '=')))
			put_plain(&l, argv[i]);
		else if (needs_escapes(argv[i]))
			put_escaped(&l, argv[i]);
		else
			put_quoted(&l, argv[i]);
	}
	dst[l.len] = '\0';
	return l.len;
}
