/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What procfs says of a process' security label: the first byte chooses the file. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "target/lsm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lsm_label l;

	if (size == 0)
		return 0;
	if (lsm_parse((const char *)data + 1, size - 1, data[0] & 1, &l) < 0)
		return 0;
	/* What is written back to the kernel is one line without control characters. */
	for (const char *p = l.text; *p; p++) {
		if (*p < 0x20 || *p > 0x7e)
			abort();
	}
	if (strlen(l.text) >= LSM_LABEL_MAX || (l.kind == LSM_NONE && l.text[0]))
		abort();
	return 0;
}
