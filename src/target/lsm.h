/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_LSM_H
#define CORAL_TARGET_LSM_H

/*
 * The label that a security module gave a process.  Whose it is, procfs itself
 * says: AppArmor has a directory there, and where a kernel is older, its texts
 * end in a mode while SELinux's have three fields and more.  /sys would say it
 * too, but a container may lack it; and a wrong guess gives no session less
 * than its label, for a module refuses to set what it does not know.
 */
#include <stdbool.h>
#include <stddef.h>

#define LSM_LABEL_MAX 1024

enum lsm_kind {
	LSM_NONE,
	LSM_APPARMOR,
	LSM_SELINUX,
	LSM_OTHER, /* a module that is not known here */
};

struct lsm_label {
	enum lsm_kind kind;
	char text[LSM_LABEL_MAX]; /* "" unconfined; without AppArmor's mode */
};

/* What attr/current or attr/apparmor/current holds.  0, or -1 with errno: EBADMSG, EFBIG. */
int lsm_parse(const char *p, size_t n, bool apparmor, struct lsm_label *out);
/* Of the process whose /proc/PID is pd.  0, also where no module gives labels; or -1 with errno. */
int lsm_read(int pd, struct lsm_label *out);
bool lsm_same(const struct lsm_label *a, const struct lsm_label *b);
const char *lsm_name(enum lsm_kind kind);

#endif
