/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cmds.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/enter.h"
#include "cli/table.h"

/* An argv as a shell line; numbers in decimal. */
static void
text_of_list(const json_t *list, char *out, size_t size)
{
	const char *argv[65];
	char numbers[COUNT_OF(argv)][24];
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(list) && n + 1 < COUNT_OF(argv); i++) {
		const json_t *v = json_array_get(list, i);

		if (json_is_string(v))
			argv[n++] = json_string_value(v);
		if (!json_is_integer(v))
			continue;
		snprintf(numbers[n], sizeof(numbers[n]), "%lld", (long long)json_integer_value(v));
		argv[n] = numbers[n];
		n++;
	}
	argv[n] = NULL;
	str_quote_argv(out, size, argv);
}

/* Strings as they are, numbers in decimal, null as "".  True: it is quoted, and harmless so. */
static bool
text_of(const json_t *v, char *out, size_t size)
{
	out[0] = '\0';
	if (json_is_string(v))
		str_copy(out, json_string_value(v), size);
	else if (json_is_integer(v))
		snprintf(out, size, "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		snprintf(out, size, "%.3f", json_real_value(v));
	else if (json_is_boolean(v))
		str_copy(out, json_is_true(v) ? "yes" : "no", size);
	else if (json_is_array(v))
		text_of_list(v, out, size);
	return json_is_array(v);
}

static void
text_of_idle(const json_t *row, char *out, size_t size)
{
	static const struct {
		long long s;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	long long s = json_integer_value(json_object_get(row, "idle_s"));
	size_t i = 0;

	out[0] = '\0';
	if (!json_is_integer(json_object_get(row, "idle_s")))
		return;
	while (i + 1 < COUNT_OF(units) && s < 2 * units[i].s)
		i++;
	snprintf(out, size, "%lld%c", s / units[i].s, units[i].unit);
}

static void
text_of_size(const json_t *row, char *out, size_t size)
{
	const json_t *cols = json_object_get(row, "cols"), *rows = json_object_get(row, "rows");

	out[0] = '\0';
	if (json_is_integer(cols) && json_is_integer(rows))
		snprintf(out, size, "%lldx%lld", (long long)json_integer_value(cols),
		    (long long)json_integer_value(rows));
}

/* "alice, bob (watching)": whose session it is needs no word. */
static void
text_of_attached(const json_t *row, char *out, size_t size)
{
	const json_t *who;
	size_t i, n = 0;

	out[0] = '\0';
	json_array_foreach(json_object_get(row, "attached"), i, who)
	{
		const char *user = json_string_value(json_object_get(who, "user"));
		const char *role = json_string_value(json_object_get(who, "role"));
		bool plain = !role || strcmp(role, "owner") == 0;

		if (n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s%s%s%s", i ? ", " : "",
			    user ? user : "?", plain ? "" : " (", plain ? "" : role,
			    plain ? "" : ")");
	}
}

static void
text_of_state(const json_t *row, char *out, size_t size)
{
	if (json_is_true(json_object_get(row, "frozen")))
		str_copy(out, "frozen", size);
	else
		text_of(json_object_get(row, "state"), out, size);
}

static bool
cell_text(const json_t *row, const char *key, char *out, size_t size)
{
	static const struct {
		const char *key;
		void (*text)(const json_t *row, char *out, size_t size);
	} made[] = {{"state", text_of_state}, {"idle_s", text_of_idle}, {"rows", text_of_size},
	    {"attached", text_of_attached}};

	for (size_t i = 0; i < COUNT_OF(made); i++)
		if (strcmp(key, made[i].key) == 0) {
			made[i].text(row, out, size);
			return false;
		}
	return text_of(json_object_get(row, key), out, size);
}

static int
print_table(const json_t *rows)
{
	static const char *const heads[] = {"ID", "STATE", "USER", "TARGET", "STARTED", "EXIT",
	    "IDLE", "SIZE", "ATTACHED", "VERB", "COMMAND", NULL};
	static const char *const keys[] = {"id", "state", "user", "target", "started", "exit_code",
	    "idle_s", "rows", "attached", "verb", "command"};
	struct table *t = table_new(heads);
	const json_t *row;
	char text[256];
	size_t i;
	int rc = t ? 0 : -1;

	json_array_foreach(t ? rows : NULL, i, row)
	{
		for (size_t k = 0; k < COUNT_OF(keys); k++) {
			if (cell_text(row, keys[k], text, sizeof(text)))
				rc |= table_cell_made(t, text);
			else
				rc |= table_cell(t, text);
		}
	}
	if (rc == 0)
		table_print_cut(t, stdout, 6);
	table_free(t);
	return rc;
}

static int
run_ls(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct err e;
	bool as_json;
	json_t *rows;
	int rc = 0;

	(void)dashdash;
	if (cmd_format(a, &as_json, &e) < 0)
		return cmd_fail(&e);
	if (argc > 0) {
		cmd_bad_words(c, argc, argv, &e);
		err_hint(&e, "coral sessions ls; or show, rm, freeze or thaw, and an ID");
		return cmd_fail(&e);
	}
	rows = cmd_ask_session(a, REQ_SESSIONS, NULL, &e);
	if (!rows)
		return cmd_fail(&e);
	if (as_json)
		cmd_print_json(rows);
	else if (json_array_size(rows) == 0)
		fputs("coral: no sessions\n", stderr);
	else
		rc = print_table(rows);
	json_decref(rows);
	return rc < 0 ? 1 : 0;
}

static void print_object(const json_t *obj, int indent);

/* What --explain prints as it prints it, other objects one below the other. */
static void
print_objects(const json_t *list, int indent)
{
	const json_t *row;
	size_t i;

	if (json_object_get(json_array_get(list, 0), "item")) {
		explain_items(stdout, indent, list);
		return;
	}
	json_array_foreach(list, i, row)
	{
		printf("%*s-\n", indent, "");
		print_object(row, indent + 2);
	}
}

/* "key: value" lines, nested objects indented. */
static void
print_object(const json_t *obj, int indent)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)obj, key, v)
	{
		char name[128], raw[1024], text[2048];

		str_vis(name, sizeof(name), key);
		if (json_is_object(v)) {
			printf("%*s%s:\n", indent, "", name);
			print_object(v, indent + 2);
			continue;
		}
		if (json_is_object(json_array_get(v, 0))) {
			printf("%*s%s:\n", indent, "", name);
			print_objects(v, indent + 2);
			continue;
		}
		if (text_of(v, raw, sizeof(raw)))
			str_copy(text, raw, sizeof(text));
		else
			str_vis(text, sizeof(text), raw);
		printf("%*s%s: %s\n", indent, "", name, *text ? text : "-");
	}
}

