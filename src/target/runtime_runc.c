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

#define STATE_MAX (1024 * 1024)
#define STATES_MAX 256

/* True when the state is that of the container whose first process is t->pid. */
bool
rt_take_runc(const json_t *state, struct rt_facts *f)
{
	const json_t *labels = json_object_get(json_object_get(state, "config"), "labels");
	const char *id = json_str(state, "id");
	const json_t *one;
	size_t i;

	if (!id || json_int(state, "init_process_pid", 0) != f->t->pid)
		return false;
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
	return true;
}

static bool
one_state(const struct rt_ctx *c, const char *name, struct rt_facts *f)
{
	char path[320];
	json_t *j;
	bool ours;

	snprintf(path, sizeof(path), "/run/runc/%s/state.json", name);
	j = rt_json(c, path, STATE_MAX);
	ours = j && rt_take_runc(j, f);
	json_decref(j);
	return ours;
}

void
rt_runc(const struct rt_ctx *c, struct rt_facts *f)
{
	auto_close int fd = -1;
	struct dirent *d;
	char guess[72];
	DIR *dir;

	str_copy(guess, f->t->id, sizeof(guess));
	if (*guess && !strchr(guess, '/') && one_state(c, guess, f))
		return;
	if (c->host >= 0)
		fd = openat(c->host, "run/runc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return;
	fd = -1;
	/* Its cgroup was named otherwise: the pid tells. */
	for (int i = 0; i < STATES_MAX && (d = readdir(dir)); i++)
		if (d->d_name[0] != '.' && one_state(c, d->d_name, f))
			break;
	closedir(dir);
}
