/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_RECORD_STORE_DIR_H
#define CORAL_RECORD_STORE_DIR_H

#include <dirent.h>
#include "record/store.h"

#define STORE_LOCK "lock"
#define STORE_CAST_SIZE (STORE_ID_LEN + 8)
#define STORE_ZST ".zst"       /* behind the name of what is compressed */
#define STORE_SEALED ".sealed" /* of what is encrypted */

void store_cast_name(const char *id, char out[STORE_CAST_SIZE]);
/* STATE_DIR/sessions; -1 with errno. */
int store_open_sessions(const char *state_dir);
/* STATE_DIR/sessions for readdir(); NULL, and *none or an error, when there is no such directory.
 */
DIR *store_open_list(const char *state_dir, bool *none, struct err *e);
/* STATE_DIR/sessions/ID, or ERR_NO_SESSION. */
int store_open_session(const char *state_dir, const char *id, struct err *e);
/* Whether a keeper holds the lock. */
bool store_is_live(int sessdir);

/* store_remove.c: no session any more at once, then nothing. */
int store_take_out(const char *state_dir, int sessdir, const char *id, struct err *e);

/* What the first and the last line of a recording say. */
struct store_peek {
	json_t *header, *end; /* NULL when missing */
	bool sealed;   /* there is a seal behind the end: whether it is true is not looked at */
	int64_t size;  /* of the recording, compressed or not.  -1: it cannot be read */
	bool absent;   /* there is no file: the recording has not begun */
	char why[256]; /* "" or why the file is damaged */
};
void store_peek(int sessdir, const char *id, struct store_peek *p);
void store_peek_fini(struct store_peek *p);

#endif
