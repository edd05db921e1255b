/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/redact_priv.h"

#include <string.h>
#include <strings.h>

const char *
redact_close(const char *p, struct redact_quote open)
{
	char mark = open.p[open.n - 1];
	size_t slashes = 0;

	for (; *p; p++) {
		if (*p == '\\') {
			slashes++;
			continue;
		}
		/* A plain ' knows no escapes, a plain " an even number of them. */
		if (*p == mark) {
			if (open.n > 1 ? slashes == open.n - 1 : mark == '\'' || slashes % 2 == 0)
				return open.n > 1 ? p - slashes : p;
		}
		slashes = 0;
	}
	return p;
}

/* Past the ) that belongs to the ( at p. */
static const char *
skip_parens(const char *p)
{
	size_t depth = 0;

	for (; *p; p++) {
		if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return p;
}

/* Past the quotation that begins at p. */
static const char *
skip_quoted(const char *p, size_t n)
{
	const char *end = redact_close(p + n, (struct redact_quote){.p = p, .n = n});

	return *end ? end + n : end;
}

const char *
redact_word(const char *p, char quote)
{
	const char *start = p;

	while (*p && !strchr(" \t\n;&|()<>`", *p) && *p != quote) {
		if (*p == '\\' && quote == '"' && p[1] == '"') {
			/* In a quoted script: the quotes of that script. */
			if (p > start)
				break;
			p = skip_quoted(p, 2);
		} else if (*p == '\\' && p[1]) {
			p += 2;
		} else if (*p == '"' || *p == '\'') {
			p = skip_quoted(p, 1);
		} else if (*p == '$' && p[1] == '(') {
			p = skip_parens(p + 1);
		} else {
			p++;
		}
	}
	return p;
}

const char *
redact_skip_scheme(const char *p)
{
	static const char *const schemes[] = {
	    "bearer", "basic", "digest", "token", "apikey", "negotiate"};
	size_t i, n;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		n = strlen(schemes[i]);
		if (strncasecmp(p, schemes[i], n) == 0 && (p[n] == ' ' || p[n] == '\t'))
			return p + n + strspn(p + n, " \t");
	}
	return p;
}

bool
redact_is_plain(const char *p, size_t n)
{
	static const char *const words[] = {"null", "nil", "none", "true", "false", "yes", "no",
	    "undefined", "required", "optional"};

	while (n > 0 && strchr(",;)]}", p[n - 1]))
		n--;
	if (n > 1 && (p[0] == '"' || p[0] == '\'') && p[n - 1] == p[0]) {
		p++;
		n -= 2;
	}
	if (n == 0 || strncmp(p, REDACTED, n) == 0)
		return true;
	if (p[0] == '$' && n > 1 &&
	    (strchr("({", p[1]) || strspn(p + 1, REDACT_UPPER REDACT_DIGITS "_") >= n - 1))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == n && strncasecmp(p, words[i], n) == 0)
			return true;
	return strspn(p, "*.") >= n;
}
