/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_REPLAY_FOLLOW_H
#define CORAL_CLI_REPLAY_FOLLOW_H

/* The recording of a session that goes on: a file that grows, here or copied from the agent as it
 * grows there, and the news that it does not any more. */
#include <stdbool.h>
#include <stddef.h>
#include "base/conf.h"
#include "base/err.h"
#include "cli/cmd.h"
#include "record/store.h"
#include "transport/request.h"

struct follow;

/* As replay_source(). */
int replay_follow(const struct args *a, const char *spec, char *name, size_t size,
    struct follow **f, struct err *e);
void follow_free(struct follow *f); /* accepts NULL */
/* True: what the file holds by now is all there will be; *e tells why it is not all there was.
 * Never blocks. */
bool follow_over(struct follow *f, struct err *e);
/* Wait for the file to grow, and send what is in stdout on its way before; false when all of it
 * was there at the last call, or nobody reads stdout any more. */
bool follow_more(void *f);
/* Say on standard error why it ended before its time, if it did: the exit status. */
int follow_status(const struct follow *f);

/* replay_source.c */
bool replay_is_file(const char *spec);
/* `spec` is of a session, and `fd` the recording of another one: of which. */
bool replay_stranger(int fd, const char *spec, const char *name, char id[STORE_ID_LEN + 1]);
int replay_spool(struct err *e);
/* 1: the session is in the state directory and that is where to look, 0: ask the agent, -1. */
int replay_local_id(const struct args *a, const struct conf *conf, const char *id, const char *name,
    char full[STORE_ID_LEN + 1], struct err *e);
int replay_read(const struct args *a, const struct conf *conf, enum request_verb verb,
    const char *id, bool follow, int (*to)(void *arg, const void *p, size_t n), void *arg,
    struct err *e);

#endif
