/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_CLI_REPLAY_OUTPUT_H
#define CORAL_CLI_REPLAY_OUTPUT_H

/* The file of -o: for its owner alone, and in the place of an older one only when it is whole. */
#include <stdbool.h>
#include "base/err.h"

struct replay_output {
	int fd;
	const char *path;
	char *tmp; /* its name meanwhile; NULL: it is written where it is */
	bool nameless;
};

/* Close it in any case. */
int replay_output_open(struct replay_output *o, const char *path, struct err *e);
/* Without `keep`, or when it is empty and not the `whole`, the file is as it was before. */
int replay_output_close(struct replay_output *o, bool keep, bool whole, struct err *e);

#endif
