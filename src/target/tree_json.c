/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/enter.h"

#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "target/cgroup.h"

json_t *
enter_tree_to_json(const struct enter_tree *t)
{
	json_t *v1 = json_array();

	for (size_t i = 0; i < COUNT_OF(t->v1); i++) {
		if (t->v1[i][0])
			json_array_append_new(v1, json_string(t->v1[i]));
	}
	return json_pack("{s:s,s:s,s:o,s:I,s:I,s:I,s:b,s:s,s:I}", "session_id", t->session_id, "v2",
	    t->v2, "v1", v1, "leader", (json_int_t)t->leader, "leader_start",
	    (json_int_t)t->leader_start, "audit", (json_int_t)t->audit, "roams", t->roams,
	    "oom_file", t->oom_file, "oom_base", (json_int_t)t->oom_base);
}

/* What is killed by this must be a session of ours, whatever the file says. */
static bool
take_path(const json_t *j, const char *id, char *out, size_t size)
{
	const char *path = json_string_value(j);

	if (!path || (*path && !cg_session_path_ok(path, id)))
		return false;
	return str_copy(out, path, size) < size;
}

/* A wrong type would read as a 0 that was never written. */
static bool
right_types(const json_t *j)
{
	static const char *const numbers[] = {"leader", "leader_start", "audit", "oom_base"};

	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		if (!json_is_integer(json_object_get(j, numbers[i])))
			return false;
	}
	return json_is_boolean(json_object_get(j, "roams"));
}

static bool
take(const json_t *j, struct enter_tree *t)
{
	const json_t *v1 = json_object_get(j, "v1");
	const char *id = json_string_value(json_object_get(j, "session_id"));
	const char *oom = json_string_value(json_object_get(j, "oom_file"));
	json_int_t leader = json_integer_value(json_object_get(j, "leader"));
	json_int_t audit = json_integer_value(json_object_get(j, "audit"));

	if (!right_types(j) || !id || !*id || strchr(id, '/') ||
	    str_copy(t->session_id, id, sizeof(t->session_id)) >= sizeof(t->session_id))
		return false;
	if (!take_path(json_object_get(j, "v2"), id, t->v2, sizeof(t->v2)) || !json_is_array(v1) ||
	    json_array_size(v1) > COUNT_OF(t->v1))
		return false;
	for (size_t i = 0; i < json_array_size(v1); i++) {
		if (!take_path(json_array_get(v1, i), id, t->v1[i], sizeof(t->v1[i])))
			return false;
	}
	if (leader < 0 || leader > INT32_MAX || leader == 1 || audit < 0 || audit > UINT32_MAX)
		return false;
	if (!oom ||
	    (*oom && (!cg_path_ok(oom) || strncmp(oom, CG_ROOT "/", strlen(CG_ROOT) + 1) != 0)))
		return false;
	str_copy(t->oom_file, oom, sizeof(t->oom_file));
	t->leader = (pid_t)leader;
	t->leader_start = (uint64_t)json_integer_value(json_object_get(j, "leader_start"));
	t->audit = (uint32_t)audit;
	t->roams = json_is_true(json_object_get(j, "roams"));
	t->oom_base = (uint64_t)json_integer_value(json_object_get(j, "oom_base"));
	return true;
}

int
enter_tree_from_json(const json_t *j, struct enter_tree *t, struct err *e)
{
	memset(t, 0, sizeof(*t));
	if (take(j, t))
		return 0;
	memset(t, 0, sizeof(*t));
	t->audit = UINT32_MAX;
	err_set(e, ERR_BAD_FILE, 0, "the description of a session's processes is broken");
	return err_why(e, "a member is missing, or names what is no session's");
}
