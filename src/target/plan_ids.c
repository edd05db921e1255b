/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "target/passwd.h"

static int
unmapped(struct err *e, const char *kind, unsigned id, const char *where)
{
	err_set(e, ERR_DENIED, 0, "%s %u has no number %s the container", kind, id, where);
	err_why(e, "the user namespace's %s_map does not map it", kind);
	return err_hint(e, "name another user with -u, as the container numbers it");
}

/* The container's number to ours, and ours to the one that the session will use. */
static int
to_ours(const struct enter_plan *p, bool group, uint32_t id, uint32_t *out, struct err *e)
{
	*out = id;
	if (p->ctx.differs & CLONE_NEWUSER)
		*out = proc_idmap_outside(group ? &p->ctx.gids : &p->ctx.uids, id);
	return *out == PROC_ID_NONE ? unmapped(e, group ? "gid" : "uid", id, "outside") : 0;
}

static int
to_theirs(const struct enter_plan *p, bool group, uint32_t id, uint32_t *out, struct err *e)
{
	*out = id;
	if (p->job.ns & CLONE_NEWUSER)
		*out = proc_idmap_inside(group ? &p->ctx.gids : &p->ctx.uids, id);
	return *out == PROC_ID_NONE ? unmapped(e, group ? "gid" : "uid", id, "inside") : 0;
}

struct who {
	char name[PW_NAME_MAX + 1], group[PW_NAME_MAX + 1];
	bool has_group;
	struct pw_entry pw;
	bool known; /* pw is filled in from the file */
	gid_t gids[256];
	size_t ngids;
};

static int
split_user(const char *spec, struct who *w, struct err *e)
{
	size_t n = strcspn(spec, ":");

	w->has_group = spec[n] == ':';
	if (n == 0 || n > PW_NAME_MAX ||
	    (w->has_group && (!spec[n + 1] || strlen(spec + n + 1) > PW_NAME_MAX))) {
		err_set(e, ERR_USAGE, 0, "bad user \"%.64s\"", spec);
		err_why(e, "it is NAME, UID, NAME:GROUP or UID:GID");
		return err_hint(e, "-u 0, -u nobody, -u 1000:1000");
	}
	memcpy(w->name, spec, n);
	w->name[n] = '\0';
	str_copy(w->group, w->has_group ? spec + n + 1 : "", sizeof(w->group));
	return 0;
}

static int
no_such(struct err *e, const char *kind, const char *name, const char *file, int sys)
{
	err_set(e, ERR_USAGE, 0, "no %s \"%s\" in the container", kind, name);
	if (sys)
		err_why(e, "its /%s cannot be used: %s", file, strerrordesc_np(sys));
	else
		err_why(e, "its /%s does not name it", file);
	return err_hint(e, "give a number: -u UID[:GID]");
}

static int
find_user(const struct enter_plan *p, struct who *w, struct err *e)
{
	struct buf b;
	int64_t id;
	int sys = 0;

	buf_init(&b, PW_FILE_MAX);
	if (pw_read(p->root, "etc/passwd", &b) < 0)
		sys = errno;
	if (str_to_i64(w->name, 0, UINT32_MAX - 1, &id) == 0) {
		w->known = pw_by_uid((const char *)buf_head(&b), b.len, (uid_t)id, &w->pw);
		w->pw.uid = (uid_t)id;
	} else {
		w->known = pw_by_name((const char *)buf_head(&b), b.len, w->name, &w->pw);
		if (!w->known) {
			buf_fini(&b);
			return no_such(e, "user", w->name, "etc/passwd", sys);
		}
	}
	buf_fini(&b);
	return 0;
}

static int
find_groups(const struct enter_plan *p, struct who *w, struct err *e)
{
	struct buf b;
	int64_t id;
	int sys = 0, rc = 0;

	buf_init(&b, PW_FILE_MAX);
	if (pw_read(p->root, "etc/group", &b) < 0)
		sys = errno;
	if (!w->has_group) {
		if (w->known)
			w->ngids = pw_groups_of((const char *)buf_head(&b), b.len, w->pw.name,
			    w->gids, COUNT_OF(w->gids));
	} else if (str_to_i64(w->group, 0, UINT32_MAX - 1, &id) == 0) {
		w->pw.gid = (gid_t)id;
	} else if (!pw_group_by_name((const char *)buf_head(&b), b.len, w->group, &w->pw.gid)) {
		rc = no_such(e, "group", w->group, "etc/group", sys);
	}
	buf_fini(&b);
	return rc;
}

static int
keep_groups(struct enter_plan *p, const gid_t *from, size_t n, struct err *e)
{
	p->groups = malloc((n ? n : 1) * sizeof(*p->groups));
	if (!p->groups)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot plan the entry");
	if (n)
		memcpy(p->groups, from, n * sizeof(*p->groups));
	p->ngroups = n;
	return 0;
}

/* The primary group is one of the groups too, as with login(1) and docker exec: otherwise a
 * set-group-ID program takes it off, and with it what its members are denied. */
static int
set_groups(struct enter_plan *p, struct who *w, struct err *e)
{
	gid_t all[COUNT_OF(w->gids) + 1] = {p->gid};
	size_t n = 1;
	gid_t ours;

	for (size_t i = 0; i < w->ngids; i++) {
		if (to_ours(p, true, w->gids[i], &ours, e) < 0)
			return -1;
		if (ours != p->gid)
			all[n++] = ours;
	}
	return keep_groups(p, all, n, e);
}

