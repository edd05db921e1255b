/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_PAINTER_INT_H
#define CORAL_SESSION_PAINTER_INT_H

#include "base/buf.h"
#include "base/clock.h"
#include "session/painter.h"
#include "transport/server.h"

/*
 * Between keeper and painter process, on a socket.  Orders have one size; the
 * first frame of an answer is kind, serial, length.  The keeper takes the
 * process for hostile: it has read what the container wrote.
 */
enum painter_order_kind { PAINTER_CATCH_UP = 'c', PAINTER_PAINT = 'p' };
enum painter_answer { PAINTER_PIECE = 'P', PAINTER_DONE = 'D', PAINTER_OFFSET = 'O' };
#define PAINTER_ORDER_SIZE 20 /* u32 serial, u8 kind, u8 what, u8 gentle, u8 0, u16, u16, u64 */
#define PAINTER_HEAD_SIZE 9   /* u8 kind, u32 serial, u32 bytes that follow */
#define PAINTER_TOTAL_MAX ((size_t)17 << 20)
#define PAINTER_WAITING_MAX 64

/* An order must get on by this much in that time, or the process is ended. */
#define PAINTER_PATIENCE_NS (10 * NS_PER_S)
#define PAINTER_PATIENCE_IDLE_NS (120 * NS_PER_S)
#define PAINTER_STEP_OFFSET 65536
#define PAINTER_STEP_BYTES 16384
/* Deaths in a row, at about the same place, after which there are no more. */
#define PAINTER_DEATHS_MAX 2
#define PAINTER_NEAR (1024 * 1024)

struct painter_wait {
	struct painter_order o;
	bool cancelled;
	struct painter_wait *next;
};

struct painter {
	struct loop *loop;
	int cast;
	char runtime_dir[256];
	struct tp_sandbox sandbox;
	bool sandboxed; /* it is made */
	void (*forget)(void *arg);
	void *forget_arg;
	void (*run)(int sock, int cast); /* what the process does; tests have others */
	int64_t patience, patience_idle;

	/* the process, while there is one */
	int pid, pidfd, sock;
	struct loop_src *src;
	struct buf in;
	uint32_t serial;
	bool may_lower, lowered;

	struct painter_wait *waiting; /* the first is at hand when active */
	bool active;
	size_t total;	/* bytes of its painting so far */
	uint64_t wish;	/* catch up to here */
	uint64_t asked; /* told to catch up to here */
	uint64_t reached;
	uint64_t step_offset; /* progress is measured from here */
	size_t step_bytes;

	uint64_t died_at;
	int deaths;
	bool given_up;
	struct loop_timer t_deadline, t_next;
};

/* painter_link.c: the process and what comes from it. */
int painter_start(struct painter *p, struct err *e);
/* End it, if there is one. */
void painter_stop(struct painter *p);
/* Before the painter is gone: it broke the protocol, died, or stands still. */
void painter_lost(struct painter *p);
int painter_send(struct painter *p, enum painter_order_kind kind, const struct painter_order *o);
void painter_watch(struct painter *p); /* the deadline from now on */

/* painter.c: the order at hand is done; a piece for it. */
void painter_finish(struct painter *p, bool ok);
bool painter_has_room(const struct painter *p);

/* painter_work.c: the process. */
void painter_run(int sock, int cast);

#endif
