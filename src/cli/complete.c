/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/complete.h"

#include <limits.h>
#include <string.h>

#include "base/str.h"
#include "cli/cmds.h"

static const struct opt *
find_long(const struct cmd *c, const char *name, size_t len)
{
	for (const struct opt *o = c->opts; o && o->name; o++) {
		if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	}
	return NULL;
}

/* The option that takes the next argument as its value, when `s` ends with one. */
static const struct opt *
wants_next(const struct cmd *c, const char *s)
{
	const struct opt *o = NULL;

	if (s[1] == '-') {
		o = strchr(s, '=') ? NULL : find_long(c, s + 2, strlen(s + 2));
		return o && o->kind != OPT_FLAG ? o : NULL;
	}
	for (const char *p = s + 1; *p; p++) {
		for (o = c->opts; o && o->name && o->letter != *p; o++)
			;
		if (o && o->name && o->kind != OPT_FLAG)
			return p[1] ? NULL : o;
	}
	return NULL;
}

void
complete_parse(struct complete_at *to, int at, char **words)
{
	const char *cur = words[at], *eq = strchr(cur, '=');
	int used;

	*to = (struct complete_at){.prefix = cur};
	to->cmd = at > 1 ? cmd_find(at - 1, words + 1, &used) : NULL;
	if (!to->cmd)
		return;
	to->first = 1 + used;
	for (int i = to->first; i < at; i++) {
		const char *s = words[i];

		if (to->dashdash || s[0] != '-' || !s[1] ||
		    (to->cmd->stop_at_word && to->nwords > 0 && strcmp(s, "--") != 0))
			to->nwords++;
		else if (strcmp(s, "--") == 0)
			to->dashdash = true;
		else if (wants_next(to->cmd, s) && ++i == at) {
			to->pending = wants_next(to->cmd, s);
			return;
		}
	}
	if (to->dashdash || cur[0] != '-' || (to->cmd->stop_at_word && to->nwords > 0))
		return;
	if (cur[1] == '-' && eq) {
		to->pending = find_long(to->cmd, cur + 2, (size_t)(eq - cur - 2));
		to->prefix = eq + 1;
		return;
	}
	to->option = true;
}

static bool
starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Verbs that begin with what stands before the cursor: the first words, then the second ones. */
static void
verbs(int at, char **words)
{
	const char *cur = words[at], *last = "";

	for (const struct cmd *const *c = cmd_table; *c; c++) {
		const char *name = (*c)->name, *rest = strchr(name, ' ');
		size_t n = rest ? (size_t)(rest - name) : strlen(name);

		if ((*c)->hidden)
			continue;
		if (at == 2 && rest && strlen(words[1]) == n && strncmp(words[1], name, n) == 0 &&
		    starts(rest + 1, cur))
			printf("%s\t%s\n", rest + 1, (*c)->summary);
		if (at == 1 && starts(name, cur) && strlen(cur) <= n &&
		    (strncmp(last, name, n) != 0 || last[n] > ' '))
			printf("%.*s\t%s\n", (int)n, name, (*c)->summary);
		last = name;
	}
}

static void
options(const struct complete_at *at)
{
	const char *cur = at->prefix;

	for (const struct opt *o = at->cmd->opts; o && o->name; o++) {
		if (!o->name[1])
			continue;
		if (strlen(cur) < 2 || starts(o->name, cur + 2))
			printf("--%s\t%s\n", o->name, o->help);
	}
	if (starts("--help", cur))
		puts("--help\tprint help");
}

/* The last part of a list with commas, each with what stands before it. */
static void
word_list(const char *list, const char *prefix)
{
	const char *comma = strrchr(prefix, ',');
	int kept = comma ? (int)(comma + 1 - prefix) : 0;

	while (list && *list) {
		int n = (int)strcspn(list, " ");

		if (strncmp(list, prefix + kept, strlen(prefix + kept)) == 0)
			printf("%.*s%.*s\n", kept, prefix, n, list);
		list += n;
		list += *list == ' ';
	}
}

static void
values(const struct complete_at *at, enum opt_complete kind, const char *list, bool any, int argc,
    char **argv)
{
	switch (kind) {
	case COMP_NONE:
		break;
	case COMP_FILE:
		puts(":file");
		break;
	case COMP_DIR:
		puts(":dir");
		break;
	case COMP_WORDS:
		word_list(list, at->prefix);
		break;
	default:
		complete_live(stdout, at, kind, any, argc, argv);
		break;
	}
}

static int
run_complete(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	static char empty[] = "";
	struct complete_at to;
	int64_t at;

	(void)c;
	(void)a;
	(void)dashdash;
	if (argc < 2 || str_to_i64(argv[0], 1, INT_MAX, &at) < 0 || at > argc - 1)
		return 2;
	/* The shells leave out an empty last word; argv has room for its NULL. */
	if (at == argc - 1)
		argv[argc] = empty;
	argv++;
	complete_parse(&to, (int)at, argv);
	if (at <= 2)
		verbs((int)at, argv);
	if (!to.cmd)
		return 0;
	if (to.pending)
		values(&to, to.pending->complete, to.pending->words, false, (int)at, argv);
	else if (to.option)
		options(&to);
	else if (!(to.cmd->stop_at_word && (to.nwords > 0 || to.dashdash)))
		values(&to, to.cmd->words, to.cmd->word_list, true, (int)at, argv);
	return 0;
}

const struct cmd cmd_complete = {
    .name = "__complete",
    .usage = "INDEX WORD...",
    .summary = "complete a command line, for the shells' completion scripts",
    .stop_at_word = true,
    .hidden = true,
    .run = run_complete,
};
