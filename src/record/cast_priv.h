/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_CAST_PRIV_H
#define CORAL_RECORD_CAST_PRIV_H

/* What the files of the recorder share. */
#include "base/sha256.h"
#include "record/cast.h"
#include "record/sealed_file.h"

#define CAST_FACTS_MAX (128 * 1024)    /* of an event of coral's own, as JSON text */
#define CAST_END_MAX (24 * 1024)       /* of the end's, so that it fits the reserve */
#define CAST_RESERVE (96 * 1024)       /* on disk, for the end and the seal */
#define CAST_TAIL (64 * 1024)	       /* of a stream over its cap */
#define CAST_FLUSH_NS (50 * 1000000LL) /* how long an unfinished sequence waits */

/* A mark is due after so many, or CAST_MARK_BYTES. */
#define CAST_MARK_LINES 1024

/* And never covers more than so many. */
#define CAST_LEAVES_MAX 32768

/* What is in the file.  Plain data: whoever takes lines back puts the old one back. */
struct cast_tally {
	uint64_t lines;
	size_t leaves;	/* of the lines since the last mark, its own the first */
	uint64_t bytes; /* of the same lines */
};

struct cast_seal {
	struct evidence *key; /* a page of its own; NULL: nothing is signed */
	char session_id[32];
	struct cast_tally tally;
	struct sha256 hash; /* of one thing after the other */
	unsigned char chain[SHA256_SIZE];
	unsigned char (*leaves)[SHA256_SIZE];
	size_t room;
	uint64_t marks;
};

/* One stream.  Plain data: cast_data() copies it to be able to take a call back. */
struct cast_side {
	unsigned char carry[4]; /* an unfinished sequence */
	unsigned ncarry;
	int64_t carry_at;
	uint64_t kept; /* bytes written as events or carried */
	bool over;     /* the cap was passed: digest and ring only */
};

/* The last bytes of a stream over its cap. */
struct cast_ring {
	unsigned char *data; /* CAST_TAIL, or NULL */
	size_t len, at;	     /* at: where the next byte goes */
	uint64_t taken;	     /* bytes ever put */
	uint64_t elided;     /* of these not in the file */
	bool done;	     /* the end of the stream is written */
};

/* What is typed while the terminal does not show it. */
struct cast_secret {
	struct cast_vault *vault; /* the key, and what is typed; NULL: no auditors */
	bool seals;		  /* else it is masked */
	size_t len;		  /* of it in there */
	bool typed;		  /* something, since the last event of it */
	uint64_t sealed;	  /* events of it so far */
};

struct cast_writer {
	int fd;
	int dirfd; /* until it and the one it is in were synced, then -1 */
	char name[64];
	int64_t start, last; /* clock_mono() of the beginning and of the newest event */
	uint64_t bulk_cap;
	uint64_t max_bytes; /* 0: no limit */
	bool full;
	struct quota *quota;
	bool tty, digest_only, ended;

	unsigned char *out; /* whole lines on their way to the file; pages come when touched */
	size_t out_size, out_len;
	unsigned char *joined; /* CAST_CHUNK: carried and new bytes side by side; part of out */

	uint64_t size;		    /* of the recording as far as whole lines go */
	uint64_t disk;		    /* of the file: the same, unless it is encrypted */
	uint64_t frames;	    /* of such a file */
	struct sealed_file *cipher; /* NULL: it is not */
	unsigned char frame[SEALED_HEAD];
	struct sealed_packer *packer; /* while much is written */
	unsigned char *text;	      /* of the frame: the buffer, or what was made of it */
	size_t text_len;
	uint64_t allocated; /* blocks asked for up to here */
	bool no_alloc;	    /* the file system cannot */
	bool torn;	    /* something after `size` could not be cut off yet */
	bool unsynced, touched;
	int lost; /* errno of a sync that failed: what it left unwritten no later one tells of */
	int64_t synced_at;

	struct cast_side side[CAST_STREAM_COUNT];
	struct cast_ring ring[CAST_STREAM_COUNT];
	uint64_t count[CAST_STREAM_COUNT];
	struct sha256 sha[CAST_STREAM_COUNT];
	struct cast_seal seal;
	struct cast_secret secret;
};

/* How far the file was written, to be able to take lines back. */
struct cast_place {
	uint64_t size, disk, frames;
	struct cast_tally tally;
};

