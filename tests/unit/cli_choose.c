/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The choice among several targets, by a process of its own on a terminal of its own. */
#include "cli/enter.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "tap.h"

static const char targets[] =
    "[{\"service\":\"checkout\",\"container\":\"reef-1\",\"container_id\":\"aaaa1111\",\"pid\":11},"
    "{\"service\":\"checkout\",\"container\":\"reef-2\",\"container_id\":\"bbbb2222\",\"pid\":22},"
    "{\"service\":\"redis\",\"container\":\"redis\",\"container_id\":\"cccc3333\",\"pid\":33},"
    "{\"service\":\"ev\\u001bil\",\"container\":\"\",\"container_id\":\"\",\"pid\":44}]";

/* Exit status: 100 + the answer of choose_target(), or 10 when what it chose is `want`. */
static _Noreturn void
choose(const char *word, const char *want)
{
	json_t *all = json_loads(targets, 0, NULL);
	struct request r;
	char got[300];
	int rc;

	request_init(&r);
	str_copy(r.word, word, sizeof(r.word));
	if (!choose_possible())
		_exit(99);
	rc = choose_target(&r, all);
	snprintf(got, sizeof(got), "%s/%u", r.container, (unsigned)r.pid);
	json_decref(all);
	if (rc == 0 && strcmp(got, want) == 0 && !r.word[0])
		_exit(10);
	_exit(100 + rc);
}

/* Everything that was printed until `text` stands in it. */
static bool
seen(int master, const char *text, char *all, size_t size)
{
	size_t n = 0;

	all[0] = '\0';
	while (!strstr(all, text)) {
		struct pollfd p = {.fd = master, .events = POLLIN};
		ssize_t got = poll(&p, 1, 10000) > 0 ? read(master, all + n, size - 1 - n) : -1;

		if (got <= 0 || (n += (size_t)got) + 1 >= size)
			return false;
		all[n] = '\0';
	}
	return true;
}

static void
run_at(const char *at, const char *name, const char *word, const char *typed, const char *want,
    int status)
{
	char all[8192];
	int master, got;
	pid_t pid;

	fflush(stdout);
	pid = forkpty(&master, NULL, NULL, NULL);
	if (pid == 0)
		choose(word, want);
	ok(seen(master, at, all, sizeof(all)), "%s: asks", name);
	ok(!strstr(all, "ev\033il"), "%s: no escape of a container reaches the terminal", name);
	fd_write_all(master, typed, strlen(typed));
	/* The other side may go on printing: a full terminal would hold it. */
	seen(master, "\001never\001", all, sizeof(all));
	waitpid(pid, &got, 0);
	is_int(WIFEXITED(got) ? WEXITSTATUS(got) : -WTERMSIG(got), status, name);
	close(master);
}

static void
run(const char *name, const char *word, const char *typed, const char *want, int status)
{
	run_at("which one", name, word, typed, want, status);
}

int
main(void)
{
	setenv("TERM", "xterm", 1);
	alarm(60);
	run("a number", "checkout", "2\r", "bbbb2222/0", 10);
	run("a name", "checkout", "reef-1\r", "aaaa1111/0", 10);
	run("completion", "checkout", "reef\t2\r", "bbbb2222/0", 10);
	run("no target named: all are offered", "", "3\r", "cccc3333/0", 10);
	run("without an id the pid decides", "", "4\r", "/44", 10);
	run("nonsense is asked again", "checkout", "9\rx\r 1 \r", "aaaa1111/0", 10);
	run("^C", "checkout", "\003", "", 101);
	run("^D", "checkout", "\004", "", 101);
	/* Typed as soon as the list appears, before there is a prompt. */
	for (int i = 0; i < 20; i++) {
		run_at("several", "^D before the prompt", "checkout", "\004", "", 101);
		run_at("several", "^C before the prompt", "checkout", "\003", "", 101);
		run_at(
		    "several", "an answer before the prompt", "checkout", "2\r", "bbbb2222/0", 10);
	}
	return done_testing();
}
