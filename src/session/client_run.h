/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_CLIENT_RUN_H
#define CORAL_SESSION_CLIENT_RUN_H

/* One running exec or shell, on the user's side; client_session.c, client_frames.c,
 * client_signals.c. */
#include <signal.h>
#include "base/loop.h"
#include "session/client_int.h"

enum client_run_state {
	RUN_OPENING, /* FR_OPEN sent */
	RUN_OPEN,
	RUN_ENDED,  /* FR_RESULT came */
	RUN_FAILED, /* e is set */
	RUN_LEFT,   /* we gave up because of signal left_by */
};

struct client_run_out {
	struct client_run *run;
	const char *name;
	struct client_sink sink;
	struct loop_src *src;
};

struct client_run {
	struct client_link link;
	const struct request *req;
	const struct client_io *io;
	struct client_result *res;
	struct err *e;
	struct loop *loop;
	struct loop_src *net, *in, *sig;
	struct client_run_out out, err;
	enum client_run_state state;
	json_t *opened;
	bool lost; /* the connection; what had arrived is still delivered */
	struct err lost_why;
	struct client_sink *blocked; /* waits for its reader */
	size_t part;		     /* of the first frame, already delivered */
	uint64_t credit, sent;
	bool in_ended;
	int in_errno; /* standard input could not be read to its end */
	int sigfd;
	sigset_t old_mask;
	int left_by, last_signo;
	int64_t last_signal;
};

int client_run_fail(struct client_run *s); /* stops the loop; -1 */
void client_run_leave(struct client_run *s, int signo);
void client_run_pump(struct client_run *s);
int client_run_deliver(struct client_run *s, struct client_run_out *o, const struct frame *f);

/* client_frames.c: one whole frame; 0, or -1 (err).  And the end of it all, as client_session(). */
int client_run_frame(struct client_run *s, const struct frame *f);
int client_run_verdict(struct client_run *s);

/* client_signals.c */
int client_run_signals(struct client_run *s);
void client_run_signals_end(struct client_run *s);
int client_run_send_size(struct client_run *s);

#endif
