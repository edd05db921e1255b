/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/ident.h"
#include "target/proc.h"
#include "target/scan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
tame(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20)
			return 0;
	return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct proc_cgroups c;
	struct ident id;

	if (proc_parse_cgroups((const char *)data, size, &c) < 0)
		return 0;
	for (size_t i = 0; i < c.n; i++) {
		if (c.v[i].path[0] != '/' || strchr(c.v[i].path, '\n') ||
		    strpbrk(c.v[i].controllers, ":\n"))
			abort();
		if (ident_path(c.v[i].path, &id) &&
		    (!tame(id.id) || !tame(id.name) || strlen(id.pod_uid) > 36))
			abort();
		if (ident_path(c.v[i].path, &id) && id.len > strlen(c.v[i].path))
			abort();
		if (ident_plain(c.v[i].path, &id) && id.len > strlen(c.v[i].path))
			abort();
	}
	for (size_t i = 0; i < c.n; i++)
		if (!scan_line(&c, i))
			abort();
	if (scan_line(&c, c.n) || (proc_cgroup_v2(&c) && scan_line(&c, 0)->id != 0))
		abort();
	proc_cgroup_v1(&c, "freezer");
	return 0;
}
