/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Docker Engine: DATA-ROOT/containers/ID/config.v2.json. */
#include "target/runtime.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

#define CONFIG_MAX (1024 * 1024)

void
rt_take_docker(const json_t *config, struct rt_facts *f)
{
	const json_t *inner = json_object_get(config, "Config");
	const char *name = json_str(config, "Name");
	const char *image = json_str(inner, "Image");
	struct tgt *t = f->t;

	if (name)
		rt_text(t->container, sizeof(t->container), name + (*name == '/'));
	if (image)
		rt_text(t->image, sizeof(t->image), image);
	rt_labels(json_object_get(inner, "Labels"), f);
}

static bool
from_dir(const struct rt_ctx *c, const char *dir, struct rt_facts *f)
{
	char path[1200];
	const char *id;
	json_t *j;
	bool ours;

	snprintf(path, sizeof(path), "%s/config.v2.json", dir);
	j = rt_json(c, path, CONFIG_MAX);
	id = json_str(j, "ID");
	ours = id && strcmp(id, f->t->id) == 0;
	if (ours) {
		str_copy(f->t->runtime, "docker", sizeof(f->t->runtime));
		rt_take_docker(j, f);
	}
	json_decref(j);
	return ours;
}

bool
rt_docker(const struct rt_ctx *c, struct rt_facts *f)
{
	char dir[128];

	/* With the cgroupfs driver a pod's path does not say which runtime it is. */
	if (strcmp(f->t->runtime, "docker") != 0 && strcmp(f->t->runtime, "containerd") != 0)
		return false;
	snprintf(dir, sizeof(dir), "/var/lib/docker/containers/%s", f->t->id);
	return from_dir(c, dir, f);
}

/* --data-root elsewhere, or a --cgroup-parent that hides the runtime. */
bool
rt_docker_moved(const struct rt_ctx *c, struct rt_facts *f)
{
	return strcmp(f->t->runtime, "podman") != 0 && *f->files_dir &&
	       from_dir(c, f->files_dir, f);
}
