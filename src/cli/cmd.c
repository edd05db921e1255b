/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/args.h"
#include "cli/cmds.h"
#include "cli/dispatch.h"

const struct cmd *const cmd_table[] = {
    &cmd_exec,
    &cmd_shell,
    &cmd_attach,
    &cmd_watch,
    &cmd_join,
    &cmd_ps,
    &cmd_sessions,
    &cmd_sessions_ls,
    &cmd_sessions_show,
    &cmd_sessions_rm,
    &cmd_sessions_freeze,
    &cmd_sessions_thaw,
    &cmd_kill,
    &cmd_replay,
    &cmd_audit_ls,
    &cmd_audit_show,
    &cmd_audit_grep,
    &cmd_audit_export,
    &cmd_audit_report,
    &cmd_audit_verify,
    &cmd_audit_unseal,
    &cmd_audit_prune,
    &cmd_keys_create,
    &cmd_keys_list,
    &cmd_keys_export,
    &cmd_agent_start,
    &cmd_agent_status,
    &cmd_agent_embedded,
    &cmd_completion,
    &cmd_version,
    &cmd_help,
    &cmd_complete,
    NULL,
};

/* How many leading arguments are exactly the words of `name` (or the alias); 0: not this one. */
static int
matches(const char *name, int argc, char **argv)
{
	int used = 0;

	while (*name) {
		size_t n = strcspn(name, " ");

		if (used == argc || strlen(argv[used]) != n || memcmp(argv[used], name, n) != 0)
			return 0;
		used++;
		name += n;
		name += *name == ' ';
	}
	return used;
}

const struct cmd *
cmd_find(int argc, char **argv, int *used)
{
	const struct cmd *best = NULL;

	*used = 0;
	for (const struct cmd *const *c = cmd_table; *c; c++) {
		int n = matches((*c)->name, argc, argv);

		if (!n && (*c)->alias)
			n = matches((*c)->alias, argc, argv);
		if (n > *used) {
			best = *c;
			*used = n;
		}
	}
	return best;
}

int
cmd_fail_exec(const struct err *e)
{
	err_print(STDERR_FILENO, e);
	return err_exit_exec(e->code);
}

int
cmd_fail(const struct err *e)
{
	err_print(STDERR_FILENO, e);
	return err_exit_local(e->code);
}

/* The second words of a verb that is none by itself: "agent" -> "start status". */
static bool
sub_verbs(const char *verb, char *out, size_t size)
{
	size_t n = strlen(verb), len = 0;

	out[0] = '\0';
	for (const struct cmd *const *c = cmd_table; *c; c++) {
		const char *name = (*c)->name;

		if (!(*c)->hidden && strncmp(name, verb, n) == 0 && name[n] == ' ' &&
		    len + strlen(name) < size)
			len += (size_t)snprintf(
			    out + len, size - len, "%s%s", len ? ", " : "", name + n + 1);
	}
	return len > 0;
}

int
cmd_unknown(int argc, char **argv, struct err *e)
{
	const char *words[COUNT_OF(cmd_table) + 1], *near;
	char subs[256];
	size_t n = 0;

	for (const struct cmd *const *c = cmd_table; *c; c++) {
		if (!(*c)->hidden)
			words[n++] = (*c)->name;
	}
	words[n] = NULL;
	if (sub_verbs(argv[0], subs, sizeof(subs))) {
		err_set(e, ERR_USAGE, 0, argc > 1 ? "coral %s has no command %s" : "coral %s what?",
		    argv[0], argc > 1 ? argv[1] : "");
		err_why(e, "it has: %s", subs);
		return err_hint(e, "coral %s %.*s --help", argv[0], (int)strcspn(subs, ","), subs);
	}
	near = str_nearest(argv[0], words);
	err_set(e, ERR_USAGE, 0, "there is no command %s", argv[0]);
	if (near)
		err_why(e, "the nearest is %s", near);
	return err_hint(e, near ? "coral %s --help; or coral help" : "coral help", near);
}

static int
flushed(int rc, bool like_exec)
{
	struct err e;

	if (!cmd_print_failed() || rc != 0)
		return rc;
	err_set(&e, ERR_IO, errno, "cannot write standard output");
	return like_exec ? cmd_fail_exec(&e) : cmd_fail(&e);
}

static int
run(const struct cmd *c, int argc, char **argv)
{
	struct args a;
	struct err e;
	int rc;

	if (args_parse(&a, c, argc, argv, &e) < 0)
		rc = c->like_exec ? cmd_fail_exec(&e) : cmd_fail(&e);
	else if (a.help) {
		help_print(stdout, c);
		rc = 0;
	} else
		rc = c->run(c, &a, a.nwords, a.words, a.dashdash);
	args_fini(&a);
	return flushed(rc, c->like_exec);
}

int
cmd_main(int argc, char **argv)
{
	static char version[] = "version";
	const struct cmd *c;
	struct err e;
	int used;

	if (argc < 2) {
		help_print(stderr, NULL);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help_print(stdout, NULL);
		return flushed(0, false);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		argv[1] = version;
	c = cmd_find(argc - 1, argv + 1, &used);
	if (!c && argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0) &&
	    help_group(stdout, argv[1]))
		return flushed(0, false);
	if (!c) {
		cmd_unknown(argc - 1, argv + 1, &e);
		return cmd_fail(&e);
	}
	return run(c, argc - 1 - used, argv + 1 + used);
}
