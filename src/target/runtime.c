/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/runtime.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "target/rootfs.h"

/* pid 1's root where ours is another: an agent in a container of its own. */
int
rt_open(const struct tgt_sys *s, struct rt_ctx *c)
{
	auto_close int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int one = proc_open(s->proc, 1);
	uint64_t mine = self < 0 ? 0 : proc_ns(self, "mnt");
	uint64_t its = one < 0 ? 0 : proc_ns(one, "mnt");

	*c = (struct rt_ctx){.proc = s->proc, .host = -1, .host_pd = -1};
	c->host_ns_pid = one < 0 ? 0 : proc_ns(one, "pid");
	c->host_ns_mnt = its;
	if (one >= 0 && (s->standin || (its && its != mine))) {
		c->host = openat(one, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (c->host >= 0) {
			c->host_pd = steal_fd(&one);
			return 0;
		}
	}
	if (s->standin)
		return 0;
	c->host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	c->host_pd = steal_fd(&self);
	return 0;
}

void
rt_close(struct rt_ctx *c)
{
	fd_close(&c->host);
	fd_close(&c->host_pd);
	json_decref(c->storage);
	c->storage = NULL;
}

void
rt_text(char *dst, size_t size, const char *src)
{
	str_vis(dst, size, src);
}

json_t *
rt_json(const struct rt_ctx *c, const char *path, size_t max)
{
	struct buf b;
	json_t *j = NULL;

	if (c->host < 0)
		return NULL;
	buf_init(&b, max);
	if (rootfs_read(c->host, path, max, &b) == 0)
		j = json_parse((const char *)buf_head(&b), b.len, NULL);
	buf_fini(&b);
	return j;
}

#define DEFAULT_CONTAINER "kubectl.kubernetes.io/default-container"

enum label_field {
	L_KUBE,
	L_POD,
	L_NS,
	L_UID,
	L_IMAGE,
	L_PROJECT,
	L_COMPOSE,
	L_KIND,
	L_SANDBOX,
	L_NAME,
	L_PREFERRED,
	L_POD_NOTES
};

/* The more telling key of a field comes first. */
static const struct {
	const char *key;
	enum label_field field;
} labels_known[] = {
    {"io.kubernetes.container.name", L_KUBE},
    {"io.kubernetes.cri.container-name", L_KUBE},
    {"io.kubernetes.cri-o.ContainerName", L_KUBE},
    {"io.kubernetes.pod.name", L_POD},
    {"io.kubernetes.cri.sandbox-name", L_POD},
    {"io.kubernetes.cri-o.KubeName", L_POD},
    {"io.kubernetes.pod.namespace", L_NS},
    {"io.kubernetes.cri.sandbox-namespace", L_NS},
    {"io.kubernetes.cri-o.Namespace", L_NS},
    {"io.kubernetes.pod.uid", L_UID},
    {"io.kubernetes.cri.sandbox-uid", L_UID},
    {"io.kubernetes.cri.image-name", L_IMAGE},
    {"io.kubernetes.cri-o.ImageName", L_IMAGE},
    {"com.docker.compose.project", L_PROJECT},
    {"io.podman.compose.project", L_PROJECT},
    {"com.docker.compose.service", L_COMPOSE},
    {"io.podman.compose.service", L_COMPOSE},
    {"io.kubernetes.cri.container-type", L_KIND},
    {"io.kubernetes.cri-o.ContainerType", L_KIND},
    {"io.kubernetes.docker.type", L_KIND},
    {"io.kubernetes.cri.sandbox-id", L_SANDBOX},
    {"io.kubernetes.cri-o.SandboxID", L_SANDBOX},
    {"nerdctl/name", L_NAME},
    {DEFAULT_CONTAINER, L_PREFERRED},
    {"io.kubernetes.cri-o.Annotations", L_POD_NOTES},
};

static void
take(char *dst, size_t size, const char *value)
{
	if (!*dst)
		rt_text(dst, size, value);
}

/* CRI-O keeps the pod's own annotations as JSON in one. */
static void
take_notes(const char *text, struct rt_facts *f)
{
	json_t *notes = json_parse(text, strlen(text), NULL);
	const char *v = json_str(notes, DEFAULT_CONTAINER);

	if (v)
		take(f->preferred, sizeof(f->preferred), v);
	json_decref(notes);
}

static void
take_field(enum label_field field, const char *value, struct rt_facts *f)
{
	struct tgt *t = f->t;

	switch (field) {
	case L_KUBE:
		take(f->kube_name, sizeof(f->kube_name), value);
		break;
	case L_POD:
		take(t->pod, sizeof(t->pod), value);
		break;
	case L_NS:
		take(t->ns, sizeof(t->ns), value);
		break;
	case L_UID:
		take(t->pod_uid, sizeof(t->pod_uid), value);
		break;
	case L_IMAGE:
		take(t->image, sizeof(t->image), value);
		break;
	case L_PROJECT:
		take(t->project, sizeof(t->project), value);
		break;
	case L_COMPOSE:
		take(f->compose, sizeof(f->compose), value);
		break;
	case L_KIND:
		f->infra |= strcmp(value, "sandbox") == 0 || strcmp(value, "podsandbox") == 0;
		break;
	case L_SANDBOX:
		take(f->sandbox, sizeof(f->sandbox), value);
		break;
	case L_NAME:
		take(t->container, sizeof(t->container), value);
		break;
	case L_PREFERRED:
		take(f->preferred, sizeof(f->preferred), value);
		break;
	case L_POD_NOTES:
		take_notes(value, f);
		break;
	}
}

void
rt_label(const char *key, const char *value, struct rt_facts *f)
{
	for (size_t i = 0; i < COUNT_OF(labels_known); i++)
		if (strcmp(labels_known[i].key, key) == 0)
			take_field(labels_known[i].field, value, f);
}

void
rt_labels(const json_t *labels, struct rt_facts *f)
{
	for (size_t i = 0; i < COUNT_OF(labels_known); i++) {
		const char *v = json_str(labels, labels_known[i].key);

		if (v && *v)
			take_field(labels_known[i].field, v, f);
	}
}

void
rt_preferred(const json_t *labels, struct rt_facts *f)
{
	const char *v = json_str(labels, DEFAULT_CONTAINER);

	if (v)
		take(f->preferred, sizeof(f->preferred), v);
	v = json_str(labels, "io.kubernetes.cri-o.Annotations");
	if (v)
		take_notes(v, f);
}

/* A pod's own process: pause of Kubernetes, catatonit -P of podman. */
static bool
is_pause(int pd, const char *comm)
{
	char line[64];
	ssize_t n;

	if (strcmp(comm, "pause") == 0)
		return true;
	if (strcmp(comm, "catatonit") != 0)
		return false;
	n = proc_read_memory(pd, "cmdline", line, sizeof(line));
	/* As --init of a container it has a program after it. */
	return n >= 3 && memcmp(line + n - 3, "-P", 3) == 0;
}

/* What its first process was told that it is called. */
static void
take_environ(const struct proc_named *n, struct rt_facts *f, char service[254])
{
	const char *v = n->value[PROC_SERVICE_NAME];

	rt_text(service, 254, *v ? v : n->value[PROC_CORAL_SERVICE]);
	if (*f->t->pod_uid)
		take(f->t->pod, sizeof(f->t->pod), n->value[PROC_HOSTNAME]);
}

/* The first that is there: compose, what the container calls itself, Kubernetes, the runtime. */
static void
settle(struct rt_facts *f, const char *from_env)
{
	struct tgt *t = f->t;
	size_t pod = strlen(t->pod);

	/* podman's kube play calls a container POD-NAME. */
	if (!*f->kube_name && strcmp(t->runtime, "podman") == 0 && pod > 0 &&
	    strncmp(t->container, t->pod, pod) == 0 && t->container[pod] == '-' &&
	    t->container[pod + 1]) {
		str_copy(f->kube_name, t->container + pod + 1, sizeof(f->kube_name));
		t->container[0] = '\0';
	}
	take(t->container, sizeof(t->container), f->kube_name);
	t->preferred = *f->preferred && strcmp(f->preferred, f->kube_name) == 0;
	str_copy(t->service,
	    *f->compose	    ? f->compose
	    : *from_env	    ? from_env
	    : *f->kube_name ? f->kube_name
			    : t->container,
	    sizeof(t->service));
}

void
rt_learn(struct rt_ctx *c, int pd, const struct proc_stat *st, const struct proc_named *named,
    struct tgt *t, bool *infra)
{
	struct rt_facts f = {.t = t};
	bool runc = strcmp(t->runtime, "runc") == 0, told;
	char from_env[254] = "";

	told = runc ? rt_runc(c, &f) : rt_docker(c, &f);
	/* Its mounts take the longest to read, and say no more than the runtime but of a pod. */
	if (!told || *t->pod || *t->pod_uid)
		rt_hints(c, pd, &f);
	if (!told && !runc && !rt_docker_moved(c, &f) && *t->id)
		rt_bundle(c, st, &f);
	take_environ(named, &f, from_env);
	settle(&f, from_env);
	*infra = f.infra || (*t->id && is_pause(pd, st->comm));
}
