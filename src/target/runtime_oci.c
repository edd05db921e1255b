/* SPDX-License-Identifier: GPL-3.0-or-later */
/* containerd, CRI-O and podman: the bundle that they hand to their OCI runtime. */
#include "target/runtime.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "target/lex.h"

#define CONFIG_MAX (1024 * 1024)
#define STORAGE_MAX (4 * 1024 * 1024)
#define DIR_SIZE 1024
#define ANCESTORS_MAX 64

void
rt_take_conmon(const char *p, size_t n, struct rt_monitor *m)
{
	struct lex l = {p, n}, arg, value;

	while (lex_until(&l, '\0', &arg)) {
		if (lex_is(&arg, "-b") && lex_until(&l, '\0', &value)) {
			if (!lex_copy(&value, m->bundle, sizeof(m->bundle)))
				m->bundle[0] = '\0';
		} else if (lex_is(&arg, "-n") && lex_until(&l, '\0', &value)) {
			if (!lex_copy(&value, m->name, sizeof(m->name)))
				m->name[0] = '\0';
		}
	}
}

/* What the parent says: conmon on its command line, a shim by where it stands. */
static void
conmon_args(int pd, struct rt_monitor *m)
{
	char text[16 * 1024];
	ssize_t n = proc_read_memory(pd, "cmdline", text, sizeof(text));

	if (n > 0)
		rt_take_conmon(text, (size_t)n, m);
}

/* One shim serves a whole pod: its containers' bundles are neighbours. */
static void
shim_cwd(int pd, const char *id, struct rt_monitor *m)
{
	char cwd[DIR_SIZE - 80];
	ssize_t n = readlinkat(pd, "cwd", cwd, sizeof(cwd) - 1);
	char *slash;

	if (n <= 0 || (size_t)n >= sizeof(cwd) - 1)
		return;
	cwd[n] = '\0';
	slash = strrchr(cwd, '/');
	if (!slash)
		return;
	*slash = '\0';
	snprintf(m->bundle, sizeof(m->bundle), "%s/%s", cwd, id);
}

static void
ask_parent(const struct rt_ctx *c, const struct proc_stat *st, const char *id, struct rt_monitor *m)
{
	auto_close int pd = st->ppid > 1 ? proc_open(c->proc, st->ppid) : -1;
	struct proc_stat parent;

	if (pd < 0 || proc_read_stat(pd, &parent) < 0)
		return;
	if (strcmp(parent.comm, "conmon") == 0)
		conmon_args(pd, m);
	else if (strncmp(parent.comm, "containerd-shim", 15) == 0)
		shim_cwd(pd, id, m);
}

/* Among the ancestors of a process, the first that lives where the host's root is: a container
 * can call a process of its own conmon, and give it any arguments. */
static void
ask_host(const struct rt_ctx *c, int pd, const char *id, struct rt_monitor *m)
{
	uint64_t host = c->host_pd < 0 ? 0 : proc_ns(c->host_pd, "mnt");
	struct proc_stat st;
	auto_close int up = -1;

	if (!host || proc_read_stat(pd, &st) < 0)
		return;
	for (int i = 0; i < ANCESTORS_MAX && st.ppid > 1; i++) {
		fd_close(&up);
		up = proc_open(c->proc, st.ppid);
		if (up >= 0 && proc_ns(up, "mnt") == host) {
			ask_parent(c, &st, id, m);
			return;
		}
		if (up < 0 || proc_read_stat(up, &st) < 0)
			return;
	}
}

void
rt_take_bundle(const json_t *config, struct rt_facts *f)
{
	rt_labels(json_object_get(config, "annotations"), f);
}

static json_t *
bundle_json(const struct rt_ctx *c, const char *dir, char path[RT_PATH_MAX])
{
	snprintf(path, RT_PATH_MAX, "%s/config.json", dir);
	return rt_json(c, path, CONFIG_MAX);
}

static bool
read_bundle(const struct rt_ctx *c, const char *dir, struct rt_facts *f)
{
	char path[RT_PATH_MAX];
	json_t *j = bundle_json(c, dir, path);

	if (!j)
		return false;
	rt_take_bundle(j, f);
	json_decref(j);
	return true;
}

/* Where each runtime keeps bundles when nobody moved them; %s is the id. */
static const struct {
	const char *runtime, *format;
} places[] = {
    {"containerd", "/run/containerd/io.containerd.runtime.v2.task/k8s.io/%s"},
    {"containerd", "/run/containerd/io.containerd.runtime.v2.task/default/%s"},
    {"containerd", "/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/%s"},
    {"docker", "/run/containerd/io.containerd.runtime.v2.task/moby/%s"},
    {"cri-o", "/run/containers/storage/overlay-containers/%s/userdata"},
    {"podman", "/var/lib/containers/storage/overlay-containers/%s/userdata"},
    {"podman", "/var/lib/containers/storage/vfs-containers/%s/userdata"},
};

/* The i-th place, or false when it is another runtime's. */
static bool
place(size_t i, const struct tgt *t, char dir[DIR_SIZE])
{
	const char *fmt = places[i].format, *at = strstr(fmt, "%s");

	if (strcmp(places[i].runtime, t->runtime) != 0)
		return false;
	snprintf(dir, DIR_SIZE, "%.*s%s%s", (int)(at - fmt), fmt, t->id, at + 2);
	return true;
}

