/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_CAST_READ_PRIV_H
#define CORAL_RECORD_CAST_READ_PRIV_H

#include "base/buf.h"
#include "record/cast.h"
#include "record/source.h"

struct cast_reader {
	struct source *src;
	char name[256];
	struct buf in;
	size_t taken;	 /* bytes of the line given out last, still at the head */
	size_t searched; /* bytes at the head known to hold no newline */
	uint64_t offset; /* of the head, in the recording */
	uint64_t line;	 /* number of the line given out last */
	int64_t t;
	bool at_seek; /* t is the time of the line that comes */
	bool eof, cut, ended, sealed;

	json_t *header;
	bool v3, coral;
	int cols, rows;

	json_t *facts; /* of the event given out last */

	/* From a "next" event. */
	bool pending;
	uint64_t pending_offset, pending_line;
	enum cast_stream next_stream;
	unsigned char *exact; /* or NULL */
	size_t exact_len;
};

/* An error of the line given out last. */
int cast_bad(struct cast_reader *r, const char *why, struct err *e);
/*
 * The next line without its newline: 1, 0 at the end, -1.  What has no newline
 * is the last line of a foreign file, and the stump of one of ours.
 */
int cast_next_line(struct cast_reader *r, unsigned char **p, size_t *n, struct err *e);
/* Forget what a "next" event told. */
void cast_forget_next(struct cast_reader *r);

#endif
