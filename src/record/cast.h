/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_CAST_H
#define CORAL_RECORD_CAST_H

/*
 * Recordings: asciicast v2 that stock players accept, with coral's own facts
 * in the header key "coral" and in event codes that players ignore.  The page
 * is coral-cast(5).
 *
 * The writer is the session's memory: when a call returns 0 the bytes are in
 * the kernel (write(2) done), so a killed process loses nothing accepted.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "record/auditor.h"
#include "record/evidence.h"
#include "record/quota.h"

#define CAST_LINE_MAX (1024 * 1024)	  /* bytes of a line, its newline included */
#define CAST_CHUNK (64 * 1024)		  /* bytes of a stream in one event, at most */
#define CAST_MARK_BYTES (4 * 1024 * 1024) /* between two marks, and one line more */

enum cast_stream { CAST_STDIN, CAST_STDOUT, CAST_STDERR, CAST_STREAM_COUNT };

struct cast_writer;

struct cast_start {
	int dirfd;	  /* the session's directory (0700, ours) */
	const char *name; /* "ID.cast": created O_EXCL, 0600 */
	int cols, rows;
	int64_t real_ns, mono_ns; /* the same moment on both clocks */
	json_t *coral;		  /* the header's "coral" object; borrowed */
	const char *title;
	const char *term; /* TERM, or NULL */
	/* Bytes of a stream kept; beyond it digest and the last 64 KiB.  0: no cap. */
	uint64_t bulk_cap;
	bool digest_only; /* --no-record: streams are counted and hashed, never stored */
	bool tty;	  /* false: split streams, bulk_cap applies */
	/* Of the file, without its end and tails; beyond it streams are as over their cap, and a
	 * terminal's output is refused (cast_is_full).  0: no limit. */
	uint64_t max_bytes;
	struct quota *quota; /* taken, whatever becomes of it; or NULL */
	/* Sign it: copied to memory that no fork inherits.  `coral` has then a "session_id".  NULL:
	 * the recording proves nothing. */
	const struct evidence *evidence;
	/* Who may open what is sealed, or NULL; nobody else can. */
	const struct auditors *auditors;
	bool seal_input; /* what cast_secret() is given; else its place alone is kept */
	bool encrypt;	 /* the whole file: `name` is then "ID.cast.sealed" */
};
struct cast_writer *cast_create(const struct cast_start *s, struct err *e);

/*
 * Output (or recorded input) at clock_mono() time t.  Bytes that are not UTF-8
 * are kept exactly in a side event; an unfinished sequence is carried to the
 * next call (at most 50 ms: see cast_flush).  0, or -1 (ERR_RECORDING: disk
 * full, quota, I/O) and then nothing of p counts as accepted.
 */
int cast_data(
    struct cast_writer *w, enum cast_stream st, int64_t t, const void *p, size_t n, struct err *e);
/* Input that the terminal did not show, as cast_data(): never in clear.  A line of it is held until
 * it ends; cast_secret_end() says that no more of it comes. */
int cast_secret(struct cast_writer *w, int64_t t, const void *p, size_t n, struct err *e);
int cast_secret_end(struct cast_writer *w, int64_t t, struct err *e);
bool cast_seals(const struct cast_writer *w); /* else it is masked */
/* Write what is carried; call when output pauses and before the end. */
int cast_flush(struct cast_writer *w, int64_t t, struct err *e);
/* When cast_flush() is due (clock_mono ns), or 0. */
int64_t cast_flush_due(const struct cast_writer *w);
int cast_resize(struct cast_writer *w, int64_t t, int cols, int rows, struct err *e);
/* An event of coral's own: kind ("notice", "signal", "stdin_eof", "survivors" ...) and facts
 * (borrowed). */
int cast_event(
    struct cast_writer *w, int64_t t, const char *kind, const json_t *facts, struct err *e);
/* The end record (borrowed): exit_code, signal, cause, byte counts ...; the seal; then fsync.  The
 * stream digests and counts are added by the writer. */
