/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_ERR_H
#define CORAL_BASE_ERR_H

/*
 * The one error type.  Owned by the caller, never allocated, and flat, so that
 * it can be built after an allocation failed and carried between processes.
 *
 * Three parts: what failed, why (the facts: the capability, the path, the
 * candidates), and what to type next.  Fallible functions return 0 or -1, a
 * pointer or NULL, or a descriptor or -1, and fill the last argument.
 * Whoever handles an error prints it; nobody prints and returns it.
 */
#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"

enum err_code {
	ERR_NONE = 0,
	ERR_INTERNAL,
	ERR_USAGE,	    /* flags or arguments */
	ERR_CONFIG,	    /* a configuration or policy file */
	ERR_NO_TARGET,	    /* nothing matches */
	ERR_AMBIGUOUS,	    /* several match; why lists them, one a line */
	ERR_TARGET_GONE,    /* it exited, or is another process now */
	ERR_DENIED,	    /* policy */
	ERR_PRIVILEGE,	    /* the kernel; why names the capability */
	ERR_NOT_FOUND,	    /* the command, in the container */
	ERR_NOT_EXECUTABLE, /* the command is there and cannot run */
	ERR_TIMEOUT,
	ERR_TRANSPORT,	    /* connection refused, lost, or not trusted */
	ERR_AUTH,	    /* who are you */
	ERR_RECORDING,	    /* the session cannot be recorded */
	ERR_SHORT_OUTPUT,   /* bytes were lost on the way to the user */
	ERR_NO_SESSION,	    /* unknown session id */
	ERR_BAD_FILE,	    /* a broken recording, key, or other input file */
	ERR_IO,
	ERR_LIMIT,	    /* too many, too large */
	ERR_PROTOCOL,	    /* the peer does not speak as it should */
	ERR_CODE_COUNT
};

enum { ERR_WHAT_SIZE = 256, ERR_WHY_SIZE = 1536, ERR_HINT_SIZE = 512 };

struct err {
	enum err_code code;
	int sys; /* errno, or 0 */
	char what[ERR_WHAT_SIZE];
	char why[ERR_WHY_SIZE];
	char hint[ERR_HINT_SIZE];
};

/*
 * Start an error.  `sys` is an errno or 0; when err_why() is never called,
 * the text of `sys` is the why; until err_hint() is called, the hint is the
 * usual one of `sys` or `code`.  `e` may be NULL.  Always returns -1.
 */
int err_set(struct err *e, enum err_code code, int sys, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Append to the facts (a blank is not added).  Always returns -1. */
int err_why(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Say what to type next (replaces).  Always returns -1. */
int err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Stable upper-case name ("NO_TARGET"), as in -o json. */
const char *err_name(enum err_code code);
/* Exit status for exec and shell: 124, 125, 126, 127 or 255. */
int err_exit_exec(enum err_code code);
/* Exit status for local commands: 1 failed, 2 usage. */
int err_exit_local(enum err_code code);

/*
 * Three lines on `fd`: "coral: WHAT", "  why: WHY", "  try: HINT".  Control
 * characters are made harmless.  Does not allocate.
 */
void err_print(int fd, const struct err *e);

/*
 * Flat form for a wire: NUL-free text is not assumed to be valid on decode.
 * Sizes: at most ERR_WIRE_MAX bytes.  Decode returns false on malformed input.
 */
#define ERR_WIRE_MAX 2400
size_t err_encode(const struct err *e, unsigned char out[ERR_WIRE_MAX]);
bool err_decode(struct err *e, const unsigned char *in, size_t len);

#endif