/* cast_file.c: the file under the writer. */
int cast_out_alloc(struct cast_writer *w, size_t header_len);
void cast_out_free(struct cast_writer *w);
/* n bytes as they are; for the file's own lines.  On -1 the file is as before. */
int cast_write_raw(struct cast_writer *w, const void *p, size_t n, struct err *e);
/* Give back the pages of the line buffer. */
void cast_out_trim(struct cast_writer *w);
/* End the line at the end of the buffer.  Every line of the file passes here. */
void cast_emit_line(struct cast_writer *w);
/* Write the buffer in one piece and empty it.  `last`: the reserve may be used.  On -1 the file is
 * as before. */
int cast_commit(struct cast_writer *w, bool last, struct err *e);
/* The same of something small, also where the file is as large as it may be. */
int cast_commit_beyond(struct cast_writer *w, bool last, struct err *e);
/* Where it is now; and back there, what is in the buffer dropped. */
void cast_where(const struct cast_writer *w, struct cast_place *at);
void cast_back(struct cast_writer *w, const struct cast_place *at);
/* Give back what was allocated past the end. */
void cast_release(struct cast_writer *w);
int cast_failed(struct cast_writer *w, int sys, const char *doing, struct err *e);

/* cast_write.c */
/* The beginning of a line, up to the opening quote of its data, in the buffer. */
void cast_begin(struct cast_writer *w, int64_t t, char code);
/* A line of coral's own: {KIND: facts}; -1 ERR_LIMIT over `max`. */
int cast_put_facts(struct cast_writer *w, int64_t t, const char *kind, const json_t *facts,
    size_t max, struct err *e);
/* Bytes of a stream as one event, with what must go before it. */
void cast_put_bytes(
    struct cast_writer *w, enum cast_stream st, int64_t t, const unsigned char *p, size_t n);
/* Events for p and what was carried; the last unfinished sequence is carried again. */
int cast_put_stream(struct cast_writer *w, enum cast_stream st, int64_t t, const unsigned char *p,
    size_t n, struct err *e);
/* What is carried, as it is. */
void cast_put_carry(struct cast_writer *w, enum cast_stream st, int64_t t);

/* cast_seal.c: 0 or -1, also without evidence. */
int cast_seal_init(struct cast_writer *w, const struct cast_start *s, struct err *e);
void cast_seal_wipe(struct cast_writer *w);
/* The lines in the buffer are about to be written. */
int cast_seal_take(struct cast_writer *w);
/* A mark, when there is something since the last one.  The buffer must be empty. */
int cast_put_mark(struct cast_writer *w, int64_t t, struct err *e);
/* The same, when it is due by volume. */
int cast_mark_due(struct cast_writer *w, int64_t t, struct err *e);
/* The last line. */
int cast_put_seal(struct cast_writer *w, int64_t t, struct err *e);

/* cast_secret.c: the header's "sealing" into coral; 0 or -1, also without auditors. */
int cast_secret_init(
    struct cast_writer *w, const struct cast_start *s, json_t *coral, struct err *e);
void cast_secret_wipe(struct cast_writer *w);
const struct sealed_key *cast_secret_key(const struct cast_writer *w); /* NULL: no auditors */
/* What is held, as an event.  `last`: the reserve may be used. */
int cast_put_secret(struct cast_writer *w, int64_t t, bool last, struct err *e);

/* cast_encrypt.c: the file's first line is written; 0 or -1, also where nothing is encrypted.
 * `header`: the recording's. */
int cast_encrypt_init(
    struct cast_writer *w, const struct cast_start *s, const json_t *header, struct err *e);
void cast_encrypt_wipe(struct cast_writer *w);
/* The buffer becomes a frame, w->text, no longer than the buffer is.  0 or -1. */
int cast_encrypt(struct cast_writer *w);
void cast_encrypt_trim(struct cast_writer *w);
/* What of the end is no secret, behind all. */
int cast_encrypt_end(struct cast_writer *w, const json_t *end, struct err *e);

/* cast_bulk.c */
int cast_bulk_data(struct cast_writer *w, enum cast_stream st, int64_t t, const unsigned char *p,
    size_t n, struct err *e);
/* From here on the stream is over its cap, whatever that is. */
int cast_bulk_over(struct cast_writer *w, enum cast_stream st, int64_t t, struct err *e);
/* After a call was accepted: remember the n bytes that went over the cap. */
void cast_bulk_accept(struct cast_writer *w, enum cast_stream st, const unsigned char *p, size_t n);
/* The tail and how much is left out before it; with `without_tail` only the latter. */
int cast_bulk_end(
    struct cast_writer *w, enum cast_stream st, int64_t t, bool without_tail, struct err *e);

#endif
