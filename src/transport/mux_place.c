/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/mux_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "transport/sock.h"

void
mux_key_begin(struct mux_key *k)
{
	k->n = 1;
	k->blob[0] = '\0';
	mux_key_add(k, "coral " CORAL_VERSION);
}

/* After one that does not fit, n is 0 and stays so. */
void
mux_key_add(struct mux_key *k, const char *s)
{
	size_t n = s ? strlen(s) + 1 : 1;

	if (k->n == 0 || n > sizeof(k->blob) - k->n) {
		k->n = 0;
		return;
	}
	memcpy(k->blob + k->n, s ? s : "", n);
	k->n += n;
}

/* FNV-1a: two keys of one name only lose by it, since the whole key is compared. */
void
mux_key_end(struct mux_key *k)
{
	uint64_t h = 0xcbf29ce484222325ULL;
	size_t i = 1 + strlen((const char *)k->blob + 1);

	/* Not the version: another one's master is to be replaced. */
	for (; i < k->n; i++)
		h = (h ^ k->blob[i]) * 0x100000001b3ULL;
	snprintf(k->name, sizeof(k->name), "%016llx", (unsigned long long)h);
}

int
mux_dir_open(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
		err_set(e, ERR_CONFIG, 0, "connections are not shared");
		err_why(e, "%s is not a directory, or a symbolic link", path);
		return err_hint(e, "rm %s", path);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (st.st_uid == geteuid() && !(st.st_mode & 077))
		return steal_fd(&fd);
	err_set(e, ERR_CONFIG, 0, "connections are not shared");
	if (st.st_uid != geteuid()) {
		err_why(e, "%s belongs to uid %u, and you are uid %u", path, (unsigned)st.st_uid,
		    (unsigned)geteuid());
		return err_hint(e, "remove it, or set CORAL_SHARE=0");
	}
	err_why(e, "others may use %s (mode %04o)", path, (unsigned)st.st_mode & 07777);
	return err_hint(e, "chmod 0700 %s", path);
}

/* By the descriptor: no other directory can be meant, and no path is too long. */
static void
address_of(struct sockaddr_un *sun, int dir, const char *name)
{
	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(sun->sun_path, sizeof(sun->sun_path), "/proc/self/fd/%d/%s", dir, name);
}

static bool
is_own_user(int sock)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == geteuid();
}

int
mux_dial(int dir, const char *name)
{
	/* Not blocking: a master that hangs may have a full queue (EAGAIN). */
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sun;

	address_of(&sun, dir, name);
	if (fd >= 0)
		tp_sock_tune(fd);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || !is_own_user(fd))
		return -1;
	return steal_fd(&fd);
}

int
mux_listen(int dir, const char *name, struct stat *st)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sun;
	char temporary[48];

	snprintf(temporary, sizeof(temporary), "%s.%d", name, (int)getpid());
	unlinkat(dir, temporary, 0);
	address_of(&sun, dir, temporary);
	if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -1;
	if (listen(fd, MUX_GUESTS) == 0 && fstatat(dir, temporary, st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    renameat(dir, temporary, dir, name) == 0)
		return steal_fd(&fd);
	unlinkat(dir, temporary, 0);
	return -1;
}

bool
mux_is_there(int dir, const char *name, const struct stat *st)
{
	struct stat now;

	return fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == st->st_ino &&
	       now.st_dev == st->st_dev;
}

/* Under the lock that a new master takes, or it might be its socket that goes. */
void
mux_unlink(int dir, const char *name, const struct stat *st)
{
	if (flock(dir, LOCK_EX | LOCK_NB) < 0)
		return;
	if (mux_is_there(dir, name, st))
		unlinkat(dir, name, 0);
	flock(dir, LOCK_UN);
}
