/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The processes that may be in a container, from the cgroup trees instead of from all of /proc.
 *
 * scan_identify() says yes only to a process one of whose cgroups is called as a runtime calls
 * them, or as something that is no systemd unit.  So nobody is missed when the members of every
 * such cgroup, in every hierarchy, are looked at; and the first hierarchy in line_by_rank()'s
 * order in which a process is in a runtime's cgroup has the say, as there.
 */
#include "target/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/str.h"
#include "target/lex.h"

#define CGROUP_INIT_INO 4026531835U /* PROC_CGROUP_INIT_INO: paths are shown whole */
#define DEPTH_MAX 64
#define MEMBERS_MAX (1024 * 1024)
/* Each v1 hierarchy repeats the others: beyond this, reading /proc is faster. */
#define V1_READS_MAX 2000

/* What a member's `ino` is until they are sorted: who was seen first, after the asked ones. */
#define ASK (UINT64_C(1) << 63)

struct walk {
	struct scan *sc;
	struct proc_cgroup at; /* the hierarchy; path is `path` */
	char path[1024];       /* as in /proc/PID/cgroup */
	struct scan_member *m;
	size_t n, room;
	size_t v1_reads;
	char text[64 * 1024];
};

static bool
add_member(struct walk *w, pid_t pid, uint32_t group, bool session, uint64_t ask)
{
	if (w->n == w->room) {
		size_t room = w->room ? w->room * 2 : 1024;
		struct scan_member *grown =
		    room > MEMBERS_MAX ? NULL : realloc(w->m, room * sizeof(*grown));

		if (!grown)
			return false;
		w->m = grown;
		w->room = room;
	}
	w->m[w->n] = (struct scan_member){pid, group, w->n | ask, session, false};
	w->n++;
	return true;
}

