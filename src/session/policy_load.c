/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/policy_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/json.h"
#include "base/yaml.h"
#include "transport/authkeys.h"

#define FILE_MAX (1024 * 1024)
#define BULK_CAP (16 * 1024 * 1024)
/* A thousand shells of one person, each on a connection of its own; and as much is left for others.
 */
#define PERSON_CONNECTIONS 1024
#define PERSON_SESSIONS 2048
#define DAY (24 * 3600 * NS_PER_S)

/* Added to one another they are still sizes. */
#define SIZE_MOST (1ULL << 60)

static int
parse_size(const json_t *v, uint64_t *out)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {
	    {"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1ULL << 40}};
	const char *s = json_string_value(v);
	unsigned long long n;
	char *end;

	if (json_is_integer(v) && json_integer_value(v) >= 0 &&
	    json_integer_value(v) <= (json_int_t)SIZE_MOST) {
		*out = (uint64_t)json_integer_value(v);
		return 0;
	}
	if (!s || s[0] < '0' || s[0] > '9')
		return -1;
	n = strtoull(s, &end, 10);
	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (strcmp(end, units[i].unit) == 0 && n <= SIZE_MOST / units[i].factor) {
			*out = n * units[i].factor;
			return 0;
		}
	return -1;
}

int
policy_size(const char *text, uint64_t *bytes)
{
	json_t *v = json_string(text);
	int rc = parse_size(v, bytes);

	json_decref(v);
	return rc;
}

static int
parse_disconnect(struct policy *p, int i, const json_t *map, const char *key, struct err *e)
{
	static const char *const words[] = {
	    [REQ_DISC_DETACH] = "detach", [REQ_DISC_HANGUP] = "hangup", [REQ_DISC_KILL] = "kill"};
	const char *s = json_str(map, key);

	if (!s)
		return 0;
	for (enum request_disconnect d = REQ_DISC_DETACH; d <= REQ_DISC_KILL; d++)
		if (strcmp(s, words[d]) == 0) {
			p->session[i].disconnect = d;
			p->disconnect_set[i] = true;
			return 0;
		}
	return policy_bad("disconnect", key, "is neither detach nor hangup nor kill", e);
}

/* Left as it is where the key is missing. */
static int
parse_duration(const json_t *map, const char *where, const char *key, int64_t *out, struct err *e)
{
	const json_t *v = json_object_get(map, key);
	const char *text = json_string_value(v);
	int64_t n = json_integer_value(v), ns = 0;

	if (!v)
		return 0;
	if (json_is_integer(v) ? n < 0 : !text || clock_parse_duration(text, &ns) < 0)
		return policy_bad(where, key, "is not a duration such as 30m", e);
	if (n > POLICY_DURATION_MAX / NS_PER_S || ns > POLICY_DURATION_MAX)
		return policy_bad(where, key, "is longer than 10 years", e);
	*out = json_is_integer(v) ? n * NS_PER_S : ns;
	return 0;
}

/* Checked with the schema. */
static void
parse_redact(struct policy_session *s, const json_t *r)
{
	s->record_redactor = json_is_true(json_object_get(r, "output"));
	s->redact_environ = !json_is_false(json_object_get(r, "environ"));
	s->redact_patterns = json_object_get(r, "patterns");
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
		parse_redact(s, json_object_get(r, "redact"));
		if (cap && parse_size(cap, &s->bulk_cap) < 0)
			return policy_bad("record", "bulk_cap", "is not a size such as 16MiB", e);
		if (on_failure && strcmp(on_failure, "block") != 0 &&
		    strcmp(on_failure, "kill") != 0)
			return policy_bad("record", "on_failure", "is neither block nor kill", e);
		s->on_failure_block = !on_failure || strcmp(on_failure, "block") == 0;
	}
	return 0;
}

