/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In a container that has CAP_SYS_PTRACE: seizes each process as soon as it has a number, which
 * its pid namespace gives out one after the other, and tells what it had then, until /tmp/stop is
 * there: "CAUGHT pid seccomp capeff".
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define AHEAD 4

static void
tell(pid_t pid)
{
	char path[64], line[256], seccomp[32] = "", caps[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "Seccomp: %31s", seccomp);
		sscanf(line, "CapEff: %31s", caps);
	}
	if (f)
		fclose(f);
	printf("CAUGHT %d %s %s\n", (int)pid, seccomp, caps);
	fflush(stdout);
}

int
main(void)
{
	pid_t next = getpid() + 1;
	int status;

	puts("stalking");
	fflush(stdout);
	for (unsigned long i = 0;; i++) {
		pid_t pid = next + (pid_t)(i % AHEAD);

		if (i % 4096 == 0 && access("/tmp/stop", F_OK) == 0)
			return 0;
		if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
			continue;
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
		if (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
			tell(pid);
			ptrace(PTRACE_DETACH, pid, NULL, NULL);
		}
		next = pid + 1;
	}
}
