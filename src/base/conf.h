/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_CONF_H
#define CORAL_BASE_CONF_H

/*
 * Settings: file < environment (CORAL_*) < flags.  A key is a row with type,
 * default and its doc; an unknown key in the file is an error that names the
 * nearest one, an unknown CORAL_* variable a warning.
 */
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

struct conf {
	char state_dir[256];   /* CORAL_STATE_DIR; /var/lib/coral, or XDG for a user */
	char runtime_dir[256]; /* CORAL_RUNTIME_DIR; /run/coral, or XDG */
	char config_dir[256];  /* /etc/coral, or XDG: policy.yaml, authorized_keys, host key live there */
	char socket[256];      /* agent.socket, --socket; runtime_dir/agent.sock */
	char service[254];     /* CORAL_SERVICE, SERVICE_NAME: the default target */
	char agent[256];       /* CORAL_AGENT: address of the agent to use */
	char identity[256];    /* identity: a private key file */
	char listen[128];      /* agent.listen */
	char authorized_keys[256]; /* agent.authorized_keys */
	char proc_root[256];	   /* agent.proc_root */
	char environment[128];	   /* agent.environment: what this agent's targets belong to */
	char share[24];		   /* CORAL_SHARE: how long a connection is kept for others; 0, no */
	char color[16];		   /* auto, always, never */
	char audit_stdout[8];	   /* auto, true, false */
	char heads[256];	   /* audit.heads: syslog, a URL, or "" */
	char heads_every[24];	   /* audit.heads_every */
	int64_t heads_ns;	   /* the same */
	char compress_after[24];   /* archive.compress_after */
	int64_t compress_after_ns; /* the same; -1: never */
	int64_t share_ns;	   /* the same; 0: not shared */
	char warning[256];	   /* an unknown CORAL_* variable: for the caller to print; "" none */
};
/* Defaults, then the file (CORAL_CONFIG, else config_dir/config.yaml when present), then the
 * environment.  Directories are decided first, from the environment and the euid. */
int conf_load(struct conf *c, struct err *e);

/* The rows, for coral.yaml(5): name, default ("" computed) and doc; NULL name ends. */
struct conf_key {
	const char *name;
	size_t offset, size;
	const char *env; /* variable that overrides, or NULL */
	const char *doc;
};
extern const struct conf_key conf_keys[];

/*
 * A configuration or policy file, appended to `out` (less than out->max bytes).
 * It must be a regular file that belongs to root or the caller and that nobody
 * else may write; symbolic links are followed.  1, 0 when absent, -1 ERR_CONFIG.
 */
int conf_read_file(const char *path, struct buf *out, struct err *e);

#endif
