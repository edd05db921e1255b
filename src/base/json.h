/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_JSON_H
#define CORAL_BASE_JSON_H

/* Small helpers over jansson: what is missing or of another kind is NULL or the default. */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/err.h"

#define JSON_DEPTH_MAX 64

/* obj[key] as a string, borrowed; NULL when obj is no object or it is no string. */
const char *json_str(const json_t *obj, const char *key);
int64_t json_int(const json_t *obj, const char *key, int64_t def);

/* A string of whatever bytes: what is not UTF-8, which JSON cannot hold, is shown as str_vis() has
 * it.  NULL for a NULL, or without memory. */
json_t *json_text(const char *s);

/*
 * One object or array in p[0..n), nothing after it.  The caller caps n.
 * Nesting is checked before the parser, which recurses, sees it; a key that is
 * there twice is an error.  NULL and ERR_PROTOCOL.
 */
json_t *json_parse(const char *p, size_t n, struct err *e);

/*
 * As json_dumps(), for a terminal: what acts on it, or on the reader, without being seen is an
 * escape, and so the same JSON; reals have no more digits than they had.  The caller frees; NULL
 * without memory.  The other is of JSON as it stands somewhere.
 */
char *json_show(const json_t *j, size_t flags);
char *json_show_text(const char *p, size_t n);
/* That on `out`; "null" for nothing. */
void json_put(FILE *out, const json_t *j, size_t flags);
/* `j` and a newline on fd; `flags` as for json_show().  0 or -1 with errno. */
int json_print(int fd, const json_t *j, size_t flags);

#endif
