/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_READ_H
#define CORAL_AUDIT_READ_H

/*
 * The records of a log in order, from the oldest file on, and whether their
 * chain holds.  Constant memory; every file is hostile.
 */
#include <jansson.h>
#include <stdint.h>
#include "audit/record.h"

struct audit_entry {
	const char *text; /* the line, without its newline; not terminated */
	size_t len;
	const char *file; /* its name in the directory */
	int fd;		  /* that file, open */
	uint32_t number;  /* in that name; 0: the current one */
	uint64_t line, offset;
	bool good; /* its hash is right, and it follows the one before */
	char prev[AUDIT_HASH_SIZE], hash[AUDIT_HASH_SIZE]; /* "" where its hash is not right */
};

struct audit_reader;
/* DIR as of now; audit_next() sees what is appended later. */
struct audit_reader *audit_read_open(const char *dir, struct err *e);
/* 1 a line, 0 the end for now, -1 error.  `x` is borrowed until the next call.  A last line without
 * its newline is none yet. */
int audit_next(struct audit_reader *r, struct audit_entry *x, struct err *e);
void audit_read_close(struct audit_reader *r); /* accepts NULL */

struct audit_verdict;
/* Before the first audit_next(): leave out the files up to this number, of which `v` is known. */
void audit_read_after(struct audit_reader *r, uint32_t number, const struct audit_verdict *v);

/* Of what was read so far. */
struct audit_verdict {
	uint64_t files, records, bad;
	bool begins;		      /* the first record is the first of its log */
	bool torn;		      /* bytes without a newline at the end */
	char before[AUDIT_HASH_SIZE]; /* what the first record follows */
	char head[AUDIT_HASH_SIZE];
	/* of the first that is bad */
	char bad_file[40], why[96];
	uint64_t bad_line;
};
void audit_verdict(const struct audit_reader *r, struct audit_verdict *v);

#endif
