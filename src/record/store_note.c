/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "record/store_dir.h"

#define NOTE_MAX (256 * 1024)
#define NAME_MAX_LEN 63

/* A plain file name that cannot be one of the session's own. */
static bool
name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= NAME_MAX_LEN && name[0] != '.' && !strchr(name, '/') &&
	       strcmp(name, STORE_LOCK) != 0 && !strstr(name, ".cast");
}

static int
bad_name(const char *name, struct err *e)
{
	return err_set(e, ERR_INTERNAL, EINVAL, "\"%s\" is no name for a note", name);
}

int
store_put_note(int sessdir, const char *name, const json_t *j, struct err *e)
{
	auto_free char *text = json_dumps(j, JSON_COMPACT);
	char fresh[NAME_MAX_LEN + 8];
	auto_close int fd = -1;

	if (!name_ok(name))
		return bad_name(name, e);
	if (!text || strlen(text) > NOTE_MAX)
		return err_set(e, ERR_IO, text ? EFBIG : ENOMEM, "cannot write note %s", name);
	snprintf(fresh, sizeof(fresh), ".%s.new", name);
	unlinkat(sessdir, fresh, 0);
	fd = openat(sessdir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 ||
	    renameat(sessdir, fresh, sessdir, name) < 0) {
		err_set(e, ERR_IO, errno, "cannot write note %s", name);
		unlinkat(sessdir, fresh, 0);
		return -1;
	}
	return 0;
}

json_t *
store_get_note(const char *state_dir, const char *id, const char *name, struct err *e)
{
	auto_close int sessdir = -1;
	struct buf text;
	json_t *j = NULL;

	if (!name_ok(name)) {
		bad_name(name, e);
		return NULL;
	}
	sessdir = store_open_session(state_dir, id, e);
	if (sessdir < 0)
		return NULL;
	buf_init(&text, NOTE_MAX);
	if (fd_read_file(sessdir, name, NOTE_MAX, &text) < 0)
		err_set(e, ERR_IO, errno, "cannot read note %s of session %s", name, id);
	else
		j = json_parse((const char *)buf_head(&text), text.len, e);
	buf_fini(&text);
	return j;
}

int
store_drop_note(int sessdir, const char *name)
{
	if (!name_ok(name)) {
		errno = EINVAL;
		return -1;
	}
	return unlinkat(sessdir, name, 0) < 0 && errno != ENOENT ? -1 : 0;
}
