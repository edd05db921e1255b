/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/redact.h"
#include "base/sha256.h"
#include "base/str.h"

#define TEXT_MAX 2048
#define LIST_MAX 8192 /* bytes of all its strings */
#define HEX (AUDIT_HASH_SIZE - 1)
#define PREV_KEY ",\"prev_hash\":\""
#define HASH_KEY "\",\"hash\":\""
#define END "\"}\n"
/* ,"prev_hash":"H","hash":"H"} and a newline: every line ends so. */
#define TAIL (sizeof(PREV_KEY) - 1 + HEX + sizeof(HASH_KEY) - 1 + HEX + sizeof(END) - 1)

const char *const audit_keys[] = {"session_id", "timestamp", "event", "user_id", "actor",
    "agent_id", "runtime", "provenance", "node", "environment", "service_name", "namespace", "pod",
    "pod_uid", "container_name", "container_id", "image", "container_pid", "command",
    "namespaces_entered", "cross_namespace", "uid", "gid", "mode", "reason", "approval_id",
    "exit_code", "signal", "duration_ms", "stdout_bytes", "stderr_bytes", "stdin_bytes", "error",
    "decision", NULL};

static bool
is_key(const char *name)
{
	for (const char *const *k = audit_keys; *k; k++)
		if (strcmp(*k, name) == 0)
			return true;
	return false;
}

json_t *
audit_record_new(const char *event)
{
	json_t *rec = json_object();

	audit_set_text(rec, "event", event);
	return rec;
}

/* Not in the middle of a character. */
static size_t
whole_prefix(const char *s, size_t max)
{
	size_t partial;

	return str_utf8_prefix((const unsigned char *)s, max, &partial);
}

static json_t *
cut_text(const char *value, size_t max)
{
	size_t n = strlen(value);
	auto_free char *cut = NULL;
	auto_free char *vis = NULL;

	if (n <= max)
		return json_text(value);
	n = whole_prefix(value, max);
	if (n > 0 && asprintf(&cut, "%.*s[...]", (int)n, value) >= 0)
		return json_string(cut);
	vis = malloc(max + 1);
	if (vis)
		str_vis(vis, max + 1, value);
	return json_string(vis);
}

void
audit_set_text(json_t *rec, const char *key, const char *value)
{
	size_t size = value ? 3 * strlen(value) + 32 : 0;
	auto_free char *shown = size ? malloc(size) : NULL;

	if (!shown || !*value)
		return;
	redact_sentence(shown, size, value);
	json_object_set_new(rec, key, cut_text(shown, TEXT_MAX));
}

void
audit_set_int(json_t *rec, const char *key, int64_t value)
{
	json_object_set_new(rec, key, json_integer((json_int_t)value));
}

void
audit_set_error(json_t *rec, const struct err *why)
{
	char text[ERR_WHAT_SIZE + ERR_WHY_SIZE + 4];

	snprintf(text, sizeof text, "%s%s%s", why->what, why->why[0] ? ": " : "", why->why);
	audit_set_text(rec, "error", text);
}

void
audit_set_list(json_t *rec, const char *key, const json_t *list)
{
	json_t *to = json_array(), *v;
	size_t i, left = LIST_MAX;

	json_array_foreach(list, i, v)
	{
		const char *s = json_string_value(v);
		size_t n = s ? strlen(s) + 4 : 0;

		if (!s)
			continue;
		if (n > left) {
			json_array_append_new(
			    to, json_sprintf("[%zu more]", json_array_size(list) - i));
			break;
		}
		json_array_append_new(to, cut_text(s, TEXT_MAX));
		left -= n;
	}
	json_object_set_new(rec, key, to);
}

const char *
audit_target(const json_t *rec)
{
	const char *keys[] = {"service_name", "container_name", "pod", "container_id"};

	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (json_str(rec, keys[i]))
			return json_str(rec, keys[i]);
	return NULL;
}

void
audit_time(int64_t real_ns, char out[AUDIT_TIME_SIZE])
{
	char iso[CLOCK_ISO_SIZE];

	clock_iso(real_ns, iso);
	snprintf(out, AUDIT_TIME_SIZE, "%.19s.%06dZ", iso, (int)(real_ns % NS_PER_S / 1000));
}

