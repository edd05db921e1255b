/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_CAST_ESCAPE_H
#define CORAL_RECORD_CAST_ESCAPE_H

/*
 * Bytes to the inside of a JSON string, and the UTF-8 they must be.  The result
 * is harmless on a terminal: C0, DEL and C1 are escaped too.
 */
#include <stdbool.h>
#include <stddef.h>

#define CAST_ESCAPE_GROW 6   /* a byte becomes at most \u00XX */
#define CAST_ESCAPE_SLACK 32 /* bytes that may be scribbled on past the result */

/*
 * dst holds CAST_ESCAPE_GROW * n + CAST_ESCAPE_SLACK.  Returns the end of what
 * was written.  Each longest wrong sequence becomes U+FFFD; with `strict` the
 * first one ends the work and NULL is returned.
 */
unsigned char *cast_escape(unsigned char *dst, const unsigned char *p, size_t n, bool strict);

/*
 * The sequence at p (n > 0): its length.  *whole: it is a character; else the
 * bytes are the longest part of one, and *cut says that p ended before it did.
 */
size_t cast_utf8_step(const unsigned char *p, size_t n, bool *whole, bool *cut);
/* How many last bytes of p are an unfinished but so far valid sequence (0-3). */
size_t cast_utf8_tail(const unsigned char *p, size_t n);
/* How many first bytes of p are continuations of a sequence that began earlier (0-3). */
size_t cast_utf8_lead(const unsigned char *p, size_t n);
/* Whether text is p as a player shows it: p with U+FFFD for what is wrong. */
bool cast_utf8_shows(const unsigned char *p, size_t n, const char *text, size_t text_len);

/*
 * The other way: a JSON string whose opening quote lies before p, decoded in
 * place.  *len: its bytes; the result: what was read, the closing quote
 * included, or 0 when it is no JSON string (cut, control characters, lone
 * surrogates, wrong UTF-8).
 */
size_t cast_unescape(unsigned char *p, size_t n, size_t *len);

#endif
