/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_VERIFY_INT_H
#define CORAL_RECORD_VERIFY_INT_H

#include "base/sha256.h"
#include "record/cast_priv.h"
#include "record/evidence.h"
#include "record/verify.h"

#define VERIFY_LEAF 8 /* bytes of a leaf in a mark */

struct verify {
	struct verify_result *r;
	struct evidence ev;
	bool has_evidence, sealed;
	struct sha256 hash;		  /* of one thing after the other */
	struct sha256 chain;		  /* of what the mark that comes must have */
	unsigned char begin[SHA256_SIZE]; /* the chain that the header begins */
	uint64_t next;			  /* the mark that must come */
	uint64_t line, offset;		  /* of the line in hand; from 0, as everywhere here */
	uint64_t mark_line;		  /* of the last true mark */
	uint64_t wrong_end; /* a line at the end, neither its record nor the seal; 0: none */
	/* Of the lines since: at LINE % CAST_LEAVES_MAX. */
	unsigned char (*leaves)[VERIFY_LEAF];
	uint64_t *offsets;
	unsigned char *list; /* room for a mark's, decoded */
};

/* A mark's line, taken apart. */
struct verify_mark {
	struct evidence_mark m;
	unsigned char sig[ED25_SIGNATURE];
	const unsigned char *list; /* base64 */
	size_t list_len;
	size_t signed_len; /* of the line, before the signature */
};

/* verify_mark.c: the whole line with its newline; -1: it is none. */
int verify_parse(const unsigned char *line, size_t n, bool seal, struct verify_mark *out);

/* verify_find.c */
/* This line is the first that is wrong.  Always -1. */
int verify_bad(struct verify *v, uint64_t line, enum verify_what what, const char *why);
/* The `count` leaves in v->list are those of the lines from `first` to the one in hand.  -1: the
 * first of them that is not is told. */
int verify_compare(struct verify *v, uint64_t first, size_t count);
/* A line is here that cannot be. */
int verify_extra(struct verify *v, uint64_t line, const char *why);

#endif
