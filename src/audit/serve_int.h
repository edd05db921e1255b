/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_SERVE_INT_H
#define CORAL_AUDIT_SERVE_INT_H

#include <stdbool.h>
#include <string.h>
#include "base/buf.h"
#include "base/loop.h"

/* serve_out.c: lines on their way to standard output. */
struct audit_out {
	int fd; /* -1: none */
	struct loop_src *src;
	struct buf lines;
	bool lost; /* the last one was */
};
void audit_out_init(struct audit_out *o, struct loop *l, int fd);
void audit_out_put(struct audit_out *o, const struct buf *line);

#endif
