/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_CAST_PARSE_H
#define CORAL_RECORD_CAST_PARSE_H

/* One event line, taken apart. */
#include <stddef.h>
#include <stdint.h>

#define CAST_T_MAX (INT64_MAX / 4) /* 73 years; sums of two cannot overflow */

struct cast_line {
	int64_t t;		   /* ns as written: absolute or an interval; never negative */
	char code;		   /* the letter, or 0 for a code nobody here knows */
	const unsigned char *data; /* in the line, which was decoded in place */
	size_t len;
};

/* 0, or -1 and *why, a static string.  `line` without its newline; it is overwritten. */
int cast_parse_line(unsigned char *line, size_t n, struct cast_line *out, const char **why);
/* What a line of a recording of ours is, by its first bytes: coral writes these in one way only. */
enum cast_line_kind { CAST_LINE_OTHER, CAST_LINE_MARK, CAST_LINE_SEAL, CAST_LINE_END };
enum cast_line_kind cast_line_kind(const unsigned char *line, size_t n);
/* "80x24", each within 0..65535. */
int cast_parse_size(const unsigned char *p, size_t n, int *cols, int *rows);

#endif
