/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_KEEPER_INT_H
#define CORAL_SESSION_KEEPER_INT_H

#include <jansson.h>
#include <sys/ioctl.h>
#include "base/attr.h"
#include "base/clock.h"
#include "base/loop.h"
#include "record/cast.h"
#include "record/redactor.h"
#include "session/control.h"
#include "session/keeper.h"
#include "session/keeper_audit.h"
#include "session/keeper_door.h"
#include "session/keeper_guard.h"
#include "session/painter.h"
#include "session/stream.h"
#include "target/enter.h"
#include "transport/frame.h"

/* Frames on their way to a client: enough that a burst is one write, and
 * room that output never takes, so that a notice or the result always fits. */
#define KEEPER_OUT_RESERVE (2 * (FRAME_DATA_MAX + FRAME_HEAD))
#define KEEPER_OUT_MAX (4 * (FRAME_DATA_MAX + FRAME_HEAD) + KEEPER_OUT_RESERVE)
/* What is not acknowledged of what a client was sent that may come back; and how much of it is
 * kept while its connection is lost. */
#define KEEPER_KEPT_MAX (1024 * 1024)
#define KEEPER_KEPT_LOST (256 * 1024)
/* Output that somebody else than the owner has not taken: more is skipped. */
#define KEEPER_LATER_MAX (256 * 1024)
/* Of a painting: so much waits for its client at a time. */
#define KEEPER_PAINT_MAX (128 * 1024)
/* Told meanwhile; more is painted over. */
#define KEEPER_NOTICES_MAX 8192
/* After so much output memory is given back, and what is needed again costs some page faults: a
 * person who types does not come to so much. */
#define KEEPER_UNTIDY (64 * 1024)
#define KEEPER_CLIENTS 64
#define KEEPER_OLD_TOKENS 8
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
	bool bounded; /* the command is gone: `left` is all that is still its output */
	size_t left;
	unsigned char *held; /* read, not yet recorded; only while recording fails */
	size_t held_len;

	/* record.redact: what may be recorded of it (behind room for a frame's head), and is not
	 * recorded or sent yet.  NULL: the output is recorded as it is. */
	struct redactor *redactor;
	struct buf redacted;
	bool redact_lost; /* no memory: nothing more can be said of the stream */
};

enum keeper_role {
	KEEPER_OWNER,  /* began the session, or took it over: what it does not take is waited for */
	KEEPER_JOINED, /* looks on, and may have the keyboard */
	KEEPER_WATCHING,
};

/* Somebody who is attached. */
struct keeper_client {
	struct keeper *k;
	struct keeper_client *next, *next_gone;
	enum keeper_role role;
	char user[64], peer[80];
	int64_t since;	    /* clock_real */
	int64_t last_typed; /* clock_mono */
	struct winsize size;

	int fd; /* -1: its connection is lost, and may come back */
	struct loop_src *src;
	bool began;   /* the session began for it */
	bool opened;  /* FR_OPENED is said: what waits may go */
	bool leaving; /* FR_LEFT is said: heard no more, and gone when it is written */
	bool gone;    /* freed at the end of the turn */
	struct buf in;
	struct stream s;
	struct loop_timer t_tell, t_leave;
	char token[65];	  /* "": cannot come back */
	bool gap;	  /* some of what it lacks is dropped */
	bool restarted;	  /* it was, and the counts began anew */
	bool tell_later;  /* there was no room for an acknowledgement */
	bool owed_result; /* behind the painting that is under way */

	uint64_t input_received, input_granted;
	bool input_eof;
	struct buf typed; /* behind what somebody typed before, and the command has not read */
	bool told_deaf;	  /* that its keys go nowhere */
	uint64_t asked;	  /* for the keyboard, the how-manieth to do so; 0: not */

	uint64_t delivered[2]; /* bytes of output that it was sent, since FR_OPENED */
	/* Not the owner: output behind what it has not taken yet, or behind a painting. */
	struct buf later;
	uint64_t later_bytes[2];
	bool shared;	  /* output was put, and is to be written */
	bool behind;	  /* that was too much */
	bool unfit;	  /* what it was sent was drawn for a terminal of another size */
	uint64_t skipped; /* bytes, since it was told */

