/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_CLOCK_H
#define CORAL_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S 1000000000LL

/* Nanoseconds of CLOCK_MONOTONIC and of CLOCK_REALTIME. */
int64_t clock_mono(void);
int64_t clock_real(void);
/* "2026-11-22T05:41:20Z" (UTC) in out; out holds CLOCK_ISO_SIZE bytes. */
#define CLOCK_ISO_SIZE 32
void clock_iso(int64_t real_ns, char out[CLOCK_ISO_SIZE]);
/* "30s", "5m", "1h30m", "250ms", "2d", bare number = seconds.  0 or -1. */
int clock_parse_duration(const char *s, int64_t *ns);

#endif
