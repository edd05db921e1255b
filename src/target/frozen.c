/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paused: by cgroup v2's own freezer, or the v1 controller. */
#include "target/scan.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "target/rootfs.h"

static bool
file_has(const struct rt_ctx *c, const char *dir, const char *path, const char *file,
    const char *const *words)
{
	char full[1400], *text;
	bool found = false;
	struct buf b;

	if (snprintf(full, sizeof(full), "%s%s/%s", dir, path, file) >= (int)sizeof(full))
		return false;
	buf_init(&b, 4096);
	if (rootfs_read(c->host, full, 1024, &b) == 0 && (text = buf_cstr(&b)) != NULL)
		for (; *words && !found; words++)
			found = strstr(text, *words) != NULL;
	buf_fini(&b);
	return found;
}

bool
tgt_is_frozen(const struct rt_ctx *c, const struct proc_cgroups *cg)
{
	static const char *const v2_dirs[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	static const char *const frozen[] = {"frozen 1", NULL}, *const set[] = {"1", NULL};
	static const char *const states[] = {"FROZEN", "FREEZING", NULL};
	const char *v1 = proc_cgroup_v1(cg, "freezer"), *v2 = proc_cgroup_v2(cg);

	if (c->host < 0)
		return false;
	/* "/../" lies outside our cgroup namespace, where no file can be reached. */
	if (v1 && strcmp(v1, "/") != 0 && !strstr(v1, "/../") &&
	    file_has(c, "/sys/fs/cgroup/freezer", v1, "freezer.state", states))
		return true;
	if (!v2 || strcmp(v2, "/") == 0 || strstr(v2, "/../"))
		return false;
	/* events also tells of a frozen ancestor; freeze of one still on its way. */
	for (int i = 0; i < 2; i++)
		if (file_has(c, v2_dirs[i], v2, "cgroup.events", frozen) ||
		    file_has(c, v2_dirs[i], v2, "cgroup.freeze", set))
			return true;
	return false;
}
