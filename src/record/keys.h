/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_KEYS_H
#define CORAL_RECORD_KEYS_H

/*
 * The agent's evidence key, which certifies the keys that recordings are signed
 * with: STATE_DIR/keys/agent_ed25519, its public half beside it as .pub, and
 * those of the keys it replaced as agent_ed25519-WHEN.pub.
 */
#include <stdbool.h>
#include <stddef.h>
#include "base/keyfile.h"
#include "record/auditor.h"

/*
 * The public half appears when the audit log was told of the key, and not before: who finds it
 * absent tells, and publishes.  Nothing is certified with a key that was not published.
 */
bool keys_agent_published(const char *state_dir, const struct keyfile *k);
/* Load it, made at first need. */
int keys_agent_load(const char *state_dir, struct keyfile *k, struct err *e);
/* That of another key, which lay there, is kept under its -WHEN name. */
int keys_agent_publish(const char *state_dir, const struct keyfile *k, struct err *e);
/* Make it and load it; one that was never published is taken for new.  ERR_CONFIG when there is
 * another; with `replace` that one's public half is kept. */
int keys_agent_make(const char *state_dir, bool replace, struct keyfile *k, struct err *e);
/* As the audit log names it: "agent_ed25519 SHA256:...". */
#define KEYS_NAME (KEYFILE_PRINT + 20)
void keys_agent_name(char out[KEYS_NAME], const unsigned char public[KEYFILE_PUBLIC]);

/* Public keys, and where each stands. */
struct keys_one {
	unsigned char public[KEYFILE_PUBLIC];
	char name[96]; /* "agent_ed25519", "agent_ed25519-20261122T054120Z" */
	char path[400];
};
struct keys_list {
	struct keys_one *v;
	size_t n;
};
void keys_fini(struct keys_list *l);
/* Those of the agent, the one in force first.  None are not an error. */
int keys_known(const char *state_dir, struct keys_list *l, struct err *e);
/* A line of a public key, or a file of such lines, empty ones and # comments. */
int keys_take(struct keys_list *l, const char *spec, struct err *e);
const struct keys_one *keys_find(
    const struct keys_list *l, const unsigned char public[KEYFILE_PUBLIC]);

/* keys_auditor.c: auditors' keys that lie there, STATE_DIR/keys/auditor_NAME and its public half
 * beside it.  The path of one of them; the directory is made. */
int keys_auditor_path(
    const char *state_dir, const char *name, char *path, size_t size, struct err *e);
int keys_auditors(const char *state_dir, struct auditors *l, struct err *e);

#endif
