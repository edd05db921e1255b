/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "record/store_dir.h"

#define TRIES 10
#define GONE ".gone-" /* no session's id begins so */

static DIR *
list_of(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir)
		fd_close(&fd);
	return dir;
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int
remove_once(int sessions, int sessdir, const char *name)
{
	DIR *dir = list_of(sessdir);
	struct dirent *d;
	int rc = 0;

	if (!dir)
		return -1;
	while ((d = readdir(dir)))
		if (!is_dots(d->d_name) && unlinkat(sessdir, d->d_name, 0) < 0 && errno != ENOENT)
			rc = -1;
	closedir(dir);
	return rc < 0 ? -1 : unlinkat(sessions, name, AT_REMOVEDIR);
}

/* Every file of the directory, then the directory itself.  Who worked on a file of it when it got
 * another name may still leave one. */
static int
remove_dir(int sessions, int sessdir, const char *name)
{
	int rc = -1;

	for (int i = 0; i < TRIES && rc < 0; i++)
		rc = remove_once(sessions, sessdir, name);
	return rc;
}

/* Half of a session would be damaged evidence: rename(2) is the moment when it is none any more. */
int
store_take_out(const char *state_dir, int sessdir, const char *id, struct err *e)
{
	auto_close int dir = store_open_sessions(state_dir);
	char gone[sizeof(GONE) + STORE_ID_LEN];

	snprintf(gone, sizeof(gone), GONE "%.*s", STORE_ID_LEN, id);
	if (dir < 0 || renameat(dir, id, dir, gone) < 0)
		return err_set(e, ERR_IO, errno, "cannot remove session %s", id);
	/* The name is gone for good before its files are. */
	if (fsync(dir) < 0 || remove_dir(dir, sessdir, gone) < 0)
		return err_set(e, ERR_IO, errno, "cannot remove the files of session %s", id);
	return 0;
}

void
store_sweep(const char *state_dir)
{
	bool none;
	DIR *dir = store_open_list(state_dir, &none, NULL);
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		auto_close int sessdir = -1;

		if (strncmp(d->d_name, GONE, sizeof(GONE) - 1) != 0 ||
		    !store_id_valid(d->d_name + sizeof(GONE) - 1))
			continue;
		sessdir =
		    openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sessdir >= 0)
			remove_dir(dirfd(dir), sessdir, d->d_name);
	}
	if (dir)
		closedir(dir);
}

static uint64_t
bytes_of(int sessdir)
{
	DIR *dir = list_of(sessdir);
	struct dirent *d;
	struct stat st;
	uint64_t sum = 0;

	while (dir && (d = readdir(dir)))
		if (fstatat(sessdir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	if (dir)
		closedir(dir);
	return sum;
}

int
store_sizes(const char *state_dir, store_size_fn *fn, void *arg, struct err *e)
{
	bool none;
	DIR *dir = store_open_list(state_dir, &none, e);
	struct dirent *d;
	int rc = 0;

	if (!dir)
		return none ? 0 : -1;
	while (rc == 0 && (d = readdir(dir))) {
		auto_close int sessdir = -1;

		if (!store_id_valid(d->d_name))
			continue;
		sessdir =
		    openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sessdir >= 0)
			rc = fn(arg, d->d_name, store_is_live(sessdir), bytes_of(sessdir));
	}
	closedir(dir);
	return rc;
}

int64_t
store_written_ns(const char *state_dir, const char *id)
{
	auto_close int sessdir = store_open_session(state_dir, id, NULL);
	auto_close int fd = sessdir < 0 ? -1 : store_open_file(sessdir, id);
	struct stat st;

	/* What did not begin has no file. */
	if (sessdir < 0 || fstat(fd < 0 ? sessdir : fd, &st) < 0)
		return -1;
	return st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
}
