/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cmds.h"

#include <stdio.h>
#include <string.h>

#include "cli/table.h"

static int
text_cell(struct table *t, const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);
	char num[32];

	if (!json_is_integer(v))
		return table_cell(t, json_string_value(v));
	snprintf(num, sizeof(num), "%lld", (long long)json_integer_value(v));
	return table_cell(t, num);
}

static int
print_table(const json_t *rows)
{
	static const char *const heads[] = {"SERVICE", "CONTAINER", "PID", "UID", "STATE",
	    "RUNTIME", "POD", "NAMESPACE", "IMAGE", "PROVENANCE", "ID", NULL};
	static const char *const keys[] = {"service", "container", "pid", "uid", "state", "runtime",
	    "pod", "namespace", "image", "provenance"};
	struct table *t = table_new(heads);
	const json_t *row;
	char id[13];
	size_t i;
	int rc = t ? 0 : -1;

	json_array_foreach(json_is_array(rows) && t ? rows : NULL, i, row)
	{
		const char *full = json_string_value(json_object_get(row, "container_id"));

		for (size_t k = 0; k < COUNT_OF(keys); k++)
			rc |= text_cell(t, row, keys[k]);
		snprintf(id, sizeof(id), "%.12s", full ? full : "");
		rc |= table_cell(t, id);
	}
	if (rc == 0)
		table_print(t, stdout, 3);
	table_free(t);
	return rc;
}

static int
run_ps(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct request r;
	struct err e;
	bool as_json;
	json_t *rows;
	int rc = 0;

	(void)dashdash;
	if (cmd_format(a, &as_json, &e) < 0 || (argc && cmd_bad_words(c, argc, argv, &e) < 0))
		return cmd_fail(&e);
	request_init(&r);
	r.verb = REQ_PS;
	snprintf(r.client, sizeof(r.client), "coral %s", CORAL_VERSION);
	rows = cmd_ask(a, &r, &e);
	request_fini(&r);
	if (!rows)
		return cmd_fail(&e);
	if (as_json)
		cmd_print_json(rows);
	else if (json_array_size(rows) == 0)
		fputs("coral: no containers are running here\n", stderr);
	else
		rc = print_table(rows);
	json_decref(rows);
	return rc < 0 ? 1 : 0;
}

static const struct opt ps_opts[] = {
    {"output", 'o', OPT_STR, "table|json", "how to print", COMP_WORDS, "table json"},
    CMD_AGENT_OPTS,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
const struct cmd cmd_ps = {
    .name = "ps",
    .usage = "[flags]",
    .summary = "list what can be entered",
    .examples = "coral ps\tevery container that the agent sees\n"
		"coral ps -o json | jq '.[].service'\tthe same for a script\n",
    .opts = ps_opts,
    .run = run_ps,
};
