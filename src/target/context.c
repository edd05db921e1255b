/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/context.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/str.h"
#include "target/caps.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

const struct ctx_ns ctx_namespaces[CTX_NS_COUNT] = {
    {"user", CLONE_NEWUSER},
    {"mnt", CLONE_NEWNS},
    {"pid", CLONE_NEWPID},
    {"net", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},
    {"uts", CLONE_NEWUTS},
    {"cgroup", CLONE_NEWCGROUP},
    {"time", CLONE_NEWTIME},
};

static int
unknown_namespace(const char *name, struct err *e)
{
	const char *known[CTX_NS_COUNT + 1] = {NULL};
	const char *near;

	err_set(e, ERR_USAGE, 0, "unknown namespace \"%s\"", name);
	err_why(e, "known:");
	for (size_t i = 0; i < CTX_NS_COUNT; i++) {
		known[i] = ctx_namespaces[i].name;
		err_why(e, "%s %s", i ? "," : "", known[i]);
	}
	near = str_nearest(name, known);
	if (near)
		return err_hint(e, "--namespaces %s", near);
	return err_hint(e, "leave --namespaces out to enter all that differ");
}

int
ctx_parse_namespaces(const char *list, int *flags, struct err *e)
{
	*flags = 0;
	for (;;) {
		size_t n = strcspn(list, ","), i;
		char name[32];

		snprintf(name, sizeof(name), "%.*s", (int)(n < 31 ? n : 31), list);
		for (i = 0; i < CTX_NS_COUNT; i++) {
			if (strcmp(name, ctx_namespaces[i].name) == 0)
				break;
		}
		if (i == CTX_NS_COUNT)
			return unknown_namespace(name, e);
		*flags |= ctx_namespaces[i].flag;
		if (!list[n])
			return 0;
		list += n + 1;
	}
}

