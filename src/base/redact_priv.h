/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_REDACT_PRIV_H
#define CORAL_BASE_REDACT_PRIV_H

/* Between the files of redact; nobody else includes it. */
#include "base/redact.h"

#define REDACT_DIGITS "0123456789"
#define REDACT_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define REDACT_ALNUM REDACT_DIGITS REDACT_UPPER "abcdefghijklmnopqrstuvwxyz"
#define REDACT_NAME_CHARS REDACT_ALNUM "_-."
#define REDACT_PEM "-----BEGIN "

static inline bool
redact_is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

static inline bool
redact_is_joint(char c)
{
	return c == '_' || c == '-' || c == '.';
}

size_t redact_name_span(const char *p);

/* The length of a secret that is known by its own look (a token, a PEM block)
 * and begins at p; 0 when there is none.  *keep: its first bytes may be shown. */
size_t redact_known(const char *p, size_t *keep);

/* Of an option at p, in a line from `start` on: where its secret begins, or NULL. */
const char *redact_option(const char *start, const char *p);
/* The same of argv[i], which follows the command argv[command]. */
const char *redact_option_value(const char *const *argv, size_t command, size_t i);

/* A quotation mark with the backslashes before it, as in a script within a script. */
struct redact_quote {
	const char *p;
	size_t n;
};

/* Where the same mark comes again, or the end of the text. */
const char *redact_close(const char *p, struct redact_quote open);
/* The end of the shell word at p, which is itself inside `quote` (or 0). */
const char *redact_word(const char *p, char quote);
/* A value that stands where a secret would, and is none: null, true, ${NAME}. */
bool redact_is_plain(const char *p, size_t n);
/* Past "Bearer " or another scheme of an Authorization header. */
const char *redact_skip_scheme(const char *p);

#endif
