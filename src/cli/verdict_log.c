/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/verdict_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/log.h"
#include "audit/verify.h"
#include "base/attr.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/verdict.h"

#define HEADS_MAX 256

struct finding {
	const struct audit_proof *p;
	const struct audit_head *heads;
	size_t n;
	bool authentic, complete;
	int status;
	size_t untold; /* recordings beside it */
	char because[768], extent[256];
};

bool
verdict_is_log(const char *dir)
{
	char path[4096];

	return (size_t)snprintf(path, sizeof path, "%s/%s", dir, AUDIT_FILE) < sizeof path &&
	       access(path, F_OK) == 0;
}

int
verdict_log_head(const char *given, char hash[AUDIT_HASH_SIZE], struct err *e)
{
	char shown[96];

	str_copy(hash, given, AUDIT_HASH_SIZE);
	for (char *c = hash; *c; c++)
		*c = *c >= 'A' && *c <= 'F' ? (char)(*c | 0x20) : *c;
	if (strlen(given) == AUDIT_HASH_SIZE - 1 &&
	    strspn(hash, "0123456789abcdef") == AUDIT_HASH_SIZE - 1)
		return 0;
	str_vis(shown, sizeof shown, given);
	err_set(e, ERR_USAGE, 0, "%s is no hash of a record", shown);
	err_why(e, "it is not 64 hexadecimal digits");
	return err_hint(e, "coral audit ls -o json --lines 1 | jq -r .hash");
}

static int
too_many(struct err *e)
{
	err_set(e, ERR_USAGE, 0, "cannot look for so many heads");
	err_why(e, "at most %d are looked for at a time", HEADS_MAX);
	return err_hint(e, "ask for them in turn: each call verifies the whole log");
}

static int
take_heads(const char *const *given, struct audit_head *heads, size_t *n, struct err *e)
{
	for (*n = 0; given[*n]; (*n)++) {
		if (*n == HEADS_MAX)
			return too_many(e);
		heads[*n] = (struct audit_head){.place = AUDIT_HEAD_GONE};
		if (verdict_log_head(given[*n], heads[*n].hash, e) < 0)
			return -1;
	}
	return 0;
}

static size_t
count(const struct finding *f, enum audit_place place)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->heads[i].place == place;
	return n;
}

static void
judge_authentic(struct finding *f)
{
	const struct audit_verdict *v = &f->p->v;
	size_t gone = f->p->from == AUDIT_FROM_PRUNED ? 0 : count(f, AUDIT_HEAD_GONE);

	f->authentic = v->bad == 0 && gone == 0;
	if (v->bad > 0)
		snprintf(f->because, sizeof f->because, "line %llu of %s: %s%s",
		    (unsigned long long)v->bad_line, v->bad_file, v->why,
		    v->bad > 1 ? " (the first of several)" : "");
	else if (gone > 0)
		snprintf(f->because, sizeof f->because,
		    "%zu of %zu heads that were given %s not in it: it was cut, or written anew",
		    gone, f->n, gone == 1 ? "is" : "are");
	else
		snprintf(f->because, sizeof f->because, "%llu record%s in %llu file%s",
		    (unsigned long long)v->records, v->records == 1 ? "" : "s",
		    (unsigned long long)v->files, v->files == 1 ? "" : "s");
}

static void
judge_complete(struct finding *f)
{
	const struct audit_proof *p = f->p;
	size_t removed = count(f, AUDIT_HEAD_PRUNED), gone = count(f, AUDIT_HEAD_GONE);

	f->complete =
	    p->from != AUDIT_FROM_NOWHERE && !p->v.torn && removed + gone == 0 && f->untold == 0;
	if (p->v.torn)
		snprintf(f->extent, sizeof f->extent,
		    "what is behind its last record is only the beginning of another");
	else if (f->untold > 0)
		snprintf(f->extent, sizeof f->extent,
		    "%zu recording%s beside it, and it has no record of %s%s", f->untold,
		    f->untold == 1 ? " is" : "s are", f->untold == 1 ? "it" : "them",
		    p->v.records == 0 ? ", nor any other" : "");
	else if (p->v.records > 0 && gone > 0 && p->from == AUDIT_FROM_FIRST)
		snprintf(f->extent, sizeof f->extent,
		    "it has its first record, of %s, but not %zu of %zu heads that were given",
		    p->first, gone, f->n);
	else if (p->from == AUDIT_FROM_PRUNED && gone > 0)
		snprintf(f->extent, sizeof f->extent,
		    "%zu of %zu heads that were given %s not here; perhaps among what was removed, "
		    "as its record of %s says",
		    gone, f->n, gone == 1 ? "is" : "are", p->pruned);
	else if (removed > 0)
		snprintf(f->extent, sizeof f->extent,
		    "%zu of %zu heads that were given %s removed, as only its own records say",
		    removed, f->n, removed == 1 ? "was" : "were");
	else if (p->from == AUDIT_FROM_NOWHERE)
		snprintf(f->extent, sizeof f->extent,
		    "it begins at %s, and no record of it says what became of those before",
		    p->first[0] ? p->first : "no record");
	else if (p->from == AUDIT_FROM_PRUNED)
		snprintf(f->extent, sizeof f->extent,
		    "it begins at %s; what was before was removed, as its record of %s says",
		    p->first, p->pruned);
	else if (p->v.records > 0)
		snprintf(f->extent, sizeof f->extent, "from its first record, of %s, on", p->first);
	else
		snprintf(f->extent, sizeof f->extent, "it has no record yet");
}

