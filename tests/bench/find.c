/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * find CACHE NAME ROUNDS: milliseconds to find a container, a line each of "cold N" (by its
 * service name, nothing remembered), "id N" and "pid N" (by its whole id or a pid, as cold), and
 * "cached N".  For comparison, with plain calls and no thought: "readdir N", one reading of /proc;
 * "cgroup N", every process' cgroup file as well, which any scan of /proc needs; and "names N",
 * what must be read before a name is known to be one container's alone: of each container the
 * members, and of one member its place in the pid namespaces, its environ and its mounts.
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

static struct tgt
find(const char *cache, const struct tgt_query *q, const char *title)
{
	double start = now_ms();
	struct tgt_sys s;
	struct err e = {0};
	struct tgt t;

	if (tgt_sys_open(&s, NULL, cache, &e) < 0 || tgt_find(&s, q, &t, NULL, &e) < 0) {
		err_print(STDERR_FILENO, &e);
		exit(1);
	}
	tgt_sys_close(&s);
	if (title)
		printf("%s %.3f\n", title, now_ms() - start);
	return t;
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

/* As much of a file as there is; its first number. */
static int
slurp(const char *dir, const char *name)
{
	static char text[64 * 1024];
	char path[1200];
	ssize_t got, have = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (got = read(fd, text + have, sizeof(text) - 1 - (size_t)have)) > 0)
		have += got;
	text[have] = '\0';
	close(fd);
	return (int)strtol(text, NULL, 10);
}

static void
names(const struct tgt_list *all, const char *title)
{
	bool hybrid = access("/sys/fs/cgroup/unified", F_OK) == 0;
	double start = now_ms();

	for (size_t i = 0; i < all->n; i++) {
		char dir[1100];

		snprintf(dir, sizeof(dir), "/sys/fs/cgroup%s%s", hybrid ? "/unified" : "",
		    all->v[i].cgroup);
		snprintf(dir, sizeof(dir), "/proc/%d", slurp(dir, "cgroup.procs"));
		slurp(dir, "status");
		slurp(dir, "environ");
		slurp(dir, "mountinfo");
	}
	printf("%s %.3f\n", title, now_ms() - start);
}

static struct tgt_list
list_all(const char *cache)
{
	struct tgt_list all;
	struct tgt_sys s;
	struct err e = {0};

	if (tgt_sys_open(&s, NULL, cache, &e) < 0 || tgt_list_all(&s, &all, &e) < 0) {
		err_print(STDERR_FILENO, &e);
		exit(1);
	}
	tgt_sys_close(&s);
	return all;
}

/* Until what is remembered is old enough to be believed without a look at everything. */
static void
settle(const char *cache, const struct tgt_query *q)
{
	double limit = now_ms() + 20000;
	struct tgt_sys s;
	struct err e = {0};
	struct tgt t;

	if (tgt_sys_open(&s, NULL, cache, &e) < 0)
		exit(1);
	while (!find_quick(&s, q, &t)) {
		if (now_ms() > limit) {
			fputs("find: nothing is ever remembered\n", stderr);
			exit(1);
		}
		usleep(300 * 1000);
		find(cache, q, NULL);
	}
	tgt_sys_close(&s);
}

int
main(int argc, char **argv)
{
	int rounds = argc > 3 ? atoi(argv[3]) : 0;
	struct tgt_query by_name = {0}, by_id = {0}, by_pid = {0};
	struct tgt_list all;
	struct tgt t;

	if (rounds < 1)
		return 2;
	by_name.word = argv[2];
	all = list_all(argv[1]);
	for (int i = 0; i < rounds; i++) {
		unlink(argv[1]);
		t = find(argv[1], &by_name, "cold");
		by_id.container = t.id;
		by_pid.pid = t.pid;
		unlink(argv[1]);
		find(argv[1], &by_id, "id");
		find(argv[1], &by_pid, "pid");
		names(&all, "names");
		plain(false, "readdir");
		plain(true, "cgroup");
	}
	tgt_list_fini(&all);
	settle(argv[1], &by_name);
	for (int i = 0; i < rounds; i++)
		find(argv[1], &by_name, "cached");
	return 0;
}
