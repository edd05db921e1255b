/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

#include <string.h>

/* White space, or what only a shell gives a meaning to. */
static bool
is_shell_line(const char *s)
{
	return strpbrk(s, " \t\n|&;<>()$`\\\"'*?[") || (*s && strchr("~#!{", *s));
}

static int
add(struct request *r, const char *arg, struct err *e)
{
	if (request_add_arg(r, arg) == 0)
		return 0;
	err_set(e, ERR_USAGE, 0, "the command is too long");
	err_why(e, "at most %d arguments of at most %d bytes each can be sent", REQUEST_ARGV_MAX,
	    REQUEST_ARG_MAX);
	return err_hint(e, "pass large data on standard input, as xargs or a script does");
}

static int
take_command(struct request *r, int argc, char **argv, bool exact, struct err *e)
{
	if (argc == 1 && !exact && is_shell_line(argv[0]))
		return add(r, "sh", e) < 0 || add(r, "-c", e) < 0 || add(r, argv[0], e) < 0 ? -1
											    : 0;
	for (int i = 0; i < argc; i++) {
		if (add(r, argv[i], e) < 0)
			return -1;
	}
	return 0;
}

/* The target is the one word before "--"; everything else is the command. */
static int
prepare(struct enter *en, int argc, char **argv, int dashdash, struct err *e)
{
	int first = dashdash == 1 ? 1 : 0;
	const char *format = args_str(en->args, "output");

	if (format && !en->as_json) {
		err_set(e, ERR_USAGE, 0, "there is no output format %s", format);
		err_why(e, "coral exec prints the streams as they are, or one JSON object");
		return err_hint(e, "-o json");
	}
	if (enter_target(en, first ? argv[0] : NULL, e) < 0)
		return -1;
	if (argc == first || !argv[first][0]) {
		err_set(e, ERR_USAGE, 0, "no command is given");
		err_why(e, "coral exec is used as: coral exec [flags] [TARGET --] CMD [ARG...]");
		return err_hint(e,
		    first ? "coral exec %s -- ls; or coral shell %s" : "coral exec --help", argv[0],
		    argv[0]);
	}
	if (take_command(&en->req, argc - first, argv + first, dashdash >= 0, e) < 0 ||
	    enter_tty(en, false, e) < 0)
		return -1;
	en->loose = dashdash < 0 && argc > 1 ? argv : NULL;
	return enter_env(&en->req, en->args, e);
}

static int
run_exec(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	(void)c;
	return enter_main(a, REQ_EXEC, prepare, argc, argv, dashdash);
}

static const struct opt exec_opts[] = {
    ENTER_OPTS,
    {"output", 'o', OPT_STR, "json", "print one object instead of the streams", COMP_WORDS, "json"},
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};
const struct cmd cmd_exec = {
    .name = "exec",
    .usage = "[flags] [TARGET --] CMD [ARG...]",
    .summary = "run one command in a container: its streams, its exit status",
    .examples =
	"coral exec checkout -- df -h\tthe container of the service checkout\n"
	"coral exec --service checkout df -h\tthe same\n"
	"coral exec checkout -- sh -c 'ls /tmp | wc -l'\ta pipeline over there\n"
	"coral exec --service checkout \"ls /tmp | wc -l\"\tthe same: one argument, by sh -c\n"
	"coral exec db -- pg_dump app >app.sql\tbyte-exact, and the exit status tells\n"
	"coral exec -o json --pid 4711 id\tthe outcome as one object\n"
	"coral exec -it checkout -- vi /etc/app.conf\twith a terminal\n",
    .opts = exec_opts,
    .stop_at_word = true,
    .like_exec = true,
    .words = COMP_SERVICE,
    .run = run_exec,
};
