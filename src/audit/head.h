/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_HEAD_H
#define CORAL_AUDIT_HEAD_H

/* The last record of a log, from the end of its newest file. */
#include "audit/record.h"

struct audit_top {
	char hash[AUDIT_HASH_SIZE], time[AUDIT_TIME_SIZE];
	uint32_t file; /* the number that its file has, or will have */
	uint64_t line; /* from 1 */
};
/* 1; 0: there is none yet; -1: it cannot be read, or is not as written. */
int audit_top(const char *dir, struct audit_top *top, struct err *e);

#endif
