/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_IDENT_H
#define CORAL_TARGET_IDENT_H

/* Whose cgroup a path is: the runtimes' naming habits in one place. */
#include <stdbool.h>
#include <stddef.h>

struct ident {
	char runtime[24];
	char id[72];
	char name[254];	  /* where the path says one: lxc, nspawn, runc */
	char pod_uid[64]; /* of a Kubernetes pod */
	size_t len;	  /* the container's own cgroup is path[0..len) */
	bool session;	  /* the path goes on into a cgroup that a session of ours made */
	bool monitor;	  /* conmon and the like: beside a container, not in it */
};

/* True when the path is one of a known runtime's; the innermost counts. */
bool ident_path(const char *path, struct ident *out);
/* By the last component alone, for a process already known to be contained; false for a
 * systemd unit, which may have namespaces of its own and is no container. */
bool ident_plain(const char *path, struct ident *out);

#endif
