/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/args.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

struct args_value {
	int count;
	long long num;
	const char **list; /* NULL-terminated; as given */
	bool *letter;
};

static int
nopts(const struct cmd *c)
{
	int n = 0;

	while (c->opts && c->opts[n].name)
		n++;
	return n;
}

static const struct args_value *
value_of(const struct args *a, const char *name)
{
	for (int i = 0; i < nopts(a->cmd); i++) {
		if (strcmp(a->cmd->opts[i].name, name) == 0)
			return &a->values[i];
	}
	return NULL;
}

bool
args_flag(const struct args *a, const char *name)
{
	return args_count(a, name) > 0;
}

int
args_count(const struct args *a, const char *name)
{
	const struct args_value *v = value_of(a, name);

	return v ? v->count : 0;
}

const char *
args_str(const struct args *a, const char *name)
{
	const struct args_value *v = value_of(a, name);

	return v && v->count ? v->list[v->count - 1] : NULL;
}

long long
args_int(const struct args *a, const char *name, long long def)
{
	const struct args_value *v = value_of(a, name);

	return v && v->count ? v->num : def;
}

const char *const *
args_list(const struct args *a, const char *name)
{
	static const char *const none[] = {NULL};
	const struct args_value *v = value_of(a, name);

	return v && v->list ? v->list : none;
}

bool
args_by_letter(const struct args *a, const char *name, int i)
{
	const struct args_value *v = value_of(a, name);

	return v && i < v->count && v->letter && v->letter[i];
}

static int
usage_hint(const struct args *a, struct err *e)
{
	return err_hint(e, "coral %s --help", a->cmd->name);
}

/* What was meant for a word of the verb begins with a dash. */
static int
option_hint(const struct args *a, struct err *e)
{
	if (!strstr(a->cmd->usage, "PATTERN"))
		return usage_hint(a, e);
	return err_hint(
	    e, "coral %s -- PATTERN if it is one; or coral %s --help", a->cmd->name, a->cmd->name);
}

static int
unknown_long(const struct args *a, const char *name, size_t len, struct err *e)
{
	const char *words[128], *near;
	char given[64];
	int n = nopts(a->cmd);

	snprintf(given, sizeof(given), "%.*s", (int)len, name);
	for (int i = 0; i < n && i < (int)COUNT_OF(words) - 2; i++)
		words[i] = a->cmd->opts[i].name;
	words[n] = "help";
	words[n + 1] = NULL;
	near = str_nearest(given, words);
	err_set(e, ERR_USAGE, 0, "coral %s has no option --%s", a->cmd->name, given);
	if (!near) {
		err_why(e, "no option of it has a name like that");
		return option_hint(a, e);
	}
	err_why(e, "the nearest is --%s", near);
	return err_hint(
	    e, "coral %s --%s ...; or coral %s --help", a->cmd->name, near, a->cmd->name);
}

static int
unknown_letter(const struct args *a, const char *letter, struct err *e)
{
	char have[160] = "";
	uint32_t cp;
	size_t len = 0, n = str_utf8_one((const unsigned char *)letter, strlen(letter), &cp);

	for (const struct opt *o = a->cmd->opts; o && o->name; o++) {
		if (o->letter && len + 4 < sizeof(have))
			len += (size_t)snprintf(have + len, sizeof(have) - len, " -%c", o->letter);
	}
	err_set(e, ERR_USAGE, 0, "coral %s has no option -%.*s", a->cmd->name, n > 0 ? (int)n : 1,
	    letter);
	err_why(e, "its short options are%s -h", have);
	return option_hint(a, e);
}

/* Whether the value suits the row; numbers are kept as such. */
static int
check_value(
    const struct args *a, const struct opt *o, struct args_value *v, const char *s, struct err *e)
{
	int64_t num = 0;

	if (s && o->kind == OPT_INT && str_to_i64(s, 0, INT_MAX, &num) < 0) {
		err_set(e, ERR_USAGE, 0, "--%s wants a number, not \"%s\"", o->name, s);
		err_why(e, "it must be decimal digits, at most %d", INT_MAX);
		return usage_hint(a, e);
	}
	if (o->kind == OPT_DUR && clock_parse_duration(s, &num) < 0) {
		err_set(e, ERR_USAGE, 0, "--%s wants a duration, not \"%s\"", o->name, s);
		err_why(e, "such as 30s, 5m, 1h30m or 250ms; a bare number means seconds");
		return usage_hint(a, e);
	}
	v->num = num;
	return 0;
}

