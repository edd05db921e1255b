/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/scan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scan sc = {.rt = {.host = -1, .host_pd = -1}};

	if (cache_parse(&sc, data, size))
		for (size_t i = 0; i < sc.nm; i++)
			if (sc.m[i].group != SCAN_HOST && sc.m[i].group >= sc.ng)
				abort();
	scan_fini(&sc);
	return 0;
}
