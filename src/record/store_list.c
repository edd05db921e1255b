/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "record/store_dir.h"

/* A copy of obj[key], or null: answers always have all their keys. */
static void
put_from(json_t *out, const char *key, const json_t *obj)
{
	json_t *v = json_object_get(obj, key);

	if (v)
		json_object_set(out, key, v);
	else
		json_object_set_new(out, key, json_null());
}

/* A name for a person in one word: what is named, of objects the best name they have. */
static json_t *
name_of(const json_t *v, const char *const *keys)
{
	const char *s = json_string_value(v);

	for (; !s && *keys; keys++) {
		s = json_str(v, *keys);
		if (s && !*s)
			s = NULL;
	}
	if (s)
		return json_string(s);
	if (json_is_integer(json_object_get(v, "pid")))
		return json_sprintf("pid %lld", (long long)json_int(v, "pid", 0));
	return json_null();
}

static json_t *
started(const json_t *header, const json_t *coral)
{
	const char *said = json_str(coral, "started");
	char iso[CLOCK_ISO_SIZE];
	int64_t s = json_int(header, "timestamp", -1);

	if (said)
		return json_string(said);
	if (s < 0 || s > INT64_MAX / NS_PER_S)
		return json_null();
	clock_iso(s * NS_PER_S, iso);
	return json_string(iso);
}

static const char *
state_of(const struct store_peek *p, bool live)
{
	/* A keeper that has only just begun may not have written its header yet. */
	if (live)
		return "live";
	/* Killed before the first byte: cut, as one killed later. */
	if (p->size == 0)
		return "truncated";
	if (*p->why)
		return "damaged";
	return p->end ? "ended" : "truncated";
}

static json_t *
describe(const char *id, const struct store_peek *p, bool live)
{
	static const char *const user_keys[] = {"name", NULL};
	static const char *const target_keys[] = {
	    "service", "container", "pod", "name", "id", "comm", NULL};
	const json_t *coral = json_object_get(p->header, "coral");
	json_t *j = json_object();
	const char *state = state_of(p, live);

	json_object_set_new(j, "id", json_string(id));
	json_object_set_new(j, "state", json_string(state));
	json_object_set_new(j, "user", name_of(json_object_get(coral, "user"), user_keys));
	json_object_set_new(j, "target", name_of(json_object_get(coral, "target"), target_keys));
	json_object_set_new(j, "started", started(p->header, coral));
	put_from(j, "verb", coral);
	put_from(j, "command", coral);
	put_from(j, "exit_code", p->end);
	put_from(j, "signal", p->end);
	put_from(j, "cause", p->end);
	put_from(j, "duration_ms", p->end);
	json_object_set_new(j, "size", json_integer(p->size < 0 ? 0 : p->size));
	if (strcmp(state, "damaged") == 0)
		json_object_set_new(j, "why", json_string(p->why));
	return j;
}

/* The lock first: a session that ends in between has its end record by then. */
static json_t *
look(int sessdir, const char *id, struct store_peek *p)
{
	bool live = store_is_live(sessdir);

	store_peek(sessdir, id, p);
	return describe(id, p, live);
}

json_t *
store_show(const char *state_dir, const char *id, struct err *e)
{
	auto_close int sessdir = store_open_session(state_dir, id, e);
	struct store_peek p;
	json_t *j;

	if (sessdir < 0)
		return NULL;
	j = look(sessdir, id, &p);
	json_object_set_new(j, "sealed", json_boolean(p.sealed));
	put_from(j, "header", NULL);
	if (p.header)
		json_object_set(j, "header", p.header);
	put_from(j, "end", NULL);
	if (p.end)
		json_object_set(j, "end", p.end);
	store_peek_fini(&p);
	return j;
}

static int
compare_newest(const void *a, const void *b)
{
	return strcmp(b, a);
}

struct ids {
	char (*v)[STORE_ID_LEN + 1];
	size_t n, room;
};

static int
add_id(struct ids *l, const char *id)
{
	void *grown;

	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		grown = reallocarray(l->v, l->room, sizeof(*l->v));
		if (!grown)
			return -1;
		l->v = grown;
	}
	str_copy(l->v[l->n++], id, sizeof(*l->v));
	return 0;
}

/* Every id, newest first: an id begins with its time. */
static int
all_ids(DIR *dir, struct ids *l, struct err *e)
{
	struct dirent *d;

	while ((d = readdir(dir))) {
		if (store_id_valid(d->d_name) && add_id(l, d->d_name) < 0)
			return err_set(e, ERR_INTERNAL, ENOMEM, "cannot list the recordings");
	}
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), compare_newest);
	return 0;
}

json_t *
store_list(const char *state_dir, store_may_fn *may, void *arg, struct err *e)
{
	struct ids ids = {0};
	bool none;
	DIR *dir = store_open_list(state_dir, &none, e);
	json_t *all;

	if (!dir)
		return none ? json_array() : NULL;
	all = all_ids(dir, &ids, e) < 0 ? NULL : json_array();
	for (size_t i = 0; all && i < ids.n; i++) {
		auto_close int sessdir =
		    openat(dirfd(dir), ids.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		struct store_peek p;
		json_t *j;
		bool yes;

		if (sessdir < 0)
			continue;
		j = look(sessdir, ids.v[i], &p);
		if (p.header)
			json_object_set(j, "header", p.header);
		store_peek_fini(&p);
		yes = !may || may(arg, j);
		json_object_del(j, "header");
		if (yes)
			json_array_append(all, j);
		json_decref(j);
	}
	free(ids.v);
	closedir(dir);
	return all;
}
