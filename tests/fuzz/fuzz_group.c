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
	if (n > 16 || (n > 0 && v[n - 1] == (gid_t)-1))
		abort();
	if (pw_group_by_name(text, size, "adm", &gid) && gid == (gid_t)-1)
		abort();
	for (gid = 0; gid < 8; gid++) {
		if (pw_group_by_gid(text, size, gid, name)) {
			gid_t other;

			if (!*name || strpbrk(name, ":\n") ||
			    !pw_group_by_name(text, size, name, &other))
				abort();
		} else if (*name) {
			abort();
		}
	}
	return 0;
}
