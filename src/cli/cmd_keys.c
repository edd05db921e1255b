/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cmd_keys.h"

#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/cmds.h"
#include "cli/table.h"
#include "record/keys.h"
#include "session/audited.h"

static int
known(struct conf *conf, struct keys_list *keys, struct err *e)
{
	return cmd_settings(conf, e) < 0 ? -1 : keys_known(conf->state_dir, keys, e);
}

static int
only_for_auditors(const struct args *a, struct err *e)
{
	if (!args_flag(a, "no-passphrase") && !args_str(a, "output"))
		return 0;
	err_set(e, ERR_USAGE, 0, "-o and --no-passphrase are for an auditor's key");
	err_why(e, "the agent's own lies in its state directory, without a passphrase");
	return err_hint(e, "coral keys create --auditor NAME");
}

/* The one in force, as the log names it.  "": there is none. */
static int
in_force(const struct conf *conf, char name[KEYS_NAME], struct err *e)
{
	struct keys_list keys = {0};

	name[0] = '\0';
	if (keys_known(conf->state_dir, &keys, e) < 0)
		return -1;
	if (keys.n > 0 && !strchr(keys.v[0].name, '-'))
		keys_agent_name(name, keys.v[0].public);
	keys_fini(&keys);
	return 0;
}

/* What nobody was told of is not published, and told by who comes next. */
static int
tell_made(const struct conf *conf, const struct keyfile *k, struct err *e)
{
	char name[KEYS_NAME];

	keys_agent_name(name, k->public);
	if (session_audit_key(conf, "key.created", name, NULL, e) < 0)
		return -1;
	return keys_agent_publish(conf->state_dir, k, e);
}

/* That one goes is told before, and which one came when it is there. */
static int
make_key(const struct conf *conf, bool replace, struct err *e)
{
	struct keyfile k = {0};
	char before[KEYS_NAME];
	struct err untold = {0};
	int rc;

	if (in_force(conf, before, e) < 0)
		return -1;
	if (replace && before[0] && session_audit_key(conf, "key.replaced", before, NULL, e) < 0)
		return -1;
	if (keys_agent_make(conf->state_dir, replace, &k, e) < 0) {
		if (replace && before[0])
			session_audit_key(conf, "key.replaced", before, e, &untold);
		return -1;
	}
	rc = tell_made(conf, &k, e);
	keyfile_fini(&k);
	return rc;
}

static int
run_create(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	char print[KEYFILE_PRINT];
	struct keys_list keys = {0};
	struct conf conf;
	struct err e;

	(void)dashdash;
	if (argc > 0)
		return cmd_bad_words(c, argc, argv, &e), cmd_fail(&e);
	if (args_str(a, "auditor"))
		return cmd_keys_make_auditor(a);
	if (only_for_auditors(a, &e) < 0 || cmd_settings(&conf, &e) < 0 ||
	    make_key(&conf, args_flag(a, "replace"), &e) < 0 ||
	    keys_known(conf.state_dir, &keys, &e) < 0)
		return cmd_fail(&e);
	for (size_t i = 0; i < keys.n && i < 1; i++) {
		keyfile_print(print, keys.v[i].public);
		printf("%s %s\n", print, keys.v[i].path);
	}
	keys_fini(&keys);
	if (args_flag(a, "replace"))
		fputs(
		    "coral: an agent that runs signs with the old key until it is started again\n",
		    stderr);
	return 0;
}

static json_t *
row_of(const struct keys_one *k, bool signs)
{
	char print[KEYFILE_PRINT], line[KEYFILE_LINE];

	keyfile_print(print, k->public);
	keyfile_line(line, k->public);
	return json_pack("{s:s, s:b, s:s, s:s, s:o}", "name", k->name, "in_force", signs,
	    "fingerprint", print, "public_key", line, "path", json_text(k->path));
}

static const char *
use_of(const json_t *row)
{
	const char *name = json_str(row, "name");

	if (name && strncmp(name, "auditor_", 8) == 0)
		return "opens";
	return json_is_true(json_object_get(row, "in_force")) ? "signs" : "old";
}

static int
print_table(const json_t *rows)
{
	static const char *const heads[] = {"NAME", "USE", "FINGERPRINT", "PATH", NULL};
	struct table *t = table_new(heads);
	const json_t *row;
	int rc = t ? 0 : -1;
	size_t i;

	json_array_foreach(t ? rows : NULL, i, row)
	{
		rc |= table_cell(t, json_string_value(json_object_get(row, "name")));
		rc |= table_cell(t, use_of(row));
		rc |= table_cell(t, json_string_value(json_object_get(row, "fingerprint")));
		rc |= table_cell(t, json_string_value(json_object_get(row, "path")));
	}
	if (rc == 0)
		table_print(t, stdout, 3);
	table_free(t);
	return rc;
}

