/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server_int.h"

#include <string.h>

#include "base/str.h"

static int
no_target(const char *user, const char *why, struct err *e)
{
	char shown[128];

	str_vis(shown, sizeof(shown), user);
	err_set(e, ERR_NO_TARGET, 0, "\"%s\" names no target", shown);
	err_why(e, "%s", why);
	return err_hint(
	    e, "ssh SERVICE@host, ssh POD%%NAMESPACE%%CONTAINER@host or ssh pid.N@host");
}

static int
take_pod(const char *user, struct request *r, struct err *e)
{
	char copy[sizeof(r->word)], *ns, *container;

	str_copy(copy, user, sizeof(copy));
	ns = strchr(copy, '%');
	*ns++ = '\0';
	container = strchr(ns, '%');
	if (container)
		*container++ = '\0';
	if (!*copy || (container && strchr(container, '%')))
		return no_target(user, "it is not of the form POD%NAMESPACE%CONTAINER", e);
	str_copy(r->pod, copy, sizeof(r->pod));
	str_copy(r->ns, ns, sizeof(r->ns));
	if (container)
		str_copy(r->container, container, sizeof(r->container));
	return 0;
}

int
target_of_user(const char *user, struct request *r, struct err *e)
{
	size_t n = strlen(user);
	int64_t pid;

	if (n == 0 || n > REQUEST_NAME_MAX)
		return no_target(user, n ? "it is too long" : "it is empty", e);
	if (n >= 3 && strcmp(user + n - 3, "+ro") == 0) {
		err_set(e, ERR_USAGE, 0, "observe mode is not available yet");
		err_why(e, "the user part of the address ends in +ro");
		return err_hint(e, "leave +ro away, if the session may write");
	}
	if (strncmp(user, "pid.", 4) == 0) {
		if (str_to_i64(user + 4, 1, INT32_MAX, &pid) < 0)
			return no_target(user, "what follows \"pid.\" is no process id", e);
		r->pid = (uint32_t)pid;
		return 0;
	}
	if (strchr(user, '%'))
		return take_pod(user, r, e);
	str_copy(r->word, user, sizeof(r->word));
	return 0;
}
