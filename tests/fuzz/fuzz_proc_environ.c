/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken without a copy of the whole is the same, cut. */
static void
named(const uint8_t *data, size_t size, char *const *env)
{
	static const char *const names[PROC_NAMES] = {"SERVICE_NAME", "CORAL_SERVICE", "HOSTNAME"};
	struct proc_named v;

	proc_take_named((const char *)data, size, &v);
	for (size_t i = 0; i < PROC_NAMES; i++) {
		const char *want = proc_environ_get(env, names[i]);

		if (strncmp(v.value[i], want ? want : "", PROC_NAMED_MAX - 1) != 0 ||
		    strlen(v.value[i]) >= PROC_NAMED_MAX)
			abort();
	}
}

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
	named(data, size, env);
	free(env);
	return 0;
}
