/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_CLIENT_INT_H
#define CORAL_SESSION_CLIENT_INT_H

/* Shared by the files client*.c only. */
#include "session/client.h"
#include "transport/client.h"
#include "transport/frame.h"

#define CLIENT_CHUNK FRAME_DATA_MAX /* of every read and write */

/* Frames over a connection.  `in` holds what arrived and is not yet handled. */
struct client_link {
	struct tp_client *c;
	struct buf in, out;
};
void client_link_init(struct client_link *l, struct tp_client *c);
void client_link_fini(struct client_link *l);
/* Queue a frame and push as much as goes without waiting. */
int client_link_send(
    struct client_link *l, enum frame_type type, const void *p, size_t n, struct err *e);
int client_link_send_open(struct client_link *l, const struct request *r, struct err *e);
/* Room for a frame's payload of n bytes in `out`, written in place; then commit what there is. */
unsigned char *client_link_reserve(struct client_link *l, size_t n);
int client_link_commit(struct client_link *l, enum frame_type type, size_t n, struct err *e);
/* Never blocks. */
int client_link_push(struct client_link *l, struct err *e);
/* What arrived, into `in`; the number of bytes, 0 when none or no room. */
ssize_t client_link_pull(struct client_link *l);
/* Bytes of payload that a frame sent now may have without waiting in memory; 0 when none. */
size_t client_link_room(struct client_link *l);
short client_link_interest(struct client_link *l);
/* 1 a frame, 0 none whole, -1 (ERR_PROTOCOL). */
int client_link_next(struct client_link *l, struct frame *f, struct err *e);

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
	struct buf *keep;
	uint64_t count; /* bytes accepted */
	int64_t broken; /* when the reader was first found gone (clock_mono), or 0 */
};
#define CLIENT_KEEP_MAX (16u * 1024 * 1024)
void client_sink_open(struct client_sink *s, int fd, struct buf *keep);
void client_sink_close(struct client_sink *s);
/* Bytes taken, 0 when it must wait for POLLOUT, -1 with errno (never EPIPE: then all is taken). */
ssize_t client_sink_write(struct client_sink *s, const void *p, size_t n);

/* Prompts on the controlling terminal; both fail without one. */
bool client_ask_trust(void *arg, const char *host, const char *fingerprint);
int client_ask_passphrase(void *arg, const char *prompt, char *out, size_t size);

/* What coral exits with, from FR_RESULT's object; -1 when it does not say. */
int client_exit_code(const json_t *result);

#endif
