/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/str.h"
#include "record/keys.h"

#define KEY "auditor_"
#define PUB ".pub"

int
keys_auditor_path(const char *state_dir, const char *name, char *path, size_t size, struct err *e)
{
	char dir[320];

	if (snprintf(dir, sizeof(dir), "%s/keys", state_dir) >= (int)sizeof(dir) ||
	    snprintf(path, size, "%s/" KEY "%s", dir, name) >= (int)size)
		return err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot keep keys in %s", state_dir);
	return fd_make_dir(dir, 0700, e);
}

static int
is_auditors(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return strncmp(d->d_name, KEY, sizeof(KEY) - 1) == 0 && n > sizeof(PUB) &&
	       strcmp(d->d_name + n - sizeof(PUB) + 1, PUB) == 0;
}

static int
take_file(struct auditors *l, const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char line[AUDITOR_LINE + 2];
	const char *why = "it is too long";
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (n < 0)
		return err_set(e, ERR_IO, errno, "cannot read the key %s", path);
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (auditors_add(l, line, &why) == 0)
		return 0;
	err_set(e, ERR_BAD_FILE, 0, "cannot read a public key of %s", path);
	err_why(e, "it %s", why);
	return err_hint(
	    e, "put the line there that coral keys create printed, or move the file away");
}

int
keys_auditors(const char *state_dir, struct auditors *l, struct err *e)
{
	char dir[320], path[600];
	struct dirent **found;
	int n, rc = 0;

	snprintf(dir, sizeof(dir), "%s/keys", state_dir);
	n = scandir(dir, &found, is_auditors, alphasort);
	if (n < 0)
		return errno == ENOENT || errno == EACCES
			   ? 0
			   : err_set(e, ERR_IO, errno, "cannot list the keys in %s", dir);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, found[i]->d_name);
		if (rc == 0)
			rc = take_file(l, path, e);
		free(found[i]);
	}
	free(found);
	return rc;
}
