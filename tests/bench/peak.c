/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * peak FILE COMMAND [ARG...]: run it, and write into FILE how much memory it had at most, KiB.
 * getrusage(2) counts what a process had before its execve(2) too: of whatever forks it.  This one
 * is small.
 */
#include <err.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct rusage used;
	int status;
	FILE *to;
	pid_t pid;

	if (argc < 3)
		errx(125, "usage: peak FILE COMMAND [ARG...]");
	pid = fork();
	if (pid == 0) {
		execv(argv[2], argv + 2);
		err(127, "%s", argv[2]);
	}
	if (pid < 0 || wait4(pid, &status, 0, &used) < 0)
		err(125, "%s", argv[2]);
	to = fopen(argv[1], "w");
	if (!to || fprintf(to, "%ld\n", used.ru_maxrss) < 0 || fclose(to) != 0)
		err(125, "%s", argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
