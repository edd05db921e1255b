/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "record/store.h"
#include "target/proc.h"

#define NOTE_MAX (64 * 1024)

static uint64_t
start_time_of(pid_t pid)
{
	char path[32];
	struct buf text;
	struct proc_stat st;
	uint64_t start = 0;

	buf_init(&text, 4096);
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (fd_read_file(AT_FDCWD, path, 4095, &text) == 0 &&
	    proc_parse_stat((const char *)buf_head(&text), text.len, &st) == 0)
		start = st.start;
	buf_fini(&text);
	return start;
}

static int
open_live_dir(const struct conf *c, struct err *e)
{
	char path[sizeof c->runtime_dir + 8];
	int dir;

	snprintf(path, sizeof path, "%s/live", c->runtime_dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(e, ERR_IO, errno, "cannot make %s", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir < 0 ? err_set(e, ERR_IO, errno, "cannot open %s", path) : dir;
}

static void
note_name(const char *id, char name[STORE_ID_LEN + 8])
{
	snprintf(name, STORE_ID_LEN + 8, "%.*s.json", STORE_ID_LEN, id);
}

int
session_live_note(const struct conf *c, const char *id, const struct enter_tree *t, struct err *e)
{
	auto_close int dir = open_live_dir(c, e);
	char name[STORE_ID_LEN + 8];
	pid_t self = getpid();
	json_t *j;
	int rc;

	if (dir < 0)
		return -1;
	note_name(id, name);
	j = json_pack("{s:i, s:I, s:o}", "keeper", (int)self, "keeper_start",
	    (json_int_t)start_time_of(self), "tree", enter_tree_to_json(t));
	rc = store_put_note(dir, name, j, e);
	json_decref(j);
	return rc;
}

void
session_live_drop(const struct conf *c, const char *id)
{
	auto_close int dir = open_live_dir(c, NULL);
	char name[STORE_ID_LEN + 8];

	note_name(id, name);
	if (dir >= 0)
		unlinkat(dir, name, 0);
}

static json_t *
read_note(int dir, const char *id, struct err *e)
{
	char name[STORE_ID_LEN + 8];
	struct buf text;
	json_t *j = NULL;

	note_name(id, name);
	buf_init(&text, NOTE_MAX);
	if (fd_read_file(dir, name, NOTE_MAX, &text) == 0)
		j = json_parse((const char *)buf_head(&text), text.len, e);
	buf_fini(&text);
	return j;
}

/*
 * 0: *fd holds the keeper, or is -1 when it surely is gone; -1: it cannot be told (too many open
 * files), and a session is not ended on a guess.  The start time is read after the descriptor is
 * held: it is the same process or none.
 */
static int
hold_keeper(const json_t *note, int *fd)
{
	pid_t pid = (pid_t)json_int(note, "keeper", 0);
	uint64_t start = (uint64_t)json_int(note, "keeper_start", 0), now;
	bool dead;

	*fd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (*fd < 0)
		return pid <= 0 || errno == ESRCH || errno == EINVAL ? 0 : -1;
	now = start_time_of(pid);
	if (now != 0 && now == start)
		return 0;
	dead = (now != 0 && start != 0) ||
	       (pidfd_send_signal(*fd, 0, NULL, 0) < 0 && errno == ESRCH);
	fd_close(fd);
	return dead ? 0 : -1;
}

void
session_live_each(
    const struct conf *c, void (*each)(void *arg, const char *id, int keeper), void *arg)
{
	int fd = open_live_dir(c, NULL);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	char id[STORE_ID_LEN + 1];

	while (dir && (d = readdir(dir))) {
		json_t *note;
		int keeper;

		if (strlen(d->d_name) != STORE_ID_LEN + 5 ||
		    strcmp(d->d_name + STORE_ID_LEN, ".json"))
			continue;
		snprintf(id, sizeof id, "%.*s", STORE_ID_LEN, d->d_name);
		note = store_id_valid(id) ? read_note(dirfd(dir), id, NULL) : NULL;
		if (note && hold_keeper(note, &keeper) == 0)
			each(arg, id, keeper);
		json_decref(note);
	}
	if (dir)
		closedir(dir);
	else
		fd_close(&fd);
}

int
session_cleanup(const struct conf *c, const char *id, struct err *e)
{
	auto_close int dir = open_live_dir(c, e);
	json_t *j = dir >= 0 ? read_note(dir, id, e) : NULL;
	struct enter_tree tree;
	struct tgt_sys sys;
	int rc;

	store_drop_unbegun(c->state_dir, id);
	if (!j)
		return 0; /* it ended before it made anything, or ended well */
	rc = enter_tree_from_json(json_object_get(j, "tree"), &tree, e);
	json_decref(j);
	if (rc < 0 || tgt_sys_open(&sys, c->proc_root, "", e) < 0)
		return -1;
	rc = enter_tree_end(&sys, &tree, NULL, e);
	tgt_sys_close(&sys);
	if (rc == 0)
		session_live_drop(c, id);
	return rc;
}
