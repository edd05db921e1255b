/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/cmds.h"
#include "cli/replay_follow.h"
#include "client/client.h"
#include "record/cast.h"
#include "record/sealed_file.h"
#include "record/store.h"
#include "session/audited.h"
#include "transport/client.h"

/* A file without a name: the player goes back and forth in it. */
int
replay_spool(struct err *e)
{
	const char *dir = getenv("TMPDIR");
	char path[512];
	int fd;

	if (!dir || dir[0] != '/')
		dir = "/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "%s/coral-replay-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		err_set(e, ERR_IO, errno, "cannot make a temporary file in %s", dir);
		return err_hint(e, "set TMPDIR to a directory with room for the recording");
	}
	unlink(path);
	return fd;
}

static int
spool_failed(struct err *e)
{
	err_set(e, ERR_IO, errno, "cannot keep the recording in a temporary file");
	return err_hint(e, "set TMPDIR to a directory with room for the recording");
}

/* Takes `in`. */
static int
spool(int in, const char *name, struct err *e)
{
	auto_close int from = in, to = replay_spool(e);
	char block[65536];
	ssize_t n;

	if (to < 0)
		return -1;
	while ((n = read(from, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, ERR_IO, errno, "cannot read %s", name);
		if (fd_write_all(to, block, (size_t)n) < 0)
			return spool_failed(e);
	}
	lseek(to, 0, SEEK_SET);
	return steal_fd(&to);
}

/* What a device gives has no end. */
static int
no_source(const char *name, mode_t mode, struct err *e)
{
	err_set(e, ERR_BAD_FILE, 0, "cannot read %s", name);
	if (S_ISDIR(mode)) {
		err_why(e, "it is a directory");
		return err_hint(e, "name the .cast file in it");
	}
	err_why(e, "it is neither a file nor a pipe");
	return err_hint(e, "name a .cast file, or - for what a pipe brings");
}

int
replay_open(const char *path, const char *name, struct err *e)
{
	bool in = strcmp(path, "-") == 0;
	auto_close int fd = -1;
	struct stat st = {0};

	/* Some devices act when they are opened. */
	if (!in && stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return no_source(name, st.st_mode, e);
	fd = in ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
		: open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_set(e, ERR_IO, errno, "cannot open the recording %s", name);
		return err_hint(e, "coral sessions lists the recordings that there are");
	}
	/* Some who start programs give them a socket for a pipe. */
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !(in && S_ISSOCK(st.st_mode)))
		return no_source(name, st.st_mode, e);
	return steal_fd(&fd);
}

static int
open_file(const char *path, const char *name, struct err *e)
{
	int fd = replay_open(path, name, e);
	struct stat st;

	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && strcmp(path, "-") != 0))
		return fd;
	return spool(fd, name, e);
}

static int
take(void *arg, const void *p, size_t n)
{
	return fd_write_all(*(int *)arg, p, n);
}

int
replay_read(const struct args *a, const struct conf *conf, enum request_verb verb, const char *id,
    bool follow, int (*to)(void *arg, const void *p, size_t n), void *arg, struct err *e)
{
	struct cmd_agent agent;
	struct tp_client *c;
	struct request r;
	int rc;

	cmd_agent_from(&agent, conf, a);
	c = client_connect(&agent.where, e);
	if (!c)
		return -1;
	request_init(&r);
	r.verb = verb;
	r.follow = follow;
	snprintf(r.client, sizeof(r.client), "coral %s", CORAL_VERSION);
	str_copy(r.id, id, sizeof(r.id));
	rc = client_query(c, &r, to, arg, e);
	request_fini(&r);
	tp_client_free(c);
	return rc;
}

static int
from_agent(const struct args *a, const struct conf *conf, enum request_verb verb, const char *id,
    struct err *e)
{
	auto_close int fd = replay_spool(e);

	if (fd < 0 || replay_read(a, conf, verb, id, false, take, &fd, e) < 0)
		return -1;
	lseek(fd, 0, SEEK_SET);
	return steal_fd(&fd);
}

