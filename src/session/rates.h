/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SESSION_RATES_H
#define CORAL_SESSION_RATES_H

/*
 * Output a second that several sessions share: a page in RUNTIME_DIR/rates
 * that every keeper has in its memory.  Nobody holds a lock, so whoever is
 * killed or stopped leaves others nothing but the time that it took; and it
 * outlives the broker as the keepers do.  Each takes the time that its bytes
 * last, behind everybody else's, and takes no more before that is over: all get
 * the same, and who takes little is let through soon.
 */
#include <stdint.h>
#include "base/err.h"

#define RATES_USERS 1023 /* more of them share with one another */

struct rates;
struct rates *rates_open(const char *runtime_dir, struct err *e); /* NULL: -1 */
/* Whose sessions' time it is, for good; "": all sessions' of the host. */
unsigned rates_place(struct rates *r, const char *user);
/* n bytes pass at clock_mono() time `now`, at so many bytes a second: when that is over. */
int64_t rates_take(struct rates *r, unsigned place, int64_t now, uint64_t n, uint64_t a_second);
void rates_close(struct rates *r);

#endif
