/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/cmds.h"
#include "cli/table.h"

#define WIDTH_MIN 40
#define WIDTH_MAX 100

static int
width_of(FILE *f)
{
	int64_t cols = table_columns(f);

	if (cols == 0) {
		cols = 80;
		if (getenv("COLUMNS"))
			str_to_i64(getenv("COLUMNS"), 1, 10000, &cols);
	}
	return cols < WIDTH_MIN ? WIDTH_MIN : cols > WIDTH_MAX ? WIDTH_MAX : (int)cols;
}

/* A term in the left column and its text in the right one. */
static void
item(FILE *f, const char *term, const char *text, int left, int width)
{
	int n = fprintf(f, "  %s", term);

	if (n + 2 > left) {
		fputc('\n', f);
		n = 0;
	}
	fprintf(f, "%*s", left - n, "");
	table_wrap(f, text, left, left, width);
}

static void
option(FILE *f, const struct opt *o, int left, int width)
{
	char term[128], text[512];
	int n;

	n = o->letter ? snprintf(term, sizeof(term), "-%c, --%s", o->letter, o->name)
		      : snprintf(term, sizeof(term), "    --%s", o->name);
	if (strlen(o->name) == 1)
		n = snprintf(term, sizeof(term), "-%s", o->name);
	if (o->arg)
		snprintf(term + n, sizeof(term) - (size_t)n, " %s", o->arg);
	snprintf(
	    text, sizeof(text), "%s%s", o->help, o->kind == OPT_LIST ? " (may be repeated)" : "");
	item(f, term, text, left, width);
}

static void
examples(FILE *f, const char *s)
{
	fputs("\nExamples:\n", f);
	while (*s) {
		int line = (int)strcspn(s, "\n"), tab = (int)strcspn(s, "\t\n");

		if (tab < line)
			fprintf(f, "  # %.*s\n", line - tab - 1, s + tab + 1);
		fprintf(f, "  %.*s\n", tab, s);
		s += line;
		s += *s == '\n';
	}
}

static void
help_one(FILE *f, const struct cmd *c)
{
	static const struct opt help = {"help", 'h', OPT_FLAG, NULL, "print this", COMP_NONE, NULL};
	int width = width_of(f), left = width >= 72 ? 32 : 8;

	fprintf(f, "Usage: ");
	if (c->usage[0])
		fprintf(f, "coral %s %s\n\n", c->name, c->usage);
	else
		fprintf(f, "coral %s\n\n", c->name);
	table_wrap(f, c->summary, 0, 0, width);
	fputs("\nOptions:\n", f);
	for (const struct opt *o = c->opts; o && o->name; o++)
		option(f, o, left, width);
	option(f, &help, left, width);
	if (c->examples)
		examples(f, c->examples);
}

static void
help_all(FILE *f)
{
	int width = width_of(f);

	fputs("Usage: coral COMMAND [flags] ...\n\n", f);
	table_wrap(f,
	    "Enters running containers, as the process they would have started, and records it.", 0,
	    0, width);
	fputs("\nCommands:\n", f);
	for (const struct cmd *const *c = cmd_table; *c; c++) {
		if (!(*c)->hidden)
			item(f, (*c)->name, (*c)->summary, 18, width);
	}
	fputs("\nExamples:\n"
	      "  coral ps                         # what can be entered\n"
	      "  coral shell checkout             # a prompt in a container\n"
	      "  coral exec checkout -- df -h     # one command\n"
	      "  coral sessions                   # what was recorded\n"
	      "\nMore: coral COMMAND --help, and the manual page coral(1).\n",
	    f);
}

bool
help_group(FILE *f, const char *verb)
{
	int width = width_of(f);
	size_t n = strlen(verb);
	bool any = false;

	for (const struct cmd *const *c = cmd_table; *c; c++) {
		const char *name = (*c)->name;

		if ((*c)->hidden || strncmp(name, verb, n) != 0 || name[n] != ' ')
			continue;
		if (!any)
			fprintf(f, "Usage: coral %s COMMAND [flags] ...\n\nCommands:\n", verb);
		item(f, name, (*c)->summary, 18, width);
		any = true;
	}
	if (any)
		fprintf(f, "\nMore: coral %s COMMAND --help, and the manual page coral-%s(%d).\n",
		    verb, verb, strcmp(verb, "agent") == 0 ? 8 : 1);
	return any;
}

void
help_print(FILE *f, const struct cmd *c)
{
	if (c)
		help_one(f, c);
	else
		help_all(f);
}

int
help_rows(void)
{
	json_t *all = json_array();

	for (const struct cmd *const *c = cmd_table; *c; c++) {
		json_t *opts = json_array();

		for (const struct opt *o = (*c)->opts; o && o->name; o++) {
			char letter[2] = {o->letter, '\0'};

			json_array_append_new(
			    opts, json_pack("{s:s, s:s, s:s, s:s}", "name", o->name, "letter",
				      letter, "arg", o->arg ? o->arg : "", "help", o->help));
		}
		json_array_append_new(all,
		    json_pack("{s:s, s:s, s:s, s:b, s:o}", "name", (*c)->name, "usage", (*c)->usage,
			"summary", (*c)->summary, "hidden", (*c)->hidden, "options", opts));
	}
	cmd_print_json(all);
	json_decref(all);
	return 0;
}

static int
run_help(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct err e;
	int used;

	(void)c;
	(void)dashdash;
	if (args_flag(a, "json"))
		return help_rows();
	if (argc == 0) {
		help_print(stdout, NULL);
		return 0;
	}
	c = cmd_find(argc, argv, &used);
	if (!c && argc == 1 && help_group(stdout, argv[0]))
		return 0;
	if (!c || used < argc) {
		cmd_unknown(argc, argv, &e);
		return cmd_fail(&e);
	}
	help_print(stdout, c);
	return 0;
}

static const struct opt help_opts[] = {
    {"json", 0, OPT_FLAG, NULL, "every command with its options, as JSON", COMP_NONE, NULL},
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
const struct cmd cmd_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .summary = "print help",
    .examples = "coral help exec\tthe same as coral exec --help\n",
    .opts = help_opts,
    .run = run_help,
};