static json_t *
in_order(const json_t *rec, int64_t real_ns)
{
	json_t *all = json_object();
	char now[AUDIT_TIME_SIZE];

	audit_time(real_ns, now);
	for (const char *const *k = audit_keys; *k; k++) {
		json_t *v = json_object_get(rec, *k);

		if (strcmp(*k, "timestamp") == 0)
			json_object_set_new(all, *k, json_string(now));
		else if (v)
			json_object_set(all, *k, v);
		else
			json_object_set_new(all, *k, json_null());
	}
	return all;
}

static int
check_keys(const json_t *rec, struct err *e)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)rec, key, v)
	{
		if (is_key(key))
			continue;
		err_set(e, ERR_PROTOCOL, 0, "cannot write an audit record");
		return err_why(e, "it has the key \"%.64s\", which no record has", key);
	}
	return 0;
}

static int
digest(const char *p, size_t n, char hash[AUDIT_HASH_SIZE])
{
	unsigned char raw[SHA256_SIZE];
	struct sha256 h;

	sha2_init(&h);
	sha2_update(&h, p, n);
	sha2_update(&h, "\"}", 2);
	if (sha2_final(&h, raw) < 0)
		return -1;
	str_hex(hash, raw, sizeof raw);
	return 0;
}

int
audit_line(const json_t *rec, int64_t real_ns, const char *prev, struct buf *out,
    char hash[AUDIT_HASH_SIZE], struct err *e)
{
	json_t *all = NULL;
	auto_free char *text = NULL;
	size_t n, before = out->len;

	if (check_keys(rec, e) < 0)
		return -1;
	all = in_order(rec, real_ns);
	/* ASCII alone: nothing that a terminal, or a tool that knows no UTF-8, would act on. */
	text = json_dumps(all, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(all);
	n = text ? strlen(text) : 0;
	if (n < 2 || n + TAIL > AUDIT_LINE_MAX) {
		err_set(e, ERR_LIMIT, text ? EMSGSIZE : ENOMEM, "cannot write an audit record");
		if (!text)
			return -1;
		err_why(e, "it has %zu bytes, of %d at most", n, AUDIT_LINE_MAX - (int)TAIL);
		return err_hint(e, "say less: a shorter command, or reason");
	}
	if (buf_put(out, text, n - 1) < 0 || buf_put_str(out, PREV_KEY) < 0 ||
	    buf_put(out, prev, HEX) < 0 ||
	    digest((const char *)buf_head(out) + before, out->len - before, hash) < 0 ||
	    buf_put_str(out, HASH_KEY) < 0 || buf_put(out, hash, HEX) < 0 ||
	    buf_put_str(out, END) < 0)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot write an audit record");
	return 0;
}

static bool
take_hex(const char *p, char out[AUDIT_HASH_SIZE])
{
	memcpy(out, p, HEX);
	out[HEX] = '\0';
	return strspn(out, "0123456789abcdef") == HEX;
}

bool
audit_line_check(const char *p, size_t n, char prev[AUDIT_HASH_SIZE], char hash[AUDIT_HASH_SIZE])
{
	const char *tail = p + n - TAIL;
	char real[AUDIT_HASH_SIZE];

	if (n <= TAIL + 1 || n > AUDIT_LINE_MAX || p[0] != '{')
		return false;
	if (memcmp(tail, PREV_KEY, sizeof(PREV_KEY) - 1) != 0 ||
	    memcmp(p + n - sizeof(END) + 1, END, sizeof(END) - 1) != 0)
		return false;
	tail += sizeof(PREV_KEY) - 1;
	if (!take_hex(tail, prev))
		return false;
	tail += HEX;
	if (memcmp(tail, HASH_KEY, sizeof(HASH_KEY) - 1) != 0 ||
	    !take_hex(tail + sizeof(HASH_KEY) - 1, hash))
		return false;
	return digest(p, (size_t)(tail - p), real) == 0 && strcmp(real, hash) == 0;
}
