/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_REDACTOR_INT_H
#define CORAL_RECORD_REDACTOR_INT_H

/* Between the files of the redactor; nobody else includes it. */
#include "base/pattern.h"
#include "record/redactor.h"

/* Text of a line that is looked at together, and how much of it stays when there is more. */
#define REDACTOR_LINE 2048
#define REDACTOR_KEPT 1024
/* A line is looked at anew after so much. */
#define REDACTOR_SLICE 2048
#define REDACTOR_NODES (16 * 1024)

/* A tree of the values with a way back from each node (Aho and Corasick): one step for a byte. */
struct redactor_node {
	uint16_t child, sibling, back;
	uint16_t depth;
	uint16_t ends; /* so long a value ends here; 0: none */
	unsigned char byte;
};

struct redactor_values {
	struct redactor_node *node; /* [0] is the root */
	size_t nodes, room, count;
	uint16_t first[256]; /* the root's children */
};

/* -1: no memory.  What does not fit is left out. */
int redactor_values_add(struct redactor_values *v, const char *p, size_t n);
/* After the last one: ways back. */
int redactor_values_link(struct redactor_values *v);
uint16_t redactor_values_step(const struct redactor_values *v, uint16_t at, unsigned char c);

struct redactor_rules {
	struct redactor_values values;
	struct pattern pattern[REDACTOR_PATTERNS];
	size_t patterns;
	size_t grown; /* bytes of memory, since they were compiled */
};
/* The first match from `at` on. */
bool redactor_rules_match(
    struct redactor_rules *r, size_t i, const char *line, size_t n, size_t *from, size_t *to);

/* Why a character of the line is not shown. */
#define REDACTOR_IS_VALUE 1
#define REDACTOR_IS_NAMED 2

struct redactor {
	struct redactor_rules *rules;
	/* The line so far, without escape sequences; a NUL follows. */
	char *text;
	unsigned char *mark;
	size_t len, room;
	size_t shown; /* so much of it is let go */
	bool hidden;  /* and the last character of that was secret */
	bool marked;  /* something in `mark` is set */
	/* What is not let go: with escape sequences. */
	unsigned char *raw;
	unsigned char *plain; /* of each byte: it is a character of the line */
	size_t nraw, raw_room;
	int64_t held_at;
	size_t waited; /* so much of it since held_at */

	unsigned char escape; /* the parser's state: redactor.c */
	uint16_t at;	      /* in the tree of values */
	unsigned pem;	      /* lines since the beginning of a private key; 0: not in one */
	uint64_t count;
};

/* redactor_line.c: sets `mark` from `shown` on. */
void redactor_look(struct redactor *r);
/* The line is complete: what it says of the next ones. */
void redactor_line_over(struct redactor *r);
/* Where something begins that may turn out to be secret; `len`: nowhere. */
size_t redactor_hold_from(const struct redactor *r);

#endif
