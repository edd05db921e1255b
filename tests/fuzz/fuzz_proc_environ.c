/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char **env;
	size_t n;

	if (proc_parse_environ((const char *)data, size, &env, &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (!strchr(env[i], '=') || env[i][0] == '=')
			abort();
	if (env[n])
		abort();
	if (n > size)
		abort();
	for (const char *v = proc_environ_get(env, "PATH"); v; v = NULL)
		if (strncmp(v - 5, "PATH=", 5) != 0)
			abort();
	free(env);
	return 0;
}