int cast_end(struct cast_writer *w, int64_t t, json_t *result, struct err *e);
/* A mark and fdatasync when something is unsynced and the last was a second ago or more; cheap
 * otherwise.  A disk too full for the mark is told by who has data for it. */
int cast_sync(struct cast_writer *w, int64_t t, bool now, struct err *e);
/* A sync failed: nothing is taken any more but the end, and trying again is of no use. */
bool cast_is_lost(const struct cast_writer *w);
/* The last refusal was for max_bytes: trying again is of no use either. */
bool cast_is_full(const struct cast_writer *w);
/* Bytes of the file that hold whole events: cast_flush() first, for what is carried. */
uint64_t cast_offset(const struct cast_writer *w);
/* Bytes of the file, as max_bytes counts. */
uint64_t cast_taken(const struct cast_writer *w);
/* Bytes of a stream taken so far, and its SHA-256 so far as hex (may be called at any time). */
uint64_t cast_count(const struct cast_writer *w, enum cast_stream st);
void cast_digest(const struct cast_writer *w, enum cast_stream st, char hex[65]);
void cast_free(struct cast_writer *w); /* closes; the file stays, truncated when not ended */

/* Reading.  Marks and seals are not given out: record/verify.h is for them.  Every file is hostile:
 * lines over 1 MiB, deep JSON and wrong types are ERR_BAD_FILE that names the line; a cut last line
 * is not an error but the end, truncated. */
enum cast_kind {
	CAST_EV_OUTPUT,
	CAST_EV_INPUT,
	CAST_EV_RESIZE,
	CAST_EV_MARKER,
	CAST_EV_CORAL,
	CAST_EV_END,
	CAST_EV_OTHER
};
struct cast_event {
	enum cast_kind kind;
	char code;		   /* the letter of its line, or 0: not one that is known */
	enum cast_stream stream;   /* of OUTPUT */
	int64_t t;		   /* ns since the start */
	const unsigned char *data; /* exact bytes; valid until the next call */
	size_t len;
	int cols, rows;	     /* RESIZE */
	const char *name;    /* CORAL: its kind */
	const json_t *facts; /* CORAL, END; borrowed until the next call */
	uint64_t offset;     /* of its line in the recording: source.h */
	uint64_t line;
};
struct cast_reader;
struct cast_reader *cast_open(const char *path, struct err *e); /* v2 and v3, "-": stdin */
struct cast_reader *cast_open_fd(int fd, const char *name, struct err *e); /* takes fd */
const json_t *cast_header(const struct cast_reader *r);
/* Bytes of the whole recording as it is now; -1: not known. */
int64_t cast_size(const struct cast_reader *r);
bool cast_is_v3(const struct cast_reader *r);
/* Whether coral wrote it. */
bool cast_is_ours(const struct cast_reader *r);
int cast_cols(const struct cast_reader *r);
int cast_rows(const struct cast_reader *r);
/* When it began, in nanoseconds since 1970; 0: not known. */
int64_t cast_began(const struct cast_reader *r);
/* 1 an event, 0 the end, -1 error.  After 0 it may be called again: a live file grows. */
int cast_next(struct cast_reader *r, struct cast_event *ev, struct err *e);
/* Whether the end was reached without an END event, or within a line.  A file that is not coral's
 * needs no END. */
bool cast_truncated(const struct cast_reader *r);
/* Go on from a line's offset (as in cast_event) with the given line number; not of a pipe. */
int cast_seek(struct cast_reader *r, uint64_t offset, uint64_t line, int64_t t, struct err *e);
/* Where what comes next begins, for cast_seek(): after the end, when the file may still grow. */
uint64_t cast_at(const struct cast_reader *r, uint64_t *line);
/* Where the whole lines end that were given out, and in *line the number of the next. */
uint64_t cast_passed(const struct cast_reader *r, uint64_t *line);
void cast_close(struct cast_reader *r);

#endif
