/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record_util.h"

#include <pty.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "record/cast_escape.h"

/* asciinema wants a terminal of its own, and says on stdout what we ask about. */
static int
asciinema(const char *verb, const char *opt, const char *arg, const char *cast, struct buf *out)
{
	char sink[4096];
	int master, status = -1, tmp = openat(rec_dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	const char *argv[6] = {"asciinema", verb};
	pid_t pid = forkpty(&master, NULL, NULL, NULL);

	if (pid == 0) {
		argv[2] = opt ? opt : cast;
		argv[3] = opt ? arg : NULL;
		argv[4] = opt ? cast : NULL;
		dup2(tmp, STDOUT_FILENO);
		setenv("LC_ALL", "C.UTF-8", 1);
		setenv("ASCIINEMA_CONFIG_HOME", rec_dir, 1);
		execvp(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	/* Until every slave is closed. */
	while (read(master, sink, sizeof(sink)) > 0)
		;
	waitpid(pid, &status, 0);
	close(master);
	lseek(tmp, 0, SEEK_SET);
	while (buf_read_fd(out, tmp, 65536) > 0)
		;
	close(tmp);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void
check(const char *what, const char *name, const struct buf *want, bool exact)
{
	struct buf got;

	buf_init(&got, 64 << 20);
	is_int(asciinema("cat", NULL, NULL, rec_path(name), &got), 0, what);
	if (exact)
		ok(rec_same(&got, buf_head(want), want->len), "and shows the very bytes");
	else
		ok(cast_utf8_shows(
		       buf_head(want), want->len, (const char *)buf_head(&got), got.len),
		    "and shows them with U+FFFD for what is wrong");
	buf_clear(&got);
	is_int(asciinema("play", "-s", "1000", rec_path(name), &got), 0, "it can be played");
	buf_fini(&got);
}

static void
test_terminal(void)
{
	static const char text[] = "$ ls \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \"\\ "
				   "\x7f\xc2\x85\xe2\x80\xa8\x1b[1;31mred\x1b[0m\r\n\0\a";
	struct cast_writer *w = rec_create("text.cast", true, 0);
	struct err e = {0};
	struct buf want;
	uint32_t seed = 5;
	json_t *result = json_pack("{si}", "exit_code", 1);
	int rc = 0;

	buf_init(&want, 1 << 20);
	for (int i = 0; i < 2000; i++)
		buf_put(&want, text, sizeof(text));
	for (size_t at = 0, n; at < want.len; at += n) {
		n = 1 + rec_random(&seed) % 400;
		if (n > want.len - at)
			n = want.len - at;
		rc |= cast_data(
		    w, CAST_STDOUT, REC_T0 + (int64_t)at * 1000, buf_head(&want) + at, n, &e);
	}
	rc |= cast_resize(w, 2 * REC_T0, 100, 30, &e);
	rc |= cast_data(w, CAST_STDIN, 2 * REC_T0, "typed", 5, &e);
	rc |= cast_end(w, 2 * REC_T0, result, &e);
	json_decref(result);
	cast_free(w);
	is_int(rc, 0, "a session of text");
	check("asciinema reads a terminal's recording", "text.cast", &want, true);
	buf_fini(&want);
}

static void
test_streams(void)
{
	struct cast_writer *w = rec_create("mixed.cast", false, 300);
	struct err e = {0};
	struct buf want;
	int rc = 0;

	buf_init(&want, 1 << 20);
	for (int i = 0; i < 20; i++) {
		char line[32];
		int n = snprintf(line, sizeof(line), "line %d \xff\xc3|\n", i);

		rc |= cast_data(w, i % 2 ? CAST_STDERR : CAST_STDOUT, REC_T0, line, (size_t)n, &e);
		buf_put(&want, line, (size_t)n);
	}
	rc |= cast_end(w, REC_T0, NULL, &e);
	cast_free(w);
	is_int(rc, 0, "a session of two streams that are not text");
	check("asciinema reads it", "mixed.cast", &want, false);
	buf_fini(&want);
}

/* A recording whose writer was killed between two calls. */
static void
test_killed(void)
{
	struct cast_writer *w = rec_create("dead.cast", true, 0);
	struct err e = {0};
	struct buf want;

	buf_init(&want, 100);
	buf_put_str(&want, "hello");
	ok(cast_data(w, CAST_STDOUT, REC_T0, "hello", 5, &e) == 0, "a session that goes on");
	check("asciinema reads it meanwhile", "dead.cast", &want, true);
	cast_free(w);
	check("and without an end", "dead.cast", &want, true);
	buf_fini(&want);
}

int
main(void)
{
	rec_setup();
	test_terminal();
	test_streams();
	test_killed();
	return done_testing();
}
