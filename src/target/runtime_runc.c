/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runc by itself: /run/runc/ID/state.json. */
#include "target/runtime.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "target/lex.h"

#define STATE_MAX (1024 * 1024)
#define STATES_MAX 256

void
rt_take_runc(const json_t *state, struct rt_facts *f)
{
	const json_t *labels = json_object_get(json_object_get(state, "config"), "labels");
	const char *id = json_str(state, "id");
	const json_t *one;
	size_t i;

	if (!id)
		return;
	rt_text(f->t->container, sizeof(f->t->container), id);
	rt_text(f->t->id, sizeof(f->t->id), id);
	/* The bundle's annotations, as "key=value". */
	json_array_foreach(labels, i, one)
	{
		const char *kv = json_string_value(one), *eq = kv ? strchr(kv, '=') : NULL;
		char key[128];

		if (!eq || (size_t)(eq - kv) >= sizeof(key))
			continue;
		str_copy(key, kv, (size_t)(eq - kv) + 1);
		rt_label(key, eq + 1, f);
	}
}

/* /proc/PID of the container's first process, or -1.  A state that was left behind names a number
 * that somebody else's process may have now: when it began tells them apart. */
static int
open_init(const struct rt_ctx *c, const json_t *state)
{
	int64_t init = json_int(state, "init_process_pid", 0);
	int64_t start = json_int(state, "init_process_start", -1);
	struct proc_stat st;
	auto_close int pd = -1;

	if (init <= 1 || init > INT32_MAX)
		return -1;
	pd = proc_open(c->proc, (pid_t)init);
	if (pd < 0 || proc_read_stat(pd, &st) < 0 || (start >= 0 && st.start != (uint64_t)start))
		return -1;
	return steal_fd(&pd);
}

/* It is our process, or shares a pid namespace of its own with us. */
static bool
is_ours(const struct rt_ctx *c, const json_t *state, const struct tgt *t)
{
	auto_close int pd = open_init(c, state);

	if (pd < 0)
		return false;
	if (json_int(state, "init_process_pid", 0) == t->pid)
		return true;
	return t->ns_pid && t->ns_pid != c->host_ns_pid && proc_ns(pd, "pid") == t->ns_pid;
}

static json_t *
read_state(const struct rt_ctx *c, const char *name, char path[RT_PATH_MAX])
{
	snprintf(path, RT_PATH_MAX, "/run/runc/%s/state.json", name);
	return rt_json(c, path, STATE_MAX);
}

static bool
one_state(const struct rt_ctx *c, const char *name, struct rt_facts *f)
{
	char path[RT_PATH_MAX];
	json_t *j = read_state(c, name, path);
	bool ours;

	ours = j && is_ours(c, j, f->t);
	if (ours)
		rt_take_runc(j, f);
	json_decref(j);
	return ours;
}

/* The cgroup is mostly called as the container; the container may have made more below. */
static bool
by_cgroup(const struct rt_ctx *c, struct rt_facts *f)
{
	struct lex l = {f->t->cgroup, strlen(f->t->cgroup)}, part;
	char name[256];

	while (lex_until(&l, '/', &part))
		if (part.n > 0 && !lex_is(&part, "..") && lex_copy(&part, name, sizeof(name)) &&
		    one_state(c, name, f))
			return true;
	return false;
}

bool
rt_runc(const struct rt_ctx *c, struct rt_facts *f)
{
	auto_close int fd = -1;
	bool found = false;
	struct dirent *d;
	DIR *dir;

	if (by_cgroup(c, f))
		return true;
	if (c->host >= 0)
		fd = openat(c->host, "run/runc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return false;
	fd = -1;
	/* Its cgroup was named otherwise: the pid tells. */
	for (int i = 0; !found && i < STATES_MAX && (d = readdir(dir)); i++)
		found = d->d_name[0] != '.' && one_state(c, d->d_name, f);
	closedir(dir);
	return found;
}

/* Of the very container: the pid namespace alone may be shared by several. */
static bool
is_same(const struct rt_ctx *c, const json_t *state, int pd, const struct tgt *t)
{
	auto_close int one = -1;

	if (!is_ours(c, state, t))
		return false;
	if (json_int(state, "init_process_pid", 0) == t->pid)
		return true;
	one = open_init(c, state);
	return one >= 0 && proc_ns(one, "mnt") != 0 && proc_ns(one, "mnt") == proc_ns(pd, "mnt");
}

json_t *
rt_runc_state(const struct rt_ctx *c, int pd, const struct tgt *t, char path[RT_PATH_MAX])
{
	json_t *j;

	/* rt_take_runc() took the id from the file that named our process. */
	if (!*t->id || strchr(t->id, '/') || t->id[0] == '.')
		return NULL;
	j = read_state(c, t->id, path);
	if (j && is_same(c, j, pd, t))
		return j;
	json_decref(j);
	return NULL;
}
