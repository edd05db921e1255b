/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * crowd CONTAINERS PROCESSES: a busy machine to find something on.  So many containers (a pid
 * and a mount namespace and a v2 cgroup each, called as Docker Engine calls them) with so many
 * sleeping processes each; their SERVICE_NAMEs are crowd-00000 and up.  Prints "ready" and
 * lives until its standard input ends; whatever happens, nothing of it stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "SERVICE_NAME=crowd-"
#define DIGITS 5

static char top[128];

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		die(path);
}

static void
container_dir(unsigned n, char *dst, size_t size)
{
	snprintf(dst, size, "%s/docker/%08x%056x", top, n * 2654435761U, n);
}

/* Ends all at once and takes the cgroups away. */
static void
clear(unsigned containers)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.kill", top);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		perror(path);
	close(fd);
	while (wait(NULL) > 0)
		;
	for (unsigned i = 0; i < containers; i++) {
		container_dir(i, path, sizeof(path));
		/* Members that were reparented within die a moment after their init. */
		while (rmdir(path) < 0 && errno == EBUSY)
			usleep(1000);
	}
	snprintf(path, sizeof(path), "%s/docker", top);
	rmdir(path);
	rmdir(top);
}

static void
sleep_until_killed(void)
{
	for (;;)
		pause();
}

/* pid 1 of a container: the environment is a copy of ours, its number is written over. */
static void
be_container(unsigned n, unsigned processes, char *digits, int ready)
{
	char text[DIGITS + 1];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(text, sizeof(text), "%0*u", DIGITS, n % 100000);
	memcpy(digits, text, DIGITS);
	for (unsigned i = 1; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0)
			sleep_until_killed();
	}
	if (write(ready, "", 1) != 1)
		die("ready");
	close(ready);
	sleep_until_killed();
}

/* False: the machine has no room for more. */
static bool
start(unsigned n, unsigned processes, char *digits)
{
	struct clone_args args = {
	    .flags = CLONE_INTO_CGROUP | CLONE_NEWPID | CLONE_NEWNS, .exit_signal = SIGCHLD};
	int ready[2];
	char path[300], byte;
	long pid;
	bool up;
	int dir;

	container_dir(n, path, sizeof(path));
	make_dir(path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || pipe2(ready, O_CLOEXEC) < 0)
		die(path);
	args.cgroup = (uint64_t)dir;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		be_container(n, processes, digits, ready[1]);
	close(ready[1]);
	up = pid > 0 && read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	close(dir);
	return up;
}

int
main(int argc, char **argv)
{
	unsigned containers = argc > 1 ? (unsigned)atoi(argv[1]) : 1000, up = 0;
	unsigned processes = argc > 2 ? (unsigned)atoi(argv[2]) : 10;
	char *name = getenv("SERVICE_NAME"), *env[] = {(char[]){NAME "00000"}, NULL}, byte;
	struct stat st;
	sigset_t block;

	if (!name || strlen(name) != strlen(NAME "00000") - strlen("SERVICE_NAME=")) {
		execve("/proc/self/exe", argv, env);
		die("execve");
	}
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, NULL); /* whoever started us closes our input */
	snprintf(top, sizeof(top), "/sys/fs/cgroup%s/coral-crowd-%d",
	    stat("/sys/fs/cgroup/unified", &st) == 0 ? "/unified" : "", (int)getpid());
	make_dir(top);
	snprintf(top + strlen(top), sizeof(top) - strlen(top), "/docker");
	make_dir(top);
	*strrchr(top, '/') = '\0';
	while (up < containers && start(up, processes, name + strlen(name) - DIGITS))
		up++;
	if (up == containers) {
		puts("ready");
		fflush(stdout);
		while (read(STDIN_FILENO, &byte, 1) > 0)
			;
	} else {
		fprintf(stderr, "crowd: only %u containers would start\n", up);
	}
	clear(up < containers ? up + 1 : up);
	return up < containers;
}