	/* keeper_paint.c */
	bool painting; /* the painter is at it */
	struct buf paint;
	struct buf held;    /* comes behind it: the owner had seen it, and it is not painted */
	struct buf notices; /* frames, behind that */
	int64_t next_paint, next_keyboard, next_who; /* clock_mono: not again before */
	struct loop_timer t_paint;
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
	struct winsize size, now; /* wanted, and in force */
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
	struct keeper_client *owner;	/* whose session it is; NULL: not attached */
	struct keeper_client *keyboard; /* who types; may be an owner whose connection is lost */
	struct buf spare;		/* output is read into it when there is no owner */
	uint64_t asked;			/* how often for the keyboard */
	char old_tokens[KEEPER_OLD_TOKENS][65];
	unsigned old_token;
	struct loop_timer t_keep, t_back;
	int64_t keep_until; /* clock_mono; who lost the connection may come back until then */
	json_t *result;	    /* what who comes back then is told */

	/* repaints */
	struct painter *painter;
	uint64_t caught_up; /* bytes of the recording */
	struct loop_timer t_catch_up;

	/* target and command */
	struct tgt_sys sys;
	struct tgt target;
	struct tgt_hold hold;
	struct enter_plan *plan;
	struct enter_child child;
	struct loop_src *pidfd_src;
	json_t *context; /* NULL: it is context_text now */
	char *context_text;

	/* streams */
	int master; /* PTY, or -1 */
	int input;  /* where stdin goes: a pipe, or the master; -1 closed */
	struct loop_src *input_src;
	struct buf input_q;
	uint64_t input_written;
	bool input_eof;
	unsigned char input_last; /* byte of stdin; 0: none yet */
	struct loop_timer t_eof;
	int64_t eof_delay;
	unsigned eof_typed; /* again, how often */
	struct keeper_source output[2];
	struct keeper_resize resize;
	struct keeper_signal signals[KEEPER_SIGNALS];
	struct loop_timer t_signals;

	/* record */
	int store_dir, store_lock;
	struct cast_writer *cast;
	int64_t blocked_since; /* recording fails since then, output is held back; 0: it works */
	bool record_broken;    /* given up: what comes is read and dropped, and the session ends */
	struct redactor_rules *redact_rules;
	struct loop_timer t_redact;

	/* end */
	size_t untidy; /* bytes of output since memory was given back */
	int64_t started, last_output, last_taken, drain_since; /* clock_mono */
	int wait_status;
	const char *cause; /* "exit", "signal", "timeout", ... */
	bool leader_gone, agent_stops;
	json_t *survivors;
	struct err failure; /* ended by coral itself: what the client is told */
	struct loop_timer t_grace, t_flush, t_sync, t_block, t_farewell, t_tidy;
	struct loop_src *signal_src;
	int signal_fd;
	int exit_code; /* of the keeper process */
	struct keeper_guard *guard;

	struct keeper_door door;
	struct keeper_audit audit;
	bool frozen;	    /* no input is taken, no output read */
	int64_t last_typed; /* clock_mono; 0 never */
};

/* keeper_begin.c: everything before the first byte.  On -1 nothing is left behind. */
int keeper_begin(struct keeper *k, struct err *e);

/* keeper_relay.c */
int keeper_relay_init(struct keeper *k, struct err *e);
void keeper_watch_input(struct keeper *k);
/* So much output went by, or as good as that: when it has gone quiet, memory is given back. */
void keeper_tidy_later(struct keeper *k, size_t moved);
/* For one more block of output, or nobody waits for it. */
bool keeper_has_room(const struct keeper *k);

