/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a container's mounts give away: where its files come from on the host. */
#include "target/runtime.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "target/lex.h"

/* "/var/lib/kubelet/pods/UID/etc-hosts": the end counts, kubelet's root may be anywhere. */
static void
kubelet_hosts(const char *root, struct rt_facts *f)
{
	const char *end = strstr(root, "/etc-hosts"), *at;
	struct lex uid;

	if (!end || strcmp(end, "/etc-hosts") != 0)
		return;
	for (at = end; at > root && at[-1] != '/'; at--)
		;
	if (at - root < 6 || strncmp(at - 6, "/pods/", 6) != 0)
		return;
	uid = (struct lex){at, (size_t)(end - at)};
	/* A UUID, or the hash that a static pod has. */
	if (uid.n != 36 && uid.n != 32)
		return;
	for (size_t i = 0; i < uid.n; i++)
		if (lex_digit(uid.p[i]) > 15 && uid.p[i] != '-')
			return;
	if (!*f->t->pod_uid)
		lex_copy(&uid, f->t->pod_uid, sizeof(f->t->pod_uid));
}

/* ".../pods/UID/containers/NAME/8f3a1c02" behind the termination log. */
static void
kubelet_log(const char *root, struct rt_facts *f)
{
	struct lex l = {root, strlen(root)}, part[5];
	size_t n = 0;
	char name[254];

	while (lex_until(&l, '/', &part[n % 5]))
		n++;
	if (n < 5 || part[(n - 1) % 5].n != 8 || !lex_is(&part[(n - 3) % 5], "containers") ||
	    !lex_is(&part[(n - 5) % 5], "pods"))
		return;
	if (!*f->kube_name && lex_copy(&part[(n - 2) % 5], name, sizeof(name)))
		rt_text(f->kube_name, sizeof(f->kube_name), name);
}

int
rt_take_mount(void *mounts, const struct proc_mount *m)
{
	struct rt_mounts *h = mounts;

	if (strcmp(m->point, "/etc/hosts") == 0) {
		kubelet_hosts(m->root, h->f);
	} else if (strcmp(m->point, "/dev/termination-log") == 0) {
		kubelet_log(m->root, h->f);
	} else if (strcmp(m->point, "/etc/hostname") == 0) {
		h->major = m->major;
		h->minor = m->minor;
		str_copy(h->hostname, m->root, sizeof(h->hostname));
	}
	return 0;
}

struct host_search {
	const struct rt_mounts *want;
	char *dst;
	size_t size, best;
};

/* The root of a mount is a path in its file system: find where the host has that. */
static int
host_mount(void *arg, const struct proc_mount *m)
{
	struct host_search *s = arg;
	const char *root = s->want->hostname;
	size_t len = strlen(m->root);

	if (m->major != s->want->major || m->minor != s->want->minor)
		return 0;
	if (strcmp(m->root, "/") == 0)
		len = 0;
	if (strncmp(root, m->root, len) != 0 || root[len] != '/' || len + 1 <= s->best)
		return 0;
	if (snprintf(s->dst, s->size, "%s%s", strcmp(m->point, "/") == 0 ? "" : m->point,
		root + len) >= (int)s->size)
		s->dst[0] = '\0';
	s->best = len + 1;
	return 0;
}

void
rt_hints(const struct rt_ctx *c, int pd, struct rt_facts *f)
{
	struct rt_mounts h = {.f = f};
	struct host_search s = {&h, f->files_dir, sizeof(f->files_dir), 0};
	char *slash;

	if (proc_read_mountinfo(pd, rt_take_mount, &h) < 0 || !*h.hostname)
		return;
	/* Only a directory that carries the container's id is worth the search. */
	if (!*f->t->id || !strstr(h.hostname, f->t->id) || c->host_pd < 0)
		return;
	if (proc_read_mountinfo(c->host_pd, host_mount, &s) < 0)
		f->files_dir[0] = '\0';
	slash = strrchr(f->files_dir, '/');
	if (slash)
		*slash = '\0';
}
