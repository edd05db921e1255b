/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/ident.h"
#include "target/proc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct proc_cgroups c;
	struct ident id;

	if (proc_parse_cgroups((const char *)data, size, &c) < 0)
		return 0;
	for (size_t i = 0; i < c.n; i++) {
		if (c.v[i].path[0] != '/')
			abort();
		if (ident_path(c.v[i].path, &id) && id.len > strlen(c.v[i].path))
			abort();
		if (ident_plain(c.v[i].path, &id) && id.len > strlen(c.v[i].path))
			abort();
	}
	proc_cgroup_v2(&c);
	proc_cgroup_v1(&c, "freezer");
	return 0;
}
