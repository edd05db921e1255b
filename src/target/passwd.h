/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_PASSWD_H
#define CORAL_TARGET_PASSWD_H

/*
 * A container's own etc/passwd and etc/group, read from outside: no NSS, and
 * the text is an enemy's.  A line that is malformed or over a cap is passed
 * over, as if it were not there; the first that matches counts.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/buf.h"

#define PW_FILE_MAX (1024 * 1024)
#define PW_NAME_MAX 255
#define PW_GROUPS_MAX 65536 /* NGROUPS_MAX */

struct pw_entry {
	char name[PW_NAME_MAX + 1];
	uid_t uid;
	gid_t gid;
	char home[1024];  /* may be "" */
	char shell[1024]; /* may be "" */
};

bool pw_by_name(const char *text, size_t n, const char *name, struct pw_entry *out);
bool pw_by_uid(const char *text, size_t n, uid_t uid, struct pw_entry *out);
/* In a group file. */
bool pw_group_by_name(const char *text, size_t n, const char *name, gid_t *gid);
bool pw_group_by_gid(const char *text, size_t n, gid_t gid, char name[PW_NAME_MAX + 1]);
/* The groups that list `user` as a member, each once and ascending; how many.
 * At most `max` mentions are looked at. */
size_t pw_groups_of(const char *text, size_t n, const char *user, gid_t *out, size_t max);

/*
 * `path` ("etc/passwd") as the process with that root would see it: openat2(2)
 * resolves in root and crosses no magic link; only a regular file of at most
 * PW_FILE_MAX bytes is read, and a FIFO or device never blocks.  Appends to
 * `out` (whose cap must allow it).  0, or -1 with errno: ENOENT, EINVAL (not a
 * regular file), EFBIG.
 */
int pw_read(int rootfd, const char *path, struct buf *out);

#endif
