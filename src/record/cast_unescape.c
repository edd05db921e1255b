/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast_escape.h"

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* How many bytes at p stand for themselves and are ASCII. */
static size_t
plain_run(const unsigned char *p, size_t n)
{
	size_t i = 0;
#ifdef __SSE2__
	const __m128i space = _mm_set1_epi8(0x20);
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');

	for (; n - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + i));
		/* Bytes from 0x80 are negative, so they are below the space as well. */
		__m128i odd = _mm_or_si128(_mm_cmplt_epi8(v, space),
		    _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
		unsigned mask = (unsigned)_mm_movemask_epi8(odd);

		if (mask)
			return i + (unsigned)__builtin_ctz(mask);
	}
#endif
	while (i < n && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\')
		i++;
	return i;
}

/* Four hex digits, or -1. */
static int32_t
hex4(const unsigned char *p, size_t n)
{
	int32_t v = 0;

	if (n < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		unsigned char c = p[i];

		v <<= 4;
		if (c >= '0' && c <= '9')
			v |= c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v |= (c | 0x20) - 'a' + 10;
		else
			return -1;
	}
	return v;
}

static size_t
put_utf8(unsigned char *d, uint32_t c)
{
	if (c < 0x80) {
		d[0] = (unsigned char)c;
		return 1;
	}
	if (c < 0x800) {
		d[0] = (unsigned char)(0xc0 | c >> 6);
		d[1] = (unsigned char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		d[0] = (unsigned char)(0xe0 | c >> 12);
		d[1] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
		d[2] = (unsigned char)(0x80 | (c & 0x3f));
		return 3;
	}
	d[0] = (unsigned char)(0xf0 | c >> 18);
	d[1] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
	d[2] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
	d[3] = (unsigned char)(0x80 | (c & 0x3f));
	return 4;
}

/* The escape at p[0] == '\\'; returns what it took (0: wrong), *put what it became at d.  The
 * result is never longer than the source, so d may run behind p. */
static size_t
take_escape(const unsigned char *p, size_t n, unsigned char *d, size_t *put)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int32_t c, low;

	*put = 1;
	if (n < 2)
		return 0;
	if (p[1] != 'u') {
		at = p[1] ? strchr(from, p[1]) : NULL;
		if (!at)
			return 0;
		*d = (unsigned char)to[at - from];
		return 2;
	}
	c = hex4(p + 2, n - 2);
	if (c < 0 || (c >= 0xdc00 && c < 0xe000))
		return 0;
	if (c < 0xd800 || c >= 0xe000) {
		*put = put_utf8(d, (uint32_t)c);
		return 6;
	}
	if (n < 12 || p[6] != '\\' || p[7] != 'u')
		return 0;
	low = hex4(p + 8, n - 8);
	if (low < 0xdc00 || low >= 0xe000)
		return 0;
	*put = put_utf8(d, 0x10000U + ((uint32_t)(c - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
	return 12;
}

size_t
cast_unescape(unsigned char *p, size_t n, size_t *len)
{
	size_t i = 0, out = 0;

	for (;;) {
		size_t take = plain_run(p + i, n - i), put;
		bool whole, cut;

		if (out != i)
			memmove(p + out, p + i, take);
		i += take;
		out += take;
		if (i == n)
			return 0;
		if (p[i] == '"') {
			*len = out;
			return i + 1;
		}
		if (p[i] == '\\') {
			take = take_escape(p + i, n - i, p + out, &put);
			if (take == 0)
				return 0;
			i += take;
			out += put;
			continue;
		}
		take = cast_utf8_step(p + i, n - i, &whole, &cut);
		if (p[i] < 0x20 || !whole)
			return 0;
		memmove(p + out, p + i, take);
		i += take;
		out += take;
	}
}
