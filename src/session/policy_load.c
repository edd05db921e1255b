/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/yaml.h"
#include "session/policy_int.h"

#define FILE_MAX (1024 * 1024)
#define BULK_CAP (16 * 1024 * 1024)

enum kind { TEXT, TEXTS, BOOL, MAP, ANY, LATER };

/* The schema: which keys a mapping may hold, and of which kind. */
struct key {
	const char *name;
	enum kind kind;
	bool required;
};

static const struct key top_keys[] = {
    {"roles", ANY, false}, {"users", ANY, false}, {"approvers", ANY, false}, {"defaults", MAP, false}, {0}};
static const struct key role_keys[] = {{"name", TEXT, true}, {"permissions", ANY, true}, {0}};
static const struct key permission_keys[] = {{"environments", TEXTS, false},
    {"services", TEXTS, false}, {"namespaces", TEXTS, false}, {"labels", MAP, false},
    {"argv", TEXTS, false}, {"commands", TEXTS, true}, {"require_approval", MAP, false},
    {"require_mfa", BOOL, false}, {"require_reason", BOOL, false}, {"approval_ttl", TEXT, false}, {0}};
static const struct key user_keys[] = {
    {"name", TEXT, true}, {"role", TEXT, true}, {"keys", TEXTS, false}, {0}};
static const struct key approver_keys[] = {{"role", TEXT, true}, {"environments", TEXTS, false}, {0}};
static const struct key defaults_keys[] = {{"mode", TEXT, false}, {"timeout", MAP, false},
    {"disconnect", MAP, false}, {"record", MAP, false}, {"idle", LATER, false},
    {"tiocsti", LATER, false}, {"retention", LATER, false}, {0}};
static const struct key timeout_keys[] = {{"attended_max", ANY, false}, {"api_default", LATER, false},
    {"api_max", LATER, false}, {0}};
static const struct key disconnect_keys[] = {
    {"shell", TEXT, false}, {"exec", TEXT, false}, {"keep", LATER, false}, {0}};
static const struct key record_keys[] = {{"output", BOOL, false}, {"input", BOOL, false},
    {"on_failure", TEXT, false}, {"bulk_cap", ANY, false}, {0}};

static const char *const command_words[] = {"exec", "shell", "cp", "observe", "join", "watch",
    "privileged", "user", "namespaces", "no-record", "delete", "approve", "audit", NULL};

static int
bad(const char *where, const char *key, const char *why, struct err *e)
{
	err_set(e, ERR_CONFIG, 0, "cannot use the policy: %s.%s %s", where, key, why);
	return err_hint(e, "coral-policy.5 has the schema and an example");
}

static bool
is_texts(const json_t *v)
{
	size_t i;
	json_t *s;

	json_array_foreach(v, i, s)
		if (!json_is_string(s))
			return false;
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
	case MAP:
		return json_is_object(v);
	case ANY:
	case LATER:
		break;
	}
	return true;
}

static int
unknown(const char *where, const char *name, const struct key *keys, struct err *e)
{
	const char *names[16];
	const char *near;
	size_t n = 0;

	for (; keys->name; keys++)
		names[n++] = keys->name;
	names[n] = NULL;
	near = str_nearest(name, names);
	err_set(e, ERR_CONFIG, 0, "cannot use the policy: unknown key %s.%s", where, name);
	return near ? err_hint(e, "did you mean \"%s\"?", near)
		    : err_hint(e, "coral-policy.5 has the schema and an example");
}

static int
check_map(const json_t *map, const char *where, const struct key *keys, struct err *e)
{
	const char *name;
	json_t *v;

	if (!json_is_object(map))
		return bad(where, "", "is not a mapping", e);
	json_object_foreach((json_t *)map, name, v) {
		const struct key *k = keys;

		while (k->name && strcmp(k->name, name) != 0)
			k++;
		if (!k->name)
			return unknown(where, name, keys, e);
		if (k->kind == LATER)
			return bad(where, name, "is not enforced by this version: take it out", e);
		if (!is_kind(v, k->kind))
			return bad(where, name, "has a value of the wrong kind", e);
	}
	for (; keys->name; keys++)
		if (keys->required && !json_object_get(map, keys->name))
			return bad(where, keys->name, "is missing", e);
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
		return bad(where, "", "is not a list", e);
	json_array_foreach(list, i, v)
		if (check_map(v, where, keys, e) < 0 || (also && also(v, e) < 0))
			return -1;
	return 0;
}

static int
check_permission(const json_t *p, struct err *e)
{
	size_t i;
	json_t *word;

	json_array_foreach(json_object_get(p, "commands"), i, word) {
		const char *s = json_string_value(word);
		const char *const *w = command_words;

		while (*w && strcmp(*w, s) != 0)
			w++;
		if (!*w)
			return bad("permissions", "commands", "names an unknown command", e);
	}
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
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-");

	return n > 0 && name[n] == '\0' && n < 64 ? 0 : bad("users", "name", "is not a plain name", e);
}

static int
check_tree(const json_t *t, struct err *e)
{
	if (check_map(t, "policy", top_keys, e) < 0 ||
	    check_list(json_object_get(t, "roles"), "roles", role_keys, check_role, e) < 0 ||
	    check_list(json_object_get(t, "users"), "users", user_keys, check_user, e) < 0)
		return -1;
	return check_list(json_object_get(t, "approvers"), "approvers", approver_keys, NULL, e);
}

static int
parse_size(const json_t *v, uint64_t *out)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
	const char *s = json_string_value(v);
	unsigned long long n;
	char *end;

	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*out = (uint64_t)json_integer_value(v);
		return 0;
	}
	if (!s || s[0] < '0' || s[0] > '9')
		return -1;
	n = strtoull(s, &end, 10);
	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (strcmp(end, units[i].unit) == 0 && n < (1ULL << 30)) {
			*out = n * units[i].factor;
			return 0;
		}
	return -1;
}

