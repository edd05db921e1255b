/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_status st;
	int rc = proc_parse_status((const char *)data, size, &st);

	if ((rc < 0 && st.groups) || st.nnspid > PROC_NSPID_MAX)
		abort();
	proc_status_fini(&st);
	return 0;
}
