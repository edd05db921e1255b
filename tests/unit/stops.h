/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_STOPS_H
#define CORAL_TESTS_STOPS_H

/* Work in a process that stops before and after each of its system calls. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* At stop n; its exit status is what `work` returns.  0: it ended before. */
static pid_t
stopped_at(int n, int (*work)(void))
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(work());
	}
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL);
	for (int i = 0; WIFSTOPPED(status) && i < n; i++) {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		waitpid(pid, &status, 0);
	}
	return WIFSTOPPED(status) ? pid : 0;
}

/* Killed there; false: it ended before. */
static bool
killed_at(int n, int (*work)(void))
{
	pid_t pid = stopped_at(n, work);

	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return pid > 0;
}

#endif
