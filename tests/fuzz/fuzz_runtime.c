/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/runtime.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing that leaves may hold a control character. */
static void
tame(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tgt t = {.pid = 7, .runtime = "podman", .id = "abc"};
	struct rt_facts f = {.t = &t};
	struct rt_monitor m = {.bundle = ""};
	json_t *j = json_parse((const char *)data, size, NULL);

	rt_take_docker(j, &f);
	rt_take_bundle(j, &f);
	rt_take_runc(j, &f);
	rt_take_storage(j, &f);
	json_decref(j);
	rt_take_conmon((const char *)data, size, &m);
	if (strlen(m.bundle) >= sizeof(m.bundle) || strlen(m.name) >= sizeof(m.name))
		abort();
	tame(t.container);
	tame(t.id);
	tame(t.pod);
	tame(t.ns);
	tame(t.pod_uid);
	tame(t.image);
	tame(t.project);
	tame(f.compose);
	tame(f.kube_name);
	return 0;
}
