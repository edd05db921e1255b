/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/redact_priv.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* AUTHOR, XAUTHORITY and AUTHENTICATION are no secrets; AUTHORIZATION is. */
static bool
is_author(const char *p, size_t n)
{
	if (n >= 10 && strncasecmp(p, "authentica", 10) == 0)
		return true;
	if (n < 6 || strncasecmp(p, "author", 6) != 0)
		return false;
	return n < 8 || (strncasecmp(p + 6, "iz", 2) != 0 && strncasecmp(p + 6, "is", 2) != 0);
}

/* KEY is part of too many harmless words (keyboard, keygen) to match within one. */
static bool
is_key(const char *name, const char *p, size_t left)
{
	if (left < 3 || strncasecmp(p, "key", 3) != 0)
		return false;
	if (left == 3)
		return true;
	return redact_is_joint(p[3]) && (p == name || redact_is_joint(p[-1]));
}

/* PASS, but not the pass of BYPASS, PASSENGERS or COMPASS. */
static bool
is_pass(const char *name, const char *p, size_t left)
{
	if (left < 4 || strncasecmp(p, "pass", 4) != 0)
		return false;
	return (left == 4 || redact_is_joint(p[4])) && (p == name || redact_is_joint(p[-1]));
}

/* A part of a name that is enough, by its first letter. */
static bool
is_part(const char *p, size_t left)
{
	static const char *const parts[] = {"password", "passwd", "passphrase", "secret", "token",
	    "credential", "private", "auth", "cookie"};

	if (!strchr("pstca", tolower((unsigned char)*p)))
		return false;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t len = strlen(parts[i]);

		if (len <= left && strncasecmp(p, parts[i], len) == 0 && !is_author(p, left))
			return true;
	}
	return false;
}

bool
redact_name_n(const char *name, size_t n)
{
	for (size_t at = 0; at < n; at++) {
		const char *p = name + at;

		if (is_key(name, p, n - at) || is_pass(name, p, n - at) || is_part(p, n - at))
			return true;
	}
	return false;
}

bool
redact_name(const char *name)
{
	return redact_name_n(name, strlen(name));
}

/* DB_PASSWORD_FILE and AUTH_URL: a URL with a password in it is known by its look. */
bool
redact_env_n(const char *name, size_t n)
{
	static const char *const ends[] = {
	    "_FILE", "_PATH", "_DIR", "_SOCK", "_URL", "_URI", "_HOST", "_PORT", "_ENDPOINT"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t len = strlen(ends[i]);

		if (len < n && strncasecmp(name + n - len, ends[i], len) == 0)
			return false;
	}
	return redact_name_n(name, n);
}

size_t
redact_name_span(const char *p)
{
	const char *end = p;

	while (redact_is_name_char(*end))
		end++;
	return (size_t)(end - p);
}
