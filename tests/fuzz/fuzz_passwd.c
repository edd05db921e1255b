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
	static const char *const names[] = {"root", "web", "nobody", ""};
	static const uid_t ids[] = {0, 1, 1000, 65534, UINT32_MAX};
	struct pw_entry p, by_id;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (pw_by_name(text, size, names[i], &p) &&
		    (!*p.name || strcmp(p.name, names[i]) != 0 || p.uid == (uid_t)-1 ||
			p.gid == (gid_t)-1 || strpbrk(p.home, ":\n") || strpbrk(p.shell, ":\n")))
			abort();
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		bool found = pw_by_uid(text, size, ids[i], &by_id);

		if (!found ? *by_id.name || *by_id.home || *by_id.shell : by_id.uid != ids[i])
			abort();
		/* Who is found by number is found by name too: perhaps an earlier line of it. */
		if (found &&
		    (strpbrk(by_id.name, ":\n") || !pw_by_name(text, size, by_id.name, &p)))
			abort();
	}
	if (pw_by_name(text, size, "root", &p) &&
	    (strcmp(p.name, "root") != 0 || p.uid == (uid_t)-1))
		abort();
	if (pw_by_uid(text, size, 1000, &p) && (p.uid != 1000 || !*p.name))
		abort();
	return 0;
}
