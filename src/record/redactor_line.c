/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of one line is secret, and what may turn out to be when more of it comes. */
#include <string.h>

#include "base/redact.h"
#include "record/redactor_int.h"

#define PEM_BEGIN "-----BEGIN "
#define PEM_END "-----END "
#define PEM_LINES 200
/* Of a line in which a pattern matches without end. */
#define MATCHES_MAX 64
/* How far back a token may have begun. */
#define TOKEN_BACK 1024

#define BASE64 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

static void
mark(struct redactor *r, size_t from, size_t to)
{
	if (from < r->shown)
		from = r->shown;
	if (to > r->len)
		to = r->len;
	for (; from < to; from++)
		r->mark[from] |= REDACTOR_IS_NAMED;
	r->marked = true;
}

static void
on_found(void *arg, size_t from, size_t to)
{
	mark(arg, from, to);
}

static void
look_for_pattern(struct redactor *r, size_t i)
{
	size_t at = 0, from, to;

	for (int n = 0; at < r->len; n++) {
		if (!redactor_rules_match(r->rules, i, r->text + at, r->len - at, &from, &to))
			return;
		if (n == MATCHES_MAX)
			to = r->len - at;
		if (to > from)
			mark(r, at + from, at + to);
		at += to > from ? to : to + 1;
	}
}

/* The lines of a key, and those that say how it is enciphered. */
static bool
is_pem_line(const struct redactor *r)
{
	const char *p = r->text + strspn(r->text, " \t\"'");
	size_t n = strspn(p, BASE64);

	return p[n + strspn(p + n, "\\n\"', ")] == '\0' || strncmp(p, "Proc-Type:", 10) == 0 ||
	       strncmp(p, "DEK-Info:", 9) == 0 || strncmp(p, "Version:", 8) == 0;
}

void
redactor_look(struct redactor *r)
{
	if (r->len == r->shown)
		return;
	for (size_t i = r->shown; i < r->len && r->marked; i++)
		r->mark[i] &= (unsigned char)~REDACTOR_IS_NAMED;
	if (r->pem && is_pem_line(r)) {
		mark(r, 0, r->len);
		return;
	}
	redact_line(r->text, on_found, r);
	for (size_t i = 0; i < r->rules->patterns; i++)
		look_for_pattern(r, i);
}

void
redactor_line_over(struct redactor *r)
{
	const char *begin = strstr(r->text, PEM_BEGIN);

	if (begin && strstr(begin, "PRIVATE KEY") && !strstr(begin, PEM_END))
		r->pem = 1;
	else if (r->pem && (r->pem++ >= PEM_LINES || !is_pem_line(r)))
		r->pem = 0;
}

/* scheme://user:something: the last @ before the host ends it. */
static size_t
url_password(const struct redactor *r, size_t from)
{
	const char *line = r->text + from, *at = NULL, *colon;

	for (const char *p = line; (p = strstr(p, "://")); p += 3)
		at = p + 3;
	if (!at || at[strcspn(at, "/?# \t\"'`<>\\")])
		return r->len;
	colon = strchr(at, ':');
	return colon ? (size_t)(colon + 1 - r->text) : r->len;
}

static size_t
token(const struct redactor *r, size_t from)
{
	for (size_t i = from; i < r->len; i++) {
		char before = i ? r->text[i - 1] : ' ';
		bool word = !strchr(
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", before);

		if (word && redact_may_begin(r->text + i))
			return i;
	}
	return r->len;
}

size_t
redactor_hold_from(const struct redactor *r)
{
	size_t back = r->len > TOKEN_BACK ? r->len - TOKEN_BACK : 0;
	size_t from = r->rules->patterns ? back : r->len, at;

	if (r->at) {
		size_t depth = r->rules->values.node[r->at].depth;

		if (depth <= r->len && r->len - depth < from)
			from = r->len - depth;
	}
	at = url_password(r, back);
	from = at < from ? at : from;
	at = token(r, back);
	from = at < from ? at : from;
	return from > r->shown ? from : r->shown;
}
