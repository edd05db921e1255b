/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/lsm.h"

#include <errno.h>
#include <string.h>

#include "target/proc.h"

/* "PROFILE (enforce)": the length without the mode, or n when there is none. */
static size_t
without_mode(const char *p, size_t n)
{
	size_t at = n;

	if (n < 4 || p[n - 1] != ')')
		return n;
	for (at = n - 2; at > 0 && p[at] >= 'a' && p[at] <= 'z'; at--)
		;
	return at < n - 2 && at > 1 && p[at] == '(' && p[at - 1] == ' ' ? at - 1 : n;
}

/* "user:role:type", and with levels "user:role:type:s0-s1:c0.c3,c9". */
static bool
is_context(const char *p, size_t n)
{
	size_t colons = 0, field = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == ' ' || p[i] == '/' || p[i] == '(')
			return false;
		if (p[i] == ':' && field == 0)
			return false;
		colons += p[i] == ':';
		field = p[i] == ':' ? 0 : field + 1;
	}
	return colons >= 2 && field > 0;
}

int
lsm_parse(const char *p, size_t n, bool apparmor, struct lsm_label *out)
{
	size_t name;

	*out = (struct lsm_label){.kind = LSM_NONE};
	/* AppArmor ends it in a newline, SELinux in a NUL. */
	while (n > 0 && (p[n - 1] == '\n' || p[n - 1] == '\0'))
		n--;
	if (n == 0)
		return 0;
	if (n >= sizeof(out->text)) {
		errno = EFBIG;
		return -1;
	}
	name = without_mode(p, n);
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e || (p[i] == ' ' && (i == 0 || i + 1 == name))) {
			errno = EBADMSG;
			return -1;
		}
	}
	if (n == strlen("unconfined") && memcmp(p, "unconfined", n) == 0) {
		out->kind = LSM_APPARMOR;
		return 0;
	}
	if (apparmor || name < n)
		out->kind = LSM_APPARMOR;
	else
		out->kind = is_context(p, n) ? LSM_SELINUX : LSM_OTHER;
	memcpy(out->text, p, out->kind == LSM_APPARMOR ? name : n);
	return 0;
}

int
lsm_read(int pd, struct lsm_label *out)
{
	static const char *const files[] = {"attr/apparmor/current", "attr/current"};
	char text[LSM_LABEL_MAX + 64];

	*out = (struct lsm_label){.kind = LSM_NONE};
	for (int i = 0; i < 2; i++) {
		ssize_t n = proc_read(pd, files[i], text, sizeof(text));

		if (n >= 0)
			return lsm_parse(text, (size_t)n, i == 0, out);
		/* EINVAL: no module of this kernel has anything to say; proc_pid_attr_read. */
		if (errno != ENOENT && errno != EINVAL && errno != EOPNOTSUPP)
			return -1;
	}
	return 0;
}

bool
lsm_same(const struct lsm_label *a, const struct lsm_label *b)
{
	return strcmp(a->text, b->text) == 0 && (a->kind == b->kind || !a->text[0]);
}

const char *
lsm_name(enum lsm_kind kind)
{
	switch (kind) {
	case LSM_APPARMOR:
		return "AppArmor profile";
	case LSM_SELINUX:
		return "SELinux context";
	default:
		return "security label";
	}
}
