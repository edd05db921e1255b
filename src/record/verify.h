/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_VERIFY_H
#define CORAL_RECORD_VERIFY_H

/*
 * Whether a recording is what was recorded, and all of it: coral-cast(5),
 * EVIDENCE.  One pass, from a pipe as well, in constant memory.  It stops at
 * the first line that is wrong.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/keyfile.h"

enum verify_state {
	VERIFY_SEALED,	 /* all of it is signed, and nothing is missing */
	VERIFY_OPEN,	 /* signed up to a mark: it was cut, or goes on */
	VERIFY_UNSIGNED, /* it has no evidence */
	VERIFY_BAD,	 /* `bad` says where */
};

/* What a line is compared with is known by its first bytes only: `what` is a finding, not proof. */
enum verify_what {
	VERIFY_ALTERED,
	VERIFY_DROPPED, /* a line is missing before it */
	VERIFY_INSERTED,
	VERIFY_DUPLICATED, /* inserted, and the same as the one before */
	VERIFY_SWAPPED,	   /* with the one that follows */
	VERIFY_FOREIGN,	   /* it cannot be checked, or is not where it may be */
};

struct verify_result {
	enum verify_state state;
	char session_id[32];			 /* "" when there is none */
	unsigned char agent_key[KEYFILE_PUBLIC]; /* that certified it; not of VERIFY_UNSIGNED */
	bool has_key;				 /* agent_key is set: its certificate is true */
	bool ended;				 /* there is an end record */
	bool cut;				 /* the last line is not whole; it counts as none */
	uint64_t lines, bytes;			 /* read, as whole lines */
	uint64_t marks;				 /* that are true, the seal among them */
	uint64_t good_lines,
	    good_bytes;	 /* from the beginning to the last of them, itself included */
	int64_t good_ns; /* and its time */
	enum verify_what what;
	uint64_t bad_line, bad_offset; /* from 1, and from 0 */
	char why[160];
};

/* From where fd stands, compressed or not: the result is that of the recording.  0, or -1: it
 * cannot be read; that it is wrong is in the result. */
int verify_fd(int fd, const char *name, struct verify_result *r, struct err *e);
const char *verify_what_name(enum verify_what what);

#endif