/* Those who can open what is sealed, and what is. */
static int
parse_auditors(struct policy *p, const json_t *r, struct err *e)
{
	const json_t *list = json_object_get(r, "auditors"), *line;
	const json_t *seal = json_object_get(r, "seal_input");
	const char *why;
	size_t i;

	json_array_foreach(
	    list, i, line) if (auditors_add(&p->auditors, json_string_value(line), &why) <
			       0) return policy_bad("record", "auditors", why, e);
	if (json_is_true(seal) && p->auditors.n == 0)
		return policy_bad("record", "seal_input", "needs record.auditors", e);
	if (json_is_true(json_object_get(r, "encrypt")) && p->auditors.n == 0)
		return policy_bad("record", "encrypt", "needs record.auditors", e);
	for (i = 0; p->auditors.n > 0 && i < COUNT_OF(p->session); i++) {
		p->session[i].auditors = &p->auditors;
		p->session[i].seal_input = !json_is_false(seal);
		p->session[i].encrypt = json_is_true(json_object_get(r, "encrypt"));
	}
	return 0;
}

static int
parse_limits(struct policy *p, const json_t *d, struct err *e)
{
	struct policy_session *s = p->session;
	const json_t *disc = json_object_get(d, "disconnect");

	if (parse_duration(json_object_get(d, "timeout"), "timeout", "attended_max",
		&s[0].timeout_ns, e) < 0 ||
	    parse_duration(d, "defaults", "idle", &s[0].idle_ns, e) < 0 ||
	    parse_duration(disc, "disconnect", "keep", &s[0].keep_ns, e) < 0 ||
	    parse_disconnect(p, 0, disc, "exec", e) < 0 ||
	    parse_disconnect(p, 1, disc, "shell", e) < 0)
		return -1;
	if (s[0].keep_ns == 0)
		return policy_bad("disconnect", "keep", "is 0: use hangup or kill instead", e);
	s[1].timeout_ns = s[0].timeout_ns;
	s[1].idle_ns = s[0].idle_ns;
	s[1].keep_ns = s[0].keep_ns;
	return 0;
}

/* Less would hardly hold a header and an end, or let a key through. */
#define LEAST_BYTES (256 * 1024)
#define LEAST_RATE 1024

static int
parse_room(struct policy *p, const json_t *limits, struct err *e)
{
	struct policy_session *s = &p->session[0];
	const struct {
		const char *key;
		uint64_t *to, least;
	} rows[] = {{"session_bytes", &s->session_bytes, LEAST_BYTES},
	    {"session_rate", &s->session_rate, LEAST_RATE},
	    {"user_rate", &s->user_rate, LEAST_RATE}, {"host_rate", &s->host_rate, LEAST_RATE},
	    {"user_day_bytes", &s->quota.user_day, LEAST_BYTES},
	    {"host_bytes", &s->quota.host, LEAST_BYTES}, {"host_free", &s->quota.host_free, 0}};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const json_t *v = json_object_get(limits, rows[i].key);

		if (v && parse_size(v, rows[i].to) < 0)
			return policy_bad("limits", rows[i].key, "is not a size such as 1GiB", e);
		if (*rows[i].to > 0 && *rows[i].to < rows[i].least)
			return policy_bad("limits", rows[i].key,
			    rows[i].least == LEAST_RATE ? "is less than 1KiB"
							: "is less than 256KiB",
			    e);
	}
	p->session[1].session_bytes = s->session_bytes;
	p->session[1].session_rate = s->session_rate;
	p->session[1].user_rate = s->user_rate;
	p->session[1].host_rate = s->host_rate;
	p->session[1].quota = s->quota;
	return 0;
}

static void
parse_person(struct policy *p, const json_t *limits)
{
	p->limits.connections = (size_t)json_int(limits, "connections", PERSON_CONNECTIONS);
	p->limits.sessions = (size_t)json_int(limits, "sessions", PERSON_SESSIONS);
}

/* A colony's own time is the colony's to enforce; here it is only checked. */
static int
parse_retention(struct policy *p, const json_t *r, struct err *e)
{
	struct policy_retention *to = &p->retention;
	const json_t *size = json_object_get(r, "size");
	int64_t colony;

	if (parse_duration(r, "retention", "agent", &to->age_ns, e) < 0 ||
	    parse_duration(r, "retention", "keep", &to->keep_ns, e) < 0 ||
	    parse_duration(r, "retention", "audit", &to->log_ns, e) < 0 ||
	    parse_duration(r, "retention", "colony", &colony, e) < 0)
		return -1;
	if (size && parse_size(size, &to->size) < 0)
		return policy_bad("retention", "size", "is not a size such as 10GiB", e);
	if (to->age_ns > 0 && to->age_ns < to->keep_ns && !json_object_get(r, "keep"))
		to->keep_ns = to->age_ns;
	if (to->age_ns > 0 && to->age_ns < to->keep_ns)
		return policy_bad("retention", "keep", "is longer than retention.agent", e);
	return 0;
}

