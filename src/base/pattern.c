/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/pattern.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REPEAT_MAX 1000	  /* of all bounds, multiplied */
#define WRITTEN_OUT 10000 /* and times the length */

static int
bad(const char *text, const char *why, const char *hint, struct err *e)
{
	err_set(e, ERR_USAGE, 0, "\"%s\" is no pattern", text);
	err_why(e, "%s", why);
	return err_hint(e, "%s", hint);
}

/* The largest number of a bound after its brace. */
static long
bound(const char *s)
{
	long most = 1, n;
	char *end;

	for (; *s && *s != '}'; s++) {
		if (!isdigit((unsigned char)*s))
			continue;
		n = strtol(s, &end, 10);
		most = n > most ? n : most;
		s = end - 1;
	}
	return most;
}

/* The C library expands {n,m}, and follows references back in exponential time. */
static const char *
too_much(const char *text)
{
	const char *s = text;
	long product = 1, n;

	for (; *s; s++) {
		if (*s == '\\' && s[1]) {
			if (isdigit((unsigned char)*++s))
				return "it refers back to what matched before";
			continue;
		}
		n = *s == '{' ? bound(s + 1) : 1;
		if (n > REPEAT_MAX || product * n > REPEAT_MAX)
			return "it repeats something too often";
		product *= n;
	}
	if (product > 1 && product * (s - text) > WRITTEN_OUT)
		return "its length times how often its parts are repeated is more than 10000";
	return NULL;
}

/* The library's words name "\(" beside "(": of basic expressions, and unreadable once escaped. */
static void
simplify(char *why)
{
	char *also = strstr(why, " or \\"), *to = why;

	if (also)
		*also = '\0';
	for (const char *from = why; *from; from++)
		if (*from != '\\')
			*to++ = *from;
	*to = '\0';
}

static int
compile(struct pattern *p, struct err *e)
{
	const char *why = too_much(p->text);
	int flags = REG_EXTENDED | (p->fold ? REG_ICASE : 0), rc;
	char text[PATTERN_MAX + 16];

	if (why)
		return bad(p->text, why, "leave -E out to look for it as it is", e);
	rc = regcomp(&p->re, p->text, flags);
	if (rc == 0) {
		/* The library tries every beginning, each to the end of the line: this has one. */
		snprintf(text, sizeof text, "^.*(%s)", p->text);
		rc = regcomp(&p->any, text, flags | REG_NOSUB);
		if (rc == 0)
			return 0;
		regfree(&p->re);
	}
	regerror(rc, &p->re, text, sizeof text);
	simplify(text);
	return bad(p->text, text, "leave -E out to look for it as it is", e);
}

int
pattern_init(struct pattern *p, const char *text, bool regex, bool fold, struct err *e)
{
	*p = (struct pattern){.regex = regex, .fold = fold, .len = strlen(text)};
	if (p->len == 0)
		return bad(text, "it is empty, and every line has that", "coral audit ls", e);
	if (p->len > PATTERN_MAX)
		return bad(text, "it is longer than 256 bytes", "look for a part of it", e);
	memcpy(p->text, text, p->len);
	return regex ? compile(p, e) : 0;
}

void
pattern_fini(struct pattern *p)
{
	if (p->regex) {
		regfree(&p->re);
		regfree(&p->any);
	}
	p->regex = false;
}

static const char *
find_folded(const struct pattern *p, const char *line, size_t n)
{
	int first = tolower((unsigned char)p->text[0]);

	for (size_t i = 0; i + p->len <= n; i++) {
		if (tolower((unsigned char)line[i]) == first &&
		    strncasecmp(line + i, p->text, p->len) == 0)
			return line + i;
	}
	return NULL;
}

bool
pattern_match(const struct pattern *p, const char *line, size_t n, size_t *from, size_t *to)
{
	regmatch_t m = {0, (regoff_t)n};
	const char *at;

	if (p->regex) {
		if (regexec(&p->any, line, 1, &m, REG_STARTEND) != 0)
			return false;
		m = (regmatch_t){0, (regoff_t)n};
		if (regexec(&p->re, line, 1, &m, REG_STARTEND) != 0)
			return false;
		*from = (size_t)m.rm_so;
		*to = (size_t)m.rm_eo;
		return true;
	}
	at = p->fold ? find_folded(p, line, n) : memmem(line, n, p->text, p->len);
	if (!at)
		return false;
	*from = (size_t)(at - line);
	*to = *from + p->len;
	return true;
}

/* The last character of what begins here: a set, a bound, something escaped. */
static const char *
pattern_skip(const char *c)
{
	char first = *c;

	if (first == '\\')
		return c[1] ? c + 1 : c;
	if (first == '[') {
		c += c[1] == '^';
		c += c[1] == ']';
	}
	for (; c[1]; c++) {
		if (first == '[' && c[1] == '[' && c[2] && strchr(":.=", c[2])) {
			const char *end = strchr(c + 3, ']');

			while (end && end[-1] != c[2])
				end = strchr(end + 1, ']');
			if (end) {
				c = end - 1;
				continue;
			}
		}
		if (c[1] == (first == '[' ? ']' : '}'))
			return c + 1;
	}
	return c;
}

/* Characters with which no other is equal, whatever their case: some others are to k and s. */
static bool
stands_for_itself(const struct pattern *p, char c)
{
	if (!p->fold)
		return true;
	return (unsigned char)c < 0x80 && (!p->regex || !strchr("KkSsIi", c));
}

void
pattern_must(const struct pattern *p, char out[PATTERN_MAX + 1])
{
	size_t n = 0, best = 0;
	char run[PATTERN_MAX + 1];

	out[0] = '\0';
	/* Of a choice or a group not all need be there. */
	if (p->regex && strpbrk(p->text, "|()"))
		return;
	for (const char *c = p->text;; c++) {
		bool plain =
		    *c && stands_for_itself(p, *c) &&
		    !(p->regex && ((unsigned char)*c >= 0x80 || strchr(".[]*+?{}\\^$", *c)));

		/* What may be repeated no times at all. */
		if (plain && p->regex && c[1] && strchr("*?{", c[1]))
			plain = false;
		if (plain) {
			run[n++] = *c;
			continue;
		}
		if (n > best) {
			memcpy(out, run, n);
			out[best = n] = '\0';
		}
		n = 0;
		if (!*c)
			return;
		if (p->regex && (*c == '[' || *c == '{' || *c == '\\'))
			c = pattern_skip(c);
	}
}
