/* SPDX-License-Identifier: GPL-3.0-or-later */
/* environ and mountinfo: what a process was given, and what it sees. */
#include "target/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "target/lex.h"

static bool
env_entry(const struct lex *l)
{
	const char *eq = memchr(l->p, '=', l->n);

	return eq && eq > l->p;
}

int
proc_parse_environ(const char *p, size_t n, char ***out, size_t *count)
{
	struct lex l = {p, n}, one;
	size_t entries = 0, bytes = 0, at = 0;
	char **v, *text;

	*out = NULL;
	*count = 0;
	if (n > PROC_ENVIRON_MAX) {
		errno = EFBIG;
		return -1;
	}
	while (lex_until(&l, '\0', &one)) {
		if (!env_entry(&one))
			continue;
		entries++;
		bytes += one.n + 1;
	}
	v = malloc((entries + 1) * sizeof(*v) + bytes);
	if (!v)
		return -1;
	text = (char *)(v + entries + 1);
	l = (struct lex){p, n};
	while (lex_until(&l, '\0', &one)) {
		if (!env_entry(&one))
			continue;
		memcpy(text, one.p, one.n);
		text[one.n] = '\0';
		v[at++] = text;
		text += one.n + 1;
	}
	v[at] = NULL;
	*out = v;
	*count = at;
	return 0;
}

/* As much as there is, in memory of the caller's to free. */
static ssize_t
read_large(ssize_t (*reader)(int pd, const char *path, char *out, size_t size), int pd,
    const char *path, size_t max, char **out)
{
	size_t size = 32 * 1024;
	ssize_t n;

	for (;;) {
		char *p = malloc(size);

		if (!p)
			return -1;
		n = reader(pd, path, p, size);
		if (n >= 0) {
			*out = p;
			return n;
		}
		free(p);
		if (errno != EFBIG || size > max)
			return -1;
		size = size * 8 < max ? size * 8 : max + 1;
	}
}

int
proc_read_environ(int pd, char ***out, size_t *count)
{
	auto_free char *text = NULL;
	ssize_t n = read_large(proc_read_memory, pd, "environ", PROC_ENVIRON_MAX, &text);

	*out = NULL;
	*count = 0;
	return n < 0 ? -1 : proc_parse_environ(text, (size_t)n, out, count);
}

const char *
proc_environ_get(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

/* proc_pid_mountinfo(5) writes blank, tab, newline and backslash as three octal digits. */
static bool
unescape(const struct lex *in, char *dst, size_t size)
{
	size_t at = 0;

	if (in->n == 0)
		return false;
	for (size_t i = 0; i < in->n; i++) {
		char c = in->p[i];

		if (c == '\\') {
			struct lex oct = {in->p + i + 1, in->n - i - 1 < 3 ? in->n - i - 1 : 3};
			uint64_t v;

			if (oct.n < 3 || !lex_number(&oct, 8, 0377, &v) || oct.n || v == 0)
				return false;
			c = (char)v;
			i += 3;
		}
		if (c == '\0' || at + 1 >= size)
			return false;
		dst[at++] = c;
	}
	dst[at] = '\0';
	return true;
}

struct mount_text {
	char root[4096 + 1], point[4096 + 1], fstype[64];
};

static bool
mount_line(struct lex l, struct mount_text *t, struct proc_mount *m)
{
	struct lex f, options;
	uint64_t major, minor;
	bool ro;

	for (int i = 0; i < 2; i++)
		if (!lex_until(&l, ' ', &f))
			return false;
	if (!lex_number(&l, 10, UINT32_MAX, &major) || !lex_skip(&l, ":") ||
	    !lex_number(&l, 10, UINT32_MAX, &minor) || !lex_skip(&l, " "))
		return false;
	if (!lex_until(&l, ' ', &f) || !unescape(&f, t->root, sizeof(t->root)) ||
	    !lex_until(&l, ' ', &f) || !unescape(&f, t->point, sizeof(t->point)))
		return false;
	/* Options, then any number of tags, then "-" and the type. */
	if (!lex_until(&l, ' ', &options))
		return false;
	ro = options.n >= 2 && memcmp(options.p, "ro", 2) == 0 &&
	     (options.n == 2 || options.p[2] == ',');
	do {
		if (!lex_until(&l, ' ', &f))
			return false;
	} while (!lex_is(&f, "-"));
	if (!lex_until(&l, ' ', &f) || !unescape(&f, t->fstype, sizeof(t->fstype)))
		return false;
	*m =
	    (struct proc_mount){(unsigned)major, (unsigned)minor, t->root, t->point, t->fstype, ro};
	return true;
}

int
proc_parse_mountinfo(const char *p, size_t n, proc_mount_fn fn, void *arg)
{
	auto_free struct mount_text *t = malloc(sizeof(*t));
	struct lex l = {p, n}, line;
	struct proc_mount m;
	int rc;

	if (!t)
		return -1;
	while (lex_until(&l, '\n', &line)) {
		if (!mount_line(line, t, &m)) {
			errno = EINVAL;
			return -1;
		}
		rc = fn(arg, &m);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
proc_read_mountinfo(int pd, proc_mount_fn fn, void *arg)
{
	auto_free char *text = NULL;
	ssize_t n = read_large(proc_read, pd, "mountinfo", PROC_MOUNTINFO_MAX, &text);

	return n < 0 ? -1 : proc_parse_mountinfo(text, (size_t)n, fn, arg);
}
