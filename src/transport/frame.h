/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_FRAME_H
#define CORAL_TRANSPORT_FRAME_H

/*
 * The session protocol: frames on a byte stream.  The same bytes run on an SSH
 * channel of the subsystem "coral" and on the socket between transport and
 * keeper, so for coral's own client the transport is a pump; for a stock
 * client it translates.  Both ends treat the other as hostile.  The page is
 * coral-protocol(7).
 *
 * A frame: type (1 byte), length (3 bytes, big-endian), payload.
 */
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

#define FRAME_HEAD 4
#define FRAME_MAX (256 * 1024)	   /* largest payload, FR_OPEN only */
#define FRAME_DATA_MAX (64 * 1024) /* largest payload of every other frame */
#define FRAME_SUBSYSTEM "coral"
#define FRAME_VERSION 1
/* Standard input is sent on credit, so that a full pipe never holds back a
 * resize or a signal: the client starts with this much. */
#define FRAME_CREDIT (1024 * 1024)

enum frame_type {
	/* client to agent */
	FR_OPEN = 1,  /* request_encode(); first, and once */
	FR_STDIN,     /* bytes, within the credit */
	FR_STDIN_EOF, /* half-close; empty */
	FR_WINCH,     /* u16 rows, cols, xpixel, ypixel */
	FR_SIGNAL,    /* name without SIG: "INT" */
	FR_BYE,	      /* result seen; empty */
	FR_PING,      /* answered by FR_RECEIVED at once; empty */
	FR_DETACH,    /* leave, and let the session go on; empty */
	FR_HANGUP,    /* leave, and end the session; empty */
	FR_KEYBOARD,  /* ask for the keyboard, take it back, or give it to who asked; empty */
	FR_WHO,	      /* who is attached, as notices; empty */
	FR_REPAINT,   /* the whole screen anew; empty */
	/* agent to client */
	FR_OPENED = 32, /* JSON: session_id, target, pid, context, notice */
	FR_STDOUT,
	FR_STDERR,
	FR_CREDIT, /* u64: stdin bytes allowed in all since the start */
	FR_NOTICE, /* text for the person, to be shown on stderr, one line */
	FR_RESULT, /* JSON, see coral-protocol(7); the last frame of exec and shell */
	FR_ERROR,  /* err_encode(); the last frame */
	FR_DATA,   /* bytes of an answer (ps, sessions, read, ...) */
	FR_END,	   /* the answer is complete; empty; the last frame */
	FR_RESUMED, /* u64: bytes that arrived from the client; in place of FR_OPENED */
	FR_SCREEN, /* bytes for the terminal that are not the command's: a repaint */
	FR_LEFT,   /* JSON: why this client is let go while the session goes on; the last frame */
	/* both */
	FR_RECEIVED = 64, /* u64: bytes of the other's stream that arrived, see coral-protocol(7) */
};

struct frame {
	uint8_t type;
	uint32_t len;
	const unsigned char *data; /* into the buffer it was parsed from */
};

/* Append a frame; -1 over the cap of b (nothing appended). */
int frame_put(struct buf *b, enum frame_type type, const void *data, size_t len);
/* Look at the first frame of b.  1 whole (not yet consumed), 0 not yet
 * complete, -1 malformed (unknown type, too long for its type). */
int frame_peek(const struct buf *b, struct frame *f);
/* Drop the frame that frame_peek() showed. */
void frame_drop(struct buf *b, const struct frame *f);

#endif
