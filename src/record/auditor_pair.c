/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two files of an auditor's key: both are made, or neither is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "record/auditor.h"

#define PUB ".pub"

/* What is sealed to a public half whose secret was never kept stays shut: the secret comes first,
 * and goes last. */
enum { SECRET, PUBLIC, HALVES };

struct half {
	char path[512], tmp[520];
	bool made, placed;
};

static int
name_both(struct half h[HALVES], const char *path, struct err *e)
{
	static const char *const suffix[] = {[SECRET] = "", [PUBLIC] = PUB};

	for (int i = 0; i < HALVES; i++) {
		h[i] = (struct half){0};
		if (snprintf(h[i].path, sizeof(h[i].path), "%s%s", path, suffix[i]) >=
		    (int)sizeof(h[i].path))
			return err_set(e, ERR_IO, ENAMETOOLONG, "cannot make an auditor's key");
		snprintf(h[i].tmp, sizeof(h[i].tmp), "%s.XXXXXX", h[i].path);
	}
	return 0;
}

static int
already(const char *path, struct err *e)
{
	err_set(e, ERR_CONFIG, EEXIST, "there is a file %s already", path);
	err_why(e, "no key is replaced: what was sealed to it would stay shut");
	return err_hint(e, "name another file with -o, or move this one away");
}

int
auditor_key_absent(const char *path, struct err *e)
{
	struct half h[HALVES];
	struct stat st;

	if (name_both(h, path, e) < 0)
		return -1;
	for (int i = 0; i < HALVES; i++) {
		if (lstat(h[i].path, &st) == 0)
			return already(h[i].path, e);
		if (errno != ENOENT)
			return err_set(e, ERR_IO, errno, "cannot make the key %s", h[i].path);
	}
	return 0;
}

static int
write_half(struct half *h, mode_t mode, const char *text, size_t n, struct err *e)
{
	auto_close int fd = mkostemp(h->tmp, O_CLOEXEC);

	h->made = fd >= 0;
	/* EPERM: not every file system has modes, and who reads the secret looks. */
	if (fd >= 0 && (fchmod(fd, mode) == 0 || errno == EPERM) &&
	    fd_write_all(fd, text, n) == 0 && fsync(fd) == 0)
		return 0;
	return err_set(e, ERR_IO, errno, "cannot write the key %s", h->path);
}

/* Never in the place of another.  Not every file system has the first, nor the second. */
static int
place(struct half *h, struct err *e)
{
	int rc = renameat2(AT_FDCWD, h->tmp, AT_FDCWD, h->path, RENAME_NOREPLACE);

	h->made = rc < 0;
	if (rc < 0 && (errno == EINVAL || errno == ENOSYS))
		rc = link(h->tmp, h->path);
	h->placed = rc == 0;
	if (rc == 0)
		return 0;
	return errno == EEXIST ? already(h->path, e)
			       : err_set(e, ERR_IO, errno, "cannot make the key %s", h->path);
}

static int
sync_dir(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char dir[512];
	auto_close int fd = -1;

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* EINVAL: of that file system a directory is never synced. */
	if (fd >= 0 && (fsync(fd) == 0 || errno == EINVAL))
		return 0;
	return err_set(e, ERR_IO, errno, "cannot keep the key %s", path);
}

static int
write_both(struct half h[HALVES], const char *secret, size_t n, const char *line, struct err *e)
{
	int rc = write_half(&h[SECRET], 0600, secret, n, e);

	if (rc == 0)
		rc = write_half(&h[PUBLIC], 0644, line, strlen(line), e);
	for (int i = 0; i < HALVES && rc == 0; i++)
		rc = place(&h[i], e);
	if (rc == 0)
		rc = sync_dir(h[SECRET].path, e);
	for (int i = HALVES - 1; i >= 0; i--) {
		if (h[i].made)
			unlink(h[i].tmp);
		if (rc < 0 && h[i].placed)
			unlink(h[i].path);
	}
	return rc;
}

int
auditor_pair_write(
    const char *path, const char *secret, size_t n, const struct auditor *who, struct err *e)
{
	char line[AUDITOR_LINE + 1];
	struct half h[HALVES];

	if (name_both(h, path, e) < 0)
		return -1;
	auditor_line(line, who);
	memcpy(line + strlen(line), "\n", 2);
	return write_both(h, secret, n, line, e);
}

void
auditor_key_discard(const char *path)
{
	struct half h[HALVES];

	if (name_both(h, path, NULL) < 0)
		return;
	unlink(h[PUBLIC].path);
	unlink(h[SECRET].path);
}
