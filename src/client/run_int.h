/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLIENT_RUN_INT_H
#define CORAL_CLIENT_RUN_INT_H

/* One running session, on the user's side. */
#include <signal.h>
#include "base/loop.h"
#include "client/alive.h"
#include "client/client_int.h"
#include "client/dial.h"
#include "client/escape.h"

enum client_run_state {
	RUN_OPENING, /* FR_OPEN sent */
	RUN_OPEN,
	RUN_ENDED,  /* FR_RESULT came */
	RUN_PARTED, /* res->left says why the session goes on without us */
	RUN_FAILED, /* e is set */
	RUN_LEFT,   /* we gave up because of signal left_by */
};

struct client_run_out {
	struct client_run *run;
	const char *name;
	struct client_sink sink;
	struct client_veil *veil; /* or NULL: as it comes */
	struct loop_src *src;
	uint64_t painted; /* of what the sink took: repaints */
};

/* The connection is lost, and the next one is on its way. */
struct client_away {
	int64_t since;	/* clock_mono; 0: it is not lost */
	int64_t back;	/* when the last one was there; 0: it is the first one */
	unsigned flaps; /* connections that did not last, one after the other */
	unsigned tries;
	struct client_dial *dial;
	struct loop_src *dialed;
	struct loop_timer again, line;
	struct err why;	  /* of the last failure */
	bool shown;	  /* the status line */
	bool stale;	  /* the terminal was somebody else's meanwhile */
	uint64_t dropped; /* bytes typed for which there was no room */
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
	char id[64], token[65];
	bool tty;   /* the session has a terminal */
	bool raw;   /* and ours is given to it */
	bool looks; /* we only look on */
	bool gap;   /* a repaint stands for some of the output */
	bool lost;  /* the connection; what had arrived is still delivered */
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
	uint16_t rows, cols; /* as the agent was told */
	struct client_escape escape;
	bool parting; /* FR_DETACH or FR_HANGUP was sent */
	struct client_alive alive;
	int alive_fd;
	struct loop_src *alive_src;
	int unsent; /* bytes that the network had not taken when we asked */
	struct loop_timer tell, more;
	struct client_away away;
};

/* session.c */
int client_run_fail(struct client_run *s); /* stops the loop; -1 */
void client_run_leave(struct client_run *s, int signo);
/* To be called after every send as well, which may have read from the connection on its way. */
void client_run_pump(struct client_run *s);
int client_run_deliver(struct client_run *s, struct client_run_out *o, const struct frame *f);
/* A loss of the connection is none of its failures: client_run_pump() will see to it. */
int client_run_send(struct client_run *s, enum frame_type type, const void *p, size_t n);
void client_run_lost(struct client_run *s, const struct err *why);
int client_run_listen(struct client_run *s); /* to the new connection */

/* frames.c: one whole frame; 0, or -1 (err). */
int client_run_frame(struct client_run *s, const struct frame *f);
void client_run_notice(const struct client_run *s, const char *text, size_t n);
json_t *client_run_object(const struct frame *f, const char *what, struct err *e);
/* Who leaves with "why"; `by` may be NULL. */
void client_run_part(struct client_run *s, const char *why);

/* verdict.c: the end of it all, as client_session(). */
bool client_run_guest(const struct client_run *s); /* watches or joined */
int client_run_verdict(struct client_run *s);

/* input.c: standard input. */
int client_run_input(struct client_run *s);

/* signals.c */
int client_run_signals(struct client_run *s);
void client_run_signals_end(struct client_run *s);
/* false: not known, and v is the usual one. */
bool client_run_size(const struct client_run *s, uint16_t v[4]);
int client_run_send_size(struct client_run *s);

/* pulse.c: the other end is asked whether it is there. */
int client_run_pulse(struct client_run *s);
void client_run_pulse_end(struct client_run *s);
void client_run_heard(struct client_run *s);
int client_run_key(struct client_run *s); /* one was typed */

/* away.c */
bool client_run_returns(const struct client_run *s); /* after a loss */
void client_run_go_away(struct client_run *s, const struct err *why);
/* The first frame of a new connection, if it is here.  -1: err. */
int client_run_answer(struct client_run *s);
int client_run_give_up(struct client_run *s); /* -1 */
void client_run_away_end(struct client_run *s);

/* line.c: the last row of the person's terminal. */
void client_line_show(const struct client_run *s, const char *text);
void client_line_hide(const struct client_run *s);

#endif
