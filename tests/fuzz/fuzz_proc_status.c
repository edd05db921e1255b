/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_status st;
	int rc = proc_parse_status((const char *)data, size, &st);

	if ((rc < 0 && st.groups) || st.nnspid > PROC_NSPID_MAX || st.ngroups > 65536 ||
	    (st.ngroups > 0) != (st.groups != NULL))
		abort();
	/* The kernel's own lines are all there; no name that holds "\nUid:" stands in for them. */
	if (rc == 0 &&
	    (!data || size < 5 || memcmp(data, "Name:", 5) != 0 || st.umask > 0777 ||
		!memmem(data, size, "\nUid:", 5) || !memmem(data, size, "\nCapAmb:", 8) ||
		st.tgid < 0 || st.ppid < 0 || st.seccomp < 0 || st.seccomp > 2))
		abort();
	for (size_t i = 0; i < st.nnspid; i++)
		if (st.nspid[i] < 0)
			abort();
	proc_status_fini(&st);
	return 0;
}
