/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/redact.h"

#include <string.h>

#include "base/attr.h"
#include "base/json.h"

static json_t *
redact_one(const char *arg, const char *prev)
{
	size_t size = 3 * strlen(arg) + 32;
	auto_free char *text = malloc(size);

	if (!text)
		return NULL;
	redact_arg(text, size, arg, prev);
	return json_text(text);
}

json_t *
redact_argv(const char *const *argv)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && argv[i]; i++) {
		if (json_array_append_new(list, redact_one(argv[i], i ? argv[i - 1] : NULL)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