static int
parse_defaults(struct policy *p, const json_t *d, struct err *e)
{
	const char *mode = json_str(d, "mode"), *tiocsti = json_str(d, "tiocsti");

	if (mode && strcmp(mode, "enforce") != 0 && strcmp(mode, "audit") != 0)
		return policy_bad("defaults", "mode", "is neither enforce nor audit", e);
	p->audit_only = mode && strcmp(mode, "audit") == 0;
	if (tiocsti && strcmp(tiocsti, "deny") != 0 && strcmp(tiocsti, "allow") != 0)
		return policy_bad("defaults", "tiocsti", "is neither deny nor allow", e);
	p->session[0].allow_tiocsti = p->session[1].allow_tiocsti =
	    tiocsti && strcmp(tiocsti, "allow") == 0;
	parse_person(p, json_object_get(d, "limits"));
	if (parse_retention(p, json_object_get(d, "retention"), e) < 0 ||
	    parse_room(p, json_object_get(d, "limits"), e) < 0 ||
	    parse_record(p, json_object_get(d, "record"), e) < 0 ||
	    parse_auditors(p, json_object_get(d, "record"), e) < 0)
		return -1;
	return parse_limits(p, d, e);
}

static int
add_keys(struct buf *text, const json_t *user, struct err *e)
{
	size_t i;
	json_t *key;

	json_array_foreach(json_object_get(user, "keys"), i, key)
	{
		const char *s = json_string_value(key);

		if (strpbrk(s, "\r\n"))
			return policy_bad(
			    "users", "keys", "holds something that is not one key", e);
		if (buf_printf(text, "user=\"%s\" %s\n", json_str(user, "name"), s) < 0)
			return policy_bad("users", "keys", "holds too much", e);
	}
	return 0;
}

/* Checked now: one bad key would shut out everybody when it is looked up. */
static int
collect_keys(struct policy *p, struct err *e)
{
	struct authkeys parsed = {0};
	struct buf text;
	size_t i;
	json_t *user;
	int rc = 0;

	buf_init(&text, FILE_MAX);
	json_array_foreach(json_object_get(p->tree, "users"), i,
	    user) if ((rc = add_keys(&text, user, e)) < 0) break;
	if (rc == 0 && text.len > 0) {
		rc = authkeys_parse(
		    &parsed, (const char *)buf_head(&text), text.len, "users.keys", e);
		authkeys_fini(&parsed);
	}
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
	    .keep_ns = 3600 * NS_PER_S,
	    .disconnect = REQ_DISC_KILL};
	struct policy *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->session[0] = p->session[1] = defaults;
	p->session[1].disconnect = REQ_DISC_DETACH;
	parse_person(p, NULL);
	p->retention =
	    (struct policy_retention){.age_ns = 30 * DAY, .keep_ns = DAY, .log_ns = 365 * DAY};
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
	if (p->tree && policy_check_tree(p->tree, e) == 0 &&
	    parse_defaults(p, json_object_get(p->tree, "defaults"), e) == 0 &&
	    collect_keys(p, e) == 0)
		return p;
	err_why(e, "%s%s", e && e->why[0] ? ", in " : "in ", name);
	policy_free(p);
	return NULL;
}

struct policy *
policy_load(const char *path, struct err *e)
{
	struct policy *p = NULL;
	struct buf text;
	int rc;

	buf_init(&text, FILE_MAX + 1);
	rc = conf_read_file(path, &text, e);
	if (rc > 0)
		p = policy_parse((const char *)buf_head(&text), text.len, path, e);
	else if (rc == 0 && !(p = policy_new()))
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot hold a policy");
	buf_fini(&text);
	return p;
}