bool
ctx_read_number(int pd, const char *name, int base, long long *out)
{
	char text[32], *end;
	ssize_t n = proc_read(pd, name, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	errno = 0;
	*out = strtoll(text, &end, base);
	return errno == 0 && end != text && (*end == '\0' || *end == '\n');
}

static int
unreadable(const struct tgt_hold *h, const char *file, struct err *e)
{
	int sys = errno;

	if (sys == ESRCH || sys == ENOENT) {
		err_set(e, ERR_TARGET_GONE, 0, "process %d is gone", (int)h->pid);
		err_why(e, "it exited while /proc/%d/%s was read", (int)h->pid, file);
		return err_hint(e, "coral ps lists what can be entered now");
	}
	if (sys == EACCES || sys == EPERM) {
		err_set(e, ERR_PRIVILEGE, sys, "cannot read /proc/%d/%s", (int)h->pid, file);
		return caps_why(e, CAP_BIT(CAP_SYS_PTRACE));
	}
	if (sys == ETIMEDOUT) {
		err_set(e, ERR_TIMEOUT, sys, "cannot read /proc/%d/%s", (int)h->pid, file);
		err_why(e, "the process keeps its memory locked: a file system that it uses hangs");
		return err_hint(e, "name another process of the container with --pid");
	}
	err_set(e, ERR_IO, sys, "cannot read /proc/%d/%s", (int)h->pid, file);
	if (sys == EINVAL)
		err_why(e, "it is not what the kernel writes there");
	else if (sys == EFBIG)
		err_why(e, "it is larger than what is read of a container");
	return err_hint(e, "enter another process of the container: --pid");
}

static int
read_namespaces(const struct tgt_sys *s, const struct tgt_hold *h, struct ctx *c, struct err *e)
{
	auto_close int self = openat(s->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < CTX_NS_COUNT; i++) {
		const struct ctx_ns *n = &ctx_namespaces[i];
		uint64_t ours = proc_ns(self, n->name);
		uint64_t theirs;

		/* A kernel without this kind of namespace. */
		if (!ours)
			continue;
		theirs = proc_ns(h->proc, n->name);
		if (!theirs)
			return unreadable(h, "ns", e);
		if (ours != theirs)
			c->differs |= n->flag;
	}
	return 0;
}

static int
read_ids(const struct tgt_hold *h, struct ctx *c, struct err *e)
{
	char deny[16];
	ssize_t n;

	if (proc_read_status(h->proc, &c->status) < 0)
		return unreadable(h, "status", e);
	if (!(c->differs & CLONE_NEWUSER))
		return 0;
	if (proc_read_idmap(h->proc, "uid_map", &c->uids) < 0)
		return unreadable(h, "uid_map", e);
	if (proc_read_idmap(h->proc, "gid_map", &c->gids) < 0)
		return unreadable(h, "gid_map", e);
	n = proc_read(h->proc, "setgroups", deny, sizeof(deny));
	c->setgroups_deny = n >= 4 && memcmp(deny, "deny", 4) == 0;
	return 0;
}

/* What a kernel may lack, or a process may not tell: a default is right then. */
static void
read_extras(const struct tgt_sys *s, const struct tgt_hold *h, struct ctx *c)
{
	long long v;
	ssize_t n;

	if (ctx_read_number(h->proc, "oom_score_adj", 10, &v) && v >= -1000 && v <= 1000)
		c->oom_score_adj = (int)v;
	if (ctx_read_number(s->proc, "self/oom_score_adj", 10, &v) && v >= -1000 && v <= 1000)
		c->own_oom = (int)v;
	if (ctx_read_number(h->proc, "personality", 16, &v) && v >= 0 && v <= UINT32_MAX)
		c->personality = (unsigned long)v;
	c->own_audit = UINT32_MAX;
	if (ctx_read_number(s->proc, "self/sessionid", 10, &v) && v >= 0 && v <= UINT32_MAX)
		c->own_audit = (uint32_t)v;
	errno = 0;
	c->nice = getpriority(PRIO_PROCESS, (id_t)h->pid);
	if (errno)
		c->nice = 0;
	c->policy = sched_getscheduler(h->pid);
	c->ioprio = (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, h->pid);
	/* The kernel's default: another's takes CAP_SYS_NICE to read. */
	c->timerslack = 50000;
	if (ctx_read_number(h->proc, "timerslack_ns", 10, &v) && v > 0)
		c->timerslack = (unsigned long)v;
	c->coredump_filter = -1;
	if (ctx_read_number(h->proc, "coredump_filter", 16, &v) && v >= 0 && v <= UINT32_MAX)
		c->coredump_filter = v;
	c->has_affinity = sched_getaffinity(h->pid, sizeof(c->affinity), &c->affinity) == 0;
	c->cwd = openat(h->proc, "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	n = readlinkat(h->proc, "cwd", c->cwd_name, sizeof(c->cwd_name) - 1);
	c->cwd_name[n > 0 ? n : 0] = '\0';
}

int
ctx_read(const struct tgt_sys *s, const struct tgt_hold *h, struct ctx *c, struct err *e)
{
	auto_close int self = -1;

	memset(c, 0, sizeof(*c));
	c->cwd = -1;
	if (read_namespaces(s, h, c, e) < 0 || read_ids(h, c, e) < 0)
		return -1;
	if (proc_read_limits(h->proc, &c->limits) < 0)
		return unreadable(h, "limits", e);
	if (proc_read_cgroups(h->proc, &c->cgroups) < 0)
		return unreadable(h, "cgroup", e);
	if (proc_read_environ(h->proc, &c->env, &c->nenv) < 0)
		return unreadable(h, "environ", e);
	self = openat(s->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (self < 0 || proc_read_cgroups(self, &c->own_cgroups) < 0)
		return err_set(e, ERR_IO, errno, "cannot read %s/self/cgroup", s->proc_path);
	if (lsm_read(h->proc, &c->label) < 0)
		c->label_errno = errno;
	lsm_read(self, &c->own_label);
	read_extras(s, h, c);
	/* Its numbers were read by number too: they are its own only if it is still there. */
	if (pidfd_send_signal(h->pidfd, 0, NULL, 0) < 0 && errno == ESRCH)
		return unreadable(h, "status", e);
	return 0;
}

void
ctx_fini(struct ctx *c)
{
	proc_status_fini(&c->status);
	free(c->env);
	c->env = NULL;
	fd_close(&c->cwd);
}
