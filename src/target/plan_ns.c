/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which namespaces are entered; and where setns(2) is not for us, the rung below. */
#include "target/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static void
name_all(int flags, char *dst, size_t size)
{
	size_t at = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < CTX_NS_COUNT && at < size; i++) {
		if (flags & ctx_namespaces[i].flag)
			at += (size_t)snprintf(
			    dst + at, size - at, "%s%s", at ? ", " : "", ctx_namespaces[i].name);
	}
}

static bool
same_fd(int a, int b)
{
	struct stat x, y;

	return a >= 0 && b >= 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* user_namespaces(7): who made a user namespace has every capability in it, and with them enters
 * what belongs to it.  So it is for a rootless agent. */
static bool
owns_all(const struct enter_plan *p)
{
	auto_close int user = openat(p->hold.proc, "ns/user", O_RDONLY | O_CLOEXEC);
	auto_close int own = openat(p->sys.proc, "self/ns/user", O_RDONLY | O_CLOEXEC);
	auto_close int parent = user < 0 ? -1 : ioctl(user, NS_GET_PARENT);
	uid_t owner;

	if (!same_fd(parent, own) || ioctl(user, NS_GET_OWNER_UID, &owner) < 0 ||
	    owner != geteuid())
		return false;
	for (size_t i = 0; i < CTX_NS_COUNT; i++) {
		auto_close int ns = -1, of = -1;
		char path[16];

		if (!(p->job.ns & ctx_namespaces[i].flag & ~CLONE_NEWUSER))
			continue;
		snprintf(path, sizeof(path), "ns/%s", ctx_namespaces[i].name);
		ns = openat(p->hold.proc, path, O_RDONLY | O_CLOEXEC);
		of = ns < 0 ? -1 : ioctl(ns, NS_GET_USERNS);
		if (!same_fd(of, user))
			return false;
	}
	return true;
}

static bool
may_setns(const struct enter_plan *p)
{
	if (caps_effective() & CAP_BIT(CAP_SYS_ADMIN))
		return true;
	return (p->job.ns & CLONE_NEWUSER) && owns_all(p);
}

static int
cannot_choose(struct err *e)
{
	err_set(e, ERR_PRIVILEGE, EPERM, "cannot enter the namespaces asked for");
	err_why(e, "missing: CAP_SYS_ADMIN; without it a container is entered by chroot alone");
	return err_hint(e, "leave --namespaces out, or give the agent SYS_ADMIN: "
			   "capabilities: {add: [SYS_ADMIN, SYS_PTRACE]}");
}

/* In a pid namespace that is not the target's, its uid may be that of processes which it could
 * not even see: and they could be killed from the session. */
static int
other_processes(struct err *e)
{
	err_set(e, ERR_PRIVILEGE, EPERM, "cannot enter the container's namespaces");
	err_why(e, "missing: CAP_SYS_ADMIN; by chroot alone only a container whose processes are "
		   "the agent's too is entered, and this one has a pid namespace of its own");
	return err_hint(e, "run it as root, or give the agent CAP_SYS_ADMIN "
			   "(capabilities: {add: [SYS_ADMIN, SYS_PTRACE]}), or share the pid "
			   "namespace (shareProcessNamespace: true)");
}

static int
no_rung_left(const struct enter_plan *p, struct err *e)
{
	err_set(e, ERR_PRIVILEGE, EPERM, "cannot enter the container");
	err_why(e, "missing: CAP_SYS_ADMIN for its namespaces, and CAP_SYS_CHROOT to do without");
	return err_hint(e,
	    "give the agent capabilities: {add: [SYS_PTRACE, SYS_CHROOT]} or, for all of it, also "
	    "SYS_ADMIN; files can be read as they are: ls /proc/%d/root",
	    (int)p->hold.pid);
}

static int
use_chroot(struct enter_plan *p, const struct enter_want *w, struct err *e)
{
	if (w->namespaces && *w->namespaces)
		return cannot_choose(e);
	if (p->job.ns & CLONE_NEWPID)
		return other_processes(e);
	if ((p->job.ns & CLONE_NEWNS) && !(caps_effective() & CAP_BIT(CAP_SYS_CHROOT)))
		return no_rung_left(p, e);
	p->by_chroot = true;
	p->job.ns = 0;
	return 0;
}

uint64_t
plan_foreign_caps(const struct enter_plan *p)
{
	uint64_t set = 0;

	/* Who may enter namespaces may have any device, and the rules that it has are the
	 * session's. */
	if (!p->by_chroot)
		return p->cg.devices ? 0 : CAP_BIT(CAP_MKNOD);
	if (p->ctx.differs & CLONE_NEWNET)
		set |= CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_NET_RAW) |
		       CAP_BIT(CAP_NET_BIND_SERVICE) | CAP_BIT(CAP_NET_BROADCAST);
	if (p->ctx.differs & CLONE_NEWIPC)
		set |= CAP_BIT(CAP_IPC_OWNER);
	return set;
}

static bool
same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static int
take_root(struct enter_plan *p, struct err *e)
{
	struct enter_job *j = &p->job;
	bool other_mounts = p->ctx.differs & CLONE_NEWNS;

	p->target_root = !other_mounts || (j->ns & CLONE_NEWNS) || p->by_chroot;
	j->root = j->cwd = -1;
	if (!p->target_root) {
		p->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		return p->root < 0 ? err_set(e, ERR_IO, errno, "cannot open /") : 0;
	}
	p->root = fcntl(p->hold.root, F_DUPFD_CLOEXEC, 3);
	if (p->root < 0)
		return err_set(e, ERR_LIMIT, errno, "cannot hold the target's root");
	j->cwd = p->ctx.cwd;
	/* The same directory mounted twice is still two roots. */
	if (other_mounts || !same_file(p->root, "/"))
		j->root = p->root;
	return 0;
}

int
plan_namespaces(struct enter_plan *p, const struct enter_want *w, struct err *e)
{
	int wanted = p->ctx.differs;
	struct enter_job *j = &p->job;

	if (w->namespaces && *w->namespaces && ctx_parse_namespaces(w->namespaces, &wanted, e) < 0)
		return -1;
	j->ns = wanted & p->ctx.differs;
	if (j->ns && !may_setns(p) && use_chroot(p, w, e) < 0)
		return -1;
	p->foreign_ids = (p->ctx.differs & CLONE_NEWUSER) && !(j->ns & CLONE_NEWUSER);
	if (p->by_chroot) {
		char names[128];

		name_all(p->ctx.differs, names, sizeof(names));
		snprintf(p->notice, sizeof(p->notice),
		    "entered by chroot, for the agent lacks CAP_SYS_ADMIN: these namespaces are "
		    "the agent's: %s",
		    names);
	}
	return take_root(p, e);
}
