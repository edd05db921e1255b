/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server_stock_int.h"

#include <jansson.h>
#include <signal.h>
#include <string.h>

#include "base/str.h"

/* On a terminal in raw mode a line feed does not go back to the first column. */
static void
end_line(struct stock *st)
{
	buf_put_str(&st->text, st->tty ? "\r\n" : "\n");
}

static void
say(struct stock *st, const char *lead, const char *p, size_t n)
{
	char shown[8192];

	str_vis_n(shown, sizeof(shown), p, n);
	buf_put_str(&st->text, lead);
	buf_put_str(&st->text, shown);
	end_line(st);
}

void
stock_say_line(struct stock *st, const void *p, size_t n)
{
	const char *s = p;

	while (n && s[n - 1] == '\n')
		n--;
	say(st, "coral: ", s, n);
}

void
stock_say_error(struct stock *st, const struct err *e)
{
	const char *why = e->why, *lead = "  why: ";

	say(st, "coral: ", e->what, strlen(e->what));
	while (*why) {
		size_t n = strcspn(why, "\n");

		say(st, lead, why, n);
		why += n + (why[n] == '\n');
		lead = "       ";
	}
	if (e->hint[0])
		say(st, "  try: ", e->hint, strlen(e->hint));
}

void
stock_say_left(struct stock *st, const void *json, size_t n)
{
	json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
	const char *by = json_string_value(json_object_get(root, "by"));
	const char *id = json_string_value(json_object_get(root, "id"));
	char text[512];

	snprintf(text, sizeof text, "%s%s: the session goes on%s%s",
	    by ? "taken over by " : "detached", by ? by : "", id ? ", coral attach " : "",
	    id ? id : "");
	stock_say_line(st, text, strlen(text));
	json_decref(root);
}

int
stock_signal_number(const char *name)
{
	for (int i = 1; i < 32; i++) {
		const char *abbrev = sigabbrev_np(i);

		if (abbrev && strcmp(abbrev, name) == 0)
			return i;
	}
	return 0;
}

static void
copy_text(char *to, size_t size, const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	str_copy(to, s ? s : "", size);
}

void
stock_say_failure(struct stock *st, const void *json, size_t n)
{
	json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *error = json_object_get(root, "error");
	struct err e = {0};

	copy_text(e.what, sizeof e.what, error, "what");
	copy_text(e.why, sizeof e.why, error, "why");
	copy_text(e.hint, sizeof e.hint, error, "hint");
	if (e.what[0])
		stock_say_error(st, &e);
	json_decref(root);
}

int
stock_status_of(const void *json, size_t n)
{
	json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL), *code, *sig;
	int status = 125;

	code = json_object_get(root, "exit_code");
	sig = json_object_get(root, "signal");
	if (json_is_integer(code) && json_integer_value(code) >= 0 &&
	    json_integer_value(code) <= 255)
		status = (int)json_integer_value(code);
	else if (json_is_string(sig) && stock_signal_number(json_string_value(sig)))
		status = 128 + stock_signal_number(json_string_value(sig));
	json_decref(root);
	return status;
}
