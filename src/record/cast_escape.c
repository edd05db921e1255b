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

/* What stands for an ASCII character; len 0: itself. */
static const struct ascii {
	char text[7];
	unsigned char len;
} ascii[128] = {
    /* clang-format off */
	[0x00] = {"\\u0000", 6}, [0x01] = {"\\u0001", 6}, [0x02] = {"\\u0002", 6},
	[0x03] = {"\\u0003", 6}, [0x04] = {"\\u0004", 6}, [0x05] = {"\\u0005", 6},
	[0x06] = {"\\u0006", 6}, [0x07] = {"\\u0007", 6}, [0x08] = {"\\b", 2},
	[0x09] = {"\\t", 2}, [0x0a] = {"\\n", 2}, [0x0b] = {"\\u000b", 6}, [0x0c] = {"\\f", 2},
	[0x0d] = {"\\r", 2}, [0x0e] = {"\\u000e", 6}, [0x0f] = {"\\u000f", 6},
	[0x10] = {"\\u0010", 6}, [0x11] = {"\\u0011", 6}, [0x12] = {"\\u0012", 6},
	[0x13] = {"\\u0013", 6}, [0x14] = {"\\u0014", 6}, [0x15] = {"\\u0015", 6},
	[0x16] = {"\\u0016", 6}, [0x17] = {"\\u0017", 6}, [0x18] = {"\\u0018", 6},
	[0x19] = {"\\u0019", 6}, [0x1a] = {"\\u001a", 6}, [0x1b] = {"\\u001b", 6},
	[0x1c] = {"\\u001c", 6}, [0x1d] = {"\\u001d", 6}, [0x1e] = {"\\u001e", 6},
	[0x1f] = {"\\u001f", 6}, ['"'] = {"\\\"", 2}, ['\\'] = {"\\\\", 2},
	[0x7f] = {"\\u007f", 6},
    /* clang-format on */
};

/* C1 controls are escaped; the rest of the characters past ASCII stand for themselves. */
static unsigned char *
put_wide(unsigned char *dst, const unsigned char *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	if (p[0] != 0xc2 || p[1] >= 0xa0) {
		memcpy(dst, p, len);
		return dst + len;
	}
	memcpy(dst, "\\u00", 4);
	dst[4] = (unsigned char)digits[p[1] >> 4];
	dst[5] = (unsigned char)digits[p[1] & 15];
	return dst + 6;
}

/* One character that is not plain, or NULL when it is wrong and `strict`.  Consumes at *p. */
static inline unsigned char *
put_special(unsigned char *dst, const unsigned char **p, const unsigned char *end, bool strict)
{
	const unsigned char *at = *p;
	bool whole, cut;
	size_t len;

	if (at[0] < 0x80) {
		*p = at + 1;
		memcpy(dst, ascii[at[0]].text, 6);
		return dst + ascii[at[0]].len;
	}
	/* Nearly all text past ASCII is this: three bytes, and no special first continuation. */
	if (end - at >= 3 && (at[0] & 0xf0) == 0xe0 && at[0] != 0xe0 && at[0] != 0xed &&
	    (at[1] & 0xc0) == 0x80 && (at[2] & 0xc0) == 0x80) {
		memcpy(dst, at, 3);
		*p = at + 3;
		return dst + 3;
	}
	len = cast_utf8_step(at, (size_t)(end - at), &whole, &cut);
	*p = at + len;
	if (whole)
		return put_wide(dst, at, len);
	if (strict)
		return NULL;
	memcpy(dst, REPLACEMENT, 3);
	return dst + 3;
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
