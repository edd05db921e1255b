/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_WHEN_H
#define CORAL_CLI_WHEN_H

#include <stdint.h>
#include "base/err.h"

/*
 * A moment as people say it: "2026-11-22", "2026-11-22 10:30[:05]", "10:30"
 * today, "now", "today", "yesterday", or how long ago: "1h30m", "-2d".  Of the
 * local time zone but for what ends with Z.  `now` is clock_real().  -1:
 * ERR_USAGE that names `what`.
 */
int when_parse(const char *text, const char *what, int64_t now, int64_t *real_ns, struct err *e);

#endif