static int
run_show(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct err e;
	bool as_json;
	json_t *obj;

	(void)dashdash;
	if (cmd_format(a, &as_json, &e) < 0 || (argc != 1 && cmd_bad_words(c, argc, argv, &e) < 0))
		return cmd_fail(&e);
	obj = cmd_ask_session(a, REQ_SHOW, argv[0], &e);
	if (!obj)
		return cmd_fail(&e);
	if (as_json)
		cmd_print_json(obj);
	else
		print_object(obj, 0);
	json_decref(obj);
	return 0;
}

static int
run_rm(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct err e;
	int rc = 0;

	(void)dashdash;
	if (argc == 0) {
		cmd_bad_words(c, argc, argv, &e);
		return cmd_fail(&e);
	}
	for (int i = 0; i < argc; i++) {
		json_t *done = cmd_ask_session(a, REQ_REMOVE, argv[i], &e);
		char id[128];

		if (!done) {
			rc = cmd_fail(&e);
			continue;
		}
		json_decref(done);
		str_vis(id, sizeof(id), argv[i]);
		printf("%s\n", id);
	}
	return rc;
}

#define OUTPUT                                                                                     \
	{                                                                                          \
		"output", 'o', OPT_STR, "table|json", "how to print", COMP_WORDS, "table json"     \
	}
static const struct opt list_opts[] = {
    OUTPUT,
    CMD_AGENT_OPTS,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
static const struct opt rm_opts[] = {
    CMD_AGENT_OPTS,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};

const struct cmd cmd_sessions = {
    .name = "sessions",
    .usage = "[flags]",
    .summary = "list the sessions that run or were recorded (the same as sessions ls)",
    .examples = "coral sessions\tnewest first\n"
		"coral sessions -o json | jq '.[] | select(.exit_code != 0)'\tthose that failed\n",
    .opts = list_opts,
    .run = run_ls,
};
const struct cmd cmd_sessions_ls = {
    .name = "sessions ls",
    .usage = "[flags]",
    .summary = "list the sessions that run or were recorded",
    .examples = "coral sessions ls -o json\tone array for a script\n",
    .opts = list_opts,
    .run = run_ls,
};
const struct cmd cmd_sessions_show = {
    .name = "sessions show",
    .usage = "[flags] ID",
    .summary = "show who did what, where and when in one session",
    .examples = "coral sessions show 01jd0\ta prefix of the id will do\n",
    .opts = list_opts,
    .words = COMP_SESSION,
    .run = run_show,
};
const struct cmd cmd_sessions_rm = {
    .name = "sessions rm",
    .usage = "[flags] ID...",
    .summary = "remove recordings, where policy permits",
    .examples = "coral sessions rm 01jd0z5s8w7k3mtq4v9x2c6b1n\tprints the ids that were removed\n",
    .opts = rm_opts,
    .words = COMP_SESSION,
    .run = run_rm,
};