/* keeper_client.c: takes fd.  NULL: no memory. */
struct keeper_client *keeper_client_new(struct keeper *k, int fd, size_t max);
/* Puts FR_OPENED or its like at the front, and lets go what waits. */
void keeper_client_open(struct keeper_client *c, enum frame_type type, const void *p, size_t n);
/* A frame that is no output; left out when there is no room. */
void keeper_client_put(struct keeper_client *c, enum frame_type type, const void *p, size_t n);
void keeper_client_flush(struct keeper_client *c);
/* FR_RECEIVED, now or when there is room. */
void keeper_client_tell(struct keeper_client *c);
/* The connection is gone, and the client with it. */
void keeper_client_drop(struct keeper_client *c);
/* Its connection alone. */
void keeper_client_unplug(struct keeper_client *c);
/* Its last frame, in its place behind the output; then it goes. */
void keeper_client_leave(struct keeper_client *c, const json_t *why);
bool keeper_client_is_here(const struct keeper_client *c); /* connected, and not leaving */
/* Free those that went. */
void keeper_clients_bury(struct keeper *k);

/* keeper_lost.c: connections that end, and come back. */
void keeper_client_lost(struct keeper_client *c); /* policy decides */
void keeper_keep_later(struct keeper *k);	  /* nobody is there: until when */
void keeper_left_alone(struct keeper *k);	  /* its owner has gone, and it goes on */
void keeper_kept_too_much(struct keeper_client *c);
void keeper_token_new(struct keeper_client *c);
void keeper_token_drop(struct keeper_client *c);
int keeper_resume(struct keeper *k, struct control_ask *a, struct err *e);
/* The owner may still come back to a session that has ended: it is waited for. */
bool keeper_owner_returns(const struct keeper *k);
void keeper_await_owner(struct keeper *k);
void keeper_await_no_more(struct keeper *k); /* it is not, whoever asks */

/* keeper_attach.c: who comes.  Takes a->stream on 0; the verbs are attach, watch and join. */
int keeper_client_add(struct keeper *k, struct control_ask *a, struct err *e);
/* FR_OPENED; `received`: of a stream that begins anew. */
void keeper_say_opened(struct keeper_client *c, const uint64_t *received);

