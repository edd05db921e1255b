/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Doors that stand open with nobody behind them: SIGKILL lets no keeper remove its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "record/store.h"
#include "session/control_int.h"
#include "session/live.h"

#define SUFFIX ".sock"

/* A keeper that has only just made its door does not listen yet, but holds its session's lock. */
void
control_remove_dead(const struct conf *c, const char *id)
{
	json_t *shown = store_show(c->state_dir, id, NULL);
	const char *state = json_str(shown, "state");

	if (!state || strcmp(state, "live") != 0)
		session_live_shut(c, id);
	json_decref(shown);
}

static bool
is_refused(int dir, const char *id)
{
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at;

	control_address(dir, id, &at);
	return fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) < 0 &&
	       errno == ECONNREFUSED;
}

/* What has a note is its clean-up's. */
static bool
has_note(int dir, const char *id)
{
	char name[STORE_ID_LEN + 8];
	struct stat st;

	snprintf(name, sizeof name, "%.*s.json", STORE_ID_LEN, id);
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void
control_sweep(const struct conf *c)
{
	int fd = session_live_dir(c, NULL);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	char id[STORE_ID_LEN + 1];
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		if (strlen(d->d_name) != STORE_ID_LEN + strlen(SUFFIX) ||
		    strcmp(d->d_name + STORE_ID_LEN, SUFFIX) != 0)
			continue;
		str_copy(id, d->d_name, sizeof id);
		if (store_id_valid(id) && !has_note(fd, id) && is_refused(fd, id))
			control_remove_dead(c, id);
	}
	if (dir)
		closedir(dir);
	else
		fd_close(&fd);
}
