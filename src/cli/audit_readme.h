/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_AUDIT_README_H
#define CORAL_CLI_AUDIT_README_H

/*
 * The README of an exported part of the audit log: for somebody who has nothing of coral's, what
 * lies there and how sha256sum(1), ssh-keygen(1) and sh(1) check it.
 */
#include <stdbool.h>
#include <stddef.h>

#define AUDIT_README_MAX 8192

/* With recordings; with records that follow each other.  Its length. */
size_t audit_readme(char out[AUDIT_README_MAX], bool recordings, bool chain);

#endif
