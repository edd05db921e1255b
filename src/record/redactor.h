/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_REDACTOR_H
#define CORAL_RECORD_REDACTOR_H

/*
 * Secrets out of a command's output, on its way to the recording: values that
 * are known, what a name says is one, tokens and keys by their look, and what
 * the policy's patterns match.  Best effort, in time linear in the bytes and in
 * bounded memory: coral-policy(5) says what it cannot find.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

#define REDACTOR_VALUE_MIN 8
#define REDACTOR_VALUE_MAX 1024
#define REDACTOR_VALUES 64
#define REDACTOR_PATTERNS 16
#define REDACTOR_HOLD_NS (50 * 1000000LL)

struct redactor_rules;
struct redactor_rules *redactor_rules_new(void); /* NULL: no memory */
/* Variables, NAME=value: the values of those whose name says secret.  What is shorter than 8 bytes
 * or beyond the bounds is left out.  0 or -1: no memory. */
int redactor_rules_environ(struct redactor_rules *r, const char *const *env);
/* An extended regular expression; -1: ERR_CONFIG. */
int redactor_rules_pattern(struct redactor_rules *r, const char *text, struct err *e);
/* Whether it can be one of a rule. */
int redactor_check_pattern(const char *text, struct err *e);
size_t redactor_rules_values(const struct redactor_rules *r);
size_t redactor_rules_patterns(const struct redactor_rules *r);
/* What matching took is more than an idle session should keep; and giving it back. */
bool redactor_rules_grown(const struct redactor_rules *r);
void redactor_rules_trim(struct redactor_rules *r);
/* Of a copy of the process: what must not be known there. */
void redactor_rules_forget(struct redactor_rules *r);
void redactor_rules_free(struct redactor_rules *r); /* after every redactor of it */

/* One stream. */
struct redactor;
struct redactor *redactor_new(struct redactor_rules *r);
/* Takes n bytes at clock_mono() time t and appends what may be recorded, each
 * line's secrets replaced.  The end of it that may be the beginning of a secret is kept back until
 * redactor_due().  At most 6 bytes come out for one that went in, REDACTOR_SLACK apart.
 * -1: no memory, and nothing more can be said of the stream. */
#define REDACTOR_SLACK (64 * 1024)
int redactor_feed(struct redactor *r, int64_t t, const void *p, size_t n, struct buf *out);
/* A text by itself, as its lines would come out; the caller frees it.  NULL: no memory. */
char *redactor_text(struct redactor_rules *rules, const char *text);
/* When what is kept back is to be let go (redactor_flush), or 0. */
int64_t redactor_due(const struct redactor *r);
int redactor_flush(struct redactor *r, struct buf *out);
/* It waits as from time t on: what follows it was not taken until then. */
void redactor_hold_anew(struct redactor *r, int64_t t);
/* It, as it came. */
const void *redactor_held(const struct redactor *r, size_t *n);
/* How often something was replaced. */
uint64_t redactor_count(const struct redactor *r);
/* Memory that it can do without. */
void redactor_trim(struct redactor *r);
void redactor_forget(struct redactor *r);
void redactor_free(struct redactor *r);

#endif
