/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_REQUEST_H
#define CORAL_TRANSPORT_REQUEST_H

/*
 * What a person asks an agent for, as it travels: a version byte, then
 * (tag u8, length u32, bytes) until the end.  Decoding is strict: an unknown
 * tag, a repeated single tag, a string with a NUL or over its cap, or a missing
 * verb is an error, and nothing is half-taken.  Identity is never in here: it
 * comes from the key or the socket.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

enum request_verb {
	REQ_NONE,
	REQ_EXEC,
	REQ_SHELL,
	REQ_PS,	      /* answer: JSON array of targets */
	REQ_SESSIONS, /* answer: JSON array of sessions the caller may see */
	REQ_SHOW,     /* id; answer: JSON object: header and end of one recording */
	REQ_READ,     /* id, follow; answer: the bytes of the recording */
	REQ_REMOVE,   /* id; answer: JSON object */
	REQ_ATTACH,   /* id: the caller's own session again; or, with token, this connection anew */
	REQ_WATCH,    /* id: look on */
	REQ_JOIN,     /* id: look on, and have the keyboard when it is given */
	REQ_KILL,     /* id; answer: JSON object */
	REQ_FREEZE,   /* id; answer: JSON object */
	REQ_THAW,     /* id; answer: JSON object */
	REQ_UNSEAL,   /* id; answer: the bytes of the recording, for who opens what is sealed in it */
	REQ_VERB_COUNT
};

enum request_disconnect { REQ_DISC_DEFAULT, REQ_DISC_DETACH, REQ_DISC_HANGUP, REQ_DISC_KILL };

#define REQUEST_ARGV_MAX 4096	     /* entries */
#define REQUEST_ENV_MAX 256	     /* entries */
#define REQUEST_ARG_MAX (128 * 1024) /* bytes of one argv or env entry */
#define REQUEST_NAME_MAX 253	     /* bytes of a name */
#define REQUEST_TEXT_MAX 1024	     /* workdir, reason */

struct request {
	enum request_verb verb;

	/* target; "" or 0 = not given */
	char word[REQUEST_NAME_MAX + 1];
	char service[REQUEST_NAME_MAX + 1];
	char pod[REQUEST_NAME_MAX + 1];
	char ns[REQUEST_NAME_MAX + 1]; /* Kubernetes namespace */
	char container[REQUEST_NAME_MAX + 1];
	uint32_t pid;

	char **argv; /* NULL-terminated; owned; NULL when none (shell) */
	size_t argc;
	char **env; /* "K=V", NULL-terminated; owned */
	size_t envc;

	bool tty;
	uint16_t rows, cols, xpixel, ypixel;
	char term[64]; /* TERM of the client, [A-Za-z0-9._+-] */

	char user[REQUEST_NAME_MAX + 1]; /* -u NAME|UID[:GROUP] */
	char workdir[REQUEST_TEXT_MAX + 1];
	char namespaces[128]; /* --namespaces: "mnt,pid,net"; "" = default */
	uint64_t timeout_ms;  /* 0 = none */
	enum request_disconnect on_disconnect;
	bool privileged, no_record;
	bool seccomp_copy; /* --seccomp=copy */
	char reason[REQUEST_TEXT_MAX + 1];

	char id[64];	/* a session id */
	bool resumable;	 /* the client keeps count: tell it a token */
	char token[65];	 /* of the connection that was lost, from FR_OPENED */
	bool follow;	 /* READ: what comes as well, until the session is over */
	uint64_t received; /* bytes of the agent's stream that arrived on it */
	char client[64]; /* "coral 0.1.0", "ssh": what asked; for the record only */
};

void request_init(struct request *r);
void request_fini(struct request *r);
/* Copies; -1 when full or too long. */
int request_add_arg(struct request *r, const char *arg);
int request_add_env(struct request *r, const char *kv);

int request_encode(const struct request *r, struct buf *out, struct err *e);
/* r must be initialised; on -1 it is left initialised and empty. */
int request_decode(struct request *r, const unsigned char *p, size_t n, struct err *e);
/* "exec", "shell", "ps" ... */
const char *request_verb_name(enum request_verb v);

#endif
