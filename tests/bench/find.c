/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * find CACHE NAME ROUNDS: milliseconds to find a container by its service name, a line each of
 * "cold N" (nothing remembered), "cached N", and for comparison "readdir N": one plain reading
 * of /proc, and "cgroup N": every process' cgroup file as well, which any scan of /proc needs.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "target/find.h"
#include "target/target.h"

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
find(const char *cache, const char *name, const char *title)
{
	struct tgt_query q = {.word = name};
	double start = now_ms();
	struct tgt_sys s;
	struct err e = {0};
	struct tgt t;

	if (tgt_sys_open(&s, NULL, cache, &e) < 0 || tgt_find(&s, &q, &t, NULL, &e) < 0) {
		err_print(STDERR_FILENO, &e);
		exit(1);
	}
	tgt_sys_close(&s);
	if (title)
		printf("%s %.3f\n", title, now_ms() - start);
}

/* The kernel's part alone. */
static void
plain(bool cgroups, const char *title)
{
	double start = now_ms();
	DIR *d = opendir("/proc");
	struct dirent *entry;
	char path[300], text[4096];

	while (d && (entry = readdir(d))) {
		int fd;

		if (!cgroups || !isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cgroup", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, text, sizeof(text)) < 0)
			perror(path);
		close(fd);
	}
	if (d)
		closedir(d);
	printf("%s %.3f\n", title, now_ms() - start);
}

/* Until what is remembered is old enough to be believed without a look at everything. */
static void
settle(const char *cache, const char *name)
{
	struct tgt_query q = {.word = name};
	double limit = now_ms() + 20000;
	struct tgt_sys s;
	struct err e = {0};
	struct tgt t;

	if (tgt_sys_open(&s, NULL, cache, &e) < 0)
		exit(1);
	while (!find_quick(&s, &q, &t)) {
		if (now_ms() > limit) {
			fputs("find: nothing is ever remembered\n", stderr);
			exit(1);
		}
		usleep(300 * 1000);
		find(cache, name, NULL);
	}
	tgt_sys_close(&s);
}

int
main(int argc, char **argv)
{
	int rounds = argc > 3 ? atoi(argv[3]) : 0;

	if (rounds < 1)
		return 2;
	for (int i = 0; i < rounds; i++) {
		unlink(argv[1]);
		find(argv[1], argv[2], "cold");
		plain(false, "readdir");
		plain(true, "cgroup");
	}
	settle(argv[1], argv[2]);
	for (int i = 0; i < rounds; i++)
		find(argv[1], argv[2], "cached");
	return 0;
}
