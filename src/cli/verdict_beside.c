/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "audit/survey.h"
#include "base/clock.h"
#include "cli/verdict_log.h"
#include "record/store.h"

/* Sessions, by their directories, that began before that time.  NULL: none. */
static json_t *
begun_before(const char *state_dir, int64_t real_ns)
{
	char path[4096];
	const struct dirent *at;
	json_t *ids = NULL;
	DIR *d;

	if ((size_t)snprintf(path, sizeof path, "%s/sessions", state_dir) >= sizeof path)
		return NULL;
	d = opendir(path);
	while (d && (at = readdir(d)))
		if (store_id_valid(at->d_name) && store_id_ms(at->d_name) <= real_ns / NS_PER_MS) {
			ids = ids ? ids : json_object();
			json_object_set_new(ids, at->d_name, json_true());
		}
	if (d)
		closedir(d);
	return ids;
}

static void
known(void *arg, const struct audit_peek *k)
{
	if (k->session[0])
		json_object_del(arg, k->session);
}

/* One that runs may have its directory, and be told in a moment. */
static size_t
count_recorded(const char *state_dir, json_t *ids)
{
	const char *id;
	json_t *ignored;
	size_t n = 0;

	json_object_foreach(ids, id, ignored)
	{
		json_t *shown = store_show(state_dir, id, NULL);
		const char *state = json_string_value(json_object_get(shown, "state"));

		n += state && strcmp(state, "live") != 0;
		json_decref(shown);
	}
	return n;
}

int
verdict_untold(const char *dir, const char *last, size_t *n, struct err *e)
{
	struct audit_survey s = {0};
	char state_dir[4096];
	json_t *ids;
	int rc = 0;

	*n = 0;
	if ((size_t)snprintf(state_dir, sizeof state_dir, "%s/..", dir) >= sizeof state_dir)
		return 0;
	ids = begun_before(state_dir, last[0] ? audit_time_ns(last) : INT64_MAX);
	if (ids && last[0])
		rc = audit_survey(dir, known, ids, &s, e);
	if (rc == 0)
		*n = count_recorded(state_dir, ids);
	audit_survey_fini(&s);
	json_decref(ids);
	return rc;
}
