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
	/* A reader that sees only the groups finds the same ones. */
	struct cache_view view = {.text = NULL};
	if (sc.nm > 0 || sc.ng > 0) {
		static struct scan_group g;
		size_t n = 0;

		if (!cache_view_parse(&view, data, size))
			abort();
		for (uint32_t i = 0; i < view.ngroups; i++, n++)
			if (!cache_next(&view.groups, &g) || n >= sc.ng ||
			    strcmp(g.t.cgroup, sc.g[n].t.cgroup) != 0)
				abort();
		if (n != sc.ng)
			abort();
	} else if (cache_view_parse(&view, data, size)) {
		static struct scan_group g;

		for (uint32_t i = 0; i < view.ngroups; i++)
			if (!cache_next(&view.groups, &g) || !*g.t.cgroup)
				break;
	}
	scan_fini(&sc);
	return 0;
}
