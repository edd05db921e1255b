/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secrets that are known by their own look, as those who issue them describe it. */
#include "base/redact_priv.h"

#include <string.h>
#include <strings.h>

#define SET_HEX REDACT_DIGITS "abcdef"
#define SET_URL REDACT_ALNUM "_-"
#define SET_DOT SET_URL "."

/* How long a header of a JWT may be: "eyJ-eyJ-..." would cost its square. */
#define JWT_HEAD 1024

/* How much of a line may stand before the end of "PRIVATE KEY". */
#define PEM_KIND 58

struct token {
	const char *head;
	size_t least; /* of what follows, or it is some other word */
	const char *set;
};

static const struct token tokens[] = {
    {"AGE-SECRET-KEY-1", 20, REDACT_ALNUM},
    {"AIza", 30, SET_URL},
    {"AKIA", 16, REDACT_DIGITS REDACT_UPPER},
    {"ASIA", 16, REDACT_DIGITS REDACT_UPPER},
    {"ATATT3", 20, SET_URL "="},
    {"dapi", 32, SET_HEX},
    {"dckr_pat_", 12, SET_URL},
    {"dop_v1_", 32, SET_HEX},
    {"doo_v1_", 32, SET_HEX},
    {"dor_v1_", 32, SET_HEX},
    {"gho_", 4, REDACT_ALNUM "_"},
    {"ghp_", 4, REDACT_ALNUM "_"},
    {"ghr_", 4, REDACT_ALNUM "_"},
    {"ghs_", 4, REDACT_ALNUM "_"},
    {"ghu_", 4, REDACT_ALNUM "_"},
    {"github_pat_", 4, REDACT_ALNUM "_"},
    {"glagent-", 20, SET_URL},
    {"glcbt-", 20, SET_URL},
    {"gldt-", 20, SET_URL},
    {"glft-", 20, SET_URL},
    {"glpat-", 20, SET_DOT},
    {"glptt-", 20, SET_URL},
    {"glrt-", 20, SET_URL},
    {"glsa_", 20, REDACT_ALNUM "_"},
    {"GOCSPX-", 20, SET_URL},
    {"hf_", 30, REDACT_ALNUM},
    {"hooks.slack.com/services/", 20, SET_URL "/"},
    {"hvb.", 20, SET_DOT},
    {"hvr.", 20, SET_DOT},
    {"hvs.", 20, SET_DOT},
    {"npm_", 30, REDACT_ALNUM},
    {"pypi-", 40, SET_URL},
    {"rk_live_", 12, REDACT_ALNUM},
    {"rk_test_", 12, REDACT_ALNUM},
    {"SG.", 40, SET_DOT},
    {"shpat_", 20, SET_HEX},
    {"shpca_", 20, SET_HEX},
    {"shppa_", 20, SET_HEX},
    {"shpss_", 20, SET_HEX},
    {"sk-", 20, SET_URL},
    {"sk_live_", 12, REDACT_ALNUM},
    {"sk_test_", 12, REDACT_ALNUM},
    {"whsec_", 20, REDACT_ALNUM "+/="},
    {"xapp-", 10, SET_URL},
    {"xoxa-", 10, SET_URL},
    {"xoxb-", 10, SET_URL},
    {"xoxe-", 10, SET_URL},
    {"xoxo-", 10, SET_URL},
    {"xoxp-", 10, SET_URL},
    {"xoxr-", 10, SET_URL},
    {"xoxs-", 10, SET_URL},
    {"ya29.", 20, SET_DOT},
};

/* Certificates and public keys are for everybody. */
static bool
is_private_pem(const char *p)
{
	size_t n = 0;

	while (n < PEM_KIND && p[n] && !strchr("\r\n\\", p[n]))
		n++;
	return memmem(p, n, "PRIVATE KEY", 11) != NULL;
}

static size_t
pem(const char *p)
{
	const char *end;

	if (strncmp(p, REDACT_PEM, strlen(REDACT_PEM)) != 0 ||
	    !is_private_pem(p + strlen(REDACT_PEM)))
		return 0;
	end = strstr(p + strlen(REDACT_PEM), "-----END ");
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
	n = gap ? strspn(p + 6 + gap, REDACT_ALNUM "._~+/=-") : 0;
	if (n == 0)
		return 0;
	*keep = 6 + gap;
	return 6 + gap + n;
}

static size_t
jwt_head(const char *p)
{
	size_t n = 0;

	while (n < JWT_HEAD && p[n] != '.' && redact_is_name_char(p[n]))
		n++;
	return n;
}

static size_t
jwt(const char *p)
{
	size_t n;

	if (strncmp(p, "eyJ", 3) != 0)
		return 0;
	n = jwt_head(p);
	return p[n] == '.' ? strspn(p, SET_DOT) : 0;
}

static size_t
issued(const char *p)
{
	for (const struct token *t = tokens; t < tokens + sizeof(tokens) / sizeof(*t); t++) {
		size_t head, n;

		if (t->head[0] != *p || t->head[1] != p[1])
			continue;
		head = strlen(t->head);
		if (strncmp(p, t->head, head) != 0)
			continue;
		n = strspn(p + head, t->set);
		if (n >= t->least)
			return head + n;
	}
	return 0;
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
	case 'e':
		return jwt(p);
	/* Most words begin as none of them does. */
	case 'A':
	case 'G':
	case 'S':
	case 'd':
	case 'g':
	case 'h':
	case 'n':
	case 'p':
	case 'r':
	case 's':
	case 'w':
	case 'x':
	case 'y':
		return issued(p);
	default:
		return 0;
	}
}

static bool
begins(const struct token *t, const char *p, size_t n)
{
	size_t head = strlen(t->head);

	if (t->head[0] != *p)
		return false;
	if (n <= head)
		return strncmp(p, t->head, n) == 0;
	return strncmp(p, t->head, head) == 0 && strspn(p + head, t->set) == n - head;
}

bool
redact_may_begin(const char *p)
{
	size_t n = strlen(p);

	if (*p == 'e' && strncmp(p, "eyJ", n < 3 ? n : 3) == 0)
		return jwt_head(p) == n;
	for (const struct token *t = tokens; t < tokens + sizeof(tokens) / sizeof(*t); t++)
		if (begins(t, p, n))
			return true;
	return false;
}
