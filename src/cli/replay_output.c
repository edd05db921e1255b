/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/str.h"

static int
failed(const char *path, struct err *e)
{
	char shown[300];
	int sys = errno;

	str_vis(shown, sizeof(shown), path);
	err_set(e, ERR_IO, sys, "cannot write %s", shown);
	return err_hint(e, "name a file in a directory that you may write to, with -o");
}

static int
is_directory(const char *path, struct err *e)
{
	char shown[300];

	str_vis(shown, sizeof(shown), path);
	err_set(e, ERR_IO, 0, "cannot write %s", shown);
	err_why(e, "it is a directory");
	return err_hint(e, "name a file in it, with -o");
}

int
replay_output_open(struct replay_output *o, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	struct stat st;

	*o = (struct replay_output){.fd = -1, .path = path};
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return is_directory(path, e);
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		/* A pipe, a device, a link to somewhere: as it is. */
		o->fd = open(path, O_WRONLY | O_TRUNC | O_NOCTTY | O_CLOEXEC);
		return o->fd < 0 ? failed(path, e) : 0;
	}
	if (asprintf(&o->tmp, "%s.part.%d", path, (int)getpid()) < 0)
		o->tmp = NULL;
	if (!o->tmp || !dir) {
		errno = ENOMEM;
		return failed(path, e);
	}
	/* It has a name once it is whole, where the file system can do that. */
	o->fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	o->nameless = o->fd >= 0;
	if (o->fd < 0)
		o->fd = open(o->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return o->fd < 0 ? failed(path, e) : 0;
}

static int
commit(struct replay_output *o)
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	if (o->nameless && linkat(AT_FDCWD, self, AT_FDCWD, o->tmp, AT_SYMLINK_FOLLOW) < 0)
		return -1;
	if (rename(o->tmp, o->path) == 0)
		return 0;
	unlink(o->tmp);
	return -1;
}

int
replay_output_close(struct replay_output *o, bool keep, bool whole, struct err *e)
{
	struct stat st;
	int rc = 0;

	if (o->tmp && o->fd >= 0) {
		keep = keep && fstat(o->fd, &st) == 0 && (whole || st.st_size > 0);
		if (keep && commit(o) < 0)
			rc = failed(o->path, e);
		else if (!keep && !o->nameless)
			unlink(o->tmp);
	}
	fd_close(&o->fd);
	free(o->tmp);
	o->tmp = NULL;
	return rc;
}
