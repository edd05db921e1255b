/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stuck HOW: processes in states that are hard to end; "up" when they are in them. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The parent of a vfork(2) waits in the kernel for its child, which never ends. */
static void
in_vfork(void)
{
	if (vfork() == 0)
		for (;;)
			pause();
}

static void
in_ptrace(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void
stopped(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, WUNTRACED);
}

/* Each of two starts the other again as soon as it is gone. */
static void
respawn(void)
{
	if (fork() != 0)
		return;
	setsid();
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			setsid();
			for (;;)
				pause();
		}
		waitpid(pid, NULL, 0);
	}
}

/* More and more of them, each in a session of its own; one that cannot fork tries again. */
static void
bomb(void)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		if (fork() == 0)
			setsid();
		usleep(20000);
	}
}

int
main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	for (int i = 1; i < 32; i++)
		if (i != SIGCHLD)
			signal(i, SIG_IGN);
	if (strcmp(how, "ptrace") == 0)
		in_ptrace();
	else if (strcmp(how, "stop") == 0)
		stopped();
	else if (strcmp(how, "respawn") == 0)
		respawn();
	printf("up\n");
	fflush(stdout);
	if (strcmp(how, "vfork") == 0)
		in_vfork();
	else if (strcmp(how, "bomb") == 0)
		bomb();
	for (;;)
		pause();
}
