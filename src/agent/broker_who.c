/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/broker_int.h"
#include "base/str.h"

/* Straight from the file: a static binary has no NSS to ask. */
gid_t
broker_coral_group(void)
{
	auto_file FILE *f = fopen("/etc/group", "re");
	struct group *g;

	while (f && (g = fgetgrent(f)))
		if (strcmp(g->gr_name, "coral") == 0)
			return g->gr_gid;
	return (gid_t)-1;
}

static void
name_of(uid_t uid, char *out, size_t size)
{
	auto_file FILE *f = fopen("/etc/passwd", "re");
	struct passwd *p;

	snprintf(out, size, "uid.%u", (unsigned)uid);
	while (f && (p = fgetpwent(f)))
		if (p->pw_uid == uid) {
			str_vis(out, size, p->pw_name);
			return;
		}
}

/* The kernel's list, as the peer had it when it connected: unix(7), SO_PEERGROUPS. */
static bool
peer_in_group(int sock, gid_t primary, gid_t wanted)
{
	gid_t groups[1024];
	socklen_t len = sizeof groups;

	if (wanted == (gid_t)-1)
		return false;
	if (primary == wanted)
		return true;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof *groups; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

int
broker_who(const struct broker *b, int sock, struct policy_who *w, struct err *e)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	*w = (struct policy_who){0};
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return err_set(e, ERR_AUTH, errno, "cannot tell who connected");
	w->uid = cred.uid;
	w->root = cred.uid == 0 || cred.uid == geteuid();
	name_of(cred.uid, w->user, sizeof w->user);
	if (w->root || peer_in_group(sock, cred.gid, b->group))
		return 0;
	err_set(e, ERR_AUTH, 0, "%s may not use this agent", w->user);
	err_why(e, "only root and members of the group coral may");
	return err_hint(e, "usermod -aG coral %s, then log in again", w->user);
}
