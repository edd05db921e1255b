/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

static const char *
cause_of(enum err_code code)
{
	switch (code) {
	case ERR_TIMEOUT:
		return "timeout";
	case ERR_DENIED:
	case ERR_PRIVILEGE:
		return "denied";
	case ERR_TARGET_GONE:
		return "target_gone";
	case ERR_TRANSPORT:
	case ERR_AUTH:
		return "transport";
	default:
		return NULL;
	}
}

static void
set_string(json_t *o, const char *key, const char *value)
{
	json_object_set_new(o, key, value ? json_string(value) : json_null());
}

static void
add_error(json_t *o, const struct err *e)
{
	json_t *j = json_object();
	char text[sizeof(e->why)];

	set_string(j, "code", err_name(e->code));
	str_vis(text, sizeof(text), e->what);
	set_string(j, "what", text);
	str_vis(text, sizeof(text), e->why);
	set_string(j, "why", text);
	str_vis(text, sizeof(text), e->hint);
	set_string(j, "hint", text);
	json_object_set_new(o, "error", j);
}

/* "stdout" as text, or "stdout_base64" when it is not UTF-8 (a NUL is fine). */
static void
add_stream(json_t *o, const char *name, const struct buf *b, uint64_t delivered)
{
	const unsigned char *p = b->len ? buf_head(b) : (const unsigned char *)"";
	size_t partial = 0, n = b->len;
	bool cut = delivered > n;
	char key[32];

	snprintf(key, sizeof(key), "%s_truncated", name);
	json_object_set_new(o, key, json_boolean(cut));
	/* A character that the cap cut in two does not make the rest binary. */
	if (str_utf8_prefix(p, n, &partial) + (cut ? partial : 0) == n) {
		json_object_set_new(
		    o, name, json_stringn((const char *)p, n - (cut ? partial : 0)));
		return;
	}
	auto_free char *text = malloc(4 * ((n + 2) / 3) + 1);

	snprintf(key, sizeof(key), "%s_base64", name);
	if (text)
		json_object_set_new(o, key, json_stringn(text, str_base64(text, p, n)));
}

/* Every key of the schema is there, null where nothing is known. */
static json_t *
outcome(const struct client_result *res, const struct err *e)
{
	static const char *const keys[] = {"exit_code", "signal", "cause", "session_id",
	    "duration_ms", "container_pid", "namespaces_entered", "stdout_bytes", "stderr_bytes",
	    "stdout_sha256", "stderr_sha256", "context"};
	json_t *o = res && res->result ? json_deep_copy(res->result) : json_object();

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (!json_object_get(o, keys[i]))
			json_object_set_new(o, keys[i], json_null());
	}
	if (e) {
		json_object_set_new(o, "exit_code", json_integer(err_exit_exec(e->code)));
		if (json_is_null(json_object_get(o, "cause")) || cause_of(e->code))
			set_string(o, "cause", cause_of(e->code));
		add_error(o, e);
	} else if (res) {
		json_object_set_new(o, "exit_code", json_integer(res->exit_code));
		if (res->left) {
			json_object_set(o, "left", json_object_get(res->left, "why"));
			json_object_set(o, "session_id", json_object_get(res->left, "id"));
		} else if (!res->result)
			set_string(o, "cause", "transport");
	}
	return o;
}

/* The exit status after json_print() gave rc: a short outcome is short output. */
static int
written(int rc, int code, const char *to)
{
	struct err e;

	if (rc == 0)
		return code;
	/* As a program run here would have died of its closed pipe. */
	if (errno == EPIPE)
		return code ? code : 128 + SIGPIPE;
	err_set(&e, ERR_SHORT_OUTPUT, errno, "cannot write %s", to);
	err_hint(&e, "free some space, or write the outcome elsewhere");
	return cmd_fail_exec(&e);
}

int
outcome_report(const struct enter *en, const struct client_result *res, const struct err *e)
{
	int code = e ? err_exit_exec(e->code) : res->exit_code, shown = code;
	json_t *o;

	if (en->status_fd < 0 && !en->as_json)
		return code;
	o = outcome(res, e);
	if (en->status_fd >= 0)
		shown = written(json_print(en->status_fd, o, JSON_COMPACT), shown,
		    "the descriptor of --status-fd");
	if (en->as_json) {
		if (res) {
			add_stream(o, "stdout", &res->out, res->out_bytes);
			add_stream(o, "stderr", &res->err, res->err_bytes);
		}
		shown =
		    written(json_print(STDOUT_FILENO, o, JSON_INDENT(2)), shown, "standard output");
	}
	json_decref(o);
	/* A failure, or that the session goes on, is what the caller has to know first. */
	return e || (res->left && code) ? code : shown;
}
