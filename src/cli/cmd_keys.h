/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_CMD_KEYS_H
#define CORAL_CLI_CMD_KEYS_H

/* The half of coral keys that is about auditors. */
#include <jansson.h>
#include "base/json.h"
#include "cli/args.h"
#include "record/auditor.h"

/* coral keys create --auditor NAME.  Exit status. */
int cmd_keys_make_auditor(const struct args *a);
/* As the rows of the agent's keys; new reference. */
json_t *cmd_keys_auditor_row(const char *state_dir, const struct auditor *who);

#endif
