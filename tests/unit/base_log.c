/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "tap.h"

static int out[2];

/* The one line that was logged, parsed. */
static json_t *
line(void)
{
	static char text[32768];
	ssize_t n = read(out[0], text, sizeof(text));

	if (n <= 0 || text[n - 1] != '\n' || memchr(text, '\n', (size_t)n - 1))
		return NULL;
	return json_parse(text, (size_t)n, NULL);
}

int
main(void)
{
	static char large[9000];
	struct err e;
	json_t *j;

	/* Through a pipe, so it is JSON. */
	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0 || dup2(out[1], STDERR_FILENO) < 0)
		return 1;
	log_open("broker", LOG_LV_INFO);
	log_context("s-1\"\n");
	errno = ENOENT;
	log_info("a \"%s\" \\ \033[2J\n", "word");
	is_int(errno, ENOENT, "errno survives");
	j = line();
	is_str(json_str(j, "level"), "info", "level");
	is_str(json_str(j, "who"), "broker", "who");
	is_str(json_str(j, "session"), "s-1\"\\x0a", "session");
	is_str(json_str(j, "msg"), "a \"word\" \\\\ \\x1b[2J\\x0a", "msg, harmless");
	ok(json_str(j, "time") && strlen(json_str(j, "time")) == 20, "time");
	json_decref(j);

	log_debug("not asked for");
	ok(!line(), "below the level");
	log_context(NULL);
	err_set(&e, ERR_IO, 0, "cannot x");
	err_why(&e, "a\nb");
	log_error_of(&e, "doing");
	j = line();
	is_str(json_str(j, "msg"), "doing: cannot x: a;b (IO)", "an error");
	is_str(json_str(j, "session"), NULL, "no session");
	json_decref(j);

	memset(large, '"', sizeof(large) - 1);
	log_warn("%s", large);
	j = line();
	ok(json_str(j, "msg") != NULL, "a cut line is still JSON");
	json_decref(j);
	memset(large, '\033', sizeof(large) - 1);
	log_warn("%s", large);
	j = line();
	ok(json_str(j, "msg") != NULL, "so is one full of escapes");
	json_decref(j);
	return done_testing();
}
