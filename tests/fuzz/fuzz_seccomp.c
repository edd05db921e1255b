/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A runtime's file to a filter: the first byte chooses the schema.  A program that comes out is one
 * that runs. */
#include "target/seccomp.h"

#include <linux/audit.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The library takes long for profiles that nobody writes. */
#define RULES 64

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_data d = {.arch = AUDIT_ARCH_X86_64, .nr = 1};
	struct sc_set set = {.n = 0};
	struct sc_profile p;
	json_t *j;
	int rc;

	if (size < 1)
		return 0;
	j = json_parse((const char *)data + 1, size - 1, NULL);
	rc = data[0] & 1 ? sc_profile_runc(j, &p, NULL) : sc_profile_oci(j, &p, NULL);
	if (rc == 0 && p.n <= RULES && sc_compile(&p, &set, NULL) == 0) {
		const struct sock_filter *last = &set.v[0].insn[set.v[0].n - 1];

		if (set.n != 1 || BPF_CLASS(last->code) != BPF_RET)
			abort();
		sc_set_eval(&set, &d);
		sc_set_notifies(&set);
	}
	sc_set_fini(&set);
	if (rc == 0)
		sc_profile_fini(&p);
	json_decref(j);
	return 0;
}
