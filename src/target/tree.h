/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_TREE_H
#define CORAL_TARGET_TREE_H

/* Who belongs to a session.  Inside of tree.c and tree_find.c. */
#include <stdbool.h>
#include "target/enter.h"

#define TREE_PIDS_MAX 32768

/*
 * It has a cgroup of its own; else its processes are found by audit session and descent.  Those
 * that may have left it (root in a container with a writable cgroup file system) are looked for in
 * both ways: to leave the audit session takes CAP_AUDIT_CONTROL outside.
 */
bool tree_has_cgroup(const struct enter_tree *t);
/* Live processes of the tree, at most TREE_PIDS_MAX; how many. */
size_t tree_pids(const struct tgt_sys *s, const struct enter_tree *t, pid_t *out);
/* A pidfd of pid when it (still) belongs to the tree; -1.  `comm` (64 bytes) may be NULL. */
int tree_hold(const struct tgt_sys *s, const struct enter_tree *t, pid_t pid, char *comm);

#endif