/* Its processes; one line each, 0 for one of another pid namespace. */
static bool
read_members(struct walk *w, int dir, uint32_t group, bool session, uint64_t ask)
{
	auto_close int fd = openat(dir, "cgroup.procs", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	size_t have = 0;
	ssize_t got;

	if (fd < 0)
		return errno == ENOENT; /* removed meanwhile: it was empty */
	while ((got = read(fd, w->text + have, sizeof(w->text) - have)) > 0) {
		struct lex l = {w->text, have + (size_t)got}, line;

		while (memchr(l.p, '\n', l.n) && lex_until(&l, '\n', &line)) {
			uint64_t pid;

			if (!lex_whole(&line, INT32_MAX, &pid))
				return false;
			if (pid && !add_member(w, (pid_t)pid, group, session, ask))
				return false;
		}
		have = l.n;
		memmove(w->text, l.p, have);
	}
	return (got == 0 && have == 0) || (got < 0 && errno == ENODEV);
}

static bool
visit(struct walk *w, int dir)
{
	uint32_t group = SCAN_HOST;
	bool session = false;
	size_t before = w->n;
	struct tgt t;

	memset(&t, 0, sizeof(t));
	switch (scan_judge(w->sc, &w->at, &t, &session)) {
	case SCAN_NO:
		return true;
	case SCAN_ASK:
		break;
	case SCAN_MONITOR:
	case SCAN_YES:
		if (w->at.id != 0 && ++w->v1_reads > V1_READS_MAX)
			return false;
		if (!read_members(w, dir, SCAN_HOST, session, 0))
			return false;
		if (*t.cgroup && w->n > before)
			group = scan_group_of(w->sc, &t);
		for (size_t i = before; i < w->n; i++)
			w->m[i].group = group;
		return true;
	}
	if (w->at.id != 0 && ++w->v1_reads > V1_READS_MAX)
		return false;
	return read_members(w, dir, SCAN_HOST, false, ASK);
}

static bool walk_dir(struct walk *w, int dir, unsigned depth);

static bool
walk_entry(struct walk *w, int dir, const char *name, unsigned depth)
{
	size_t len = strlen(w->path), add = strlen(name);
	auto_close int fd = -1;
	bool good;

	/* The root is "/", all others have none at their end. */
	len -= len == 1;
	if (len + 1 + add >= sizeof(w->path) || depth == DEPTH_MAX)
		return false;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	w->path[len] = '/';
	memcpy(w->path + len + 1, name, add + 1);
	good = walk_dir(w, fd, depth + 1);
	w->path[len ? len : 1] = '\0';
	return good;
}

static bool
walk_dir(struct walk *w, int dir, unsigned depth)
{
	char list[8 * 1024] __attribute__((aligned(8)));
	struct stat st;
	long got;

	if (!visit(w, dir))
		return false;
	/* One link for each directory below, and two. */
	if (fstat(dir, &st) < 0 || st.st_nlink == 2)
		return true;
	while ((got = syscall(SYS_getdents64, dir, list, sizeof(list))) > 0) {
		for (long at = 0; at < got;) {
			const struct dirent64 *d = (const struct dirent64 *)(list + at);

			at += d->d_reclen;
			if (d->d_type == DT_DIR && strcmp(d->d_name, ".") != 0 &&
			    strcmp(d->d_name, "..") != 0 && !walk_entry(w, dir, d->d_name, depth))
				return false;
		}
	}
	return got == 0 || errno == ENOENT;
}

/* The root of the hierarchy of one line of /proc/self/cgroup, where it is always mounted. */
static int
open_hierarchy(const struct scan *sc, int base, const struct proc_cgroup *c)
{
	bool v2 = c->id == 0;
	const char *name = v2 ? "unified" : c->controllers;
	auto_close int fd = -1;
	struct statfs fs;

	if (strncmp(name, "name=", 5) == 0)
		name += 5;
	if (v2 && sc->own.n == 1 &&
	    (sc->sys->standin || (fstatfs(base, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)))
		name = ".";
	if (!*name || strchr(name, '/'))
		return -1;
	fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || faccessat(fd, "cgroup.procs", F_OK, 0) < 0)
		return -1;
	if (sc->sys->standin)
		return steal_fd(&fd);
	if (fstatfs(fd, &fs) < 0 || fs.f_type != (v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
		return -1;
	/* A part of the tree may be mounted there instead; these files tell the top. */
	if (v2 ? faccessat(fd, "cgroup.events", F_OK, 0) == 0
	       : faccessat(fd, "release_agent", F_OK, 0) < 0)
		return -1;
	return steal_fd(&fd);
}

static bool
whole_view(const struct scan *sc)
{
	auto_close int self = -1;

	if (sc->own.n == 0 || sc->rt.host < 0)
		return false;
	if (sc->sys->standin)
		return true;
	self = openat(sc->sys->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return sc->own_numbers && self >= 0 && proc_ns(self, "cgroup") == CGROUP_INIT_INO;
}

static int
by_pid_then_rank(const void *a, const void *b)
{
	const struct scan_member *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* One entry for each process: the best that was seen of it. */
static void
decide(struct walk *w)
{
	size_t kept = 0;
	pid_t last = 0;

	if (w->n > 0)
		qsort(w->m, w->n, sizeof(*w->m), by_pid_then_rank);
	for (size_t i = 0; i < w->n; i++) {
		struct scan_member m = w->m[i];

		if (m.pid == last)
			continue;
		last = m.pid;
		if (m.ino & ASK)
			scan_inspect(w->sc, &m);
		m.ino = 0;
		m.fresh = false;
		if (m.group != SCAN_HOST)
			w->m[kept++] = m;
	}
	w->n = kept;
}

bool
scan_by_cgroups(struct scan *sc)
{
	auto_close int base = -1;
	struct walk *w = NULL;
	const struct proc_cgroup *c;
	bool good;

	if (!whole_view(sc))
		return false;
	base =
	    openat(sc->rt.host, "sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	w = base < 0 ? NULL : malloc(sizeof(*w));
	good = w != NULL;
	if (good) {
		w->sc = sc;
		w->m = NULL;
		w->n = w->room = w->v1_reads = 0;
	}
	for (size_t i = 0; good && (c = scan_line(&sc->own, i)) != NULL; i++) {
		auto_close int fd = open_hierarchy(sc, base, c);

		w->at = (struct proc_cgroup){c->id, c->controllers, w->path};
		str_copy(w->path, "/", sizeof(w->path));
		good = fd >= 0 && walk_dir(w, fd, 0);
	}
	if (good) {
		decide(w);
		free(sc->m);
		sc->m = steal_ptr(&w->m);
		sc->nm = w->n;
	}
	if (w)
		free(w->m);
	free(w);
	return good;
}
