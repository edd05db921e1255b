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
	struct pw_entry p;

	if (pw_by_name(text, size, "root", &p) &&
	    (strcmp(p.name, "root") != 0 || p.uid == (uid_t)-1))
		abort();
	if (pw_by_uid(text, size, 1000, &p) && (p.uid != 1000 || !*p.name))
		abort();
	return 0;
}
