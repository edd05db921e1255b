/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_stat st;

	if (proc_parse_stat((const char *)data, size, &st) == 0 &&
	    (st.pid <= 0 || strlen(st.comm) >= sizeof(st.comm)))
		abort();
	return 0;
}
