/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_SEALED_FILE_H
#define CORAL_RECORD_SEALED_FILE_H

/*
 * A recording that is encrypted to the auditors as it is written: a clear
 * first line, then frames, each a whole piece of the recording; at its end a
 * clear note of what came of it.  coral-cast(5), ENCRYPTED RECORDINGS.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/sha256.h"
#include "record/sealed.h"

#define SEALED_MAGIC "{\"coral_sealed\":1," /* how such a file begins */
#define SEALED_MAGIC_LEN (sizeof(SEALED_MAGIC) - 1)
#define SEALED_LINE_MAX (128 * 1024)	   /* of the first line, its newline included */
#define SEALED_FRAME_MAX (2 * 1024 * 1024) /* bytes of the recording in one frame */
#define SEALED_NOTE_MAX 4096		   /* of the note at the end */
#define SEALED_NOTE_TAIL 8		   /* behind it: its length, and a word */
#define SEALED_HEAD 44			   /* before each frame: kind, length, nonce, tag */

enum sealed_kind { SEALED_DATA = 'D', SEALED_PACKED = 'Z', SEALED_END = 'E' };

/* Plain data.  Wipe it. */
struct sealed_file {
	unsigned char key[SEALED_KEY];
	unsigned char line[SHA256_SIZE]; /* digest of the first line */
};
/* `line` with its newline. */
int sealed_file_init(struct sealed_file *f, const struct sealed_key *k, const char *line, size_t n);

/* The first line, with its newline: who may open it, and what of the header is no secret.  NULL:
 * no memory. */
char *sealed_first_line(
    const struct sealed_key *k, const json_t *header, const struct auditors *to);
/* And back. */
json_t *sealed_first_parse(const char *line, size_t n, struct err *e);

/* Seal len bytes in place as the n-th frame, which begins at byte `at` of the recording: these as
 * they are, or what sealed_pack.h made of them. */
int sealed_file_put(const struct sealed_file *f, enum sealed_kind kind, uint64_t n, uint64_t at,
    unsigned char head[SEALED_HEAD], unsigned char *p, size_t len);
/* The last frame: `note` is told in clear, and bound to the rest. */
int sealed_file_put_end(const struct sealed_file *f, uint64_t n, uint64_t at,
    unsigned char head[SEALED_HEAD], const char *note, size_t len);
void sealed_note_tail(unsigned char tail[SEALED_NOTE_TAIL], size_t len);
/* Of a head: its kind, and *len.  -1: it is none. */
int sealed_head_parse(const unsigned char head[SEALED_HEAD], size_t *len);
/* In place.  -1: it is not the n-th frame, does not begin there, or was altered. */
int sealed_file_get(const struct sealed_file *f, uint64_t n, uint64_t at,
    const unsigned char head[SEALED_HEAD], unsigned char *p, size_t len);

/* Whether a file begins as one; its position stays. */
bool sealed_is(int fd);
/* What the file says without a key, and nothing proves: its note about the beginning, and the one
 * about the end or NULL (new references).  -1: it is no such file; *is says whether it seems so. */
int sealed_peek(int fd, bool *is, json_t **begin, json_t **end, struct err *e);

#endif
