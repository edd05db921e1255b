/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"

#define ENV_FILE_MAX (1024 * 1024)

static int
add(struct request *r, const char *kv, struct err *e)
{
	if (request_add_env(r, kv) == 0)
		return 0;
	err_set(e, ERR_USAGE, 0, "the variable %.*s cannot be set", (int)strcspn(kv, "="), kv);
	err_why(
	    e, "at most %d variables of at most %d bytes each", REQUEST_ENV_MAX, REQUEST_ARG_MAX);
	return err_hint(e, "pass large data on standard input");
}

/* "K=V", or "K" whose value is copied when it is set here (as docker does: else nothing). */
static int
add_one(struct request *r, const char *item, struct err *e)
{
	const char *value;
	auto_free char *kv = NULL;

	if (item[0] == '=' || !item[0]) {
		err_set(e, ERR_USAGE, 0, "\"%s\" does not name a variable", item);
		err_why(e, "a variable is written NAME=VALUE, or NAME to copy it from here");
		return err_hint(e, "-e NAME=VALUE");
	}
	if (strchr(item, '='))
		return add(r, item, e);
	value = getenv(item);
	if (!value)
		return 0;
	if (asprintf(&kv, "%s=%s", item, value) < 0) {
		kv = NULL;
		return err_set(e, ERR_INTERNAL, 0, "out of memory");
	}
	return add(r, kv, e);
}

/* Lines as they are, with no quoting; blank ones and those that begin with # are skipped. */
static int
add_file(struct request *r, const char *path, struct err *e)
{
	char *line, *next;
	struct buf b;
	int rc;

	buf_init(&b, ENV_FILE_MAX + 1);
	rc = fd_read_file(AT_FDCWD, path, ENV_FILE_MAX, &b);
	if (rc < 0) {
		err_set(e, ERR_USAGE, errno, "cannot read %s", path);
		err_hint(e, "--env-file wants a regular file of NAME=VALUE lines, at most 1 MiB");
	}
	line = rc == 0 ? buf_cstr(&b) : NULL;
	if (line && memchr(line, '\0', b.len)) {
		rc = err_set(e, ERR_USAGE, 0, "%s is not a text file", path);
		err_why(e, "it holds a zero byte");
		err_hint(e, "--env-file wants lines of NAME=VALUE");
	}
	for (; rc == 0 && line && *line; line = next) {
		size_t n = strcspn(line, "\n");

		next = line + n + (line[n] == '\n');
		line[n] = '\0';
		if (n && line[n - 1] == '\r')
			line[n - 1] = '\0';
		line += strspn(line, " \t");
		if (*line && *line != '#')
			rc = add_one(r, line, e);
	}
	buf_fini(&b);
	return rc;
}

int
enter_env(struct request *r, const struct args *a, struct err *e)
{
	const char *const *files = args_list(a, "env-file"), *const *vars = args_list(a, "env");

	for (; *files; files++) {
		if (add_file(r, *files, e) < 0)
			return -1;
	}
	for (int i = 0; vars[i]; i++) {
		if (!strchr(vars[i], '=') && !args_by_letter(a, "env", i)) {
			err_set(e, ERR_USAGE, 0, "--env %s does not set a variable", vars[i]);
			err_why(e,
			    "--env without \"=\" would select an environment, and there is no "
			    "control plane that knows environments yet");
			return err_hint(e, "-e %s to copy the variable; --env %s=VALUE to set it",
			    vars[i], vars[i]);
		}
		if (add_one(r, vars[i], e) < 0)
			return -1;
	}
	return 0;
}

static bool
plain(const char *value)
{
	static const char ok[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-";
	size_t n = strlen(value);

	return n > 0 && n < 64 && strspn(value, ok) == n;
}

void
enter_locale(struct request *r)
{
	for (char **p = environ; *p; p++) {
		const char *eq = strchr(*p, '=');

		if (eq && (strncmp(*p, "LANG=", 5) == 0 || strncmp(*p, "LC_", 3) == 0) &&
		    plain(eq + 1))
			request_add_env(r, *p);
	}
}
