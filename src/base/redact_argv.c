/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/redact.h"

#include <string.h>

#include "base/attr.h"
#include "base/json.h"
#include "base/redact_priv.h"

/* Of the first words one may be the command. */
#define COMMANDS 4

/* docker login -p, and what is run by another: sudo, env. */
static const char *
option_secret(const char *const *argv, size_t i)
{
	const char *from = NULL;

	for (size_t c = 0; c < i && c < COMMANDS && !from; c++)
		from = redact_option_value(argv, c, i);
	return from;
}

static json_t *
redact_from(const char *arg, const char *from)
{
	auto_free char *text = NULL;

	if (asprintf(&text, "%.*s%s", (int)(from - arg), arg, REDACTED) < 0)
		return NULL;
	return json_text(text);
}

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
redact_sentence_json(const char *text)
{
	size_t size = 3 * strlen(text) + 32;
	auto_free char *shown = malloc(size);

	if (!shown)
		return NULL;
	redact_sentence(shown, size, text);
	return json_text(shown);
}

json_t *
redact_text(const char *text)
{
	size_t size = 3 * strlen(text) + 32;
	auto_free char *shown = malloc(size);

	if (!shown)
		return NULL;
	redact_arg(shown, size, text, "-c");
	return json_text(shown);
}

json_t *
redact_argv(const char *const *argv)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && argv[i]; i++) {
		const char *from = option_secret(argv, i);
		json_t *one =
		    from ? redact_from(argv[i], from) : redact_one(argv[i], i ? argv[i - 1] : NULL);

		if (json_array_append_new(list, one) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
