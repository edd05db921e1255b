/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_KEEPER_INT_H
#define CORAL_SESSION_KEEPER_INT_H

#include <jansson.h>
#include <sys/ioctl.h>
#include "base/clock.h"
#include "base/loop.h"
#include "record/cast.h"
#include "session/keeper.h"
#include "session/keeper_door.h"
#include "session/keeper_guard.h"
#include "session/stream.h"
#include "target/enter.h"
#include "transport/frame.h"

/* Frames on their way to a client: enough that a burst is one write, and
 * room that output never takes, so that a notice or the result always fits. */
#define KEEPER_OUT_RESERVE (2 * (FRAME_DATA_MAX + FRAME_HEAD))
#define KEEPER_OUT_MAX (4 * (FRAME_DATA_MAX + FRAME_HEAD) + KEEPER_OUT_RESERVE)
/* Frames from a client that are not handled yet. */
#define KEEPER_IN_MAX (2 * (FRAME_DATA_MAX + FRAME_HEAD))
#define KEEPER_GRACE_NS (5 * NS_PER_S)
/* Everything that is looked up in the container before its command is started. */
#define KEEPER_BEGIN_NS (8 * NS_PER_S)
/* A full disk holds the session this long before it ends (record.on_failure: block). */
#define KEEPER_BLOCK_NS (30 * NS_PER_S)
/* When the command is gone its last output is recorded at once, also when the client does not take
 * it: it is held here.  A pipe has 1 MiB, unless its owner made it larger; a terminal much less. */
#define KEEPER_LAST_MAX (4 * 1024 * 1024)
#define KEEPER_LAST_TTY (256 * 1024)

enum keeper_phase {
	KEEPER_RUNNING,
	KEEPER_ENDING,	 /* told to end: TERM sent, KILL follows */
	KEEPER_DRAINING, /* the command is gone; its last output is not all read */
	KEEPER_TELLING,	 /* result queued; waiting for the client to take it */
	KEEPER_DONE,
};

/* One direction of output. */
struct keeper_source {
	struct keeper *k;
	struct loop_src *src;
	int fd; /* -1 at its end */
	enum cast_stream stream;
	enum frame_type frame;
	bool bounded;	     /* the command is gone: `left` is all that is still its output */
	size_t left;
	unsigned char *held; /* read, not yet recorded; only while recording fails */
	size_t held_len;
};

/* Somebody who is attached. */
struct keeper_client {
	struct keeper *k;
	struct keeper_client *next, *next_gone;
	int fd;
	struct loop_src *src;
	bool opened; /* FR_OPENED is said: what waits may go */
	bool gone;   /* freed at the end of the turn */
	struct buf in;
	struct stream s;
	uint64_t input_received, input_granted;
	bool input_eof;
};

#define KEEPER_SIGNALS 11
/* Asked for, and not done before `next` (clock_mono). */
struct keeper_signal {
	bool waiting;
	int64_t next;
	uint64_t left_out; /* the same, merged into the one that waits */
};
struct keeper_resize {
	bool waiting;
	int64_t next;
	uint64_t left_out;
	struct winsize size;
	struct loop_timer timer;
};

struct keeper {
	const struct keeper_start *start;
	const struct request *req;
	struct policy_session rules;
	struct loop *loop;
	enum keeper_phase phase;

	/* clients */
	struct keeper_client *clients, *gone;
	struct keeper_client *owner; /* whose session it is; NULL: not attached */
	struct keeper_client *keyboard;
	struct buf spare; /* output is read into it when there is no owner */

	/* target and command */
	struct tgt_sys sys;
	struct tgt target;
	struct tgt_hold hold;
	struct enter_plan *plan;
	struct enter_child child;
	struct loop_src *pidfd_src;
	json_t *context;

	/* streams */
	int master; /* PTY, or -1 */
	int input;  /* where stdin goes: a pipe, or the master; -1 closed */
	struct loop_src *input_src;
	struct buf input_q;
	uint64_t input_written;
	bool input_eof;
	unsigned char input_last; /* byte of stdin; 0: none yet */
	struct keeper_source output[2];
	struct keeper_resize resize;
	struct keeper_signal signals[KEEPER_SIGNALS];
	struct loop_timer t_signals;

	/* record */
	int store_dir, store_lock;
	struct cast_writer *cast;
	int64_t blocked_since; /* recording fails since then, output is held back; 0: it works */
	bool record_broken;    /* given up: what comes is read and dropped, and the session ends */

	/* end */
	int64_t started, last_output, last_taken, drain_since; /* clock_mono */
	int wait_status;
	const char *cause; /* "exit", "signal", "timeout", ... */
	bool leader_gone, agent_stops;
	json_t *survivors;
	struct err failure; /* ended by coral itself: what the client is told */
	struct loop_timer t_grace, t_flush, t_sync, t_block, t_farewell;
	struct loop_src *signal_src;
	int signal_fd;
	int exit_code; /* of the keeper process */
	struct keeper_guard *guard;

	struct keeper_door door;
	bool frozen;	    /* no input is taken, no output read */
	int64_t last_typed; /* clock_mono; 0 never */
};

json_t *keeper_clients_json(const struct keeper *k);
void keeper_tell_all(struct keeper *k, const char *text);

/* keeper_begin.c: everything before the first byte.  On -1 nothing is left behind. */
int keeper_begin(struct keeper *k, struct err *e);

/* keeper_relay.c */
int keeper_relay_init(struct keeper *k, struct err *e);
void keeper_notice(struct keeper *k, const char *text);
/* For one more block of output, or nobody waits for it. */
bool keeper_has_room(const struct keeper *k);

/* keeper_client.c: takes fd.  NULL: no memory. */
struct keeper_client *keeper_client_new(struct keeper *k, int fd, size_t max);
/* Puts FR_OPENED or its like at the front, and lets go what waits. */
void keeper_client_open(struct keeper_client *c, enum frame_type type, const void *p, size_t n);
void keeper_client_put(struct keeper_client *c, enum frame_type type, const void *p, size_t n);
void keeper_client_flush(struct keeper_client *c);
/* The connection is gone: policy decides. */
void keeper_client_lost(struct keeper_client *c);
/* Free those that went. */
void keeper_clients_bury(struct keeper *k);

/* keeper_input.c: frames from a client. */
void keeper_take_frames(struct keeper_client *c);
void keeper_take_all_frames(struct keeper *k);
void keeper_write_input(struct keeper *k);

/* keeper_events.c: as take() of a frame: 0, or -1 when it is malformed. */
int keeper_take_winch(struct keeper *k, const struct frame *f);
int keeper_take_signal(struct keeper *k, const struct frame *f);
/* Before the recording is sealed. */
void keeper_events_over(struct keeper *k);

/* keeper_output.c: the command's output, recorded and then sent. */
void keeper_output_ready(struct keeper_source *s);
void keeper_after_write(struct keeper *k);
/* The tree is ended: what comes beyond what it left behind is somebody else's. */
void keeper_output_bound(struct keeper *k);
bool keeper_output_over(const struct keeper *k);
void keeper_record_trouble(struct keeper *k, const struct err *e);
void keeper_sync_later(struct keeper *k);

/* keeper_end.c */
void keeper_stop(struct keeper *k, const char *cause, int signo); /* TERM or HUP, grace, KILL */
void keeper_stop_now(struct keeper *k, const char *cause);	  /* KILL */
void keeper_leader_exited(struct keeper *k);
/* The agent's container is being stopped. */
void keeper_agent_stops(struct keeper *k);
/* When the command is gone and its output is read: write the end, queue the result. */
void keeper_maybe_finish(struct keeper *k);

#endif
