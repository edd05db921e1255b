/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_STREAM_H
#define CORAL_SESSION_STREAM_H

/*
 * Frames over connections that may be lost: what was sent is kept until the
 * other side says that it arrived, and a new connection goes on from the byte
 * that it lacks.  Both sides have one; coral-protocol(7) has the rules.  No
 * descriptors in here: the owner moves the bytes.  Nothing blocks.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "transport/frame.h"

struct stream {
	struct buf first; /* before everything else on this connection, and not counted */
	struct buf out;	  /* frames that are not acknowledged, or (keeps: false) not written */
	size_t written;	  /* of out, on this connection */
	uint64_t base;	  /* position of the first byte of out */
	uint64_t arrived; /* bytes of the other's stream */
	uint64_t told;	  /* of them, acknowledged by us */
	bool keeps;
	bool owes; /* something else than FR_RECEIVED arrived since */
};

/* max: bytes kept and waiting, in all. */
void stream_init(struct stream *s, size_t max);
void stream_fini(struct stream *s);
void stream_trim(struct stream *s); /* see buf_trim() */
/* FR_OPEN, FR_OPENED, FR_RESUMED, FR_ERROR in their place. -1: too large. */
int stream_first(struct stream *s, enum frame_type type, const void *p, size_t n);
/* From here on everything is counted and kept; `arrived` bytes are here already, and nothing was
 * put yet (what goes before is first's). */
void stream_keep(struct stream *s, uint64_t arrived);
/* As frame_put().  An owner may also write whole frames in place, at buf_tail(&s->out). */
int stream_put(struct stream *s, enum frame_type type, const void *p, size_t n);

/* What to write next, *n bytes of it; 0 bytes: nothing waits. */
const unsigned char *stream_unsent(const struct stream *s, size_t *n);
void stream_sent(struct stream *s, size_t n);
bool stream_waits(const struct stream *s); /* for the connection to take something */

/* FR_RECEIVED came.  -1: it says more than was sent. */
int stream_acknowledged(struct stream *s, const struct frame *f);
/* n bytes came, and were counted; every whole frame is shown to stream_heard() as well. */
void stream_came(struct stream *s, size_t n);
void stream_heard(struct stream *s, const struct frame *f);
/* Acknowledge now.  Else STREAM_ACK_BYTES or STREAM_ACK_NS after the first byte will do. */
#define STREAM_ACK_BYTES (64 * 1024)
#define STREAM_ACK_NS (1000000000LL)
int stream_tell(struct stream *s);
bool stream_should_tell(const struct stream *s); /* by the number of bytes */

/* A new connection, whose other end has `theirs` of our bytes.  -1: they are not kept any more,
 * or were never put; nothing is changed. */
int stream_resume(struct stream *s, uint64_t theirs);

#endif
