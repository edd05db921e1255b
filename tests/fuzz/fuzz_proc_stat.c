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

	if (proc_parse_stat((const char *)data, size, &st) < 0)
		return 0;
	if (st.pid <= 0 || st.ppid < 0 || st.tty < 0 || strlen(st.comm) >= sizeof(st.comm))
		abort();
	/* What follows the last ')' is the state, whatever the name imitates. */
	const uint8_t *end = memrchr(data, ')', size);
	if (!end || end[1] != ' ' || end[2] != (uint8_t)st.state)
		abort();
	return 0;
}
