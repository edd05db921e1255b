/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_STR_H
#define CORAL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* strlcpy: copies with truncation, always terminates; returns strlen(src). */
size_t str_copy(char *dst, const char *src, size_t size);
/* Decimal, whole string, within [lo, hi].  0 or -1; *out untouched on -1. */
int str_to_i64(const char *s, int64_t lo, int64_t hi, int64_t *out);

/*
 * Text from outside made harmless for a terminal, a list or a log: control
 * characters, C1, bidi and zero-width marks and invalid UTF-8 become \xNN (or
 * \u{NNNN}), a backslash is doubled.  Writes at most size-1 bytes and
 * terminates; returns the length written.  `str_vis_n` takes a length.
 */
size_t str_vis(char *dst, size_t size, const char *src);
size_t str_vis_n(char *dst, size_t size, const char *src, size_t n);

/* One argv as a line that a POSIX shell would read back; harmless as above.
 * Cut with "..." at size-1. */
size_t str_quote_argv(char *dst, size_t size, const char *const *argv);

/* The entry of NULL-terminated `words` nearest to `s` by edit distance, or NULL when none is near.
 */
const char *str_nearest(const char *s, const char *const *words);
/* Shell-style * and ? over whole strings; no brackets. */
bool str_glob(const char *pattern, const char *s);

/* Length of the valid UTF-8 prefix of p[0..n); *partial = bytes of an
 * unfinished but so far valid sequence that follows it (0-3). */
size_t str_utf8_prefix(const unsigned char *p, size_t n, size_t *partial);
/* The character at p[0..n), n > 0: its length, or 0: none that is valid. */
size_t str_utf8_one(const unsigned char *p, size_t n, uint32_t *cp);
/* It acts on a terminal, or on the reader, without being seen. */
bool str_is_hidden(uint32_t cp);

/* Lower-case hex, 2n+1 bytes. */
/* A number of bytes for people: "512 bytes", "1.5 MiB", "2 GiB". */
#define STR_SIZE_MAX 24
void str_size(char out[STR_SIZE_MAX], uint64_t bytes);
void str_hex(char *dst, const unsigned char *p, size_t n);
/* Standard base64 with padding, no line breaks; dst holds 4*((n+2)/3)+1. */
size_t str_base64(char *dst, const unsigned char *p, size_t n);
/* Strict decode; returns length or (size_t)-1.  dst holds 3*(strlen/4). */
size_t str_unbase64(unsigned char *dst, const char *src, size_t n);

#endif
