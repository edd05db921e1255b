/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/policy_int.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "record/redactor.h"

enum kind { TEXT, TEXTS, BOOL, COUNT, MAP, ANY, LATER };

/* The schema: which keys a mapping may hold, and of which kind. */
struct key {
	const char *name;
	enum kind kind;
	bool required;
};

static const struct key top_keys[] = {{"roles", ANY, false}, {"users", ANY, false},
    {"approvers", ANY, false}, {"defaults", MAP, false}, {0}};
static const struct key role_keys[] = {{"name", TEXT, true}, {"permissions", ANY, true}, {0}};
static const struct key permission_keys[] = {{"environments", TEXTS, false},
    {"services", TEXTS, false}, {"namespaces", TEXTS, false}, {"labels", MAP, false},
    {"argv", TEXTS, false}, {"commands", TEXTS, true}, {"require_approval", MAP, false},
    {"require_mfa", BOOL, false}, {"require_reason", BOOL, false}, {"approval_ttl", TEXT, false},
    {0}};
static const struct key user_keys[] = {
    {"name", TEXT, true}, {"role", TEXT, true}, {"keys", TEXTS, false}, {0}};
static const struct key approval_keys[] = {{"count", COUNT, false}, {"from", TEXTS, false}, {0}};
static const struct key approver_keys[] = {
    {"role", TEXT, true}, {"environments", TEXTS, false}, {0}};
static const struct key defaults_keys[] = {{"mode", TEXT, false}, {"timeout", MAP, false},
    {"disconnect", MAP, false}, {"record", MAP, false}, {"idle", ANY, false},
    {"tiocsti", TEXT, false}, {"limits", MAP, false}, {"retention", MAP, false}, {0}};
static const struct key timeout_keys[] = {
    {"attended_max", ANY, false}, {"api_default", LATER, false}, {"api_max", LATER, false}, {0}};
static const struct key disconnect_keys[] = {
    {"shell", TEXT, false}, {"exec", TEXT, false}, {"keep", ANY, false}, {0}};
static const struct key record_keys[] = {{"output", BOOL, false}, {"input", BOOL, false},
    {"on_failure", TEXT, false}, {"bulk_cap", ANY, false}, {"auditors", TEXTS, false},
    {"seal_input", BOOL, false}, {"encrypt", BOOL, false}, {"redact", MAP, false}, {0}};
static const struct key redact_keys[] = {
    {"output", BOOL, false}, {"environ", BOOL, false}, {"patterns", TEXTS, false}, {0}};

static const struct key retention_keys[] = {{"agent", ANY, false}, {"size", ANY, false},
    {"keep", ANY, false}, {"audit", ANY, false}, {"colony", ANY, false}, {0}};

static const struct key limits_keys[] = {{"connections", COUNT, false}, {"sessions", COUNT, false},
    {"session_bytes", ANY, false}, {"session_rate", ANY, false}, {"user_day_bytes", ANY, false},
    {"user_rate", ANY, false}, {"host_rate", ANY, false}, {"host_bytes", ANY, false},
    {"host_free", ANY, false}, {0}};

static const char *const command_words[] = {"exec", "shell", "cp", "observe", "attach", "join",
    "watch", "moderate", "privileged", "user", "namespaces", "seccomp", "no-record", "host",
    "delete", "approve", "audit", NULL};

int
policy_bad(const char *where, const char *key, const char *why, struct err *e)
{
	err_set(e, ERR_CONFIG, 0, "cannot use the policy: %s%s%s %s", where, key[0] ? "." : "", key,
	    why);
	return err_hint(e, "coral-policy(5) has the schema and an example");
}

static bool
is_texts(const json_t *v)
{
	size_t i;
	json_t *s;

	json_array_foreach(v, i, s) if (!json_is_string(s)) return false;
	return json_is_array(v);
}

static bool
is_kind(const json_t *v, enum kind k)
{
	switch (k) {
	case TEXT:
		return json_is_string(v);
	case TEXTS:
		return is_texts(v);
	case BOOL:
		return json_is_boolean(v);
	case COUNT:
		return json_is_integer(v) && json_integer_value(v) > 0;
	case MAP:
		return json_is_object(v);
	case ANY:
	case LATER:
		break;
	}
	return true;
}

static int
hint_nearest(const char *word, const char *const *words, struct err *e)
{
	const char *near = str_nearest(word, words);

	return near ? err_hint(e, "did you mean \"%s\"? coral-policy(5) has the schema", near)
		    : err_hint(e, "coral-policy(5) has the schema and an example");
}

static int
unknown(const char *where, const char *name, const struct key *keys, struct err *e)
{
	const char *names[16];
	size_t n = 0;

	for (; keys->name && n + 1 < COUNT_OF(names); keys++)
		names[n++] = keys->name;
	names[n] = NULL;
	err_set(e, ERR_CONFIG, 0, "cannot use the policy: unknown key %s.%s", where, name);
	return hint_nearest(name, names, e);
}

static int
check_map(const json_t *map, const char *where, const struct key *keys, struct err *e)
{
	const char *name;
	json_t *v;

	if (!json_is_object(map))
		return policy_bad(where, "", "is not a mapping", e);
	json_object_foreach((json_t *)map, name, v)
	{
		const struct key *k = keys;

		while (k->name && strcmp(k->name, name) != 0)
			k++;
		if (!k->name)
			return unknown(where, name, keys, e);
		if (k->kind == LATER)
			return policy_bad(
			    where, name, "is not enforced by this version: take it out", e);
		if (!is_kind(v, k->kind))
			return policy_bad(where, name, "has a value of the wrong kind", e);
	}
	for (; keys->name; keys++)
		if (keys->required && !json_object_get(map, keys->name))
			return policy_bad(where, keys->name, "is missing", e);
	return 0;
}

