/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"

static int
unreadable(const struct enter_plan *p, struct err *e)
{
	int sys = p->ctx.label_errno;

	err_set(e, ERR_PRIVILEGE, sys, "cannot read the security label of process %d",
	    (int)p->hold.pid);
	if (sys == EBADMSG || sys == EFBIG)
		err_why(e, "/proc/%d/attr/current is not what a security module writes there",
		    (int)p->hold.pid);
	return err_hint(e, "let the agent's own profile read it; without the label: --privileged");
}

static int
unknown(const struct enter_plan *p, struct err *e)
{
	char shown[300];

	str_vis(shown, sizeof(shown), p->ctx.label.text);
	err_set(e, ERR_PRIVILEGE, 0, "cannot take over the container's security label");
	err_why(e, "%s is neither an AppArmor profile nor an SELinux context", shown);
	return err_hint(e, "to enter without it, which is more than the container has: "
			   "--privileged");
}

static void PRINTF_LIKE(3, 4) say(struct enter_plan *p, const char *state, const char *fmt, ...)
{
	va_list ap;

	p->label_state = state;
	va_start(ap, fmt);
	vsnprintf(p->why_label, sizeof(p->why_label), fmt, ap);
	va_end(ap);
}

int
plan_label(struct enter_plan *p, const struct enter_want *w, struct err *e)
{
	const struct lsm_label *theirs = &p->ctx.label, *ours = &p->ctx.own_label;
	const char *kind = lsm_name(theirs->text[0] ? theirs->kind : ours->kind);
	struct enter_job *j = &p->job;

	if (w->privileged) {
		say(p, "defaulted",
		    "the agent's: with --privileged the target's is not taken over");
		return 0;
	}
	if (p->ctx.label_errno)
		return unreadable(p, e);
	if (lsm_same(theirs, ours)) {
		say(p, "cloned", "%s%s%s", theirs->text[0] ? kind : "the target has no label",
		    theirs->text[0] ? " " : "", theirs->text);
		return 0;
	}
	if (!theirs->text[0]) {
		say(p, "defaulted", "the target has no label; the agent's stays: %s %s", kind,
		    ours->text);
		return 0;
	}
	if (theirs->kind == LSM_OTHER)
		return unknown(p, e);
	j->label_apparmor = theirs->kind == LSM_APPARMOR;
	j->label_len = (size_t)snprintf(
	    j->label, sizeof(j->label), "%s%s", j->label_apparmor ? "exec " : "", theirs->text);
	say(p, "cloned", "%s %s", kind, theirs->text);
	return 0;
}
