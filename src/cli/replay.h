/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_REPLAY_H
#define CORAL_CLI_REPLAY_H

/* coral replay, in its parts. */
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "cli/cmd.h"

struct follow; /* replay_follow.h */
struct player;

/* replay_source.c: FILE when it has a slash, ends in .cast or exists; else a session's ID, from the
 * state directory when that may be read, else from the agent.  A descriptor of a regular file at
 * its start; name (for messages) is harmless.  May block on the network. */
int replay_source(const struct args *a, const char *spec, char *name, size_t size, struct err *e);

/* What replay_source() takes is of a session, which goes on. */
bool replay_goes_on(const struct args *a, const char *spec);

/* A file or a pipe, "-": standard input; nothing else.  `name` is for messages. */
int replay_open(const char *path, const char *name, struct err *e);

/* The same for who opens what is sealed in it: of a session, and of a file of one that is here, the
 * audit log is told first, or it is not opened; of another file the user is told that none is. */
int replay_source_sealed(
    const struct args *a, const char *spec, char *name, size_t size, struct err *e);

/* replay_time.c: "1:30", "1:02:03", "90", "90.5", "1m30s", "50%" (of total).  0, or -1 and e. */
int replay_parse_time(const char *s, int64_t total, int64_t *t, struct err *e);
/* The same of a recording, which is read to its end when a part of the whole needs its length. */
int replay_moment(struct player *p, const char *s, int64_t *t, struct err *e);
/* "1:30.5" and "1:02:03"; always terminated. */
void replay_format_time(int64_t t, bool tenths, char *out, size_t size);

/* replay_text.c and replay_json.c: the whole recording to standard output, of one that grows
 * (its follow is not NULL) as it comes.  Each takes fd.  Exit status. */
struct replay_export;
int replay_text(int fd, const struct replay_export *x);
int replay_json(int fd, const char *name, struct follow *follow);
/* Whether the locale of the environment says UTF-8. */
bool replay_utf8(void);

enum replay_kind {
	REPLAY_PLAYER,
	REPLAY_TEXT,
	REPLAY_JSON,
	REPLAY_CAST,
	REPLAY_CAST3,
	REPLAY_HTML,
	REPLAY_SVG,
	REPLAY_PNG,
	REPLAY_TTYREC,
	REPLAY_SCRIPT
};
struct replay_format {
	const char *name;
	enum replay_kind kind;
	const char *suffix; /* of files that get it without being told, or NULL */
	bool still;	    /* of a moment */
	bool bytes;	    /* not for a terminal */
	bool may_be_raw;
};
/* replay_export.c: NULL: there is none. */
const struct replay_format *replay_format_named(const char *name);
const struct replay_format *replay_format_of_file(const char *path);

struct replay_export {
	const struct replay_format *format;
	const char *name;
	const char *from; /* a time, or NULL: stills alone */
	const char *path; /* of -o, or NULL: standard output */
	bool raw;
	struct follow *follow; /* or NULL: text, json, cast */
	const struct args *args;
	const char *spec; /* as it was given */
};
/* Takes fd.  Exit status. */
int replay_export(int fd, const struct replay_export *x);
/* Say on standard error that the recording has no end. */
void replay_say_truncated(const struct replay_export *x);

struct replay_opts {
	double speed;
	int64_t idle;	  /* longest pause shown; 0: as they were */
	const char *from; /* a time, or NULL */
	const char *name;
	const char *stranger;  /* the session whose recording it is in truth, or NULL */
	bool typed;	       /* show keys */
	struct follow *follow; /* or NULL */
};
/* replay_ui.c: the player on this terminal; takes fd.  Exit status. */
int replay_ui(int fd, const struct replay_opts *o);

#endif
