/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_SERVER_INT_H
#define CORAL_TRANSPORT_SERVER_INT_H

/*
 * The transport process from within.  libssh calls back while it dispatches
 * and may dispatch within ssh_channel_write(): a callback only moves bytes and
 * sets flags; nothing is freed before srv_settle() at the end of a turn.
 */
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include "base/buf.h"
#include "base/loop.h"
#include "transport/frame.h"
#include "transport/privmsg.h"
#include "transport/remote_pki.h"
#include "transport/request.h"
#include "transport/server.h"

#define CHUNK (64 * 1024)
#define HELD_MAX (8 * 1024 * 1024)
/* Fewer do not count: what is given back is soon needed again. */
#define SRV_TIDY_TURNS 64

enum chan_state {
	CH_NEW,	   /* open, its kind not known yet */
	CH_HEAD,   /* coral: the first frame is on its way */
	CH_WAIT,   /* the broker is asked */
	CH_STREAM, /* a keeper is at the other end */
	CH_DRAIN,  /* the last bytes to the peer, then close */
	CH_SHUT,   /* closed here, the peer has not yet */
};

struct srv;
struct stock;

struct chan {
	struct srv *srv;
	struct chan *next;
	ssh_channel ssh;
	struct ssh_channel_callbacks_struct callbacks;
	enum chan_state state;
	uint32_t id;
	int fd; /* to the keeper, or -1 */
	struct loop_src *src;
	size_t waiting;	     /* bytes from the peer that libssh holds */
	struct buf held;     /* bytes from the peer, taken from libssh all at once */
	struct buf out;	     /* bytes from the keeper that the channel did not take */
	struct stock *stock; /* a stock client's channel */
	bool peer_eof, peer_closed;
	bool keeper_eof;  /* nothing more comes */
	bool keeper_deaf; /* nothing more is read there */
	bool stalled;	  /* a write to the channel came up short in this turn */
};

struct srv {
	struct tp_server *conf;
	ssh_session ssh;
	ssh_event event;
	struct ssh_server_callbacks_struct callbacks;
	struct remote_pki pki;
	struct loop *loop;
	struct loop_src *net, *mon;
	struct loop_timer beat, login;
	struct chan *chans;
	int nchans;
	uint32_t next_id;
	bool authed, mon_lost, ending;
	bool proven; /* the broker verified the signature that libssh tells of next */
	unsigned turns, turns_at_beat; /* in which the peer moved, since memory was given back */
	int tries, asked;
	char user[REQUEST_NAME_MAX + 1]; /* the SSH user part: the target */
	unsigned char scratch[CHUNK];
	unsigned char msg[PM_MAX];
};

/* server_auth.c */
int srv_on_none(ssh_session s, const char *user, void *arg);
int srv_on_pubkey(
    ssh_session s, const char *user, struct ssh_key_struct *key, char state, void *arg);
void srv_login_over(void *arg);
/* What remote_pki.h asks; arg is the srv. */
int srv_sign(void *arg, const unsigned char *hash, size_t n, unsigned char sig[HOSTKEY_SIGNATURE]);
void srv_verify(void *arg, const unsigned char *sig, size_t sig_len, const unsigned char *data,
    size_t data_len);
void srv_say_why(struct srv *s); /* before ssh_disconnect() */

/* server_monitor.c */
int srv_send(struct srv *s, const void *p, size_t n);
/* Ask and wait for an answer that is no channel's: its type, its length in *len, or -1. */
int srv_ask(struct srv *s, const void *p, size_t n, size_t *len);
void srv_on_monitor(void *arg, short revents);
void srv_beat(void *arg);
/* Send the request; a failure is told to the channel. */
void chan_ask(struct chan *c, const struct request *r);

/* server_channel.c */
ssh_channel srv_on_open(ssh_session s, void *arg);
struct chan *srv_chan(struct srv *s, uint32_t id);
void chan_stream(struct chan *c, int fd);
void chan_refuse(struct chan *c, const struct err *e);
/* Everything libssh holds for the channel, into c->held (empty). */
void chan_take(struct chan *c);
/* Bytes that may be written to the peer now. */
size_t chan_room(const struct chan *c);
/* Write; what was taken.  Short sets c->stalled. */
size_t chan_write(struct chan *c, const void *p, size_t n, bool to_stderr);
/* After a turn: what can move, moves; what is over, ends. */
void chan_settle(struct chan *c);
void chan_free(struct chan *c);

/* server_coral.c: a stream of frames, passed through */
int coral_on_data(struct chan *c, const void *data, uint32_t len);
void coral_head(struct chan *c);
void coral_to_keeper(struct chan *c);
void coral_from_keeper(struct chan *c);

/* server_stock.c: a stock client, frames on the keeper's side only */
struct stock *stock_new(struct chan *c);
void stock_free(struct stock *st);
int stock_pty(struct chan *c, const char *term, int cols, int rows, int xpixel, int ypixel);
int stock_env(struct chan *c, const char *name, const char *value);
int stock_start(struct chan *c, enum request_verb verb, const char *command);
void stock_winch(struct chan *c, int cols, int rows, int xpixel, int ypixel);
void stock_signal(struct chan *c, const char *name);
void stock_fail(struct chan *c, const struct err *e);
int stock_on_data(struct chan *c, const void *data, uint32_t len);
bool stock_wants_in(const struct chan *c);
bool stock_wants_out(const struct chan *c);
void stock_to_keeper(struct chan *c);
void stock_from_keeper(struct chan *c);
/* Everything was told to the peer. */
bool stock_done(const struct chan *c);

/* server_target.c: "checkout", "pod%namespace%container", "pid.42" into r. */
int target_of_user(const char *user, struct request *r, struct err *e);

#endif