static const char *
place_name(enum audit_place place)
{
	static const char *const names[] = {[AUDIT_HEAD_GONE] = "missing",
	    [AUDIT_HEAD_HERE] = "there",
	    [AUDIT_HEAD_PRUNED] = "removed"};

	return names[place];
}

static json_t *
text_or_null(const char *s)
{
	return s[0] ? json_string(s) : json_null();
}

static json_t *
heads_json(const struct finding *f)
{
	json_t *all = json_array();

	for (size_t i = 0; i < f->n; i++) {
		const struct audit_head *h = &f->heads[i];

		json_array_append_new(
		    all, json_pack("{s:s, s:s, s:o, s:o, s:o}", "hash", h->hash, "state",
			     place_name(h->place), "timestamp", text_or_null(h->time), "file",
			     text_or_null(h->file), "line",
			     h->line ? json_integer((json_int_t)h->line) : json_null()));
	}
	return all;
}

static json_t *
to_json(const struct finding *f, const char *dir)
{
	static const char *const from[] = {[AUDIT_FROM_FIRST] = "first",
	    [AUDIT_FROM_PRUNED] = "pruned",
	    [AUDIT_FROM_NOWHERE] = "unknown"};
	const struct audit_proof *p = f->p;
	const struct audit_verdict *v = &p->v;
	json_t *j = json_pack("{s:o, s:b, s:b, s:s, s:s, s:s, s:o, s:o, s:I, s:I}", "log",
	    json_text(dir), "authentic", f->authentic, "complete", f->complete, "authentic_why",
	    f->because, "complete_why", f->extent, "begins", from[p->from], "first",
	    text_or_null(p->first), "last", text_or_null(p->last), "files", (json_int_t)v->files,
	    "records", (json_int_t)v->records);

	json_object_set_new(j, "head", v->bad ? json_null() : json_string(v->head));
	json_object_set_new(j, "heads", heads_json(f));
	json_object_set_new(j, "bad",
	    v->bad ? json_pack("{s:s, s:I, s:s}", "file", v->bad_file, "line",
			 (json_int_t)v->bad_line, "why", v->why)
		   : json_null());
	return j;
}

static void
print(const struct finding *f, const char *dir)
{
	const struct audit_proof *p = f->p;
	char shown[512];

	str_vis(shown, sizeof shown, dir);
	printf("%s\n  authentic: %s, %s\n  complete: %s, %s\n", shown, f->authentic ? "yes" : "no",
	    f->because, f->complete ? "yes" : "no", f->extent);
	if (p->v.records > 0 && p->v.bad == 0)
		printf("  head: %s, line %llu of %s, %s\n", p->v.head,
		    (unsigned long long)p->head_line, p->head_file, p->last);
	for (size_t i = 0; i < f->n; i++) {
		const struct audit_head *h = &f->heads[i];

		printf("  given: %s, %s", h->hash, place_name(h->place));
		if (h->place == AUDIT_HEAD_HERE)
			printf(
			    ", line %llu of %s, %s", (unsigned long long)h->line, h->file, h->time);
		else if (h->place == AUDIT_HEAD_PRUNED)
			printf(", as the record of %s says", h->time);
		putchar('\n');
	}
}

int
verdict_log(const char *dir, const char *const *given, json_t *rows, struct err *e)
{
	auto_free struct audit_head *heads = calloc(HEADS_MAX, sizeof *heads);
	struct finding f = {.heads = heads};
	struct audit_proof p;

	if (!heads)
		return err_set(e, ERR_LIMIT, ENOMEM, "cannot verify the audit log");
	if (take_heads(given, heads, &f.n, e) < 0 || audit_verify(dir, heads, f.n, &p, e) < 0)
		return -1;
	f.p = &p;
	if (p.v.bad == 0 && verdict_untold(dir, p.last, &f.untold, e) < 0)
		return -1;
	judge_authentic(&f);
	judge_complete(&f);
	f.status = !f.authentic ? VERDICT_BAD : f.complete ? VERDICT_GOOD : VERDICT_INCOMPLETE;
	if (rows)
		json_array_append_new(rows, to_json(&f, dir));
	else
		print(&f, dir);
	return f.status;
}