static int
parse_disconnect(const json_t *map, const char *key, enum request_disconnect *out, struct err *e)
{
	const char *s = json_str(map, key);

	if (!s)
		return 0;
	if (strcmp(s, "kill") == 0)
		*out = REQ_DISC_KILL;
	else if (strcmp(s, "hangup") == 0)
		*out = REQ_DISC_HANGUP;
	else
		return bad("disconnect", key, "is neither kill nor hangup", e);
	return 0;
}

static int
parse_record(struct policy *p, const json_t *r, struct err *e)
{
	const char *on_failure = json_str(r, "on_failure");

	for (int i = 0; i < 2; i++) {
		struct policy_session *s = &p->session[i];
		const json_t *cap = json_object_get(r, "bulk_cap");

		if (json_object_get(r, "output"))
			s->record_output = json_is_true(json_object_get(r, "output"));
		s->record_input = json_is_true(json_object_get(r, "input"));
		if (cap && parse_size(cap, &s->bulk_cap) < 0)
			return bad("record", "bulk_cap", "is not a size such as 16MiB", e);
		if (on_failure && strcmp(on_failure, "block") != 0 && strcmp(on_failure, "kill") != 0)
			return bad("record", "on_failure", "is neither block nor kill", e);
		s->on_failure_block = !on_failure || strcmp(on_failure, "block") == 0;
	}
	return 0;
}

static int
parse_timeout(struct policy *p, const json_t *t, struct err *e)
{
	const json_t *v = json_object_get(t, "attended_max");
	int64_t ns = json_integer_value(v) * NS_PER_S;

	if (v && !json_is_integer(v) &&
	    (!json_is_string(v) || clock_parse_duration(json_string_value(v), &ns) < 0))
		return bad("timeout", "attended_max", "is not a duration such as 30m", e);
	p->session[0].timeout_ns = p->session[1].timeout_ns = ns;
	return 0;
}

static int
parse_defaults(struct policy *p, const json_t *d, struct err *e)
{
	const json_t *timeout = json_object_get(d, "timeout");
	const json_t *record = json_object_get(d, "record");
	const json_t *disc = json_object_get(d, "disconnect");
	const char *mode = json_str(d, "mode");

	if (!d)
		return 0;
	if (check_map(d, "defaults", defaults_keys, e) < 0 ||
	    (timeout && check_map(timeout, "timeout", timeout_keys, e) < 0) ||
	    (record && check_map(record, "record", record_keys, e) < 0) ||
	    (disc && check_map(disc, "disconnect", disconnect_keys, e) < 0))
		return -1;
	if (mode && strcmp(mode, "enforce") != 0 && strcmp(mode, "audit") != 0)
		return bad("defaults", "mode", "is neither enforce nor audit", e);
	p->audit_only = mode && strcmp(mode, "audit") == 0;
	if ((record && parse_record(p, record, e) < 0) || (timeout && parse_timeout(p, timeout, e) < 0))
		return -1;
	if (parse_disconnect(disc, "exec", &p->session[0].disconnect, e) < 0)
		return -1;
	return parse_disconnect(disc, "shell", &p->session[1].disconnect, e);
}

static int
collect_keys(struct policy *p, struct err *e)
{
	struct buf text;
	size_t i, k;
	json_t *user, *key;
	int rc = 0;

	buf_init(&text, FILE_MAX);
	json_array_foreach(json_object_get(p->tree, "users"), i, user)
		json_array_foreach(json_object_get(user, "keys"), k, key)
			if (strpbrk(json_string_value(key), "\r\n") ||
			    buf_printf(&text, "user=\"%s\" %s\n", json_str(user, "name"),
				json_string_value(key)) < 0)
				rc = bad("users", "keys", "holds something that is not one key", e);
	if (rc == 0 && text.len > 0 && !(p->keys = strdup(buf_cstr(&text))))
		rc = err_set(e, ERR_INTERNAL, ENOMEM, "cannot hold the policy's keys");
	buf_fini(&text);
	return rc;
}

static struct policy *
policy_new(void)
{
	static const struct policy_session defaults = {.record_output = true,
	    .on_failure_block = true,
	    .bulk_cap = BULK_CAP,
	    .disconnect = REQ_DISC_KILL};
	struct policy *p = calloc(1, sizeof *p);

	if (p)
		p->session[0] = p->session[1] = defaults;
	return p;
}

struct policy *
policy_parse(const char *text, size_t n, const char *name, struct err *e)
{
	struct policy *p = policy_new();

	if (!p) {
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot read the policy");
		return NULL;
	}
	p->tree = yaml_parse(text, n, name, e);
	if (!p->tree || check_tree(p->tree, e) < 0 ||
	    parse_defaults(p, json_object_get(p->tree, "defaults"), e) < 0 || collect_keys(p, e) < 0) {
		err_why(e, "%s%s", e && e->why[0] ? ", in " : "in ", name);
		policy_free(p);
		return NULL;
	}
	return p;
}

struct policy *
policy_load(const char *path, struct err *e)
{
	struct policy *p = NULL;
	struct buf text;

	buf_init(&text, FILE_MAX);
	if (fd_read_file(AT_FDCWD, path, FILE_MAX, &text) == 0)
		p = policy_parse((const char *)buf_head(&text), text.len, path, e);
	else if (errno == ENOENT)
		p = policy_new();
	else
		err_set(e, ERR_CONFIG, errno, "cannot read the policy %s", path);
	buf_fini(&text);
	return p;
}
