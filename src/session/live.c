/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "record/store.h"
#include "session/audited.h"
#include "target/proc.h"

#define NOTE_MAX (64 * 1024)
#define BOOT_ID_LEN 36
/* What cannot die yet (a paused container, a file system that never answers) is tried again. */
#define AGAIN_FIRST_NS (NS_PER_S / 4)
#define AGAIN_MAX_NS (30 * NS_PER_S)
#define CLEANUP_MAX_NS (3600 * NS_PER_S)

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

/* Pids, start times and audit sessions begin anew with the machine: a note of an earlier life
 * names nothing that lives. */
static void
read_boot_id(char out[BOOT_ID_LEN + 1])
{
	struct buf text;

	out[0] = '\0';
	buf_init(&text, 64);
	if (fd_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 63, &text) == 0 &&
	    text.len >= BOOT_ID_LEN)
		snprintf(out, BOOT_ID_LEN + 1, "%.*s", BOOT_ID_LEN, (const char *)buf_head(&text));
	buf_fini(&text);
}

static bool
of_this_boot(const json_t *note)
{
	const char *boot = json_str(note, "boot");
	char now[BOOT_ID_LEN + 1];

	read_boot_id(now);
	return boot && strcmp(boot, now) == 0;
}

/* What stands in it is killed: nobody else may have written it. */
static bool
is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 022);
}

int
session_live_dir(const struct conf *c, struct err *e)
{
	char path[sizeof c->runtime_dir + 8];
	auto_close int dir = -1;

	snprintf(path, sizeof path, "%s/live", c->runtime_dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(e, ERR_IO, errno, "cannot make %s", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, ERR_IO, errno, "cannot open %s", path);
	if (is_ours(dir))
		return steal_fd(&dir);
	err_set(e, ERR_CONFIG, 0, "cannot use %s", path);
	err_why(e, "it belongs to another user, or others may write it");
	return err_hint(e, "remove it when no agent uses it");
}

static void
note_name(const char *id, char name[STORE_ID_LEN + 8])
{
	snprintf(name, STORE_ID_LEN + 8, "%.*s.json", STORE_ID_LEN, id);
}

int
session_live_note(const struct conf *c, const char *id, const char *user,
    const struct enter_tree *t, struct err *e)
{
	auto_close int dir = session_live_dir(c, e);
	char name[STORE_ID_LEN + 8];
	char boot[BOOT_ID_LEN + 1];
	pid_t self = getpid();
	json_t *j;
	int rc;

	if (dir < 0)
		return -1;
	note_name(id, name);
	read_boot_id(boot);
	j = json_pack("{s:s, s:s, s:i, s:I, s:o}", "boot", boot, "user", user, "keeper", (int)self,
	    "keeper_start", (json_int_t)start_time_of(self), "tree", enter_tree_to_json(t));
	rc = store_put_note(dir, name, j, e);
	json_decref(j);
	return rc;
}

void
session_live_drop(const struct conf *c, const char *id)
{
	auto_close int dir = session_live_dir(c, NULL);
	char name[STORE_ID_LEN + 8];

	note_name(id, name);
	if (dir >= 0)
		unlinkat(dir, name, 0);
}

void
session_live_shut(const struct conf *c, const char *id)
{
	auto_close int dir = session_live_dir(c, NULL);
	char name[STORE_ID_LEN + 8];

	snprintf(name, sizeof name, "%.*s.sock", STORE_ID_LEN, id);
	if (dir >= 0)
		unlinkat(dir, name, 0);
}

/* A whole regular file, below NOTE_MAX. */
static int
slurp(int fd, struct buf *text)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	while (buf_room(text) > 0 && (n = buf_read_fd(text, fd, buf_room(text))) != 0)
		if (n < 0 && errno != EINTR)
			return -1;
	return buf_room(text) > 0 ? 0 : -1;
}

