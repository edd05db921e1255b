/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_MUX_INT_H
#define CORAL_TRANSPORT_MUX_INT_H

/*
 * The master from within.  As in the agent's transport, libssh's callbacks only
 * move bytes and set flags; nothing is freed before mux_settle().
 *
 * A guest sends its hello: a length (4 bytes) and the key's blob, which begins
 * with the version.  The answers are one byte each.
 */
#include <libssh/callbacks.h>
#include <sys/stat.h>
#include "base/loop.h"
#include "transport/client_int.h"
#include "transport/mux.h"

#define MUX_SAY_WAIT 'W' /* a channel is being opened: GO or another answer follows */
#define MUX_SAY_GO 'G'	 /* from here on the channel's bytes */
#define MUX_SAY_FULL 'F' /* no channel is free: dial, and leave this master alone */
#define MUX_SAY_NO 'N'	 /* not over this one: dial, and replace it */

/* As many as an agent allows on one connection. */
#define MUX_CHANNELS 16
#define MUX_GUESTS 128

enum mux_state {
	MUX_OPENING, /* the channel */
	MUX_NAMING,  /* the subsystem */
	MUX_SPARE,   /* open, nobody has it yet */
	MUX_USED,
	MUX_SHUT, /* closed here, the agent has not yet */
};

struct mux_master;

struct mux_chan {
	struct mux_master *m;
	struct mux_chan *next;
	ssh_channel ssh;
	struct ssh_channel_callbacks_struct callbacks;
	enum mux_state state;
	int fd; /* to the guest */
	struct loop_src *src;
	size_t waiting;	 /* bytes from the agent that libssh holds */
	struct buf held; /* bytes from the agent, taken from libssh all at once */
	struct buf out;	 /* bytes from the guest that the channel did not take */
	bool agent_eof, agent_closed;
	bool said_eof, guest_eof, guest_gone, guest_deaf;
	bool spoiled; /* the agent spoke first: it takes nothing on this connection */
	bool stalled;
};

struct mux_guest {
	struct mux_master *m;
	struct mux_guest *next;
	int fd;
	struct loop_src *src;
	struct loop_timer late;
	struct buf hello;
	bool known, done;
};

struct mux_master {
	struct loop *loop;
	struct tp_client *c; /* the connection; its channel is one of chans */
	int listener, dir;
	const struct mux_key *key;
	struct stat sock; /* of ours */
	int64_t idle_ns;
	struct loop_src *net, *door;
	struct loop_timer life, idle, look, spare;
	struct mux_chan *chans;
	int nchans;
	struct mux_guest *guests;
	int nguests;
	bool want_spare, idling, retired, lost;
	unsigned char scratch[64 * 1024];
};

/* mux_place.c: names in the directory. */
int mux_dir_open(const char *path, struct err *e); /* -1: absent (no error), or not safe */
int mux_dial(int dir, const char *name);
int mux_listen(int dir, const char *name, struct stat *st);
/* Ours, or gone, or another's. */
bool mux_is_there(int dir, const char *name, const struct stat *st);
void mux_unlink(int dir, const char *name, const struct stat *st);

/* mux_chan.c */
struct mux_chan *mux_chan_new(struct mux_master *m, ssh_channel ssh);
void mux_chan_use(struct mux_chan *ch, int fd); /* takes fd */
void mux_chan_settle(struct mux_chan *ch);
void mux_chan_free(struct mux_chan *ch);

/* mux_guest.c */
void mux_door_open(struct mux_master *m);
void mux_guests_settle(struct mux_master *m);
bool mux_lacks_spare(const struct mux_master *m);

/* mux_master.c: serves `first` with the client's channel, then others. */
_Noreturn void mux_master_main(struct mux_master *m, int first);
void mux_retire(struct mux_master *m); /* nobody new */

#endif