int
replay_local_id(const struct args *a, const struct conf *conf, const char *id, const char *name,
    char full[STORE_ID_LEN + 1], struct err *e)
{
	struct err local = {0};

	if (strlen(id) > STORE_ID_LEN || id[strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz"
						       "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]) {
		err_set(e, ERR_NO_SESSION, 0, "there is no recording %s", name);
		err_why(e, "no file has this name, and a session id is %d letters and digits",
		    STORE_ID_LEN);
		return err_hint(e, "coral sessions");
	}
	if (!args_str(a, "agent-addr") && !conf->agent[0] &&
	    store_resolve(conf->state_dir, id, NULL, NULL, full, &local) == 0)
		return 1;
	if (local.code != ERR_AMBIGUOUS)
		return 0;
	*e = local;
	return -1;
}

static int
from_session(
    const struct args *a, enum request_verb verb, const char *id, const char *name, struct err *e)
{
	char full[STORE_ID_LEN + 1];
	struct err why = {0};
	struct conf conf;
	int fd, local;

	if (conf_load(&conf, e) < 0)
		return -1;
	local = replay_local_id(a, &conf, id, name, full, e);
	if (local < 0)
		return -1;
	if (local > 0) {
		fd = store_open_cast(conf.state_dir, full, &why);
		if (fd < 0 && why.code == ERR_BAD_FILE) {
			*e = why;
			return -1;
		}
		/* Told before a byte of it is looked at. */
		if (fd >= 0 && verb == REQ_UNSEAL &&
		    session_audit_local(&conf, "session.unseal", full, e) < 0) {
			close(fd);
			return -1;
		}
		if (fd >= 0)
			return fd;
	}
	return from_agent(a, &conf, verb, id, e);
}

bool
replay_is_file(const char *spec)
{
	return strchr(spec, '/') || strcmp(spec, "-") == 0 || store_named_cast(spec) ||
	       access(spec, F_OK) == 0;
}

int
replay_source(const struct args *a, const char *spec, char *name, size_t size, struct err *e)
{
	str_vis(name, size, spec);
	return replay_is_file(spec) ? open_file(spec, name, e)
				    : from_session(a, REQ_READ, spec, name, e);
}

bool
replay_goes_on(const struct args *a, const char *spec)
{
	char full[STORE_ID_LEN + 1];
	struct err unsaid;
	const char *state;
	struct conf conf;
	json_t *shown;
	bool is;

	if (replay_is_file(spec) || conf_load(&conf, &unsaid) < 0)
		return false;
	if (replay_local_id(a, &conf, spec, spec, full, &unsaid) > 0)
		return store_live(conf.state_dir, full);
	shown = cmd_ask_session(a, REQ_SHOW, spec, &unsaid);
	state = json_str(shown, "state");
	is = state && (strcmp(state, "live") == 0 || strcmp(state, "detached") == 0);
	json_decref(shown);
	return is;
}

/* What a recording says of itself; of an encrypted one without a key.  NULL: it is none. */
static json_t *
header_of(int fd, const char *name)
{
	struct cast_reader *r;
	json_t *header, *end;
	bool sealed;

	if (sealed_is(fd)) {
		sealed_peek(fd, &sealed, &header, &end, NULL);
		json_decref(end);
		return header;
	}
	r = cast_open_fd(fcntl(fd, F_DUPFD_CLOEXEC, 3), name, NULL);
	header = r ? json_incref((json_t *)(uintptr_t)cast_header(r)) : NULL;
	cast_close(r);
	return header;
}

/* What is sealed opens under the id alone that stands beside it. */
static bool
id_in(int fd, const char *name, char id[STORE_ID_LEN + 1])
{
	json_t *header = header_of(fd, name);
	const char *said = json_str(json_object_get(header, "coral"), "session_id");
	bool valid = said && store_id_valid(said);

	if (valid)
		str_copy(id, said, STORE_ID_LEN + 1);
	json_decref(header);
	return valid;
}

bool
replay_stranger(int fd, const char *spec, const char *name, char id[STORE_ID_LEN + 1])
{
	return !replay_is_file(spec) && id_in(fd, name, id) &&
	       strncasecmp(id, spec, strlen(spec)) != 0;
}

/* The log was told of the session that was named. */
static int
from_named(const struct args *a, const char *spec, const char *name, struct err *e)
{
	int fd = from_session(a, REQ_UNSEAL, spec, name, e);
	char id[STORE_ID_LEN + 1];

	if (fd < 0 || !replay_stranger(fd, spec, name, id))
		return fd;
	close(fd);
	err_set(e, ERR_BAD_FILE, 0, "cannot open what is sealed in %s", name);
	err_why(e, "what stands there is the recording of session %s", id);
	return err_hint(e, "coral audit verify %s", name);
}

/* Of a session that is here the log is told, whatever the file is called, and of a copy.  1: it
 * knows, or nothing can be opened, 0: it is of none that this user may see, -1: it was not told. */
static int
tell_of_file(int fd, const char *name, struct err *e)
{
	char id[STORE_ID_LEN + 1];
	struct conf conf;
	auto_close int here = -1;

	if (!id_in(fd, name, id))
		return 1;
	if (conf_load(&conf, e) < 0)
		return -1;
	here = store_open_cast(conf.state_dir, id, NULL);
	if (here < 0)
		return 0;
	return session_audit_local(&conf, "session.unseal", id, e) < 0 ? -1 : 1;
}

int
replay_source_sealed(const struct args *a, const char *spec, char *name, size_t size, struct err *e)
{
	int fd, told;

	str_vis(name, size, spec);
	if (!replay_is_file(spec))
		return from_named(a, spec, name, e);
	fd = open_file(spec, name, e);
	told = fd < 0 ? -1 : tell_of_file(fd, name, e);
	if (told == 0)
		fputs(
		    "coral: this is a file: no audit log will know that it was unsealed\n", stderr);
	if (told < 0)
		fd_close(&fd);
	return fd;
}