/* keeper_people.c: who is there, and who types. */
void keeper_tell(struct keeper_client *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void keeper_tell_others(struct keeper *k, const struct keeper_client *c, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* A notice to everybody, and an event. */
void keeper_tell_all(struct keeper *k, const char *text);
/* An event of the recording: who did it. */
void keeper_note_client(const struct keeper_client *c, const char *kind, const char *why);
const char *keeper_role_name(enum keeper_role role);
void keeper_who(struct keeper_client *c);
void keeper_ask_keyboard(struct keeper_client *c);
void keeper_give_keyboard(struct keeper *k, struct keeper_client *to); /* NULL: nobody */
/* array of {"user","peer","role","keyboard","since","idle_s"} */
json_t *keeper_clients_json(const struct keeper *k);

/* keeper_share.c: output for who is not its owner. */
/* Nothing is written yet: who is lost on the way is told of to the others, in the very buffer that
 * `frame` stands in. */
void keeper_share(struct keeper_client *c, const unsigned char *frame, size_t n);
void keeper_share_none(struct keeper_client *c); /* what comes is left out until it took the rest */
void keeper_share_more(struct keeper_client *c); /* what it has was taken */
/* A frame that comes after all output: FR_RESULT, FR_LEFT. */
void keeper_share_last(struct keeper_client *c, enum frame_type type, const void *p, size_t n);

/* keeper_forget.c: in a copy of the keeper, all that somebody typed, was sent or may come back
 * with. */
void keeper_forget(void *keeper);

/* keeper_paint.c: the screen for who comes, or was left behind. */
void keeper_paint(struct keeper_client *c, unsigned what);
void keeper_paint_stop(struct keeper_client *c);
/* Into the stream, as far as there is room. */
void keeper_paint_more(struct keeper_client *c);
bool keeper_is_painting(const struct keeper_client *c); /* or what was painted is not all sent */
void keeper_paint_none(struct keeper *k);		/* the command is gone */
void keeper_catch_up_later(struct keeper *k);

/* A notice that comes behind a painting; false: there is none to wait for. */
bool keeper_paint_then_tell(struct keeper_client *c, const void *p, size_t n);

/* keeper_fit.c: terminals of another size than the session's. */
void keeper_fit_sent(struct keeper *k);	  /* output, to all */
void keeper_fit(struct keeper_client *c); /* the size of one of the two has changed */

/* keeper_input.c: frames from a client. */
void keeper_take_frames(struct keeper_client *c);
void keeper_write_input(struct keeper *k);
void keeper_grant(struct keeper_client *c, bool anew);
/* Somebody else has the keyboard. */
void keeper_input_forget(struct keeper_client *c);
/* A terminal may be typed on again. */
void keeper_reopen_input(struct keeper *k);

/* keeper_eof.c: the end of input on a terminal.  false: not now. */
bool keeper_eof(struct keeper *k);

/* keeper_events.c: as take() of a frame: 0, or -1 when it is malformed. */
int keeper_take_winch(struct keeper_client *c, const struct frame *f);
/* Whatever draws on the terminal is asked to do it again. */
void keeper_redraw(struct keeper *k);
/* The terminal gets the size of who types, at once. */
void keeper_resize(struct keeper *k, const struct winsize *ws);
int keeper_take_signal(struct keeper *k, const struct frame *f);
/* Thawed: what came meanwhile is sent. */
void keeper_signals_held(struct keeper *k);
/* Before the recording is sealed. */
void keeper_events_over(struct keeper *k);

/* keeper_output.c: the command's output, recorded and then sent. */
void keeper_output_ready(struct keeper_source *s);
void keeper_after_write(struct keeper *k);
/* The tree is ended: what comes beyond what it left behind is somebody else's. */
void keeper_output_bound(struct keeper *k);
bool keeper_output_over(const struct keeper *k);
void keeper_record_trouble(struct keeper *k, const struct err *e);
void keeper_tell_held(struct keeper_client *c); /* who comes while it cannot */
void keeper_sync_later(struct keeper *k);

/* keeper_redact.c: record.redact. */
int keeper_redact_begin(struct keeper *k, struct err *e); /* there is a plan */
/* For the header and for the end; NULL: it is off. */
json_t *keeper_redact_facts(const struct keeper *k);
json_t *keeper_redact_count(const struct keeper *k);
/* A text, or texts, of a request as they may be stored: by the policy's rules again.  Takes j. */
json_t *keeper_redact_json(const struct keeper *k, json_t *j);
/* Instead of cast_data(); keeper_redact_again(): what it could not record. */
int keeper_redact_take(struct keeper_source *s, const unsigned char *p, size_t n, struct err *e);
int keeper_redact_again(struct keeper_source *s, struct err *e);
/* To who looks on, what was recorded. */
void keeper_redact_share(struct keeper_source *s);
/* Output is read again: what was kept back may wait for its rest anew. */
void keeper_redact_anew(struct keeper *k);
/* What the owner saw of a terminal, and the recording has not yet. */
void keeper_redact_held(const struct keeper *k, struct buf *to);
/* What was kept back is recorded and sent: nothing follows it. */
void keeper_redact_over(struct keeper *k);
void keeper_redact_trim(struct keeper *k);
void keeper_redact_forget(struct keeper *k);

/* keeper_end.c */
void keeper_spare_helper(struct keeper *k); /* before something is done to the whole tree */
void keeper_stop(struct keeper *k, const char *cause, int signo); /* TERM or HUP, grace, KILL */
void keeper_stop_now(struct keeper *k, const char *cause);	  /* KILL */
/* The end of the command, behind everything else that the client is owed. */
void keeper_put_result(struct keeper_client *c);
void keeper_leader_exited(struct keeper *k);
/* The agent's container is being stopped. */
void keeper_agent_stops(struct keeper *k);
/* Nobody is attached any more after the end: the keeper ends. */
void keeper_end_when_alone(struct keeper *k);
/* When the command is gone and its output is read: write the end, queue the result. */
void keeper_maybe_finish(struct keeper *k);

#endif
