/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which files the index has read, how far, and what the chain was like up to there. */
#include <stdlib.h>
#include <string.h>

#include "audit_index/index.h"
#include "base/json.h"
#include "base/str.h"

#define FILES_MAX 100000

static char *
verdict_text(const struct audit_verdict *v)
{
	json_t *j = json_pack("{s:I,s:I,s:I,s:b,s:s,s:s,s:s,s:I,s:s}", "files",
	    (json_int_t)v->files, "records", (json_int_t)v->records, "bad", (json_int_t)v->bad,
	    "begins", v->begins, "before", v->before, "head", v->head, "bad_file", v->bad_file,
	    "bad_line", (json_int_t)v->bad_line, "why", v->why);
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	return text;
}

static bool
is_hash(const char *s)
{
	return strspn(s, "0123456789abcdef") == AUDIT_HASH_SIZE - 1;
}

static bool
verdict_parse(const char *text, struct audit_verdict *v)
{
	json_t *j = text ? json_parse(text, strlen(text), NULL) : NULL;
	const char *head = json_str(j, "head"), *before = json_str(j, "before"),
		   *file = json_str(j, "bad_file"), *why = json_str(j, "why");
	const bool blank = before && !*before;

	*v = (struct audit_verdict){.files = (uint64_t)json_int(j, "files", 0)};
	v->records = (uint64_t)json_int(j, "records", 0);
	v->bad = (uint64_t)json_int(j, "bad", 0);
	v->bad_line = (uint64_t)json_int(j, "bad_line", 0);
	v->begins = json_is_true(json_object_get(j, "begins"));
	str_copy(v->before, before ? before : "", sizeof v->before);
	str_copy(v->head, head ? head : "", sizeof v->head);
	str_copy(v->bad_file, file ? file : "", sizeof v->bad_file);
	str_copy(v->why, why ? why : "", sizeof v->why);
	json_decref(j);
	/* What the first record follows nobody knows where that is damaged. */
	return is_hash(v->head) && (is_hash(v->before) || (blank && v->bad > 0));
}

struct index_file *
index_files_add(struct index *x)
{
	struct index_file *more = x->files;

	if (x->nfiles >= FILES_MAX)
		return NULL;
	if ((x->nfiles & (x->nfiles + 1)) == 0)
		more = realloc(x->files, (2 * x->nfiles + 2) * sizeof *more);
	if (!more)
		return NULL;
	x->files = more;
	more[x->nfiles] = (struct index_file){0};
	return &more[x->nfiles++];
}

static bool
take_row(sqlite3_stmt *s, struct index_file *f)
{
	int64_t number = sqlite3_column_int64(s, 1);

	f->id = sqlite3_column_int64(s, 0);
	f->number = (uint32_t)number;
	f->dev = sqlite3_column_int64(s, 2);
	f->ino = sqlite3_column_int64(s, 3);
	f->size = sqlite3_column_int64(s, 4);
	f->changed = sqlite3_column_int64(s, 5);
	f->closed = sqlite3_column_int(s, 6) != 0;
	return number >= 0 && number <= 99999999 && f->id > 0 && f->id < UINT32_MAX &&
	       f->size >= 0 && verdict_parse((const char *)sqlite3_column_text(s, 7), &f->v);
}

int
index_files_load(struct index *x, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc;

	x->nfiles = 0;
	if (sqlite3_prepare_v2(x->db, "SELECT * FROM files ORDER BY id", -1, &s, NULL) != SQLITE_OK)
		return index_failed(x, "its files", e);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct index_file *f = index_files_add(x);

		if (!f || !take_row(s, f))
			break;
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? 0 : index_failed(x, "its files", e);
}

int
index_file_save(struct index *x, const struct index_file *f, struct err *e)
{
	const int64_t v[] = {f->id, f->number, f->dev, f->ino, f->size, f->changed, f->closed};
	sqlite3_stmt *s = x->file_put;

	for (size_t i = 0; i < COUNT_OF(v); i++)
		sqlite3_bind_int64(s, (int)i + 1, v[i]);
	sqlite3_bind_text(s, COUNT_OF(v) + 1, verdict_text(&f->v), -1, free);
	return index_run(x, s, e);
}

static int
drop_one(struct index *x, const char *sql, int64_t id, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(x->db, sql, -1, &s, NULL) == SQLITE_OK ? 0 : -1;

	if (rc == 0) {
		sqlite3_bind_int64(s, 1, id);
		rc = index_run(x, s, e);
	}
	sqlite3_finalize(s);
	return rc;
}

/* Records are in the order of their files: those of one are a range of ids. */
int
index_files_drop(struct index *x, size_t n, struct err *e)
{
	static const char records[] =
	    "DELETE FROM records WHERE id < (SELECT coalesce(min(id), 9223372036854775807) "
	    "FROM (SELECT id FROM records WHERE file > ? ORDER BY id LIMIT 1))";
	int64_t last = n > 0 ? x->files[n - 1].id : 0;

	if (n == 0)
		return 0;
	if (index_exec(x, "BEGIN IMMEDIATE", e) < 0 || drop_one(x, records, last, e) < 0 ||
	    drop_one(x, "DELETE FROM files WHERE id <= ?", last, e) < 0 ||
	    index_exec(x, "COMMIT", e) < 0)
		return -1;
	memmove(x->files, x->files + n, (x->nfiles - n) * sizeof *x->files);
	x->nfiles -= n;
	return 0;
}
