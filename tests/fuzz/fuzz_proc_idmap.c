/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct proc_idmap m;
	static const uint32_t ids[] = {0, 1, 1000, 65534, 65536, UINT32_MAX - 1, UINT32_MAX};

	if (proc_parse_idmap((const char *)data, size, &m) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		uint32_t in = proc_idmap_inside(&m, ids[i]), out = proc_idmap_outside(&m, ids[i]);

		/* There and back is the same id, or an overlap's first. */
		if (in != PROC_ID_NONE && proc_idmap_outside(&m, in) == PROC_ID_NONE)
			abort();
		if (out != PROC_ID_NONE && proc_idmap_inside(&m, out) == PROC_ID_NONE)
			abort();
	}
	return 0;
}