/* *lock, when wanted: the note itself, for flock(2). */
static json_t *
read_note(int dir, const char *id, int *lock, struct err *e)
{
	char name[STORE_ID_LEN + 8];
	auto_close int fd = -1;
	struct buf text;
	json_t *j = NULL;

	note_name(id, name);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (!is_ours(fd)) {
		err_set(e, ERR_BAD_FILE, 0, "cannot use the note of session %s", id);
		err_why(e, "it belongs to another user, or others may write it");
		return NULL;
	}
	buf_init(&text, NOTE_MAX);
	if (slurp(fd, &text) < 0)
		err_set(
		    e, ERR_BAD_FILE, 0, "the note of session %s is no regular file, or large", id);
	else
		j = json_parse((const char *)buf_head(&text), text.len, e);
	buf_fini(&text);
	if (lock)
		*lock = steal_fd(&fd);
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

	*fd = -1;
	if (pid <= 0 || !of_this_boot(note))
		return 0;
	*fd = pidfd_open(pid, 0);
	if (*fd < 0)
		return errno == ESRCH || errno == EINVAL ? 0 : -1;
	now = start_time_of(pid);
	if (now != 0 && now == start)
		return 0;
	dead =
	    (now != 0 && start != 0) || (pidfd_send_signal(*fd, 0, NULL, 0) < 0 && errno == ESRCH);
	fd_close(fd);
	return dead ? 0 : -1;
}

void
session_live_each(const struct conf *c,
    void (*each)(void *arg, const char *id, const char *user, int keeper), void *arg)
{
	int fd = session_live_dir(c, NULL);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	char id[STORE_ID_LEN + 1];

	while (dir && (d = readdir(dir))) {
		struct err e = {0};
		const char *user;
		json_t *note;
		int keeper;

		if (strlen(d->d_name) != STORE_ID_LEN + 5 ||
		    strcmp(d->d_name + STORE_ID_LEN, ".json"))
			continue;
		snprintf(id, sizeof id, "%.*s", STORE_ID_LEN, d->d_name);
		note = store_id_valid(id) ? read_note(dirfd(dir), id, NULL, &e) : NULL;
		if (e.code != ERR_NONE)
			log_error_of(&e, "looking for what runs");
		user = json_str(note, "user");
		if (note && hold_keeper(note, &keeper) == 0)
			each(arg, id, user ? user : "", keeper);
		json_decref(note);
	}
	if (dir)
		closedir(dir);
	else
		fd_close(&fd);
}

static int
end_tree(const struct conf *c, const struct enter_tree *tree, struct err *e)
{
	int64_t until = clock_mono() + CLEANUP_MAX_NS, pause = AGAIN_FIRST_NS;
	struct tgt_sys sys;
	int rc;

	if (tgt_sys_open(&sys, c->proc_root, "", e) < 0)
		return -1;
	while ((rc = enter_tree_end(&sys, tree, NULL, e)) < 0 && clock_mono() + pause < until) {
		if (pause == AGAIN_FIRST_NS)
			log_error_of(e, "cleaning up; it is tried again for an hour");
		poll(NULL, 0, (int)(pause / NS_PER_MS));
		pause = pause * 2 < AGAIN_MAX_NS ? pause * 2 : AGAIN_MAX_NS;
	}
	tgt_sys_close(&sys);
	return rc;
}

int
session_cleanup(const struct conf *c, const char *id, struct err *e)
{
	auto_close int dir = session_live_dir(c, e);
	auto_close int lock = -1;
	json_t *j = dir >= 0 ? read_note(dir, id, &lock, e) : NULL;
	struct err untold = {0};
	struct enter_tree tree;
	bool alive;
	int rc;

	store_drop_unbegun(c->state_dir, id);
	session_live_shut(c, id);
	if (!j)
		return 0; /* it ended before it made anything, or ended well */
	alive = of_this_boot(j);
	rc = alive ? enter_tree_from_json(json_object_get(j, "tree"), &tree, e) : 0;
	json_decref(j);
	/* Another clean-up, of this agent or one before it, is at it. */
	if (rc == 0 && alive && flock(lock, LOCK_EX | LOCK_NB) < 0)
		return 0;
	if (rc == 0 && alive)
		rc = end_tree(c, &tree, e);
	if (rc == 0 && session_audit_truncated(c, id, &untold) < 0)
		log_error_of(&untold, "writing the audit log");
	if (rc == 0)
		session_live_drop(c, id);
	return rc;
}
