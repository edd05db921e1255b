/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/auditor.h"
#include "cli/cmds.h"
#include "cli/replay.h"
#include "cli/replay_follow.h"

#define IDLE_DEFAULT (2 * NS_PER_S)
#define SPEED_LEAST 0.0625
#define SPEED_MOST 1024.0
#define MEMORY_MAX ((rlim_t)1 << 30)

#define FORMATS "text json cast cast3 html svg png ttyrec script"

static int
take_speed(const struct args *a, double *speed, struct err *e)
{
	const char *s = args_str(a, "speed");
	char shown[40], *end;

	*speed = 1;
	if (!s)
		return 0;
	*speed = strtod(s, &end);
	if (*s >= '0' && *s <= '9' && !*end && *speed >= SPEED_LEAST && *speed <= SPEED_MOST)
		return 0;
	str_vis(shown, sizeof(shown), s);
	err_set(e, ERR_USAGE, 0, "\"%s\" is no speed", shown);
	err_why(e, "a speed is a number from %g to %g", SPEED_LEAST, SPEED_MOST);
	return err_hint(e, "--speed 2 plays twice as fast");
}

static int
no_format(const char *s, struct err *e)
{
	char shown[40];

	str_vis(shown, sizeof(shown), s);
	err_set(e, ERR_USAGE, 0, "there is no format %s", shown);
	err_why(e, "there are: " FORMATS);
	if (strcmp(s, "raw") == 0)
		return err_hint(e, "--format ttyrec --raw has the very bytes, and their times");
	return err_hint(e, "leave --format and -o out to play on the terminal");
}

/* --format, else what the name of the file says; NULL for the player. */
static int
take_format(const struct args *a, struct replay_export *x, struct err *e)
{
	const char *s = args_str(a, "format");

	x->path = args_str(a, "output");
	x->raw = args_flag(a, "raw");
	if (s)
		x->format = replay_format_named(s);
	else if (x->path)
		x->format = replay_format_of_file(x->path);
	else if (!isatty(STDOUT_FILENO))
		x->format = replay_format_named("text");
	if (s && !x->format)
		return no_format(s, e);
	if (!x->format && x->path) {
		err_set(e, ERR_USAGE, 0, "-o needs a format");
		err_why(e,
		    "the name of the file does not end in one of .cast .txt .json .html .svg "
		    ".png .ttyrec .typescript");
		return err_hint(e, "--format cast; there are: " FORMATS);
	}
	return 0;
}

/* What does not go together. */
static int
check_format(const struct replay_export *x, struct err *e)
{
	const struct replay_format *f = x->format;
	bool out = !x->path || strcmp(x->path, "-") == 0;

	if (x->raw && (!f || !f->may_be_raw)) {
		err_set(e, ERR_USAGE, 0, "--raw is for the formats ttyrec and script only");
		err_why(e, "the others hold every byte already, or none as it was");
		return err_hint(e, "leave --raw out");
	}
	if (!f)
		return 0;
	if (x->from && !f->still) {
		err_set(e, ERR_USAGE, 0, "@%s is for the player, svg and png only", x->from);
		err_why(e, "%s gives the whole recording", f->name);
		return err_hint(e, "leave @%s out", x->from);
	}
	if (f->kind == REPLAY_SCRIPT && out) {
		err_set(e, ERR_USAGE, 0, "the format script needs a file");
		err_why(e, "it is two files: FILE and FILE.timing");
		return err_hint(e, "-o FILE");
	}
	if (f->bytes && out && isatty(STDOUT_FILENO)) {
		err_set(e, ERR_USAGE, 0, "%s is not for a terminal", f->name);
		err_why(e, "terminals act on its bytes");
		return err_hint(e, "-o FILE");
	}
	return 0;
}

/* What --follow does not go with. */
static int
check_follow(const struct replay_export *x, struct err *e)
{
	enum replay_kind kind = x->format ? x->format->kind : REPLAY_PLAYER;

	if (kind != REPLAY_HTML && kind != REPLAY_SVG && kind != REPLAY_PNG)
		return 0;
	err_set(e, ERR_USAGE, 0, "cannot write %s of a session that goes on", x->format->name);
	err_why(e, "text, json, cast, cast3, ttyrec and script are written as events come");
	return err_hint(e, "--follow --format text, or leave --follow out");
}