static int
check_list(const json_t *list, const char *where, const struct key *keys,
    int (*also)(const json_t *, struct err *), struct err *e)
{
	size_t i;
	json_t *v;

	if (!list)
		return 0;
	if (!json_is_array(list))
		return policy_bad(where, "", "is not a list", e);
	json_array_foreach(
	    list, i, v) if (check_map(v, where, keys, e) < 0 || (also && also(v, e) < 0)) return -1;
	return 0;
}

static bool
is_word(const char *s, const char *const *words)
{
	while (*words && strcmp(*words, s) != 0)
		words++;
	return *words != NULL;
}

static int
check_permission(const json_t *p, struct err *e)
{
	const json_t *approval = json_object_get(p, "require_approval");
	const char *ttl = json_str(p, "approval_ttl");
	int64_t ns;
	size_t i;
	json_t *word;

	json_array_foreach(json_object_get(p, "commands"), i, word)
	{
		const char *s = json_string_value(word);

		if (is_word(s, command_words))
			continue;
		err_set(e, ERR_CONFIG, 0, "cannot use the policy: unknown command \"%s\"", s);
		return hint_nearest(s, command_words, e);
	}
	if (approval && check_map(approval, "require_approval", approval_keys, e) < 0)
		return -1;
	if (ttl && clock_parse_duration(ttl, &ns) < 0)
		return policy_bad("permissions", "approval_ttl", "is not a duration such as 1h", e);
	if (ttl && ns > POLICY_DURATION_MAX)
		return policy_bad("permissions", "approval_ttl", "is longer than 10 years", e);
	return 0;
}

static int
check_role(const json_t *role, struct err *e)
{
	return check_list(json_object_get(role, "permissions"), "permissions", permission_keys,
	    check_permission, e);
}

/* A name goes into authorized_keys text between quotes, and into records. */
static int
check_user(const json_t *user, struct err *e)
{
	const char *name = json_str(user, "name");
	size_t n =
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-");

	return n > 0 && name[n] == '\0' && n < 64
		   ? 0
		   : policy_bad("users", "name", "is not a plain name", e);
}

static bool
names(const json_t *list, const char *key, const char *value)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v) if (strcmp(json_str(v, key), value) == 0) return true;
	return false;
}

/* A role that nobody defined grants nothing: rather an error now than a riddle later. */
static int
check_role_names(const json_t *t, struct err *e)
{
	const json_t *roles = json_object_get(t, "roles");
	const char *known[64];
	size_t i, n = 0;
	json_t *v;

	json_array_foreach(roles, i, v) if (n + 1 < COUNT_OF(known)) known[n++] =
	    json_str(v, "name");
	known[n] = NULL;
	json_array_foreach(json_object_get(t, "users"), i, v)
	{
		const char *role = json_str(v, "role");

		if (names(roles, "name", role) ||
		    names(json_object_get(t, "approvers"), "role", role))
			continue;
		err_set(e, ERR_CONFIG, 0, "cannot use the policy: %s has the unknown role \"%s\"",
		    json_str(v, "name"), role);
		return hint_nearest(role, known, e);
	}
	return 0;
}

static int
check_redact(const json_t *r, struct err *e)
{
	const json_t *patterns = json_object_get(r, "patterns");
	struct err why = {0};
	size_t i;
	json_t *v;

	if (!r)
		return 0;
	if (check_map(r, "redact", redact_keys, e) < 0)
		return -1;
	/* Else nothing would be, and nobody be told. */
	if (patterns && !json_is_true(json_object_get(r, "output")))
		return policy_bad("redact", "patterns", "needs output: true beside it", e);
	if (json_array_size(patterns) > REDACTOR_PATTERNS)
		return policy_bad("redact", "patterns", "holds more than 16", e);
	json_array_foreach(patterns, i, v)
	{
		if (redactor_check_pattern(json_string_value(v), &why) == 0)
			continue;
		policy_bad("redact", "patterns", "holds something that is no pattern", e);
		return err_why(e, "%s: %s", why.what, why.why);
	}
	return 0;
}

static int
check_defaults(const json_t *d, struct err *e)
{
	static const struct {
		const char *name;
		const struct key *keys;
	} maps[] = {{"timeout", timeout_keys}, {"disconnect", disconnect_keys},
	    {"record", record_keys}, {"limits", limits_keys}, {"retention", retention_keys}};

	if (check_map(d, "defaults", defaults_keys, e) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(maps); i++) {
		const json_t *m = json_object_get(d, maps[i].name);

		if (m && check_map(m, maps[i].name, maps[i].keys, e) < 0)
			return -1;
	}
	return check_redact(json_object_get(json_object_get(d, "record"), "redact"), e);
}

int
policy_check_tree(const json_t *t, struct err *e)
{
	const json_t *d = json_object_get(t, "defaults");

	if (check_map(t, "policy", top_keys, e) < 0 ||
	    check_list(json_object_get(t, "roles"), "roles", role_keys, check_role, e) < 0 ||
	    check_list(json_object_get(t, "users"), "users", user_keys, check_user, e) < 0 ||
	    check_list(json_object_get(t, "approvers"), "approvers", approver_keys, NULL, e) < 0 ||
	    (d && check_defaults(d, e) < 0))
		return -1;
	return check_role_names(t, e);
}
