/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/str.h"

/* What does not fit is cut; every caller's paths were checked to fit, texts may be cut. */
static void PRINTF_LIKE(3, 4) put(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(dst, size, fmt, ap);
	va_end(ap);
}

static bool
is_fs(const char *path, long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == magic;
}

void
cg_fs_find(const char *root, struct cg_fs *fs)
{
	memset(fs, 0, sizeof(*fs));
	if (is_fs(root, CGROUP2_SUPER_MAGIC)) {
		str_copy(fs->v2, root, sizeof(fs->v2));
		return;
	}
	str_copy(fs->v1, root, sizeof(fs->v1));
	put(fs->v2, sizeof(fs->v2), "%s/unified", root);
	if (!is_fs(fs->v2, CGROUP2_SUPER_MAGIC))
		fs->v2[0] = '\0';
}

bool
cg_path_ok(const char *path)
{
	const char *p = path;

	if (*p != '/' || strlen(path) >= CG_PATH_MAX - 128)
		return false;
	if (!p[1])
		return true;
	while (*p == '/') {
		size_t n = strcspn(++p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
	}
	return true;
}

bool
cg_session_path_ok(const char *path, const char *id)
{
	const char *last = strrchr(path, '/');
	size_t root = strlen(CG_ROOT);

	return cg_path_ok(path) && strncmp(path, CG_ROOT "/", root + 1) == 0 &&
	       last > path + root - 1 && strncmp(last + 1, CG_PREFIX, strlen(CG_PREFIX)) == 0 &&
	       strcmp(last + 1 + strlen(CG_PREFIX), id) == 0 && *id;
}

/* A path of /proc/PID/cgroup below the root of its hierarchy: a container may name its
 * cgroups as it likes, but it cannot lead us out. */
static int
open_beneath(const char *root, const char *path, const char *file, int flags)
{
	struct open_how how = {
	    .flags = (unsigned)flags | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	auto_close int base = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char below[CG_PATH_MAX + 64];

	if (base < 0)
		return -1;
	put(below, sizeof(below), ".%s/%s", path[1] ? path : "", file);
	return (int)syscall(SYS_openat2, base, below, &how, sizeof(how));
}

static void
short_of(struct cg *c, const char *what, const char *path, int sys)
{
	if (!c->why[0])
		put(c->why, sizeof(c->why), "%s %s%s%s", what, path, sys ? ": " : "",
		    sys ? strerrordesc_np(sys) : "");
}

/* Where the hierarchy of a v1 line is mounted: under the name of its controllers. */
static void
v1_root(const struct cg_fs *fs, const char *controllers, char *out, size_t size)
{
	if (strncmp(controllers, "name=", 5) == 0)
		controllers += 5;
	put(out, size, "%s/%s", fs->v1, controllers);
}

static const char *
path_in(const struct proc_cgroups *own, const char *controllers)
{
	for (size_t i = 0; i < own->n; i++) {
		if (strcmp(own->v[i].controllers, controllers) == 0)
			return own->v[i].path;
	}
	return NULL;
}

static bool
has_controller(const char *list, const char *name)
{
	size_t n = strlen(name);

	while (list && *list) {
		if (strncmp(list, name, n) == 0 && (list[n] == ',' || list[n] == '\0'))
			return true;
		list = strchr(list, ',');
		list = list ? list + 1 : NULL;
	}
	return false;
}

/* In v1 a hierarchy of its own, else a program of the v2 cgroup. */
static bool
has_device_rules(const struct proc_cgroups *target, const struct proc_cgroup *g)
{
	for (size_t i = 0; i < target->n; i++) {
		if (has_controller(target->v[i].controllers, "devices"))
			return &target->v[i] == g;
	}
	return !g->controllers[0];
}

static bool
is_joined(const struct cg *c, const struct proc_cgroup *g)
{
	for (size_t i = 0; i < c->nv1; i++) {
		if (strcmp(c->v1[i].name, g->controllers) == 0)
			return true;
	}
	return !g->controllers[0] && c->target2 >= 0;
}

static bool
binds_devices(const struct cg *c, const struct proc_cgroups *target, const struct proc_cgroups *own)
{
	for (size_t i = 0; i < target->n; i++) {
		const struct proc_cgroup *g = &target->v[i];
		const char *ours = path_in(own, g->controllers);

		if (has_device_rules(target, g))
			return is_joined(c, g) || (ours && strcmp(ours, g->path) == 0);
	}
	/* A kernel without cgroups has no rules either. */
	return true;
}

static void
open_v1(const struct cg_fs *fs, const struct proc_cgroup *g, const struct proc_cgroups *own,
    struct cg *c)
{
	const char *ours = path_in(own, g->controllers);
	struct cg_v1 *v = &c->v1[c->nv1];
	char root[400];

	v1_root(fs, g->controllers, root, sizeof(root));
	if (!cg_path_ok(g->path)) {
		short_of(c, "it lies outside our cgroup namespace:", g->path, 0);
		return;
	}
	put(v->path, sizeof(v->path), "%s%s", root, g->path[1] ? g->path : "");
	str_copy(v->name, g->controllers, sizeof(v->name));
	if (has_controller(g->controllers, "freezer")) {
		str_copy(c->freezer, v->path, sizeof(c->freezer));
		str_copy(c->freezer_root, root, sizeof(c->freezer_root));
	}
	if (has_controller(g->controllers, "pids")) {
		str_copy(c->pids, v->path, sizeof(c->pids));
		str_copy(c->pids_root, root, sizeof(c->pids_root));
	}
	if (has_controller(g->controllers, "memory"))
		put(c->oom_file, sizeof(c->oom_file), "%s/memory.oom_control", v->path);
	if (ours && strcmp(ours, g->path) == 0) {
		c->have = true;
		return;
	}
	if (c->nv1 == CG_V1_MAX)
		return;
	v->procs = open_beneath(root, g->path, "cgroup.procs", O_WRONLY);
	if (v->procs < 0)
		short_of(c, "cannot join", v->path, errno);
	else
		c->nv1++;
}

static void
open_v2(const struct cg_fs *fs, const char *path, struct cg *c)
{
	if (!cg_path_ok(path)) {
		short_of(c, "it lies outside our cgroup namespace:", path, 0);
		return;
	}
	put(c->path2, sizeof(c->path2), "%s%s", fs->v2, path[1] ? path : "");
	c->target2 = open_beneath(fs->v2, path, ".", O_RDONLY | O_DIRECTORY);
	if (c->target2 < 0)
		short_of(c, "cannot open", c->path2, errno);
	else if (faccessat(c->target2, "memory.events", R_OK, 0) == 0)
		put(c->oom_file, sizeof(c->oom_file), "%s/memory.events", c->path2);
}

static void
not_mounted(const struct proc_cgroup *g, const struct proc_cgroups *own, struct cg *c)
{
	const char *ours = path_in(own, g->controllers);

	if (!ours || strcmp(ours, g->path) != 0)
		short_of(c, "its hierarchy is not mounted here:",
		    g->controllers[0] ? g->controllers : "version 2", 0);
}

void
cg_open(const struct cg_fs *fs, const struct proc_cgroups *target, const struct proc_cgroups *own,
    struct cg *c)
{
	const char *path2 = proc_cgroup_v2(target);

	memset(c, 0, sizeof(*c));
	c->target2 = c->own2 = c->procs2 = -1;
	for (size_t i = 0; i < target->n; i++) {
		if (!target->v[i].controllers[0])
			continue;
		if (fs->v1[0])
			open_v1(fs, &target->v[i], own, c);
		else
			not_mounted(&target->v[i], own, c);
	}
	if (fs->v2[0] && path2)
		open_v2(fs, path2, c);
	else if (path2)
		not_mounted(&(struct proc_cgroup){.controllers = "", .path = path2}, own, c);
	if (c->nv1 || c->target2 >= 0)
		c->have = true;
	c->devices = binds_devices(c, target, own);
	if (!c->have)
		short_of(c, "no cgroup file system at", fs->v1[0] ? fs->v1 : CG_ROOT, 0);
}

void
cg_close(struct cg *c)
{
	fd_close(&c->target2);
	fd_close(&c->own2);
	fd_close(&c->procs2);
	for (size_t i = 0; i < c->nv1; i++)
		fd_close(&c->v1[i].procs);
	c->nv1 = 0;
}

static bool
file_says(int dir, const char *file, const char *word)
{
	char text[256];
	ssize_t n = proc_read(dir, file, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return strstr(text, word) != NULL;
}

bool
cg_is_frozen(const struct cg *c)
{
	auto_close int v1 = -1;

	if (c->target2 >= 0 && file_says(c->target2, "cgroup.events", "frozen 1"))
		return true;
	if (!c->freezer[0])
		return false;
	v1 = open(c->freezer, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return v1 >= 0 && file_says(v1, "freezer.state", "FR");
}

void
cg_thaw_out(const struct cg *c, pid_t pid)
{
	char number[16];

	put(number, sizeof(number), "%d", (int)pid);
	if (c->freezer_root[0] && pid > 0)
		cg_write(c->freezer_root, "cgroup.procs", number);
}

/* 0, or an errno. */
static int
make_v2(struct cg *c, const char *name, struct enter_tree *t)
{
	if (c->target2 < 0)
		return ENOENT;
	if (mkdirat(c->target2, name, 0755) < 0) {
		int sys = errno;

		short_of(c, "no cgroup of its own below", c->path2, sys);
		return sys;
	}
	put(t->v2, sizeof(t->v2), "%s/%s", c->path2, name);
	c->own2 = openat(c->target2, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return 0;
}

/* A child in the v1 hierarchy of that controller, and to be joined instead of the target's. */
static int
make_v1(struct cg *c, const char *controller, const char *below, const char *name, char *path,
    size_t size)
{
	struct cg_v1 *v = NULL;
	int procs;

	for (size_t i = 0; i < c->nv1; i++) {
		if (has_controller(c->v1[i].name, controller))
			v = &c->v1[i];
	}
	if (!below[0] || (!v && c->nv1 == CG_V1_MAX))
		return 0;
	put(path, size, "%s/%s", below, name);
	if (mkdir(path, 0755) < 0) {
		path[0] = '\0';
		return errno;
	}
	procs = open_beneath(path, "/", "cgroup.procs", O_WRONLY);
	if (procs < 0) {
		int sys = errno;

		rmdir(path);
		path[0] = '\0';
		return sys;
	}
	if (!v) {
		v = &c->v1[c->nv1++];
		v->procs = -1;
		str_copy(v->name, controller, sizeof(v->name));
	}
	fd_close(&v->procs);
	v->procs = procs;
	str_copy(v->path, path, sizeof(v->path));
	return 0;
}

/* The least pids.max from the container's cgroup up to the top of the hierarchy. */
static long
pids_limit(const struct cg *c)
{
	char path[CG_PATH_MAX], file[CG_PATH_MAX + 16], text[32];
	long least = 2L * CG_PIDS_MAX;

	str_copy(path, c->pids, sizeof(path));
	while (strlen(path) > strlen(c->pids_root)) {
		ssize_t n;
		long limit;

		put(file, sizeof(file), "%s/pids.max", path);
		n = proc_read(AT_FDCWD, file, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		limit = strtol(text, NULL, 10);
		if (limit > 0 && limit < least)
			least = limit;
		*strrchr(path, '/') = '\0';
	}
	return least / 2 > 0 ? least / 2 : 1;
}

static char *
free_v1(struct enter_tree *t)
{
	return t->v1[t->v1[0][0] ? 1 : 0];
}

static void
limit_pids(struct cg *c, const char *name, struct enter_tree *t)
{
	char number[24], *path = free_v1(t);

	put(number, sizeof(number), "%d", CG_PIDS_MAX);
	if (c->own2 >= 0 && cg_has_file(t->v2, "pids.max"))
		cg_write(t->v2, "pids.max", number);
	if (make_v1(c, "pids", c->pids, name, path, sizeof(t->v1[0])) != 0 || !path[0])
		return;
	put(number, sizeof(number), "%ld", pids_limit(c));
	cg_write(path, "pids.max", number);
}

void
cg_announce(const struct cg *c, struct enter_tree *t)
{
	if (c->target2 >= 0)
		put(t->v2, sizeof(t->v2), "%s/" CG_PREFIX "%s", c->path2, t->session_id);
	if (c->freezer[0])
		put(t->v1[0], sizeof(t->v1[0]), "%s/" CG_PREFIX "%s", c->freezer, t->session_id);
	if (c->pids[0])
		put(free_v1(t), sizeof(t->v1[0]), "%s/" CG_PREFIX "%s", c->pids, t->session_id);
}

int
cg_create(struct cg *c, struct enter_tree *t, struct err *e)
{
	char name[sizeof(t->session_id) + 16];
	int sys;

	put(name, sizeof(name), CG_PREFIX "%s", t->session_id);
	sys = make_v2(c, name, t);
	if (sys == EEXIST) {
		err_set(e, ERR_LIMIT, EEXIST, "session %s is here already", t->session_id);
		return err_why(e, "%s/%s exists", c->path2, name);
	}
	if (sys == 0 && c->own2 < 0) {
		err_set(e, ERR_IO, errno, "cannot open %s", t->v2);
		rmdir(t->v2);
		t->v2[0] = '\0';
		return -1;
	}
	if (sys)
		sys = make_v1(c, "freezer", c->freezer, name, t->v1[0], sizeof(t->v1[0]));
	if (sys)
		short_of(c, "no cgroup of its own below", c->freezer, sys);
	limit_pids(c, name, t);
	return 0;
}
