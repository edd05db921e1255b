/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_REPLAY_KEYS_H
#define CORAL_CLI_REPLAY_KEYS_H

/* What a key means to the player. */
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

enum rkey {
	RKEY_NONE, /* a key without a meaning */
	RKEY_PAUSE,
	RKEY_STEP,
	RKEY_STEP_BACK,
	RKEY_SEEK, /* by arg ns */
	RKEY_HOME,
	RKEY_END,
	RKEY_FASTER,
	RKEY_SLOWER,
	RKEY_IDLE,
	RKEY_GOTO,
	RKEY_SEARCH,
	RKEY_NEXT,
	RKEY_PREV,
	RKEY_MOMENT, /* the next named one */
	RKEY_MOMENT_BEFORE,
	RKEY_COMMAND, /* the next line that a shell got */
	RKEY_COMMAND_BEFORE,
	RKEY_TYPED,
	RKEY_WALL,
	RKEY_HELP,
	RKEY_ESCAPE,
	RKEY_REDRAW,
	RKEY_SUSPEND,
	RKEY_QUIT
};

struct rkeys;
struct rkeys *rkeys_new(int fd, struct err *e); /* borrows fd, a terminal in raw mode */
void rkeys_free(struct rkeys *k);
/* Between these two, someone else reads the terminal. */
void rkeys_stop(struct rkeys *k);
void rkeys_start(struct rkeys *k);

/* fd is readable: 0, or -1 at its end. */
int rkeys_read(struct rkeys *k);
/* The next key: 1, or 0 for none.  *wait_ms > 0: ask again after that, with `late`, as a lone
 * Escape may be the beginning of more. */
int rkeys_next(struct rkeys *k, bool late, enum rkey *key, int64_t *arg, int *wait_ms);

#endif
