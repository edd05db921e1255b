/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/cgroup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "target/proc.h"

/* A session with rights on its cgroup may nest more below; nobody needs this many. */
#define DEPTH_MAX 64

int
cg_write(const char *dir, const char *file, const char *word)
{
	auto_close int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = -1;
	size_t n = strlen(word);

	if (at < 0)
		return -1;
	fd = openat(at, file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	return write(fd, word, n) == (ssize_t)n ? 0 : -1;
}

bool
cg_has_file(const char *dir, const char *file)
{
	auto_close int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return at >= 0 && faccessat(at, file, F_OK, 0) == 0;
}

/* Not its owner or mode: root and whoever it is delegated to may write to most of them. */
static int
look_for_writable(void *arg, const struct proc_mount *m)
{
	bool *found = arg;

	if ((strcmp(m->fstype, "cgroup") == 0 || strcmp(m->fstype, "cgroup2") == 0) &&
	    !m->read_only)
		*found = true;
	return *found;
}

bool
cg_writable_from(int pd)
{
	bool found = false;

	/* Not readable, or longer than any: then look for them. */
	return proc_read_mountinfo(pd, look_for_writable, &found) < 0 || found;
}

unsigned long long
cg_oom_count(const char *file)
{
	char text[512], *at;
	ssize_t n = file[0] ? proc_read(AT_FDCWD, file, text, sizeof(text) - 1) : -1;

	if (n < 0)
		return 0;
	text[n] = '\0';
	/* memory.events and, since Linux 4.13, memory.oom_control. */
	at = strstr(text, "oom_kill ");
	return at && (at == text || at[-1] == '\n') ? strtoull(at + 9, NULL, 10) : 0;
}

/* Calls fn for each directory below dir; stops at the first that is not 0. */
static int
each_below(
    int dir, int depth, int (*fn)(int parent, const char *name, int depth, void *arg), void *arg)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *ent;
	int rc = 0;

	if (!d) {
		fd_close(&copy);
		return -1;
	}
	while (rc == 0 && (ent = readdir(d)) != NULL) {
		if (ent->d_type == DT_DIR && strcmp(ent->d_name, ".") != 0 &&
		    strcmp(ent->d_name, "..") != 0)
			rc = fn(dir, ent->d_name, depth, arg);
	}
	closedir(d);
	return rc;
}

static int
remove_one(int parent, const char *name, int depth, void *arg)
{
	auto_close int dir = -1;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (depth >= DEPTH_MAX) {
		errno = ELOOP;
		return -1;
	}
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : -1;
	if (each_below(dir, depth + 1, remove_one, arg) < 0)
		return -1;
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

int
cg_rmdir(const char *path)
{
	return remove_one(AT_FDCWD, path, 0, NULL);
}

struct pids {
	pid_t *v;
	size_t n, max;
};

static void
read_procs(int dir, struct pids *out)
{
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "re") : NULL;
	char line[32];

	if (!f) {
		fd_close(&fd);
		return;
	}
	while (out->n < out->max && fgets(line, sizeof(line), f)) {
		long pid = isdigit((unsigned char)line[0]) ? strtol(line, NULL, 10) : 0;

		/* 0 is a process that our pid namespace does not show. */
		if (pid > 0)
			out->v[out->n++] = (pid_t)pid;
	}
	fclose(f);
}

static int
pids_one(int parent, const char *name, int depth, void *arg)
{
	auto_close int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return 0;
	read_procs(dir, arg);
	return depth < DEPTH_MAX ? each_below(dir, depth + 1, pids_one, arg) : 0;
}

size_t
cg_pids(const char *path, pid_t *out, size_t max)
{
	struct pids p = {.v = out, .max = max};

	pids_one(AT_FDCWD, path, 0, &p);
	return p.n;
}
