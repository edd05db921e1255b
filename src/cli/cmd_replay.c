/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/cmds.h"
#include "cli/replay.h"

#define IDLE_DEFAULT (2 * NS_PER_S)
#define SPEED_LEAST 0.0625
#define SPEED_MOST 1024.0
#define MEMORY_MAX ((rlim_t)1 << 30)

enum format { FORMAT_PLAYER, FORMAT_TEXT, FORMAT_JSON };

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
take_format(const struct args *a, enum format *f, struct err *e)
{
	const char *s = args_str(a, "format");
	char shown[40];

	*f = isatty(STDOUT_FILENO) ? FORMAT_PLAYER : FORMAT_TEXT;
	if (!s)
		return 0;
	*f = strcmp(s, "json") == 0 ? FORMAT_JSON : FORMAT_TEXT;
	if (*f == FORMAT_JSON || strcmp(s, "text") == 0)
		return 0;
	str_vis(shown, sizeof(shown), s);
	err_set(e, ERR_USAGE, 0, "there is no format %s", shown);
	err_why(e, "there are: text, json");
	return err_hint(e, "leave --format out to play on the terminal");
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
	struct replay_opts o = {.idle = args_int(a, "idle", IDLE_DEFAULT)};
	auto_free char *spec = NULL;
	enum format format;
	struct err e = {0};
	char name[300];
	int fd;

	(void)dashdash;
	if (argc != 1) {
		cmd_bad_words(c, argc, argv, &e);
		return cmd_fail(&e);
	}
	spec = strdup(argv[0]);
	if (!spec || take_speed(a, &o.speed, &e) < 0 || take_format(a, &format, &e) < 0 ||
	    take_time(spec, &o.from, &e) < 0)
		return cmd_fail(&e);
	if (o.from && format != FORMAT_PLAYER) {
		err_set(&e, ERR_USAGE, 0, "@%s is for the player only", o.from);
		err_why(&e, "text and json give the whole recording");
		err_hint(&e, "leave @%s out", o.from);
		return cmd_fail(&e);
	}
	fd = replay_source(a, spec, name, sizeof(name), &e);
	if (fd < 0)
		return cmd_fail(&e);
	limit_memory();
	o.name = name;
	if (format == FORMAT_TEXT)
		return replay_text(fd, name);
	if (format == FORMAT_JSON)
		return replay_json(fd, name);
	return replay_ui(fd, &o);
}

static const struct opt opts[] = {
    {"speed", 's', OPT_STR, "N", "play N times as fast", COMP_NONE, NULL},
    {"idle", 'i', OPT_DUR, "DUR", "cut pauses to this length; 0 keeps them (default 2s)", COMP_NONE,
	NULL},
    {"format", 0, OPT_STR, "text|json", "print the recording as plain text or as one JSON object",
	COMP_WORDS, "text json"},
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
		"coral replay --format text 01jd0 | grep passwd\twhat was on the screen, as text\n",
    .opts = opts,
    .words = COMP_SESSION,
    .run = run,
};
