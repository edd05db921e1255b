/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/verdict.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"

static const char *
iso(const struct verify_result *r, char out[CLOCK_ISO_SIZE])
{
	clock_iso(r->good_ns, out);
	return out;
}

static void
judge_key(struct verdict *v, const struct keys_list *keys)
{
	char print[KEYFILE_PRINT];

	keyfile_print(print, v->r->agent_key);
	v->key = keys_find(keys, v->r->agent_key);
	v->authentic = v->key;
	if (v->key)
		snprintf(v->because, sizeof(v->because), "signed by %s%s%s%s", print,
		    v->key->name[0] ? " (" : "", v->key->name, v->key->name[0] ? ")" : "");
	else if (keys->n == 0)
		snprintf(v->because, sizeof(v->because),
		    "signed by %s, and there is no key here to trust: name one with --key", print);
	else
		snprintf(v->because, sizeof(v->because),
		    "signed by %s, which is none of the keys to trust", print);
}

static void
judge_authentic(struct verdict *v, const struct keys_list *keys, const char *id)
{
	const struct verify_result *r = v->r;

	if (r->state == VERIFY_BAD)
		snprintf(v->because, sizeof(v->because), "line %llu, at byte %llu, is %s: %s",
		    (unsigned long long)r->bad_line, (unsigned long long)r->bad_offset,
		    verify_what_name(r->what), r->why);
	else if (r->state == VERIFY_UNSIGNED)
		snprintf(
		    v->because, sizeof(v->because), "not signed: it was recorded without evidence");
	else if (id && strncmp(r->session_id, id, strlen(id)) != 0)
		snprintf(v->because, sizeof(v->because), "it is the recording of session %s",
		    r->session_id);
	else
		judge_key(v, keys);
}

static void
judge_complete(struct verdict *v)
{
	const struct verify_result *r = v->r;
	unsigned long long left = r->lines - r->good_lines;
	char when[CLOCK_ISO_SIZE];

	v->complete =
	    r->state == VERIFY_SEALED || (r->state == VERIFY_UNSIGNED && r->ended && !r->cut);
	if (r->state == VERIFY_BAD)
		snprintf(v->extent, sizeof(v->extent), "true up to line %llu, byte %llu",
		    (unsigned long long)r->good_lines, (unsigned long long)r->good_bytes);
	else if (r->state == VERIFY_SEALED)
		snprintf(v->extent, sizeof(v->extent), "sealed %s, %llu lines, %llu bytes",
		    iso(r, when), (unsigned long long)r->lines, (unsigned long long)r->bytes);
	else if (r->state == VERIFY_UNSIGNED)
		snprintf(v->extent, sizeof(v->extent), "%s",
		    v->complete ? "it has its end record" : "it has no end record");
	else
		snprintf(v->extent, sizeof(v->extent),
		    "no seal: it was cut, or the session goes on; signed %s up to line %llu, "
		    "byte %llu; not yet signed: %llu event%s%s",
		    iso(r, when), (unsigned long long)r->good_lines,
		    (unsigned long long)r->good_bytes, left, left == 1 ? "" : "s",
		    r->cut ? ", and a line that is cut" : "");
}

void
verdict_of(struct verdict *v, const struct verify_result *r, const struct keys_list *keys,
    const char *name, const char *id)
{
	*v = (struct verdict){.r = r, .name = name};
	judge_authentic(v, keys, id);
	judge_complete(v);
	v->status = !v->authentic ? VERDICT_BAD : v->complete ? VERDICT_GOOD : VERDICT_INCOMPLETE;
}

static json_t *
bad_json(const struct verify_result *r)
{
	if (r->state != VERIFY_BAD)
		return json_null();
	return json_pack("{sI sI ss ss}", "line", (json_int_t)r->bad_line, "byte",
	    (json_int_t)r->bad_offset, "what", verify_what_name(r->what), "why", r->why);
}

json_t *
verdict_json(const struct verdict *v)
{
	const struct verify_result *r = v->r;
	char print[KEYFILE_PRINT], when[CLOCK_ISO_SIZE];

	keyfile_print(print, r->agent_key);
	return json_pack("{so ss sb sb ss ss so so sI sI sI sI sI so sI sb sb so}", "file",
	    json_text(v->name), "session_id", r->session_id, "authentic", v->authentic, "complete",
	    v->complete, "authentic_why", v->because, "complete_why", v->extent, "key",
	    r->has_key ? json_string(print) : json_null(), "key_name",
	    v->key && v->key->name[0] ? json_string(v->key->name) : json_null(), "lines",
	    (json_int_t)r->lines, "bytes", (json_int_t)r->bytes, "marks", (json_int_t)r->marks,
	    "signed_lines", (json_int_t)r->good_lines, "signed_bytes", (json_int_t)r->good_bytes,
	    "signed_until", r->marks ? json_string(iso(r, when)) : json_null(), "unsigned_events",
	    (json_int_t)(r->state == VERIFY_UNSIGNED ? 0 : r->lines - r->good_lines), "ended",
	    r->ended, "cut", r->cut, "bad", bad_json(r));
}

void
verdict_print(const struct verdict *v, FILE *f)
{
	fprintf(f, "%s\n  authentic: %s, %s\n  complete: %s, %s\n", v->name,
	    v->authentic ? "yes" : "no", v->because,
	    v->complete			? "yes"
	    : v->r->state == VERIFY_BAD ? "unknown"
					: "no",
	    v->extent);
}
