/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_SERVER_H
#define CORAL_TRANSPORT_SERVER_H

/*
 * The transport process: the only one that parses network bytes.  It holds no
 * privilege (own uid, empty root, no capabilities, no_new_privs, seccomp,
 * rlimits) and asks its broker for everything through privmsg.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

struct sock_filter;

/* Made once by the broker, used by every transport it forks. */
struct tp_sandbox {
	uid_t uid;
	gid_t gid;
	char root[256]; /* an empty directory, root's, mode 0555 */
	struct sock_filter *filter;
	unsigned short filter_len;
	bool enabled; /* false only where the caller is not root (embedded, same uid) */
	bool with_parent; /* the process ends when its parent does */
	bool silent;	  /* it gets no stderr */
};
int tp_sandbox_init(struct tp_sandbox *sb, const char *runtime_dir, struct err *e);
/* For a process of another kind: these system calls, and memory that is never executable. */
int tp_sandbox_init_calls(struct tp_sandbox *sb, const char *runtime_dir, const int *calls,
    size_t n, struct err *e);
/* Give up everything but fd 2 (see silent), a and b.  No way back; on -1 the process must end. */
int tp_sandbox_enter(const struct tp_sandbox *sb, int a, int b, int max_fds, struct err *e);
void tp_sandbox_fini(struct tp_sandbox *sb);

struct tp_server {
	int sock;	     /* the connection; owned */
	int monitor;	     /* SOCK_SEQPACKET to the broker; owned */
	const char *user;    /* known by socket credentials; NULL: must prove a key */
	const char *hostkey; /* hostkey.h: the mask, which signs nothing */
	const struct tp_sandbox *sandbox;
	int64_t login_deadline; /* ns from now for authentication; also the broker's */
	int max_tries;
	int max_channels;
	uint64_t rekey_bytes; /* 0: 1 GiB */
};

/* Once in the broker: libcrypto's list of ciphers, which takes each transport 0.5 ms otherwise. */
void tp_server_prepare(void);
/* Runs the connection to its end in this process; never returns.  Call in a
 * fresh fork of the broker that holds no other descriptor of value. */
_Noreturn void tp_server_main(struct tp_server *s);

#endif
