/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc.h"
#include "target/runtime.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Nothing that leaves may hold a control character. */
static bool
is_tame(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static int
see(void *arg, const struct proc_mount *m)
{
	if (!*m->root || !*m->point)
		abort();
	*(size_t *)arg += strlen(m->root) + strlen(m->point) + strlen(m->fstype);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tgt t = {.pid = 7};
	struct rt_facts f = {.t = &t};
	struct rt_mounts mounts = {.f = &f};
	size_t sum = 0;

	proc_parse_mountinfo((const char *)data, size, see, &sum);
	proc_parse_mountinfo((const char *)data, size, rt_take_mount, &mounts);
	if (!is_tame(f.kube_name) || !is_tame(t.pod_uid) || strchr(t.pod_uid, '/') ||
	    strchr(f.kube_name, '/'))
		abort();
	return 0;
}
