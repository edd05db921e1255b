/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "record/store_dir.h"

#define LOCK_NEW ".lock.new"

void
store_cast_name(const char *id, char out[STORE_CAST_SIZE])
{
	snprintf(out, STORE_CAST_SIZE, "%.*s.cast", STORE_ID_LEN, id);
}

bool
store_named_cast(const char *name)
{
	static const char *const ends[] = {".cast", ".cast" STORE_ZST, ".cast" STORE_SEALED};
	size_t n = strlen(name);

	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		size_t m = strlen(ends[i]);

		if (n > m && strcmp(name + n - m, ends[i]) == 0)
			return true;
	}
	return false;
}

/* Both are there when compressing was cut short: the plain one is whole then. */
int
store_open_file(int sessdir, const char *id)
{
	static const char *const ends[] = {"", STORE_ZST, STORE_SEALED};
	char plain[STORE_CAST_SIZE], name[STORE_CAST_SIZE + sizeof(STORE_SEALED)];
	int fd = -1;

	store_cast_name(id, plain);
	for (size_t i = 0; i < COUNT_OF(ends) && fd < 0; i++) {
		snprintf(name, sizeof(name), "%s%s", plain, ends[i]);
		fd = openat(sessdir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 && errno != ENOENT)
			break;
	}
	return fd;
}

int
store_open_sessions(const char *state_dir)
{
	auto_close int state = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (state < 0)
		return -1;
	return openat(state, "sessions", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

DIR *
store_open_list(const char *state_dir, bool *none, struct err *e)
{
	int fd = store_open_sessions(state_dir);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	*none = !dir && errno == ENOENT;
	if (!dir && !*none)
		err_set(e, ERR_IO, errno, "cannot list the recordings in %s/sessions", state_dir);
	if (!dir)
		fd_close(&fd);
	return dir;
}

static int
no_session(const char *id, struct err *e)
{
	err_set(e, ERR_NO_SESSION, 0, "there is no session %.*s", STORE_ID_LEN, id);
	err_why(e, "it was removed, or never recorded here");
	return err_hint(e, "coral sessions");
}

int
store_open_session(const char *state_dir, const char *id, struct err *e)
{
	auto_close int dir = -1;
	int fd = -1;

	if (store_id_valid(id)) {
		dir = store_open_sessions(state_dir);
		if (dir >= 0)
			fd = openat(dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			return err_set(e, ERR_IO, errno, "cannot open session %s", id);
	}
	return fd < 0 ? no_session(id, e) : fd;
}

bool
store_is_live(int sessdir)
{
	auto_close int fd =
	    openat(sessdir, STORE_LOCK, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	/* Shared: askers do not disturb one another. */
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

bool
store_live(const char *state_dir, const char *id)
{
	auto_close int dir = store_open_session(state_dir, id, NULL);

	return dir >= 0 && store_is_live(dir);
}

/* Locked before it has its name: nobody ever sees a session that begins as one that is over. */
static int
make_lock(int sessdir)
{
	auto_close int fd =
	    openat(sessdir, LOCK_NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ||
	    renameat(sessdir, LOCK_NEW, sessdir, STORE_LOCK) < 0)
		return -1;
	return steal_fd(&fd);
}

/* A new one is as volatile as what is in it: once, and not with each session's first sync. */
static int
make_sessions(const char *state_dir, const char *path, struct err *e)
{
	bool made = access(path, F_OK) < 0;
	auto_close int fd = -1;

	if (fd_make_dir(path, 0700, e) < 0) {
		if (e)
			e->code = ERR_RECORDING;
		return -1;
	}
	if (made)
		fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return made && (fd < 0 || fsync(fd) < 0)
		   ? err_set(e, ERR_RECORDING, errno, "cannot record in %s", path)
		   : 0;
}

int
store_create(const char *state_dir, const char *id, int *lockfd, struct err *e)
{
	char path[512];
	auto_close int dir = -1, sessdir = -1;

	*lockfd = -1;
	if (!store_id_valid(id))
		return err_set(e, ERR_INTERNAL, EINVAL, "\"%.40s\" is no session id", id);
	if ((size_t)snprintf(path, sizeof(path), "%s/sessions", state_dir) >= sizeof(path))
		return err_set(e, ERR_RECORDING, ENAMETOOLONG, "cannot record in %s", state_dir);
	if (make_sessions(state_dir, path, e) < 0)
		return -1;
	dir = store_open_sessions(state_dir);
	if (dir < 0 || mkdirat(dir, id, 0700) < 0)
		return err_set(e, ERR_RECORDING, errno, "cannot record in %s/%s", path, id);
	sessdir = openat(dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sessdir >= 0)
		*lockfd = make_lock(sessdir);
	if (*lockfd < 0) {
		err_set(e, ERR_RECORDING, errno, "cannot record in %s/%s", path, id);
		if (sessdir >= 0)
			unlinkat(sessdir, LOCK_NEW, 0);
		unlinkat(dir, id, AT_REMOVEDIR);
		return -1;
	}
	return steal_fd(&sessdir);
}

int
store_discard(const char *state_dir, const char *id, struct err *e)
{
	auto_close int sessdir = store_open_session(state_dir, id, e);
	struct store_peek p;
	bool ended;

	if (sessdir < 0)
		return -1;
	store_peek(sessdir, id, &p);
	ended = p.end != NULL;
	store_peek_fini(&p);
	if (ended) {
		err_set(e, ERR_LIMIT, 0, "cannot discard session %s", id);
		return err_why(e, "its recording is whole");
	}
	return store_take_out(state_dir, sessdir, id, e);
}

void
store_drop_unbegun(const char *state_dir, const char *id)
{
	auto_close int sessdir = store_open_session(state_dir, id, NULL);
	struct store_peek p;

	if (sessdir < 0 || store_is_live(sessdir))
		return;
	store_peek(sessdir, id, &p);
	if (p.absent)
		store_take_out(state_dir, sessdir, id, NULL);
	store_peek_fini(&p);
}

int
store_remove(const char *state_dir, const char *id, struct err *e)
{
	auto_close int sessdir = store_open_session(state_dir, id, e);

	if (sessdir < 0)
		return -1;
	if (store_is_live(sessdir)) {
		err_set(e, ERR_LIMIT, 0, "cannot remove session %s", id);
		err_why(e, "it is still running");
		return err_hint(e, "coral kill %s; or wait until it has ended", id);
	}
	return store_take_out(state_dir, sessdir, id, e);
}

int
store_open_cast(const char *state_dir, const char *id, struct err *e)
{
	auto_close int sessdir = store_open_session(state_dir, id, e);
	auto_close int fd = -1;
	struct stat st;

	if (sessdir < 0)
		return -1;
	fd = store_open_file(sessdir, id);
	/* ELOOP: a symbolic link stands there. */
	if (fd < 0 && errno != ELOOP)
		return err_set(e, ERR_IO, errno, "cannot open the recording of %s", id);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return steal_fd(&fd);
	err_set(e, ERR_BAD_FILE, 0, "cannot open the recording of %s", id);
	err_why(e, "it is not a regular file");
	return err_hint(e, "see what took its place: ls -l %s/sessions/%s", state_dir, id);
}
