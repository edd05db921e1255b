/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_PATTERN_H
#define CORAL_BASE_PATTERN_H

/* What to look for in a line: a text as it is, or an extended regular expression that cannot take
 * long: without references back, and with bounded repetition. */
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

#define PATTERN_MAX 256

struct pattern {
	bool regex, fold; /* fold: the case of ASCII letters does not count */
	char text[PATTERN_MAX + 1];
	size_t len;
	regex_t any, re; /* any: says no in one pass over a line */
};
/* 0, and then pattern_fini() frees it; or -1: ERR_USAGE. */
int pattern_init(struct pattern *p, const char *text, bool regex, bool fold, struct err *e);
void pattern_fini(struct pattern *p);
/* The first place in line[0..n). */
bool pattern_match(const struct pattern *p, const char *line, size_t n, size_t *from, size_t *to);

/* What every line that matches has in it, the case of ASCII letters aside; "" when not known. */
void pattern_must(const struct pattern *p, char out[PATTERN_MAX + 1]);

#endif
