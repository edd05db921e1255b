/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recordings without an end, told in the audit log once each. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/survey.h"
#include "base/attr.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "record/store.h"
#include "session/audited.h"

#define NO_KEEPER "its keeper died: its recording has no end"
#define NO_HEADER "its recording cannot be read"
#define CUT_SINCE "its recording was cut since: it has no end, and the log has the session's"

static int
told_path(const struct conf *c, const char *session_id, char *path, size_t size)
{
	return (size_t)snprintf(path, size, "%s/sessions/%s/told", c->state_dir, session_id) < size
		   ? 0
		   : -1;
}

/* A file beside the recording says that it was told; who makes it tells.  1, 0: it was, -1. */
static int
claim(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 || errno == EEXIST)
		return fd >= 0;
	err_set(e, ERR_RECORDING, errno, "cannot tell the audit log of a recording without an end");
	err_why(e, "%s: %s", path, strerror(errno));
	return err_hint(e, "make room there; nothing was told and nothing removed");
}

static int
tell(const struct conf *c, const char *session_id, const json_t *shown, const char *why,
    struct err *e)
{
	const json_t *header = json_object_get(json_object_get(shown, "header"), "coral");
	json_t *rec;
	int rc;

	rec = audit_record_new("session.truncated");
	audit_set_text(rec, "session_id", session_id);
	audit_set_text(rec, "user_id", json_str(shown, "user"));
	audit_set_text(rec, "mode", json_str(header, "verb"));
	session_audit_place(rec, c);
	session_audit_target(rec, json_object_get(header, "target"));
	if (json_object_get(header, "command"))
		audit_set_list(rec, "command", json_object_get(header, "command"));
	audit_set_text(
	    rec, "error", strcmp(json_str(shown, "state"), "damaged") == 0 ? NO_HEADER : why);
	rc = audit_put(c->state_dir, rec, true, e);
	json_decref(rec);
	return rc;
}

static int
tell_once(const struct conf *c, const char *session_id, const char *why, struct err *e)
{
	json_t *shown = store_show(c->state_dir, session_id, NULL);
	const char *state = json_str(shown, "state");
	char path[512];
	int rc = 0;

	/* What is not there was discarded: it did not begin. */
	if (state && strcmp(state, "ended") != 0 && strcmp(state, "live") != 0 &&
	    told_path(c, session_id, path, sizeof path) == 0 && (rc = claim(path, e)) > 0 &&
	    (rc = tell(c, session_id, shown, why, e)) < 0)
		unlink(path);
	json_decref(shown);
	return rc;
}

int
session_audit_truncated(const struct conf *c, const char *session_id, struct err *e)
{
	return tell_once(c, session_id, NO_KEEPER, e);
}

/* Their ids, each false. */
static json_t *
untold(const struct conf *c)
{
	json_t *all = store_list(c->state_dir, NULL, NULL, NULL), *row, *ids = json_object();
	char path[512];
	size_t i;

	json_array_foreach(all, i, row)
	{
		const char *id = json_str(row, "id"), *state = json_str(row, "state");

		if (id && state && strcmp(state, "truncated") == 0 &&
		    told_path(c, id, path, sizeof path) == 0 && access(path, F_OK) < 0)
			json_object_set_new(ids, id, json_false());
	}
	json_decref(all);
	return ids;
}

static void
note_end(void *arg, const struct audit_peek *k)
{
	if (strcmp(k->event, "session.end") == 0 && json_object_get(arg, k->session))
		json_object_set_new(arg, k->session, json_true());
}

void
session_audit_find_truncated(const struct conf *c)
{
	json_t *ids = untold(c), *ended;
	struct audit_survey log = {0};
	char dir[512];
	const char *id;
	struct err e = {0};

	/* Without it, what the log has is not known, and the recording is told of as it is. */
	if (json_object_size(ids) > 0 && audit_dir(c->state_dir, dir, sizeof dir, &e) == 0 &&
	    audit_survey(dir, note_end, ids, &log, &e) < 0)
		log_error_of(&e, "reading the audit log");
	audit_survey_fini(&log);
	json_object_foreach(ids, id, ended)
	{
		if (tell_once(c, id, json_is_true(ended) ? CUT_SINCE : NO_KEEPER, &e) < 0)
			log_error_of(&e, "writing the audit log");
	}
	json_decref(ids);
}
