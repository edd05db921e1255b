/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/str.h"

const char *
json_str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

int64_t
json_int(const json_t *obj, const char *key, int64_t def)
{
	const json_t *v = json_object_get(obj, key);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : def;
}

json_t *
json_text(const char *s)
{
	json_t *j = json_string(s);
	auto_free char *vis = NULL;
	size_t size;

	if (j || !s)
		return j;
	size = 8 * strlen(s) + 1;
	vis = malloc(size);
	if (!vis)
		return NULL;
	str_vis(vis, size, s);
	return json_string(vis);
}

/* Brackets outside strings; whether they pair up is for the parser to say. */
static bool
too_deep(const char *p, size_t n)
{
	size_t depth = 0, i;
	bool in_string = false;

	for (i = 0; i < n; i++) {
		if (in_string) {
			if (p[i] == '\\')
				i++;
			else if (p[i] == '"')
				in_string = false;
		} else if (p[i] == '"') {
			in_string = true;
		} else if (p[i] == '[' || p[i] == '{') {
			if (++depth > JSON_DEPTH_MAX)
				return true;
		} else if ((p[i] == ']' || p[i] == '}') && depth) {
			depth--;
		}
	}
	return false;
}

json_t *
json_parse(const char *p, size_t n, struct err *e)
{
	json_error_t why;
	json_t *j;

	if (too_deep(p, n)) {
		err_set(e, ERR_PROTOCOL, 0, "cannot read JSON");
		err_why(e, "it is nested more than %d deep", JSON_DEPTH_MAX);
		return NULL;
	}
	j = json_loadb(p, n, JSON_REJECT_DUPLICATES, &why);
	if (!j) {
		err_set(e, ERR_PROTOCOL, 0, "cannot read JSON");
		err_why(e, "line %d column %d: %s", why.line, why.column, why.text);
	}
	return j;
}

int
json_print(int fd, const json_t *j, size_t flags)
{
	auto_free char *text = json_dumps(j, flags | JSON_ENCODE_ANY);
	size_t n;

	if (!text) {
		errno = ENOMEM;
		return -1;
	}
	/* The newline in place of the NUL: one write, so that lines do not mix. */
	n = strlen(text);
	text[n] = '\n';
	return fd_write_all(fd, text, n + 1);
}
