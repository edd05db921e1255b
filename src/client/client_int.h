/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLIENT_CLIENT_INT_H
#define CORAL_CLIENT_CLIENT_INT_H

/* Shared by the files client*.c only. */
#include "client/client.h"
#include "session/stream.h"
#include "transport/client.h"
#include "transport/frame.h"

#define CLIENT_CHUNK FRAME_DATA_MAX /* of every read and write */

/*
 * Frames over a connection, or, once client_link_keep() was called, over one after the other.
 * `in` holds what arrived and is not yet handled.
 */
struct client_link {
	struct tp_client *c; /* NULL: the connection is lost, and the next one not there yet */
	struct buf in;
	struct stream s;
	struct buf answer; /* of a new connection, whose first frame is not here yet: */
	bool asked;
	uint64_t whole; /* position in our stream at which a frame begins, not before s.base */
};
void client_link_init(struct client_link *l, struct tp_client *c);
void client_link_fini(struct client_link *l);
/* Queue a frame and push as much as goes without waiting. */
int client_link_send(
    struct client_link *l, enum frame_type type, const void *p, size_t n, struct err *e);
/* FR_OPEN, before everything else on this connection. */
int client_link_send_open(struct client_link *l, const struct request *r, struct err *e);
/* Room for a frame's payload of n bytes, written in place; then commit what there is. */
unsigned char *client_link_reserve(struct client_link *l, size_t n);
int client_link_commit(struct client_link *l, enum frame_type type, size_t n, struct err *e);
/* Never blocks. */
int client_link_push(struct client_link *l, struct err *e);
/* What arrived, into `in`; the number of bytes, 0 when none or no room. */
ssize_t client_link_pull(struct client_link *l);
/* Bytes of payload that a frame of input sent now may have; 0 when none: then it had to wait in
 * memory.  What is typed may, and without a connection CLIENT_TYPED_MAX bytes of everything. */
#define CLIENT_TYPED_MAX (64 * 1024)
size_t client_link_room(struct client_link *l, bool typed);
short client_link_interest(struct client_link *l);
/* 1 a frame, 0 none whole, -1 (ERR_PROTOCOL). */
int client_link_next(struct client_link *l, struct frame *f, struct err *e);

/* keep.c: from FR_OPENED, which is still in `in`, on: what we send is kept until it arrived.
 */
void client_link_keep(struct client_link *l, const struct frame *opened);
/* Acknowledge what came.  FR_RECEIVED came. */
int client_link_tell(struct client_link *l, struct err *e);
int client_link_acknowledged(struct client_link *l, const struct frame *f, struct err *e);
/* The connection is no more: it is freed. */
void client_link_drop(struct client_link *l);
/* A new one, and what is asked on it. */
int client_link_again(
    struct client_link *l, struct tp_client *c, const struct request *r, struct err *e);
/* Its first frame: as client_link_next(), in place of it. */
int client_link_answer(struct client_link *l, struct frame *f, struct err *e);
/* It was FR_RESUMED: go on.  It was FR_OPENED: what of ours had not arrived is sent anew, what
 * of theirs had not is gone. */
int client_link_resume(struct client_link *l, const struct frame *f, struct err *e);
int client_link_restart(
    struct client_link *l, const struct frame *f, uint64_t received, struct err *e);
/* It was FR_OPENED, and nothing was kept: all begins anew. */
int client_link_renew(struct client_link *l, const struct frame *f, struct err *e);

/*
 * Where delivered bytes go.  Writing never blocks and never changes the flags
 * of a description that others share: a pipe or a terminal is opened anew
 * through /proc/self/fd, a socket is written with MSG_DONTWAIT, and what cannot
 * be opened anew is written a page at a time when poll(2) says so.
 */
enum client_sink_kind { SINK_NONE, SINK_FILE, SINK_NONBLOCK, SINK_SOCKET, SINK_PAGED, SINK_KEEP };
struct client_sink {
	enum client_sink_kind kind;
	int fd;
	bool own;
	bool tty;
	struct buf *keep;
	uint64_t count; /* bytes accepted */
	int64_t broken; /* when the reader was first found gone (clock_mono), or 0 */
};
#define CLIENT_KEEP_MAX (16u * 1024 * 1024)
void client_sink_open(struct client_sink *s, int fd, struct buf *keep);
void client_sink_close(struct client_sink *s);
/* Bytes taken, 0 when it must wait for POLLOUT, -1 with errno (never EPIPE: then all is taken). */
ssize_t client_sink_write(struct client_sink *s, const void *p, size_t n);

/*
 * Between a session and the terminal of somebody who only looks on: characters, moves, colours and
 * modes of the screen (screen/screen_filter.h).  Nothing that answers, copies, sets a title or
 * changes what keys and the mouse send.
 */
struct client_veil;
struct client_veil *client_veil_new(void);
void client_veil_free(struct client_veil *v);
/* As client_sink_write(): bytes of p that are dealt with. */
ssize_t client_veil_write(
    struct client_veil *v, struct client_sink *k, const unsigned char *p, size_t n);

/* Prompts on the controlling terminal; both fail without one. */
bool client_ask_trust(void *arg, const char *host, const char *fingerprint);
int client_ask_passphrase(void *arg, const char *prompt, char *out, size_t size);

/* A token of FR_OPENED: 64 hexadecimal digits. */
bool client_is_token(const char *s);

/* What coral exits with, from FR_RESULT's object; -1 when it does not say. */
int client_exit_code(const json_t *result);

#endif
