/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int
see(void *arg, const struct proc_mount *m)
{
	*(size_t *)arg += strlen(m->root) + strlen(m->point) + strlen(m->fstype);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t sum = 0;

	proc_parse_mountinfo((const char *)data, size, see, &sum);
	return 0;
}
