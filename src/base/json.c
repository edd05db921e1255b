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

/* As JSON has it: in two halves above U+FFFF. */
static size_t
escaped(char *out, size_t size, uint32_t cp)
{
	if (cp > 0xffff)
		return (size_t)snprintf(out, size, "\\u%04x\\u%04x",
		    (unsigned)(0xd7c0 + (cp >> 10)), (unsigned)(0xdc00 | (cp & 0x3ff)));
	return (size_t)snprintf(out, size, "\\u%04x", (unsigned)cp);
}

char *
json_show_text(const char *p, size_t n)
{
	/* What needs most is DEL, one byte that becomes six. */
	size_t size = 6 * n + 1;
	char *out = malloc(size), *to = out, *less;
	uint32_t cp;

	for (size_t len; out && n > 0; p += len, n -= len) {
		len = str_utf8_one((const unsigned char *)p, n, &cp);
		if (len > 0 && cp >= 0x20 && str_is_hidden(cp)) {
			to += escaped(to, size - (size_t)(to - out), cp);
			continue;
		}
		/* Controls as they are stand between strings alone, as space. */
		len = len ? len : 1;
		memcpy(to, *p == '\r' || *p == '\t' ? " " : p, len);
		to += len;
	}
	if (!out)
		return NULL;
	*to = '\0';
	less = realloc(out, (size_t)(to - out) + 1);
	return less ? less : out;
}

char *
json_show(const json_t *j, size_t flags)
{
	/* 15 digits, and not 17: of a number as it was written, none of the binary's making. */
	auto_free char *text = json_dumps(j, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	return text ? json_show_text(text, strlen(text)) : NULL;
}

void
json_put(FILE *out, const json_t *j, size_t flags)
{
	auto_free char *text = json_show(j, flags);

	fputs(text ? text : "null", out);
}

int
json_print(int fd, const json_t *j, size_t flags)
{
	auto_free char *text = json_show(j, flags);
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
