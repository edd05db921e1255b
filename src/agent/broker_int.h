/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AGENT_BROKER_INT_H
#define CORAL_AGENT_BROKER_INT_H

#include "agent/broker.h"
#include "base/clock.h"
#include "base/loop.h"
#include "record/store.h"
#include "session/policy.h"
#include "transport/authkeys.h"
#include "transport/hostkey.h"
#include "transport/privmsg.h"
#include "transport/server.h"

#define BROKER_LOGIN_NS (20 * NS_PER_S)
#define BROKER_SILENCE_NS (10 * NS_PER_S) /* a transport that hangs is killed */
#define BROKER_TRIES 6
#define BROKER_ASKED 64	   /* messages before authentication, heartbeats and all */
#define BROKER_CHANNELS 16 /* sessions at once on one connection */
/* A stream that an earlier keeper took (attach, watch, join) has no process of ours by which it is
 * counted: so many in the life of a connection. */
#define BROKER_GIVEN 256
#define BROKER_SESSIONS 4096
#define BROKER_CONNS 2048
/* Of one person beyond what policy allows: questions about sessions, which end by themselves; and
 * connections, to be told there why. */
#define BROKER_ASKING 256
#define BROKER_OVER 16
/* Unauthenticated connections over TCP: random early drop from START, none over FULL. */
#define BROKER_STARTUPS_START 20
#define BROKER_STARTUPS_FULL 60
/* And of one address, so that it alone keeps nobody else out. */
#define BROKER_STARTUPS_EACH 10

enum conn_state { CONN_PREAUTH = 1, CONN_AUTHED = 2 };

struct broker;

/* One connection, and the transport process that serves it. */
struct conn {
	struct broker *b;
	struct conn *next;
	enum conn_state state;
	struct policy_who who;
	unsigned char *key; /* that let him in; NULL over the unix socket */
	size_t key_len;
	char key_type[64];
	char peer[80];
	unsigned char source[8]; /* over TCP; of one machine or site */
	pid_t pid;
	int pidfd, monitor;
	struct loop_src *pid_src, *monitor_src;
	struct loop_timer t_login, t_silence;
	int tries, asked;
	char refused[96]; /* the last key that was */
	bool has_id;
	unsigned char id[HOSTKEY_HASH]; /* of the session: the first hash that was signed */
	size_t sessions, given;
	bool over; /* was one too many of this person's */
};

/* A process of ours that ends by itself. */
enum work { WORK_KEEPER, WORK_CLEANER, WORK_SCOUT, WORK_ARCHIVE, WORK_PRUNE, WORK_HEADS };
struct worker {
	struct broker *b;
	struct worker *next;
	struct conn *conn; /* NULL: gone, or found at start */
	pid_t pid;	   /* 0: not our child (its broker died) */
	int pidfd;
	struct loop_src *src;
	char id[STORE_ID_LEN + 1];
	char user[64]; /* whose limit it counts against; "" nobody's */
	enum work kind;
};

/* The process that writes the audit log. */
struct broker_audit {
	struct tp_sandbox sandbox;
	char dir[512];
	pid_t pid; /* 0: none now */
	int pidfd, listener;
	int out; /* a copy of standard output, or -1 */
	struct loop_src *src;
	struct loop_timer t_again;
	int64_t second; /* refusals are told singly up to a number a second */
	unsigned told, untold;
};

struct broker {
	struct loop *loop;
	const struct conf *conf;
	struct policy *policy;
	struct tp_sandbox sandbox;
	struct hostkey hostkey;
	struct keyfile evidence_key;
	struct broker_audit audit;
	int lock, unix_sock, tcp_sock, signal_fd;
	struct loop_src *unix_src, *tcp_src, *signal_src;
	gid_t group; /* coral, or (gid_t)-1 */
	bool embedded, stopping;
	struct conn *conns;
	struct worker *workers;
	size_t conn_count, unauthed, worker_count;
	struct loop_timer t_archive;
	bool archiving, archive_more; /* a session ended meanwhile */
	struct loop_timer t_reap, t_quiet;
	struct loop_timer t_prune, t_heads;
};