static bool
find_bundle(const struct rt_ctx *c, struct rt_facts *f, char dir[DIR_SIZE])
{
	for (size_t i = 0; i < COUNT_OF(places); i++)
		if (place(i, f->t, dir) && read_bundle(c, dir, f))
			return true;
	dir[0] = '\0';
	return false;
}

/* DIR/ID or DIR/ID/userdata, and no other way to have the id in it. */
static bool
is_bundle_of(const char *dir, const char *id)
{
	const char *at = strrchr(dir, '/');
	size_t n = strlen(id);

	if (at && strcmp(at, "/userdata") == 0) {
		while (at > dir && *--at != '/')
			;
		return strncmp(at + 1, id, n) == 0 && strcmp(at + 1 + n, "/userdata") == 0;
	}
	return at && strcmp(at + 1, id) == 0;
}

json_t *
rt_bundle_config(const struct rt_ctx *c, int pd, const struct tgt *t, char path[RT_PATH_MAX])
{
	struct rt_monitor m = {.bundle = ""};
	char dir[DIR_SIZE];
	json_t *j = NULL;

	ask_host(c, pd, t->id, &m);
	if (*m.bundle && is_bundle_of(m.bundle, t->id))
		j = bundle_json(c, m.bundle, path);
	for (size_t i = 0; !j && i < COUNT_OF(places); i++)
		if (place(i, t, dir))
			j = bundle_json(c, dir, path);
	return j;
}

/* DRIVER-containers/containers.json, two above ID/userdata: names and images of all. */
static json_t *
storage_of(struct rt_ctx *c, const char *bundle)
{
	char path[DIR_SIZE];

	str_copy(path, bundle, sizeof(path) - 24);
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return NULL;
		*slash = '\0';
	}
	snprintf(path + strlen(path), 24, "/containers.json");
	if (!c->storage || strcmp(path, c->storage_path) != 0) {
		json_decref(c->storage);
		c->storage = rt_json(c, path, STORAGE_MAX);
		str_copy(c->storage_path, path, sizeof(c->storage_path));
	}
	return c->storage;
}

void
rt_take_storage(json_t *all, struct rt_facts *f)
{
	json_t *one = NULL, *meta = NULL;
	const char *v = NULL;
	size_t i;

	json_array_foreach(all, i, one)
	{
		v = json_str(one, "id");
		if (v && strcmp(v, f->t->id) == 0)
			break;
	}
	if (i >= json_array_size(all))
		return;
	v = json_string_value(json_array_get(json_object_get(one, "names"), 0));
	if (v && !*f->t->container)
		rt_text(f->t->container, sizeof(f->t->container), v);
	v = json_str(one, "metadata");
	if (v)
		meta = json_parse(v, strlen(v), NULL);
	v = json_str(meta, "image-name");
	if (v && !*f->t->image)
		rt_text(f->t->image, sizeof(f->t->image), v);
	json_decref(meta);
}

/* The bundle of the pod's infra container: a neighbour. */
static json_t *
sandbox_bundle(const struct rt_ctx *c, const char *bundle, const struct rt_facts *f)
{
	char path[DIR_SIZE + 96];
	const char *at = strstr(bundle, f->t->id);

	if (!*f->sandbox || !at || strchr(f->sandbox, '/') ||
	    snprintf(path, sizeof(path), "%.*s%s%s/config.json", (int)(at - bundle), bundle,
		f->sandbox, at + strlen(f->t->id)) >= (int)sizeof(path))
		return NULL;
	return rt_json(c, path, CONFIG_MAX);
}

/* A podman pod is called as the host name of its infra container; elsewhere that may carry what
 * the pod's author noted. */
static void
learn_sandbox(const struct rt_ctx *c, const char *bundle, bool podman, struct rt_facts *f)
{
	json_t *j = sandbox_bundle(c, bundle, f);
	const json_t *notes = json_object_get(j, "annotations");
	const char *v = json_str(j, "hostname");

	if (podman && v && !*f->t->pod)
		rt_text(f->t->pod, sizeof(f->t->pod), v);
	if (!podman)
		rt_preferred(notes, f);
	json_decref(j);
}

static bool
monitor_bundle(const struct rt_ctx *c, const struct proc_stat *st, struct rt_facts *f,
    struct rt_monitor *m, char dir[DIR_SIZE])
{
	ask_parent(c, st, f->t->id, m);
	if (!*m->bundle || !strstr(m->bundle, f->t->id) || !read_bundle(c, m->bundle, f))
		return false;
	str_copy(dir, m->bundle, DIR_SIZE);
	return true;
}

void
rt_bundle(struct rt_ctx *c, const struct proc_stat *st, struct rt_facts *f)
{
	struct rt_monitor m = {.bundle = ""};
	char dir[DIR_SIZE] = "";
	bool podman = strcmp(f->t->runtime, "podman") == 0;

	/* podman's conmon also knows the name; of others the usual place is asked sooner. */
	if (!(podman && monitor_bundle(c, st, f, &m, dir)) && !find_bundle(c, f, dir) &&
	    !(!podman && monitor_bundle(c, st, f, &m, dir)) && *f->files_dir &&
	    read_bundle(c, f->files_dir, f))
		str_copy(dir, f->files_dir, sizeof(dir));
	if (podman && *m.name)
		rt_text(f->t->container, sizeof(f->t->container), m.name);
	if (podman && *dir)
		rt_take_storage(storage_of(c, dir), f);
	if (*dir && !f->infra)
		learn_sandbox(c, dir, podman, f);
}
