/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/args.h"

#include <string.h>

#include "base/clock.h"
#include "tap.h"

static const struct opt opts[] = {
    {"stdin", 'i', OPT_FLAG, NULL, "", COMP_NONE, NULL},
    {"tty", 't', OPT_FLAG, NULL, "", COMP_NONE, NULL},
    {"user", 'u', OPT_STR, "NAME", "", COMP_NONE, NULL},
    {"pid", 0, OPT_INT, "N", "", COMP_NONE, NULL},
    {"timeout", 0, OPT_DUR, "DUR", "", COMP_NONE, NULL},
    {"env", 'e', OPT_LIST, "K=V", "", COMP_NONE, NULL},
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
static const struct cmd free_order = {.name = "shell", .usage = "", .summary = "", .opts = opts};
static const struct cmd stopping = {
    .name = "exec", .usage = "", .summary = "", .opts = opts, .stop_at_word = true};
static const struct cmd pattern = {
    .name = "grep", .usage = "[flags] PATTERN", .summary = "", .opts = opts};
static const struct cmd bare = {.name = "version", .usage = "", .summary = ""};

static struct args a;
static struct err e;

static int
parse(const struct cmd *c, const char *const *words)
{
	static char *argv[32];
	int n = 0;

	args_fini(&a);
	for (; words[n]; n++)
		argv[n] = (char *)(uintptr_t)words[n];
	argv[n] = NULL;
	return args_parse(&a, c, n, argv, &e);
}
#define PARSE(c, ...) parse(c, (const char *const[]){__VA_ARGS__, NULL})

static void
test_forms(void)
{
	is_int(PARSE(&free_order, "-it", "--user=bob", "x", "--timeout", "1m30s", "y"), 0,
	    "mixed forms");
	ok(args_flag(&a, "stdin") && args_flag(&a, "tty"), "a cluster sets both");
	is_str(args_str(&a, "user"), "bob", "--opt=value");
	ok(args_int(&a, "timeout", 0) == 90 * NS_PER_S, "--opt value, a duration in ns");
	is_int(a.nwords, 2, "words between and after options");
	is_str(a.words[1], "y", "in order");
	ok(a.words[2] == NULL, "NULL at the end");
	is_int(a.dashdash, -1, "no --");
	is_int(args_int(&a, "pid", -1), -1, "default of what is absent");
	is_int(PARSE(&free_order, "-uroot", "-tt", "--pid", "42"), 0, "value in the cluster");
	is_str(args_str(&a, "user"), "root", "-uroot");
	is_int(args_count(&a, "tty"), 2, "-tt counts");
	is_int(args_int(&a, "pid", -1), 42, "number");
	is_int(PARSE(&free_order, "-tu", "bob"), 0, "cluster that ends with a value option");
	is_str(args_str(&a, "user"), "bob", "takes the next argument");
	is_int(PARSE(&free_order, "-u", "-x"), 0, "a value may begin with a dash");
	is_str(args_str(&a, "user"), "-x", "and is taken as it is");
	is_int(PARSE(&free_order, "-u", "a", "--user", "b"), 0, "repeated");
	is_str(args_str(&a, "user"), "b", "the last one counts");
	is_int(PARSE(&free_order, "-"), 0, "a lone dash");
	is_int(a.nwords, 1, "is a word");
	is_int(PARSE(&free_order, "--user="), 0, "--opt= is an empty value");
	is_str(args_str(&a, "user"), "", "empty");
	is_int(PARSE(&free_order, "-h"), 0, "-h");
	ok(a.help, "asks for help");
	is_int(PARSE(&bare, "--help"), 0, "help of a command without options");
	ok(a.help, "asks for help");
	is_int(PARSE(&bare, "w"), 0, "a word to a command without options");
}

static void
test_lists(void)
{
	const char *const *l;

	is_int(PARSE(&free_order, "-e", "A=1", "--env", "B", "-eC"), 0, "list");
	l = args_list(&a, "env");
	ok(strcmp(l[0], "A=1") == 0 && strcmp(l[1], "B") == 0 && strcmp(l[2], "C") == 0 && !l[3],
	    "in order, NULL at the end");
	ok(args_by_letter(&a, "env", 0) && !args_by_letter(&a, "env", 1) &&
		args_by_letter(&a, "env", 2),
	    "which were -e");
	ok(!args_by_letter(&a, "env", 3), "beyond the end");
	is_int(PARSE(&free_order, "x"), 0, "no list");
	ok(args_list(&a, "env")[0] == NULL, "an empty list");
}

static void
test_dashdash(void)
{
	is_int(PARSE(&stopping, "-i", "ls", "-t", "--user"), 0, "options end at the first word");
	ok(!args_flag(&a, "tty") && a.nwords == 3, "the rest is the command's");
	is_int(PARSE(&stopping, "redis", "--", "ls", "-l", "--", "x"), 0, "TARGET --");
	is_int(a.dashdash, 1, "-- stood before word 1");
	is_int(a.nwords, 5, "and is taken out, once");
	is_str(a.words[3], "--", "the command's own stays");
	is_int(PARSE(&stopping, "--", "ls", "--", "x"), 0, "-- first");
	is_int(a.dashdash, 0, "before word 0");
	is_int(a.nwords, 3, "the second one stays");
	is_int(PARSE(&stopping, "git", "log", "--", "file"), 0, "-- later");
	ok(a.dashdash == -1 && a.nwords == 4, "is the command's own");
	is_int(PARSE(&free_order, "a", "--", "-t", "--"), 0, "-- among words");
	ok(a.dashdash == 1 && a.nwords == 3 && !args_flag(&a, "tty"), "ends the options");
}

static void
refused(int rc, const char *what, const char *why)
{
	ok(rc < 0 && e.code == ERR_USAGE && strstr(e.what, what) && strstr(e.why, why) && e.hint[0],
	    "refused: %s", what);
	if (rc == 0 || !strstr(e.what, what) || !strstr(e.why, why))
		printf("# what: %s\n# why: %s\n", e.what, e.why);
}

static void
test_errors(void)
{
	refused(PARSE(&free_order, "--usr", "x"), "--usr", "--user");
	refused(PARSE(&free_order, "--xyzzy"), "--xyzzy", "no option");
	refused(PARSE(&free_order, "--use=x"), "--use", "--user");
	refused(PARSE(&free_order, "-z"), "-z", "-i");
	refused(PARSE(&free_order, "-iz"), "-z", "-i");
	refused(PARSE(&pattern, "-\346\227\245\346\234\254"), "-\346\227\245", "-i");
	ok(strstr(e.hint, "-- PATTERN") != NULL, "how to say a pattern that begins with a dash");
	refused(PARSE(&pattern, "-\346x"), "-\346", "-i");
	refused(PARSE(&pattern, "--\346\227\245"), "--\346\227\245", "no option");
	ok(strstr(e.hint, "-- PATTERN") != NULL, "or with two");
	refused(PARSE(&free_order, "--tty=yes"), "--tty", "yes");
	refused(PARSE(&free_order, "--user"), "--user", "NAME");
	refused(PARSE(&free_order, "-u"), "-u", "--user NAME");
	refused(PARSE(&free_order, "--pid", "4x"), "--pid", "decimal");
	refused(PARSE(&free_order, "--pid", "-3"), "--pid", "decimal");
	refused(PARSE(&free_order, "--pid", "99999999999999999999"), "--pid", "decimal");
	refused(PARSE(&free_order, "--pid="), "--pid", "decimal");
	refused(PARSE(&free_order, "--timeout", "soon"), "--timeout", "30s");
}

int
main(void)
{
	test_forms();
	test_lists();
	test_dashdash();
	test_errors();
	args_fini(&a);
	return done_testing();
}