static int
add_value(struct args *a, const struct opt *o, const char *s, bool letter, struct err *e)
{
	struct args_value *v = &a->values[o - a->cmd->opts];

	if (o->kind == OPT_FLAG) {
		v->count++;
		return 0;
	}
	if (check_value(a, o, v, s, e) < 0)
		return -1;
	if (!v->list) {
		v->list = calloc(ARGS_VALUES + 1, sizeof(*v->list));
		v->letter = calloc(ARGS_VALUES, sizeof(*v->letter));
		if (!v->list || !v->letter)
			return err_set(e, ERR_INTERNAL, 0, "out of memory");
	}
	if (v->count == ARGS_VALUES) {
		err_set(e, ERR_USAGE, 0, "--%s was given too often", o->name);
		err_why(e, "at most %d times", ARGS_VALUES);
		return usage_hint(a, e);
	}
	v->letter[v->count] = letter;
	v->list[v->count++] = s;
	return 0;
}

static int
no_value(const struct args *a, const struct opt *o, const char *as, struct err *e)
{
	err_set(e, ERR_USAGE, 0, "%s needs a value", as);
	err_why(e, "it is written --%s %s", o->name, o->arg);
	return usage_hint(a, e);
}

/* --name, --name=value, --name value.  Returns how many arguments were used, or -1. */
static int
parse_long(struct args *a, char **argv, struct err *e)
{
	const char *name = argv[0] + 2, *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	const struct opt *o = a->cmd->opts;

	if (len == 4 && memcmp(name, "help", 4) == 0) {
		a->help = true;
		return 1;
	}
	while (o && o->name && (strlen(o->name) != len || memcmp(o->name, name, len) != 0))
		o++;
	/* A row whose name is its letter has no long form. */
	if (!o || !o->name || len == 1)
		return unknown_long(a, name, len, e);
	if (o->kind == OPT_FLAG && eq) {
		err_set(e, ERR_USAGE, 0, "--%s takes no value", o->name);
		err_why(e, "\"%s\" was given", eq + 1);
		return usage_hint(a, e);
	}
	if (o->kind == OPT_FLAG || eq)
		return add_value(a, o, eq ? eq + 1 : NULL, false, e) < 0 ? -1 : 1;
	if (!argv[1])
		return no_value(a, o, argv[0], e);
	return add_value(a, o, argv[1], false, e) < 0 ? -1 : 2;
}

/* -x, -xyz, -xVALUE, -x VALUE, -x=VALUE is the value "=VALUE" as in getopt(3). */
static int
parse_letters(struct args *a, char **argv, struct err *e)
{
	for (const char *p = argv[0] + 1; *p; p++) {
		const struct opt *o = a->cmd->opts;
		char as[3] = {'-', *p, '\0'};

		while (o && o->name && o->letter != *p)
			o++;
		if ((!o || !o->name) && *p == 'h') {
			a->help = true;
			continue;
		}
		if (!o || !o->name)
			return unknown_letter(a, p, e);
		if (o->kind == OPT_FLAG) {
			if (add_value(a, o, NULL, true, e) < 0)
				return -1;
			continue;
		}
		if (p[1])
			return add_value(a, o, p + 1, true, e) < 0 ? -1 : 1;
		if (!argv[1])
			return no_value(a, o, as, e);
		return add_value(a, o, argv[1], true, e) < 0 ? -1 : 2;
	}
	return 1;
}

/* The rest as it stands; only the "--" that follows one word (exec's target) is syntax. */
static void
take_rest(struct args *a, char **argv)
{
	for (; *argv; argv++) {
		if (a->dashdash < 0 && a->nwords == 1 && strcmp(*argv, "--") == 0)
			a->dashdash = 1;
		else
			a->words[a->nwords++] = *argv;
	}
}

int
args_parse(struct args *a, const struct cmd *c, int argc, char **argv, struct err *e)
{
	int i = 0;

	*a = (struct args){.cmd = c, .dashdash = -1};
	a->values = calloc((size_t)nopts(c) + 1, sizeof(*a->values));
	a->words = calloc((size_t)argc + 1, sizeof(*a->words));
	if (!a->values || !a->words)
		return err_set(e, ERR_INTERNAL, 0, "out of memory");
	while (i < argc) {
		char *s = argv[i];
		int used = 1;

		if (strcmp(s, "--") == 0) {
			a->dashdash = a->nwords;
			while (++i < argc)
				a->words[a->nwords++] = argv[i];
			return 0;
		}
		if (s[0] == '-' && s[1] == '-')
			used = parse_long(a, argv + i, e);
		else if (s[0] == '-' && s[1])
			used = parse_letters(a, argv + i, e);
		else if (c->stop_at_word) {
			take_rest(a, argv + i);
			return 0;
		} else
			a->words[a->nwords++] = s;
		if (used < 0)
			return -1;
		i += used;
	}
	return 0;
}

void
args_fini(struct args *a)
{
	for (int i = 0; a->values && i < nopts(a->cmd); i++) {
		free(a->values[i].list);
		free(a->values[i].letter);
	}
	free(a->values);
	free(a->words);
	a->values = NULL;
	a->words = NULL;
}