static int
take_user(struct enter_plan *p, const char *spec, struct err *e)
{
	struct who w = {.name = ""};

	if (split_user(spec, &w, e) < 0 || find_user(p, &w, e) < 0)
		return -1;
	/* A bare number of nobody: the target's group, never root's by default. */
	if (!w.known && !w.has_group)
		p->gid = p->ctx.status.gid[1];
	if (find_groups(p, &w, e) < 0 || to_ours(p, false, w.pw.uid, &p->uid, e) < 0)
		return -1;
	if ((w.known || w.has_group) && to_ours(p, true, w.pw.gid, &p->gid, e) < 0)
		return -1;
	if (w.known) {
		str_copy(p->home, w.pw.home, sizeof(p->home));
		str_copy(p->user, w.pw.name, sizeof(p->user));
	}
	p->as_user = true;
	if (p->ctx.setgroups_deny) {
		str_copy(p->why_groups, "setgroups is denied there: the target's groups stay",
		    sizeof(p->why_groups));
		return keep_groups(p, p->ctx.status.groups, p->ctx.status.ngroups, e);
	}
	return set_groups(p, &w, e);
}

/* What the kernel makes of the sets at exec for a user who is root there is the bounding set:
 * when the target has less than that, so shall the session. */
static void
never_more(uint64_t caps[PROC_CAPS])
{
	caps[PROC_CAP_BND] &= caps[PROC_CAP_PRM];
	caps[PROC_CAP_INH] &= caps[PROC_CAP_PRM];
}

static void
plan_caps(struct enter_plan *p, const struct enter_want *w)
{
	uint64_t *caps = p->job.caps, own = caps_permitted(), lack;
	uint64_t all = caps_all();
	bool root = p->job.uid[0] == 0 || p->job.uid[1] == 0;
	char names[200];

	while (p->job.last_cap < 63 && (all >> (p->job.last_cap + 1)) & 1)
		p->job.last_cap++;
	memcpy(caps, p->ctx.status.caps, sizeof(p->job.caps));
	p->privileged = w->privileged;
	if (w->privileged) {
		uint64_t full = p->job.ns & CLONE_NEWUSER ? all : own;

		for (size_t i = 0; i < PROC_CAPS; i++)
			caps[i] = root && (i == PROC_CAP_INH || i == PROC_CAP_AMB) ? 0 : full;
		return;
	}
	if (p->foreign_ids) {
		memset(caps, 0, sizeof(p->job.caps));
		str_copy(p->why_caps,
		    "none: they are counted in a user namespace that is not entered",
		    sizeof(p->why_caps));
		return;
	}
	if (p->as_user && p->uid != p->ctx.status.uid[1]) {
		caps[PROC_CAP_AMB] = 0;
		caps[PROC_CAP_PRM] = caps[PROC_CAP_EFF] = root ? caps[PROC_CAP_BND] : 0;
		caps[PROC_CAP_INH] = 0;
	} else if (root) {
		never_more(caps);
	}
	if (p->job.ns & CLONE_NEWUSER)
		return;
	lack = caps[PROC_CAP_BND] & ~own;
	if (lack)
		snprintf(p->why_caps, sizeof(p->why_caps), "the agent itself lacks %s",
		    caps_names(names, sizeof(names), lack));
	lack = caps[PROC_CAP_BND] & own & plan_foreign_caps(p);
	if (lack)
		snprintf(p->why_caps + strlen(p->why_caps),
		    sizeof(p->why_caps) - strlen(p->why_caps),
		    "%sthey would act on what is not the target's: %s", p->why_caps[0] ? "; " : "",
		    caps_names(names, sizeof(names), lack));
	own &= ~plan_foreign_caps(p);
	for (size_t i = 0; i < PROC_CAPS; i++)
		caps[i] &= own;
}

int
plan_identity(struct enter_plan *p, const struct enter_want *w, struct err *e)
{
	const struct proc_status *st = &p->ctx.status;
	uid_t uid[3];
	gid_t gid[3];

	p->uid = st->uid[1];
	p->gid = st->gid[1];
	memcpy(uid, st->uid, sizeof(uid));
	memcpy(gid, st->gid, sizeof(gid));
	if (w->user && *w->user) {
		if (take_user(p, w->user, e) < 0)
			return -1;
		uid[0] = uid[1] = uid[2] = p->uid;
		gid[0] = gid[1] = gid[2] = p->gid;
	} else if (keep_groups(p, st->groups, st->ngroups, e) < 0) {
		return -1;
	}
	for (size_t i = 0; i < 3; i++) {
		if (to_theirs(p, false, uid[i], &p->job.uid[i], e) < 0 ||
		    to_theirs(p, true, gid[i], &p->job.gid[i], e) < 0)
			return -1;
	}
	p->job.groups = p->groups;
	p->job.ngroups = p->ngroups;
	p->job.set_groups = true;
	p->job.no_new_privs = st->no_new_privs;
	p->job.umask = st->has_umask ? st->umask : 022;
	plan_caps(p, w);
	return 0;
}
