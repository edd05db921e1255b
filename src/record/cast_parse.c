/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast_parse.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/json.h"
#include "record/cast_escape.h"

#define NUMBER_MAX 64
#define CODE_MAX 64

struct scan {
	unsigned char *p;
	size_t n;
};

static void
skip_space(struct scan *s)
{
	while (s->n && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r')) {
		s->p++;
		s->n--;
	}
}

/* White space and one given character. */
static bool
take(struct scan *s, char c)
{
	skip_space(s);
	if (s->n == 0 || *s->p != (unsigned char)c)
		return false;
	s->p++;
	s->n--;
	return true;
}

static size_t
digits(const char *p)
{
	return strspn(p, "0123456789");
}

/* Nanoseconds of a JSON number without exponent, exactly; digits past the ninth are dropped. */
static int64_t
exact_ns(const char *p)
{
	int64_t ns = 0, unit = NS_PER_S / 10;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (ns > CAST_T_MAX / NS_PER_S / 10 - 1)
			return CAST_T_MAX;
		ns = ns * 10 + (*p - '0');
	}
	ns *= NS_PER_S;
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9' && unit > 0; p++, unit /= 10)
			ns += (*p - '0') * unit;
	}
	return ns;
}

/* A time in seconds; negative ones are 0. */
static int
take_time(struct scan *s, int64_t *ns)
{
	char text[NUMBER_MAX + 1];
	const char *p = text;
	bool negative, exponent;
	double v;
	size_t n = 0, whole;

	skip_space(s);
	while (n < s->n && n < NUMBER_MAX && s->p[n] && strchr("+-.0123456789eE", s->p[n])) {
		text[n] = (char)s->p[n];
		n++;
	}
	text[n] = '\0';
	s->p += n;
	s->n -= n;
	negative = *p == '-';
	p += negative;
	whole = digits(p);
	if (whole == 0 || (whole > 1 && *p == '0'))
		return -1;
	p += whole;
	if (*p == '.') {
		if (digits(p + 1) == 0)
			return -1;
		p += 1 + digits(p + 1);
	}
	exponent = *p == 'e' || *p == 'E';
	if (exponent) {
		p += 1 + (p[1] == '+' || p[1] == '-');
		if (digits(p) == 0)
			return -1;
		p += digits(p);
	}
	if (*p)
		return -1;
	if (negative) {
		*ns = 0;
		return 0;
	}
	v = exponent ? strtod(text, NULL) * (double)NS_PER_S : 0;
	*ns = !exponent ? exact_ns(text) : v < (double)CAST_T_MAX ? (int64_t)v : CAST_T_MAX;
	return 0;
}

/* The event's code; 0 in *code when it is not one letter. */
static int
take_code(struct scan *s, char *code)
{
	unsigned char copy[CODE_MAX];
	size_t n = s->n < CODE_MAX ? s->n : CODE_MAX, len, used;

	memcpy(copy, s->p, n);
	used = cast_unescape(copy, n, &len);
	if (used == 0)
		return -1;
	s->p += used;
	s->n -= used;
	*code = len == 1 ? (char)copy[0] : '\0';
	return 0;
}

static bool
is_known(char code)
{
	return code && strchr("oirmxc", code);
}

/* An event of someone else's kind: any JSON may follow its code. */
static int
other(const unsigned char *line, size_t n, struct cast_line *out, const char **why)
{
	json_t *j = json_parse((const char *)line, n, NULL);

	*why = "not a JSON array, or nested too deep";
	out->data = (const unsigned char *)"";
	out->len = 0;
	out->code = '\0';
	if (!j)
		return -1;
	json_decref(j);
	return 0;
}

int
cast_parse_line(unsigned char *line, size_t n, struct cast_line *out, const char **why)
{
	struct scan s = {line, n};
	size_t used;

	*why = "an event begins with [TIME, \"CODE\", ...";
	if (!take(&s, '[') || take_time(&s, &out->t) < 0 || !take(&s, ',') || !take(&s, '"') ||
	    take_code(&s, &out->code) < 0)
		return -1;
	if (!is_known(out->code))
		return other(line, n, out, why);
	*why = "an event's data must be a string";
	if (!take(&s, ',') || !take(&s, '"'))
		return -1;
	*why = "not a JSON string in UTF-8";
	out->data = s.p;
	used = cast_unescape(s.p, s.n, &out->len);
	if (used == 0)
		return -1;
	s.p += used;
	s.n -= used;
	*why = "an event has three elements and ends with ]";
	if (!take(&s, ']'))
		return -1;
	skip_space(&s);
	return s.n ? -1 : 0;
}

/* Up to five digits at *p. */
static int
take_number(const unsigned char **p, const unsigned char *end, int *out)
{
	int v = 0;
	const unsigned char *from = *p;

	while (*p < end && **p >= '0' && **p <= '9' && *p - from < 6)
		v = v * 10 + (*(*p)++ - '0');
	if (*p == from || v > 65535)
		return -1;
	*out = v;
	return 0;
}

int
cast_parse_size(const unsigned char *p, size_t n, int *cols, int *rows)
{
	const unsigned char *end = p + n;

	if (take_number(&p, end, cols) < 0 || p == end || *p++ != 'x' ||
	    take_number(&p, end, rows) < 0)
		return -1;
	return p == end ? 0 : -1;
}

enum cast_line_kind
cast_line_kind(const unsigned char *line, size_t n)
{
	static const struct {
		const char *text;
		enum cast_line_kind kind;
	} kinds[] = {{"mark\\\":{", CAST_LINE_MARK}, {"seal\\\":{", CAST_LINE_SEAL},
	    {"end\\\":{", CAST_LINE_END}};
	static const char head[] = ",\"c\",\"{\\\"";
	const unsigned char *p = line, *end = line + n;
	size_t left;

	if (n == 0 || *p++ != '[')
		return CAST_LINE_OTHER;
	while (p < end && ((*p >= '0' && *p <= '9') || *p == '.'))
		p++;
	left = (size_t)(end - p);
	if (left < sizeof(head) - 1 || memcmp(p, head, sizeof(head) - 1) != 0)
		return CAST_LINE_OTHER;
	p += sizeof(head) - 1;
	left -= sizeof(head) - 1;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		size_t len = strlen(kinds[i].text);

		if (left >= len && memcmp(p, kinds[i].text, len) == 0)
			return kinds[i].kind;
	}
	return CAST_LINE_OTHER;
}
