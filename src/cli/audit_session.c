/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/audit_session.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

#define PREFIX_MIN 4
#define NAMED_MAX 8 /* candidates that an error names */

struct candidates {
	char v[NAMED_MAX + 1][STORE_ID_LEN + 1];
	size_t n;
};

static void
add(struct candidates *c, const char *id)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->v[i], id) == 0)
			return;
	str_copy(c->v[c->n++], id, sizeof c->v[0]);
}

static int
collect(struct audit_source *s, const struct audit_want *w, struct candidates *c, struct err *e)
{
	char text[AUDIT_TEXT_MAX];
	struct audit_entry x;
	const char *id;
	json_t *rec;
	int rc = 1;

	while (c->n <= NAMED_MAX && (rc = audit_source_next(s, &x, e)) == 1) {
		rec = audit_want_take(w, &x, text);
		id = json_str(rec, "session_id");
		if (id && store_id_valid(id))
			add(c, id);
		json_decref(rec);
	}
	return rc < 0 ? -1 : 0;
}

static int
too_short(const char *seen, struct err *e)
{
	err_set(e, ERR_USAGE, 0, "\"%s\" is too short", seen);
	err_why(e, "a prefix of a session's id has at least %d characters", PREFIX_MIN);
	return err_hint(e, "coral audit ls has the ids");
}

static int
unknown(const char *seen, struct err *e)
{
	err_set(e, ERR_NO_SESSION, 0, "the audit log has no session %s", seen);
	err_why(e, "no record has an id that begins so");
	return err_hint(e, "coral audit ls");
}

static int
ambiguous(const struct candidates *c, const char *seen, struct err *e)
{
	err_set(e, ERR_AMBIGUOUS, 0, "several sessions begin with %s", seen);
	for (size_t i = 0; i < c->n && i < NAMED_MAX; i++)
		err_why(e, "%s%s", i ? "\n" : "", c->v[i]);
	if (c->n > NAMED_MAX)
		err_why(e, "\nand more");
	return err_hint(e, "give more letters of the id");
}

int
audit_session_find(
    const char *dir, const char *prefix, bool whole, char id[STORE_ID_LEN + 1], struct err *e)
{
	char low[STORE_ID_LEN + 2], seen[96];
	struct audit_want want = {.session = low};
	struct candidates c = {.n = 0};
	struct audit_source *s;
	int rc;

	str_vis(seen, sizeof seen, prefix);
	if (strlen(prefix) < PREFIX_MIN)
		return too_short(seen, e);
	if (str_copy(low, prefix, sizeof low) > STORE_ID_LEN)
		return unknown(seen, e);
	for (char *p = low; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
	s = audit_source_open(dir, &want, 0, whole, e);
	rc = s ? collect(s, &want, &c, e) : -1;
	audit_source_close(s);
	if (rc < 0)
		return -1;
	if (c.n != 1)
		return c.n == 0 ? unknown(seen, e) : ambiguous(&c, seen, e);
	str_copy(id, c.v[0], STORE_ID_LEN + 1);
	return 0;
}