static int
run_list(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct keys_list keys = {0};
	struct auditors auditors = {0};
	json_t *rows = json_array();
	struct conf conf;
	struct err e;
	bool as_json;
	int rc = 0;

	(void)dashdash;
	if ((argc > 0 && cmd_bad_words(c, argc, argv, &e) < 0) || cmd_format(a, &as_json, &e) < 0 ||
	    known(&conf, &keys, &e) < 0 || keys_auditors(conf.state_dir, &auditors, &e) < 0) {
		json_decref(rows);
		keys_fini(&keys);
		return cmd_fail(&e);
	}
	for (size_t i = 0; i < keys.n; i++)
		json_array_append_new(rows, row_of(&keys.v[i], !strchr(keys.v[i].name, '-')));
	for (size_t i = 0; i < auditors.n; i++)
		json_array_append_new(rows, cmd_keys_auditor_row(conf.state_dir, &auditors.v[i]));
	if (as_json)
		cmd_print_json(rows);
	else if (json_array_size(rows) == 0)
		fputs("coral: no keys\n", stderr);
	else
		rc = print_table(rows);
	json_decref(rows);
	keys_fini(&keys);
	return rc < 0 ? 1 : 0;
}

/* Whether it is the name of one, which is then printed. */
static int
export_auditor(const char *state_dir, const char *name, struct err *e)
{
	struct auditors l = {0};
	char line[AUDITOR_LINE];

	if (!name || strncmp(name, "auditor_", 8) != 0)
		return 0;
	if (keys_auditors(state_dir, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		if (strcmp(l.v[i].name, name + 8) == 0) {
			auditor_line(line, &l.v[i]);
			puts(line);
			return 1;
		}
	return 0;
}

static int
run_export(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	const char *want = argc > 0 ? argv[0] : NULL;
	struct keys_list keys = {0};
	char line[KEYFILE_LINE];
	struct conf conf;
	struct err e;
	size_t i = 0;
	int found;

	(void)a;
	(void)dashdash;
	if ((argc > 1 && cmd_bad_words(c, argc, argv, &e) < 0) || known(&conf, &keys, &e) < 0)
		return cmd_fail(&e);
	found = export_auditor(conf.state_dir, want, &e);
	if (found) {
		keys_fini(&keys);
		return found < 0 ? cmd_fail(&e) : 0;
	}
	while (want && i < keys.n && strcmp(keys.v[i].name, want) != 0)
		i++;
	if (i == keys.n) {
		err_set(&e, ERR_CONFIG, 0, want ? "there is no key %s" : "there is no key", want);
		err_why(&e, "%s/keys holds %zu that this user may read", conf.state_dir, keys.n);
		err_hint(&e, keys.n ? "coral keys list" : "coral keys create");
		keys_fini(&keys);
		return cmd_fail(&e);
	}
	keyfile_line(line, keys.v[i].public);
	printf("%s %s\n", line, keys.v[i].name);
	keys_fini(&keys);
	return 0;
}

static const struct opt create_opts[] = {
    {"auditor", 0, OPT_STR, "NAME", "make a key of an auditor instead, who can open what is sealed",
	COMP_NONE, NULL},
    {"output", 'o', OPT_STR, "FILE",
	"where its secret goes; its public half beside it, as FILE.pub", COMP_FILE, NULL},
    {"no-passphrase", 0, OPT_FLAG, NULL, "ask for none: the secret lies open", COMP_NONE, NULL},
    {"replace", 0, OPT_FLAG, NULL, "make another where there is one; its public half is kept",
	COMP_NONE, NULL},
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
static const struct opt list_opts[] = {
    {"output", 'o', OPT_STR, "table|json", "how to print", COMP_WORDS, "table json"},
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
static const struct opt no_opts[] = {
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};

const struct cmd cmd_keys_create = {
    .name = "keys create",
    .usage = "[flags]",
    .summary = "make the key that certifies what recordings are signed with, or an auditor's",
    .examples = "coral keys create\tthe agent makes it at its first start as well\n"
		"coral keys create --replace\tand start the agent again\n"
		"coral keys create --auditor alice -o alice.key\tprints a line for the policy\n",
    .opts = create_opts,
    .run = run_create,
};
const struct cmd cmd_keys_list = {
    .name = "keys list",
    .usage = "[flags]",
    .summary = "list the agent's evidence keys, old ones among them, and auditors' keys kept here",
    .examples = "coral keys list -o json\tone array for a script\n",
    .opts = list_opts,
    .run = run_list,
};
const struct cmd cmd_keys_export = {
    .name = "keys export",
    .usage = "[NAME]",
    .summary = "print a public key, for audit verify elsewhere",
    .examples = "coral keys export >agent.pub\tthe one in force\n"
		"coral keys export agent_ed25519-20261122T054120Z\tan old one\n"
		"coral keys export auditor_alice\ta line for record.auditors of a policy\n",
    .opts = no_opts,
    .run = run_export,
};
