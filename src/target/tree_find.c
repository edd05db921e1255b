/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "target/cgroup.h"
#include "target/context.h"

bool
tree_has_cgroup(const struct enter_tree *t)
{
	for (size_t i = 0; i < COUNT_OF(t->v1); i++) {
		if (t->v1[i][0])
			return true;
	}
	return t->v2[0];
}

static bool
same_audit(int pd, const struct enter_tree *t)
{
	long long id;

	return t->audit != UINT32_MAX && ctx_read_number(pd, "sessionid", 10, &id) &&
	       id == (long long)t->audit;
}

static bool
is_leader(const struct enter_tree *t, const struct proc_stat *st)
{
	return st->pid == t->leader && st->start == t->leader_start;
}

struct seen {
	pid_t pid, ppid;
	bool alive, ours;
};

/* It came to us when its parent ended.  What is older than the leader is another child of ours;
 * of those that began within the same tick, the one with the lower number. */
static bool
is_orphan(const struct enter_tree *t, const struct proc_stat *st)
{
	return t->reaps && st->ppid == getpid() && st->pid != t->helper &&
	       (st->start > t->leader_start ||
		   (st->start == t->leader_start && st->pid > t->leader));
}

static size_t
look_at_all(const struct tgt_sys *s, const struct enter_tree *t, struct seen *out, size_t max)
{
	int fd = openat(s->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *ent;
	size_t n = 0;

	if (!d)
		fd_close(&fd);
	while (d && n < max && (ent = readdir(d)) != NULL) {
		struct proc_stat st;
		auto_close int pd = -1;

		if (!isdigit((unsigned char)ent->d_name[0]))
			continue;
		pd = proc_open(s->proc, (pid_t)strtol(ent->d_name, NULL, 10));
		if (pd < 0 || proc_read_stat(pd, &st) < 0 || st.pid == getpid())
			continue;
		out[n++] = (struct seen){
		    .pid = st.pid,
		    .ppid = st.ppid,
		    .alive = proc_alive(&st),
		    .ours = is_leader(t, &st) || same_audit(pd, t) || is_orphan(t, &st),
		};
	}
	if (d)
		closedir(d);
	return n;
}

static bool
has_our_parent(const struct seen *all, size_t n, pid_t ppid)
{
	for (size_t i = 0; i < n; i++) {
		if (all[i].pid == ppid)
			return all[i].ours;
	}
	return false;
}

/* By audit session and by descent from the leader. */
static size_t
find_by_scan(const struct tgt_sys *s, const struct enter_tree *t, pid_t *out, size_t max)
{
	auto_free struct seen *all = calloc(TREE_PIDS_MAX, sizeof(*all));
	size_t n = all ? look_at_all(s, t, all, TREE_PIDS_MAX) : 0, found = 0;
	bool more = t->audit == UINT32_MAX;

	while (more) {
		more = false;
		for (size_t i = 0; i < n; i++) {
			if (all[i].ours || !has_our_parent(all, n, all[i].ppid))
				continue;
			all[i].ours = more = true;
		}
	}
	for (size_t i = 0; i < n && found < max; i++) {
		if (all[i].ours && all[i].alive)
			out[found++] = all[i].pid;
	}
	return found;
}

/* With rights over cgroups it may have left its own; then it is still known by its number. */
static bool
leader_left(const struct tgt_sys *s, const struct enter_tree *t, const pid_t *pids, size_t n)
{
	auto_close int pd = -1;
	struct proc_stat st;

	for (size_t i = 0; i < n; i++) {
		if (pids[i] == t->leader)
			return false;
	}
	pd = t->leader ? proc_open(s->proc, t->leader) : -1;
	return pd >= 0 && proc_read_stat(pd, &st) == 0 && is_leader(t, &st) && proc_alive(&st);
}

static int
by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* The same process is in the session's cgroups of several hierarchies. */
static size_t
each_once(pid_t *pids, size_t n)
{
	size_t kept = 0;

	qsort(pids, n, sizeof(*pids), by_pid);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || pids[i] != pids[kept - 1])
			pids[kept++] = pids[i];
	}
	return kept;
}

size_t
tree_pids(const struct tgt_sys *s, const struct enter_tree *t, pid_t *out)
{
	size_t n = 0;

	if (!tree_has_cgroup(t))
		return t->leader ? find_by_scan(s, t, out, TREE_PIDS_MAX) : 0;
	if (t->v2[0])
		n = cg_pids(t->v2, out, TREE_PIDS_MAX);
	for (size_t i = 0; i < COUNT_OF(t->v1); i++) {
		if (t->v1[i][0])
			n += cg_pids(t->v1[i], out + n, TREE_PIDS_MAX - n);
	}
	if (t->roams)
		n += find_by_scan(s, t, out + n, TREE_PIDS_MAX - n);
	else if (n < TREE_PIDS_MAX && leader_left(s, t, out, n))
		out[n++] = t->leader;
	return each_once(out, n);
}

/* "/coral-ID" as a whole component of one of its cgroup paths. */
static bool
in_cgroup(int pd, const struct enter_tree *t)
{
	auto_free struct proc_cgroups *c = calloc(1, sizeof(*c));
	char name[96] = "/" CG_PREFIX;
	size_t len;

	if (!c || proc_read_cgroups(pd, c) < 0)
		return false;
	str_copy(name + strlen(name), t->session_id, sizeof(name) - strlen(name));
	len = strlen(name);
	for (size_t i = 0; i < c->n; i++) {
		const char *at = c->v[i].path;

		while ((at = strstr(at, name)) != NULL) {
			if (at[len] == '/' || at[len] == '\0')
				return true;
			at += len;
		}
	}
	return false;
}

static bool
is_ours(int pd, const struct enter_tree *t, const struct proc_stat *st)
{
	if (is_leader(t, st))
		return true;
	if (tree_has_cgroup(t) && in_cgroup(pd, t))
		return true;
	if (tree_has_cgroup(t) && !t->roams)
		return false;
	/* Without audit it was found by descent, a moment ago. */
	return t->audit == UINT32_MAX || same_audit(pd, t);
}

int
tree_hold(const struct tgt_sys *s, const struct enter_tree *t, pid_t pid, char *comm)
{
	auto_close int fd = pidfd_open(pid, 0);
	auto_close int pd = fd >= 0 ? proc_open(s->proc, pid) : -1;
	struct proc_stat st;

	if (pd < 0 || proc_read_stat(pd, &st) < 0 || pid == getpid() || pid == 1)
		return -1;
	/* Read after the pidfd was opened: what is in the tree now is what the pidfd means. */
	if (!is_ours(pd, t, &st))
		return -1;
	if (comm)
		str_vis(comm, 64, st.comm);
	return steal_fd(&fd);
}
