/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/redact_priv.h"

#include <string.h>
#include <strings.h>

static size_t
pem(const char *p)
{
	const char *end;

	if (strncmp(p, "-----BEGIN ", 11) != 0)
		return 0;
	end = strstr(p + 11, "-----END ");
	end = end ? strstr(end + 9, "-----") : NULL;
	return end ? (size_t)(end + 5 - p) : strlen(p);
}

static size_t
bearer(const char *p, size_t *keep)
{
	size_t n, gap;

	if (strncasecmp(p, "bearer", 6) != 0)
		return 0;
	gap = strspn(p + 6, " \t");
	n = strspn(p + 6 + gap, REDACT_ALNUM "._~+/=-");
	if (gap == 0 || n == 0)
		return 0;
	*keep = 6 + gap;
	return 6 + gap + n;
}

static size_t
aws(const char *p)
{
	return strncmp(p, "AKIA", 4) == 0 && strspn(p + 4, REDACT_DIGITS REDACT_UPPER) >= 16 ? 20
											     : 0;
}

static size_t
github(const char *p)
{
	size_t head = 0, n;

	if (p[0] == 'g' && p[1] == 'h' && p[2] && strchr("pousr", p[2]) && p[3] == '_')
		head = 4;
	else if (strncmp(p, "github_pat_", 11) == 0)
		head = 11;
	n = head ? strspn(p + head, REDACT_ALNUM "_") : 0;
	return n >= 4 ? head + n : 0;
}

static size_t
jwt(const char *p)
{
	size_t n = 0;

	if (strncmp(p, "eyJ", 3) != 0)
		return 0;
	/* A header has some hundred bytes; without an end "eyJ-eyJ-..." would cost its square. */
	while (n < 4096 && p[n] && p[n] != '.' && strchr(REDACT_ALNUM "_-", p[n]))
		n++;
	return p[n] == '.' ? strspn(p, REDACT_ALNUM "_-.") : 0;
}

size_t
redact_known(const char *p, size_t *keep)
{
	*keep = 0;
	switch (*p) {
	case '-':
		return pem(p);
	case 'b':
	case 'B':
		return bearer(p, keep);
	case 'A':
		return aws(p);
	case 'g':
		return github(p);
	case 'e':
		return jwt(p);
	default:
		return 0;
	}
}
