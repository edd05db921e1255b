/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_ROOTFS_H
#define CORAL_TARGET_ROOTFS_H

#include <stddef.h>
#include "base/buf.h"

/*
 * A regular file as a process with that root would see it: openat2(2) resolves
 * in root and crosses no magic link; a FIFO or device is never opened.
 * Appends at most `max` bytes.  0, or -1 with errno: EINVAL (not a regular
 * file), EFBIG.
 */
int rootfs_read(int rootfd, const char *path, size_t max, struct buf *out);

#endif
