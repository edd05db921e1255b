/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_CACHE_H
#define CORAL_TARGET_CACHE_H

/* Between cache.c, the file, and cache_code.c, what is in it. */
#include "base/buf.h"
#include "target/scan.h"

#define CACHE_PIDS_MAX 65536
#define CACHE_MAX (64 * 1024 * 1024)

/* All but the members into `front`, these into `back`; read again one after the other. */
int cache_encode(const struct scan *sc, struct buf *front, struct buf *back);

#endif
