/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/redact_priv.h"

#include <string.h>
#include <strings.h>

static bool
is_separator(char c)
{
	return c == '_' || c == '-' || c == '.';
}

/* AUTHOR and XAUTHORITY are no secrets; AUTHORIZATION is. */
static bool
is_author(const char *p, size_t n)
{
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
	return is_separator(p[3]) && (p == name || is_separator(p[-1]));
}

/* PASS, but not the pass of BYPASS, PASSENGERS or COMPASS. */
static bool
is_pass(const char *name, const char *p, size_t left)
{
	if (left < 4 || strncasecmp(p, "pass", 4) != 0)
		return false;
	return (left == 4 || is_separator(p[4])) && (p == name || is_separator(p[-1]));
}

bool
redact_name_n(const char *name, size_t n)
{
	static const char *const parts[] = {
	    "password", "passwd", "passphrase", "secret", "token", "credential", "private", "auth"};
	size_t at, i;

	for (at = 0; at < n; at++) {
		const char *p = name + at;

		if (is_key(name, p, n - at) || is_pass(name, p, n - at))
			return true;
		for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			size_t len = strlen(parts[i]);

			if (len <= n - at && strncasecmp(p, parts[i], len) == 0 &&
			    !is_author(p, n - at))
				return true;
		}
	}
	return false;
}

bool
redact_name(const char *name)
{
	return redact_name_n(name, strlen(name));
}
