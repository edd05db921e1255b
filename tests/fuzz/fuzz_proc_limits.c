/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_limits l;

	if (proc_parse_limits((const char *)data, size, &l) < 0)
		return 0;
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (l.has[i] && l.v[i].rlim_cur > l.v[i].rlim_max)
			abort();
	return 0;
}
