/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_LOG_INT_H
#define CORAL_AUDIT_LOG_INT_H

#include <sys/types.h>
#include "audit/log.h"
#include "audit/record.h"

#define AUDIT_NAME_SIZE 32
/* Blocks are there for so much more than was written: ends, removals and stops always fit. */
#define AUDIT_RESERVE (128 * 1024)

struct audit_log {
	char path[512]; /* of the directory, for messages */
	int dir, lock, fd;
	dev_t dev;
	ino_t ino;
	uint64_t size, allocated, limit;
	uint64_t cut, cut_at; /* bytes of a torn end that were moved away, not yet told; where */
	char torn[AUDIT_NAME_SIZE];
	bool no_alloc;
	bool unsynced, failed; /* the last sync failed */
	int64_t renew_at;      /* clock_mono: it is not tried again before */
	int renew_sys;	       /* errno of the last try */
	char head[AUDIT_HASH_SIZE];
	struct buf line;
};

/* log_tail.c, under the lock: the current file is open, and its end known. */
int audit_tail_find(struct audit_log *l, struct err *e);
int audit_rotate(struct audit_log *l, struct err *e);
/* -1 with the right err of a failed step on the log. */
int audit_failed(const struct audit_log *l, int sys, const char *doing, struct err *e);

/* log_renew.c, under the lock: after a sync that failed, all of the current file on the disk. */
int audit_renew(struct audit_log *l, struct err *e);

/* log_files.c: the number in audit-00000001.jsonl, or 0. */
uint32_t audit_file_number(const char *name);
void audit_file_name(uint32_t number, char out[AUDIT_NAME_SIZE]);
/* The highest; 0: none.  -1 with errno. */
int64_t audit_last_number(int dir);

#endif
