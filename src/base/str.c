/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#include "base/attr.h"

size_t
str_copy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src), put;

	if (size) {
		put = n < size ? n : size - 1;
		memcpy(dst, src, put);
		dst[put] = '\0';
	}
	return n;
}

int
str_to_i64(const char *s, int64_t lo, int64_t hi, int64_t *out)
{
	int64_t v = 0;
	bool minus = *s == '-';

	s += minus;
	if (!*s)
		return -1;
	for (; *s; s++) {
		int digit = *s - '0';

		/* Built with its sign: the lowest number has no positive twin. */
		if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, minus ? -digit : digit, &v))
			return -1;
	}
	if (v < lo || v > hi)
		return -1;
	*out = v;
	return 0;
}

#define NEAR_MAX 64

static int
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Edit distance with swapped neighbours as one edit; both shorter than NEAR_MAX. */
static size_t
distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t rows[3][NEAR_MAX], *two = rows[0], *one = rows[1], *row = rows[2], *swap;
	size_t i, j;

	for (j = 0; j <= nb; j++)
		one[j] = j;
	for (i = 1; i <= na; i++) {
		row[0] = i;
		for (j = 1; j <= nb; j++) {
			int ca = lower(a[i - 1]), cb = lower(b[j - 1]);
			size_t d = one[j - 1] + (ca != cb);

			if (one[j] + 1 < d)
				d = one[j] + 1;
			if (row[j - 1] + 1 < d)
				d = row[j - 1] + 1;
			if (i > 1 && j > 1 && ca == lower(b[j - 2]) && cb == lower(a[i - 2]) &&
			    two[j - 2] + 1 < d)
				d = two[j - 2] + 1;
			row[j] = d;
		}
		swap = two;
		two = one;
		one = row;
		row = swap;
	}
	return one[nb];
}

const char *
str_nearest(const char *s, const char *const *words)
{
	size_t n = strlen(s), limit = n < 9 ? (n + 2) / 3 : 3, best = limit + 1;
	const char *found = NULL;

	if (n == 0 || n >= NEAR_MAX)
		return NULL;
	for (; *words; words++) {
		size_t nw = strlen(*words), d;

		if (nw >= NEAR_MAX)
			continue;
		d = distance(s, n, *words, nw);
		/* A word with every letter changed is another word. */
		if (d < best && d < (n > nw ? n : nw)) {
			best = d;
			found = *words;
		}
	}
	return found;
}

bool
str_glob(const char *pattern, const char *s)
{
	const char *star = NULL, *resume = NULL;

	while (*s) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = s;
		} else if (*pattern == '?') {
			pattern++;
			s++;
			/* One character, not one byte. */
			while (((unsigned char)*s & 0xc0) == 0x80)
				s++;
		} else if (*pattern == *s) {
			pattern++;
			s++;
		} else if (star) {
			pattern = star;
			s = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

void
str_hex(char *dst, const unsigned char *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*dst++ = digits[p[i] >> 4];
		*dst++ = digits[p[i] & 15];
	}
	*dst = '\0';
}

size_t
str_base64(char *dst, const unsigned char *p, size_t n)
{
	static const char set[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *at = dst;

	for (; n > 0; p += 3) {
		size_t take = n < 3 ? n : 3;
		uint32_t v = (uint32_t)p[0] << 16;

		if (take > 1)
			v |= (uint32_t)p[1] << 8;
		if (take > 2)
			v |= p[2];
		*at++ = set[v >> 18];
		*at++ = set[v >> 12 & 63];
		*at++ = take > 1 ? set[v >> 6 & 63] : '=';
		*at++ = take > 2 ? set[v & 63] : '=';
		n -= take;
	}
	*at = '\0';
	return (size_t)(at - dst);
}

static int
sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t
str_unbase64(unsigned char *dst, const char *src, size_t n)
{
	unsigned char *at = dst;
	size_t i, j, pad = 0;

	if (n % 4)
		return (size_t)-1;
	if (n && src[n - 1] == '=')
		pad = src[n - 2] == '=' ? 2 : 1;
	for (i = 0; i < n; i += 4) {
		size_t drop = i + 4 == n ? pad : 0;
		uint32_t v = 0;

		for (j = 0; j < 4; j++) {
			int six = j >= 4 - drop ? 0 : sextet(src[i + j]);

			if (six < 0)
				return (size_t)-1;
			v = v << 6 | (uint32_t)six;
		}
		/* One text for one value: the bits under the padding must be 0. */
		if (v & (drop == 2 ? 0xffffu : drop == 1 ? 0xffu : 0))
			return (size_t)-1;
		*at++ = (unsigned char)(v >> 16);
		if (drop < 2)
			*at++ = (unsigned char)(v >> 8);
		if (drop < 1)
			*at++ = (unsigned char)v;
	}
	return (size_t)(at - dst);
}

void
str_size(char out[STR_SIZE_MAX], uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;
	uint64_t tenths;

	if (bytes < 1024) {
		snprintf(out, STR_SIZE_MAX, "%u bytes", (unsigned)bytes);
		return;
	}
	while (unit + 1 < COUNT_OF(units) && bytes >= 1024 * 1024) {
		bytes /= 1024;
		unit++;
	}
	tenths = bytes % 1024 * 10 / 1024;
	if (tenths)
		snprintf(out, STR_SIZE_MAX, "%llu.%u %s", (unsigned long long)(bytes / 1024),
		    (unsigned)tenths, units[unit]);
	else
		snprintf(
		    out, STR_SIZE_MAX, "%llu %s", (unsigned long long)(bytes / 1024), units[unit]);
}
