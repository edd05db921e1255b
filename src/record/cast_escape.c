/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast_escape.h"

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static inline bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The length a lead byte promises (0: no lead byte) and the range of its first continuation:
 * Unicode 15, table 3-7. */
static size_t
lead_length(unsigned char c, unsigned char *lo, unsigned char *hi)
{
	*lo = 0x80;
	*hi = 0xbf;
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	if (c < 0xe0)
		return 2;
	if (c == 0xe0)
		*lo = 0xa0;
	else if (c == 0xed)
		*hi = 0x9f;
	else if (c == 0xf0)
		*lo = 0x90;
	else if (c == 0xf4)
		*hi = 0x8f;
	return c < 0xf0 ? 3 : 4;
}

size_t
cast_utf8_step(const unsigned char *p, size_t n, bool *whole, bool *cut)
{
	unsigned char lo, hi;
	size_t want = lead_length(p[0], &lo, &hi), i;

	*whole = *cut = false;
	if (want == 0)
		return 1;
	for (i = 1; i < want; i++) {
		if (i == n) {
			*cut = true;
			return i;
		}
		if (p[i] < lo || p[i] > hi)
			return i;
		lo = 0x80;
		hi = 0xbf;
	}
	*whole = true;
	return want;
}

size_t
cast_utf8_tail(const unsigned char *p, size_t n)
{
	size_t back;
	bool whole, cut;

	for (back = 1; back <= 3 && back <= n; back++) {
		unsigned char c = p[n - back];

		if (c < 0x80)
			return 0;
		if (c >= 0xc0) {
			cast_utf8_step(p + n - back, back, &whole, &cut);
			/* A cut sequence reaches to the end, since it stopped for want of bytes. */
			return cut ? back : 0;
		}
	}
	return 0;
}

size_t
cast_utf8_lead(const unsigned char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && i < 3 && (p[i] & 0xc0) == 0x80; i++)
		;
	return i;
}

static unsigned char *
put_unicode(unsigned char *dst, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";

	memcpy(dst, "\\u00", 4);
	dst[4] = (unsigned char)digits[c >> 4];
	dst[5] = (unsigned char)digits[c & 15];
	return dst + 6;
}

static unsigned char *
put_ascii(unsigned char *dst, unsigned char c)
{
	static const char shorts[0x20] = {
	    ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	char s = c == '"' || c == '\\' ? (char)c : c < 0x20 ? shorts[c] : 0;

	if (!s)
		return put_unicode(dst, c);
	*dst++ = '\\';
	*dst++ = (unsigned char)s;
	return dst;
}

/* One character that is not plain, or NULL when it is wrong and `strict`.  Consumes at *p. */
static unsigned char *
put_special(unsigned char *dst, const unsigned char **p, const unsigned char *end, bool strict)
{
	const unsigned char *at = *p;
	bool whole, cut;
	size_t len;

	if (at[0] < 0x80) {
		*p = at + 1;
		return put_ascii(dst, at[0]);
	}
	len = cast_utf8_step(at, (size_t)(end - at), &whole, &cut);
	*p = at + len;
	if (!whole) {
		if (strict)
			return NULL;
		memcpy(dst, REPLACEMENT, 3);
		return dst + 3;
	}
	if (at[0] == 0xc2 && at[1] < 0xa0)
		return put_unicode(dst, at[1]);
	memcpy(dst, at, len);
	return dst + len;
}

/* Copy plain bytes up to the first that is not; may write CAST_ESCAPE_SLACK past. */
static inline const unsigned char *
copy_plain(unsigned char **dst, const unsigned char *p, const unsigned char *end)
{
	unsigned char *d = *dst;
#ifdef __SSE2__
	const __m128i space = _mm_set1_epi8(0x20), del = _mm_set1_epi8(0x7f);
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');

	while (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)p);
		/* Bytes from 0x80 are negative, so they are below the space as well. */
		__m128i odd =
		    _mm_or_si128(_mm_or_si128(_mm_cmplt_epi8(v, space), _mm_cmpeq_epi8(v, del)),
			_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
		unsigned mask = (unsigned)_mm_movemask_epi8(odd);
		unsigned run = mask ? (unsigned)__builtin_ctz(mask) : 16;

		_mm_storeu_si128((__m128i *)d, v);
		d += run;
		p += run;
		if (mask) {
			*dst = d;
			return p;
		}
	}
#endif
	while (p < end && is_plain(*p))
		*d++ = *p++;
	*dst = d;
	return p;
}

unsigned char *
cast_escape(unsigned char *dst, const unsigned char *p, size_t n, bool strict)
{
	const unsigned char *end = p + n;

	for (;;) {
		p = copy_plain(&dst, p, end);
		if (p == end)
			return dst;
		do {
			dst = put_special(dst, &p, end, strict);
			if (!dst)
				return NULL;
		} while (p < end && !is_plain(*p));
	}
}

bool
cast_utf8_shows(const unsigned char *p, size_t n, const char *text, size_t text_len)
{
	size_t i = 0, j = 0;

	while (i < n) {
		bool whole, cut;
		size_t len = cast_utf8_step(p + i, n - i, &whole, &cut);
		const void *shown = whole ? (const void *)(p + i) : REPLACEMENT;
		size_t shown_len = whole ? len : 3;

		if (shown_len > text_len - j || memcmp(text + j, shown, shown_len) != 0)
			return false;
		i += len;
		j += shown_len;
	}
	return j == text_len;
}
