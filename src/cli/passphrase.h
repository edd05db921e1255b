/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_PASSPHRASE_H
#define CORAL_CLI_PASSPHRASE_H

#include <stddef.h>
#include "base/err.h"

/* A line typed unseen on the terminal itself: standard input may be a recording.  A signal that
 * ends or stops this process does so with the terminal as it was. */
int passphrase_ask(const char *prompt, char *out, size_t size, struct err *e);

#endif
