/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "target/lex.h"

/* linux/sched.h */
#define PF_FORKNOEXEC 0x00000040
#define PF_KTHREAD 0x00200000

static int
invalid(void)
{
	errno = EINVAL;
	return -1;
}

int
proc_open(int proc, pid_t pid)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", (int)pid);
	return openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

ssize_t
proc_read(int dirfd, const char *path, char *out, size_t size)
{
	auto_close int fd = -1;
	size_t have = 0;

	fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		/* A directory of /proc that is held open loses its files with its process. */
		if (errno == ENOENT && faccessat(dirfd, "stat", F_OK, 0) < 0)
			errno = ESRCH;
		return -1;
	}
	for (;;) {
		ssize_t got;

		if (have == size) {
			errno = EFBIG;
			return -1;
		}
		got = read(fd, out + have, size - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			return (ssize_t)have;
		have += (size_t)got;
	}
}

uint64_t
proc_ns(int pd, const char *name)
{
	char path[32], link[64];
	struct lex l;
	uint64_t ino;
	ssize_t n;

	snprintf(path, sizeof(path), "ns/%s", name);
	n = readlinkat(pd, path, link, sizeof(link));
	if (n <= 0)
		return 0;
	l = (struct lex){link, (size_t)n};
	if (!lex_skip(&l, name) || !lex_skip(&l, ":[") || !lex_number(&l, 10, UINT64_MAX, &ino) ||
	    !lex_is(&l, "]"))
		return 0;
	return ino;
}

/* The fields after the name: " S 1 ..." */
static int
stat_fields(struct lex l, struct proc_stat *out)
{
	struct lex f;
	uint64_t v;

	if (!lex_skip(&l, " ") || !lex_until(&l, ' ', &f) || f.n != 1 || *f.p < 'A' || *f.p > 'z')
		return invalid();
	out->state = *f.p;
	for (int field = 4; field <= 22; field++) {
		if (!lex_until(&l, ' ', &f))
			return invalid();
		if (field == 4) {
			if (!lex_whole(&f, INT32_MAX, &v))
				return invalid();
			out->ppid = (pid_t)v;
		} else if (field == 7) {
			/* Signed in the kernel's format; a device number never is. */
			out->tty = lex_whole(&f, INT32_MAX, &v) ? (int)v : 0;
		} else if (field == 9) {
			if (!lex_whole(&f, UINT32_MAX, &v))
				return invalid();
			out->kthread = v & PF_KTHREAD;
			out->forked = v & PF_FORKNOEXEC;
		} else if (field == 22) {
			if (!lex_whole(&f, UINT64_MAX, &out->start))
				return invalid();
		}
	}
	return 0;
}

int
proc_parse_stat(const char *p, size_t n, struct proc_stat *out)
{
	struct lex l = {p, n}, name;
	const char *end;
	uint64_t pid;

	memset(out, 0, sizeof(*out));
	if (!lex_number(&l, 10, INT32_MAX, &pid) || pid == 0 || !lex_skip(&l, " ("))
		return invalid();
	end = memrchr(l.p, ')', l.n);
	if (!end)
		return invalid();
	out->pid = (pid_t)pid;
	name = (struct lex){l.p, (size_t)(end - l.p)};
	if (!lex_copy(&name, out->comm, sizeof(out->comm)))
		return invalid();
	l.n -= (size_t)(end + 1 - l.p);
	l.p = end + 1;
	return stat_fields(l, out);
}

int
proc_read_stat(int pd, struct proc_stat *out)
{
	char text[2048];
	ssize_t n = proc_read(pd, "stat", text, sizeof(text));

	return n < 0 ? -1 : proc_parse_stat(text, (size_t)n, out);
}

bool
proc_alive(const struct proc_stat *st)
{
	return st->state != 'Z' && st->state != 'X' && st->state != 'x';
}

int
proc_parse_cgroups(const char *p, size_t n, struct proc_cgroups *out)
{
	struct lex l, line, id, controllers;
	uint64_t v;

	out->n = 0;
	if (n >= sizeof(out->text)) {
		errno = EFBIG;
		return -1;
	}
	if (memchr(p, '\0', n))
		return invalid();
	if (p != out->text)
		memcpy(out->text, p, n);
	out->text[n] = '\0';
	l = (struct lex){out->text, n};
	while (lex_until(&l, '\n', &line)) {
		struct proc_cgroup *c = &out->v[out->n];

		if (out->n == PROC_CGROUP_LINES || !lex_until(&line, ':', &id) ||
		    !lex_until(&line, ':', &controllers) || !lex_whole(&id, UINT32_MAX, &v) ||
		    line.n == 0 || *line.p != '/') {
			out->n = 0;
			return invalid();
		}
		out->text[controllers.p - out->text + (ptrdiff_t)controllers.n] = '\0';
		out->text[line.p - out->text + (ptrdiff_t)line.n] = '\0';
		*c = (struct proc_cgroup){(unsigned)v, controllers.p, line.p};
		out->n++;
	}
	return 0;
}

int
proc_read_cgroups(int pd, struct proc_cgroups *out)
{
	ssize_t n = proc_read(pd, "cgroup", out->text, sizeof(out->text));

	out->n = 0;
	return n < 0 ? -1 : proc_parse_cgroups(out->text, (size_t)n, out);
}

const char *
proc_cgroup_v2(const struct proc_cgroups *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].id == 0 && !*c->v[i].controllers)
			return c->v[i].path;
	return NULL;
}

const char *
proc_cgroup_v1(const struct proc_cgroups *c, const char *controller)
{
	struct lex l, name;

	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].id == 0)
			continue;
		l = (struct lex){c->v[i].controllers, strlen(c->v[i].controllers)};
		while (lex_until(&l, ',', &name))
			if (lex_is(&name, controller))
				return c->v[i].path;
	}
	return NULL;
}
