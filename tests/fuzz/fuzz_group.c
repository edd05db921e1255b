/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/passwd.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char name[PW_NAME_MAX + 1];
	gid_t v[16], gid;
	size_t n = pw_groups_of(text, size, "web", v, 16);

	for (size_t i = 1; i < n; i++)
		if (v[i - 1] >= v[i])
			abort();
	pw_group_by_name(text, size, "adm", &gid);
	pw_group_by_gid(text, size, 0, name);
	return 0;
}
