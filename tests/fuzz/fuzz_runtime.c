/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/runtime.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tgt t = {.pid = 7, .runtime = "podman"};
	struct rt_facts f = {.t = &t};
	json_t *j = json_parse((const char *)data, size, NULL);

	rt_take_docker(j, &f);
	rt_take_bundle(j, &f);
	rt_take_runc(j, &f);
	/* Nothing that leaves may hold a control character. */
	for (const char *p = t.container; *p; p++)
		if ((unsigned char)*p < 0x20)
			abort();
	json_decref(j);
	return 0;
}