/* broker.c: somebody came or went; after a while without, memory is given back. */
void broker_stir(struct broker *b);

/* broker_listen.c */
int broker_listen_unix(struct broker *b, struct err *e);
int broker_listen_tcp(struct broker *b, struct err *e);
void broker_unlisten(struct broker *b);

/* broker_conn.c: takes sock; `who` NULL: must prove a key.  NULL: it failed, and said so. */
struct conn *broker_conn_start(
    struct broker *b, int sock, const struct policy_who *who, const char *peer);
void broker_conn_end(struct conn *c, const char *why);

/* broker_table.c: one message from a transport. */
void broker_answer(struct conn *c, const unsigned char *p, size_t n);
int broker_reply(struct conn *c, enum privmsg_type type, const void *p, size_t n);

/* broker_auth.c: rows of the table. */
int broker_auth_sign(struct conn *c, struct rd *r);
int broker_auth_key(struct conn *c, struct rd *r);
int broker_auth_verify(struct conn *c, struct rd *r);
/* Whether who was let in would be so now; his roles are those of now. */
int broker_auth_still(struct conn *c, struct err *e);

/* broker_work.c */
int broker_work_keeper(
    struct conn *c, const unsigned char *request, size_t n, int *stream, struct err *e);
/* Watch the keepers that an earlier broker left, clean up after those that died. */
void broker_work_adopt(struct broker *b);
/* A child of this kind, just forked; -1: it is no more. */
int broker_work_watch(struct broker *b, pid_t pid, enum work kind);
/* A pidfd; on -1 the child is no more. */
int broker_hold_child(pid_t pid);
/* Look for all containers now, so that whoever asks first need not wait for that. */
void broker_work_scout(struct broker *b);
void broker_work_stop_all(struct broker *b); /* SIGTERM to the keepers; no scout is left */

/* broker_archive.c: a process that does what is due with recordings that go on no more. */
void broker_archive_start(struct broker *b);
void broker_archive_ended(struct broker *b, bool later);
/* A session ended: there will be something to do. */
void broker_archive_session(struct broker *b);

/* broker_limits.c: what one person may have. */
size_t broker_limits_conns(const struct broker *b, const struct policy_who *who);
size_t broker_limits_work(const struct broker *b, const struct policy_who *who);
/* A new connection of theirs.  -1: not even to be told. */
int broker_limits_enter(struct broker *b, const struct policy_who *who, bool *over);
int broker_limits_check(struct conn *c, struct err *e); /* before each request */

/* broker_evidence.c: the key that certifies those of sessions. */
int broker_evidence_load(struct broker *b, struct err *e);
/* Its public half, when the audit log was told of the key; or that as well, when nobody was. */
int broker_evidence_publish(const struct broker *b, struct err *e);
int broker_evidence_tell(const struct broker *b, struct err *e);
/* Make a key for a session, into the pipe to its keeper. */
void broker_evidence_give(const struct broker *b, const char *id, int to);

/* broker_audit.c: start the writer; agent.start is in the log then. */
int broker_audit_start(struct broker *b, bool in_container, struct err *e);
void broker_audit_stop(struct broker *b);
/* Somebody was not let in.  `user` may be NULL. */
void broker_audit_refused(struct broker *b, const char *user, const char *peer, const char *why);
/* An unauthenticated connection that had tries refused is over. */
void broker_audit_conn(const struct conn *c);

/* broker_prune.c: again when the policy is another. */
void broker_prune_plan(struct broker *b);

/* broker_heads.c: where audit.heads says so; `status` as of waitpid(2). */
void broker_heads_start(struct broker *b);
void broker_heads_ended(struct broker *b, int status);

/* broker_reap.c: wait for the orphans that process 1 inherited. */
void broker_reap(struct broker *b);

/* broker_who.c: who is on the other end of a unix socket; -1: may not use this agent. */
int broker_who(const struct broker *b, int sock, struct policy_who *w, struct err *e);
gid_t broker_coral_group(void);

#endif
