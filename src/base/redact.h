/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_REDACT_H
#define CORAL_BASE_REDACT_H

/*
 * Secrets out of what people type, before it is stored or shown.  Best effort
 * and on the safe side: rather a harmless word hidden than a password kept.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define REDACTED "[redacted]"

/* A variable or flag whose value is a secret: DB_PASSWORD, --api-key, "authToken". */
bool redact_name(const char *name);
bool redact_name_n(const char *name, size_t n);
/* A variable whose value is to be looked for elsewhere: not where a secret is kept. */
bool redact_env_n(const char *name, size_t n);

/*
 * One argv word; `prev` is the word before it or NULL.  Also looks into shell
 * scripts, headers, URLs and JSON within the word.  Cut at size-1, terminated;
 * returns the length written.  3 * strlen(arg) + 32 is always enough.
 */
size_t redact_arg(char *dst, size_t size, const char *arg, const char *prev);

typedef void (*redact_found_fn)(void *arg, size_t from, size_t to);
/* The same of a line that a program wrote or a person types: what of it is secret, from the left.
 */
void redact_line(const char *line, redact_found_fn fn, void *arg);
/* All of the text from p on may be the beginning of a secret that is known by its look. */
bool redact_may_begin(const char *p);

/* What somebody said, a reason, as json_text() has it. */
json_t *redact_text(const char *text);
/* A sentence of coral's own, in which somebody's words may stand: as redact_arg(), but "the key: no
 * such file" stays. */
size_t redact_sentence(char *dst, size_t size, const char *text);
json_t *redact_sentence_json(const char *text);

/* An array of strings; what is not UTF-8 in str_vis() form.  NULL: out of memory. */
json_t *redact_argv(const char *const *argv);

#endif