/* ID@TIME and FILE@TIME; a file whose name holds an @ wins. */
static int
take_time(char *spec, const char **from, struct err *e)
{
	char *at = strrchr(spec, '@');
	int64_t t;

	*from = NULL;
	if (!at || at == spec || access(spec, F_OK) == 0)
		return 0;
	if (replay_parse_time(at + 1, 0, &t, e) < 0)
		return -1;
	*at = '\0';
	*from = at + 1;
	return 0;
}

/* A hostile recording must not take the machine's memory. */
static void
limit_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
	struct rlimit rl;

	if (getrlimit(RLIMIT_AS, &rl) == 0 &&
	    (rl.rlim_max == RLIM_INFINITY || rl.rlim_max >= MEMORY_MAX)) {
		rl.rlim_cur = MEMORY_MAX;
		setrlimit(RLIMIT_AS, &rl);
	}
#endif
}

static int
run(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct replay_opts o = {
	    .idle = args_int(a, "idle", IDLE_DEFAULT), .typed = args_flag(a, "keys")};
	struct replay_export x = {.args = a};
	auto_free char *spec = NULL;
	struct err e = {0};
	char name[300], stranger[STORE_ID_LEN + 1];
	int fd, status;

	(void)dashdash;
	if (argc != 1) {
		cmd_bad_words(c, argc, argv, &e);
		return cmd_fail(&e);
	}
	spec = strdup(argv[0]);
	if (!spec || take_speed(a, &o.speed, &e) < 0 || take_format(a, &x, &e) < 0 ||
	    take_time(spec, &o.from, &e) < 0)
		return cmd_fail(&e);
	x.from = o.from;
	x.spec = spec;
	if (check_format(&x, &e) < 0)
		return cmd_fail(&e);
	if (auditor_unlock(a, &e) < 0)
		return cmd_fail(&e);
	if (args_flag(a, "follow"))
		fd = check_follow(&x, &e) < 0
			 ? -1
			 : replay_follow(a, spec, name, sizeof(name), &o.follow, &e);
	else
		fd = replay_source(a, spec, name, sizeof(name), &e);
	if (fd < 0)
		return cmd_fail(&e);
	limit_memory();
	o.name = x.name = name;
	x.follow = o.follow;
	if (replay_stranger(fd, spec, name, stranger)) {
		o.stranger = stranger;
		fprintf(stderr,
		    "coral: this is not the recording of session %s, but that of %s:\n"
		    "  try: coral audit verify %s\n",
		    name, stranger, name);
	}
	status = x.format ? replay_export(fd, &x) : replay_ui(fd, &o);
	if (o.follow && status == 0)
		status = follow_status(o.follow);
	follow_free(o.follow);
	return status;
}

static const struct opt opts[] = {
    {"speed", 's', OPT_STR, "N", "play N times as fast", COMP_NONE, NULL},
    {"idle", 'i', OPT_DUR, "DUR", "cut pauses to this length; 0 keeps them (default 2s)", COMP_NONE,
	NULL},
    {"follow", 'f', OPT_FLAG, NULL, "of a session that goes on: show what comes, too", COMP_NONE,
	NULL},
    {"keys", 'k', OPT_FLAG, NULL, "show what was typed, where that was recorded", COMP_NONE, NULL},
    {"format", 0, OPT_STR, "FORMAT", "do not play, but print it as " FORMATS, COMP_WORDS, FORMATS},
    {"output", 'o', OPT_STR, "FILE", "write that to a file; its suffix tells the format", COMP_FILE,
	NULL},
    {"raw", 0, OPT_FLAG, NULL, "ttyrec, script: the very bytes, whatever they do to a terminal",
	COMP_NONE, NULL},
    AUDITOR_KEY_OPT,
    CMD_AGENT_OPTS,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};

const struct cmd cmd_replay = {
    .name = "replay",
    .alias = "play",
    .usage = "[flags] ID|FILE[@TIME]",
    .summary = "play a recording; nothing in it reaches the terminal as it is",
    .examples = "coral replay 01jd0\ta prefix of the session's id will do; ? shows the keys\n"
		"coral replay ./demo.cast@1:30\ta file, from a minute and a half on\n"
		"coral replay --speed 4 --idle 500ms 01jd0\tfast, with short pauses\n"
		"coral replay --follow 01jd0\ta session that goes on, and back in it\n"
		"coral replay --format text 01jd0 | grep passwd\twhat was on the screen, as text\n"
		"coral replay -o session.html 01jd0\ta page with a player, for any browser\n"
		"coral replay -o moment.svg 01jd0@1:30\ta picture of the screen at that time\n",
    .opts = opts,
    .words = COMP_SESSION,
    .run = run,
};
