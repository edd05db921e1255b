/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_STORE_H
#define CORAL_RECORD_STORE_H

/*
 * The recordings on disk: STATE_DIR/sessions/ID/ID.cast, ID.cast.zst once
 * it is compressed, or ID.cast.sealed when it is encrypted: readers do not care (source.h).  A
 * session is live while its keeper holds the lock (flock) on STATE_DIR/sessions/ID/lock. States:
 * live, ended, truncated (no end record and no lock holder).  Whether a live one is detached only
 * its keeper knows: session/control.h.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "record/cast.h"

#define STORE_ID_LEN 26 /* ULID: time-ordered, Crockford base32, lower case */
void store_new_id(char out[STORE_ID_LEN + 1]); /* from getrandom(2) and the clock */
bool store_id_valid(const char *id);

/* Create STATE_DIR/sessions/ID (0700), which cast_sync() puts on the disk, take the lock.  *lockfd
 * keeps the session live; returns the directory's descriptor. */
int store_create(const char *state_dir, const char *id, int *lockfd, struct err *e);
/* Undo store_create() for a session that never began; only an empty or unended directory. */
int store_discard(const char *state_dir, const char *id, struct err *e);

/* Whether there is this session for the caller, who else is told that there is none.  `shown` is
 * store_show()'s object, of a listing without its end.  NULL in its place: all there are. */
typedef bool store_may_fn(void *arg, const json_t *shown);
/* A unique prefix (>= 4) or whole id to the full id. ERR_NO_SESSION, ERR_AMBIGUOUS. */
int store_resolve(const char *state_dir, const char *prefix, store_may_fn *may, void *arg,
    char id[STORE_ID_LEN + 1], struct err *e);
/* One session: id, state, user, target, started (ISO), verb, command (array, redacted), exit_code
 * (or null), signal, cause, duration_ms, size (of the recording, whatever the file takes).  A
 * damaged file yields state "damaged" and why. */
json_t *store_show(const char *state_dir, const char *id, struct err *e);
/* Newest first, without header and end.  Reads first and last lines only. */
json_t *store_list(const char *state_dir, store_may_fn *may, void *arg, struct err *e);
/* Whether it goes on. */
bool store_live(const char *state_dir, const char *id);
/* The recording in a session's directory, in whichever form it is there: O_RDONLY, or -1 with
 * errno. */
int store_open_file(int sessdir, const char *id);
/* Whether a file is called as recordings are: *.cast, *.cast.zst, *.cast.sealed. */
bool store_named_cast(const char *name);
/* The file: O_RDONLY, for source_open_fd().  ERR_BAD_FILE: it is not a regular one. */
int store_open_cast(const char *state_dir, const char *id, struct err *e);
/* Remove a session that is not live (ERR_LIMIT when it is). */
int store_remove(const char *state_dir, const char *id, struct err *e);
/* Drop what a keeper left that was killed before its recording began; everything else stays. */
void store_drop_unbegun(const char *state_dir, const char *id);

/* What is left of sessions whose removal was not finished: it is none any more. */
void store_sweep(const char *state_dir);
/* Every session in no order; `bytes` of all its files.  0, or -1: `fn` said so, or it cannot be
 * listed; nothing there is no error. */
typedef int store_size_fn(void *arg, const char *id, bool live, uint64_t bytes);
int store_sizes(const char *state_dir, store_size_fn *fn, void *arg, struct err *e);
/* When its recording was last written to, compressed since or not; -1: not known. */
int64_t store_written_ns(const char *state_dir, const char *id);
/* When a session began, in milliseconds since 1970, as its id says. */
int64_t store_id_ms(const char *id);

/* A small file of the session (0600, replaced atomically), and reading it back. */
int store_put_note(int sessdir, const char *name, const json_t *j, struct err *e);
json_t *store_get_note(const char *state_dir, const char *id, const char *name, struct err *e);
int store_drop_note(int sessdir, const char *name);

#endif
