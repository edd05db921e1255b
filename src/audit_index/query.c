/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/log_int.h"
#include "audit_index/index.h"
#include "base/fd.h"
#include "base/str.h"

#define SQL_MAX 2048

struct ask {
	char sql[SQL_MAX];
	const char *text[16];
	int n;
};

/* Bounded: the parts are our own.  The value's place is between them. */
static void
add(struct ask *a, const char *before, const char *after, const char *text)
{
	size_t at = strlen(a->sql);

	if (!text || (size_t)a->n >= COUNT_OF(a->text))
		return;
	a->text[a->n++] = text;
	snprintf(a->sql + at, sizeof a->sql - at, " AND %s?%d%s", before, a->n, after);
}

static void
build(struct ask *a, const struct index_want *w)
{
	static const char named[] = " IN (SELECT id FROM names WHERE coral_glob(";
	const struct {
		const char *column, *pattern;
	} globs[] = {{"user", w->user}, {"event", w->event}, {"target", w->target},
	    {"decision", w->decision}};
	char before[128];
	size_t at;

	snprintf(a->sql, sizeof a->sql,
	    "%sSELECT id, file, line, start, length, good FROM records WHERE 1",
	    w->last > 0 ? "SELECT * FROM (" : "");
	add(a, "time >= ", "", w->since);
	add(a, "time <= ", "", w->until);
	/* The range is what SQLite has an index for; char(): above all that begins so. */
	add(a, "session >= ", "", w->session);
	add(a, "session < ", " || char(1114111)", w->session);
	add(a, "coral_prefix(", ", session)", w->session);
	for (size_t i = 0; i < COUNT_OF(globs); i++) {
		snprintf(before, sizeof before, "%s%s", globs[i].column, named);
		add(a, before, ", name))", globs[i].pattern);
	}
	at = strlen(a->sql);
	if (w->last > 0)
		snprintf(a->sql + at, sizeof a->sql - at,
		    " ORDER BY id DESC LIMIT %lld) ORDER BY id", (long long)w->last);
	else
		str_copy(a->sql + at, " ORDER BY id", sizeof a->sql - at);
}

static int
take_row(const struct index *x, sqlite3_stmt *s, struct index_rows *out)
{
	int64_t file = sqlite3_column_int64(s, 1), length = sqlite3_column_int64(s, 4);
	struct index_row *more = out->v;
	uint32_t i = 0;

	while (i < x->nfiles && x->files[i].id != file)
		i++;
	if (i == x->nfiles || length < 0 || length >= AUDIT_LINE_MAX)
		return -1;
	if ((out->n & (out->n + 1)) == 0)
		more = realloc(out->v, (2 * out->n + 2) * sizeof *more);
	if (!more)
		return -1;
	out->v = more;
	more[out->n++] = (struct index_row){.line = (uint64_t)sqlite3_column_int64(s, 2),
	    .start = (uint64_t)sqlite3_column_int64(s, 3),
	    .file = i,
	    .length = (uint32_t)length,
	    .good = sqlite3_column_int(s, 5) != 0};
	return 0;
}

int
index_ask(struct index *x, const struct index_want *w, struct index_rows *out, struct err *e)
{
	struct ask a = {.n = 0};
	sqlite3_stmt *s = NULL;
	int rc;

	build(&a, w);
	if (sqlite3_prepare_v2(x->db, a.sql, -1, &s, NULL) != SQLITE_OK)
		return index_failed(x, "asking", e);
	for (int i = 0; i < a.n; i++)
		sqlite3_bind_text(s, i + 1, a.text[i], -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		if (out->n == INDEX_ROWS_MAX) {
			sqlite3_finalize(s);
			err_set(e, ERR_LIMIT, 0, "cannot list what is asked for");
			err_why(e, "it is more than %d records", INDEX_ROWS_MAX);
			return err_hint(e, "ask for less: --since, --until, --event");
		}
		if (take_row(x, s, out) < 0)
			break;
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? 0 : index_failed(x, "its records", e);
}

/* The files one after the other, as the rows have them. */
struct source {
	const struct index *x;
	int fd;
	uint32_t file;
	char line[AUDIT_LINE_MAX + 1];
};

static int
open_source(struct source *s, uint32_t file)
{
	const struct index_file *f = &s->x->files[file];
	char name[AUDIT_NAME_SIZE];

	if (s->fd >= 0 && s->file == file)
		return 0;
	fd_close(&s->fd);
	s->file = file;
	audit_file_name(f->number, name);
	if (f->number == 0)
		s->fd = fcntl(s->x->current, F_DUPFD_CLOEXEC, 3);
	else
		s->fd = openat(s->x->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return s->fd < 0 ? -1 : 0;
}

/* The line of a row and its newline. */
static int
read_row(struct source *s, const struct index_row *r)
{
	size_t n = r->length + 1U;

	if (open_source(s, r->file) < 0 || pread(s->fd, s->line, n, (off_t)r->start) != (ssize_t)n)
		return -1;
	return s->line[r->length] == '\n' && !memchr(s->line, '\n', r->length) ? 0 : -1;
}

int
index_check(const struct index *x, const struct index_rows *rows)
{
	char prev[AUDIT_HASH_SIZE], hash[AUDIT_HASH_SIZE];
	struct source s = {.x = x, .fd = -1};
	int rc = 0;

	for (size_t i = 0; i < rows->n && rc == 0; i++) {
		const struct index_row *r = &rows->v[i];

		rc = read_row(&s, r) < 0 ||
		     (r->good && !audit_line_check(s.line, r->length + 1U, prev, hash));
	}
	fd_close(&s.fd);
	return rc;
}

/* Behind a first record that is damaged there is no hash. */
static const char *
word(const char *s)
{
	return s[0] ? s : "-";
}

int
index_print(const struct index *x, const struct index_rows *rows, struct err *e)
{
	struct source s = {.x = x, .fd = -1};
	char name[AUDIT_NAME_SIZE];
	int rc = 0;

	for (size_t i = 0; i < rows->n && rc == 0; i++) {
		const struct index_row *r = &rows->v[i];

		rc = read_row(&s, r);
		if (rc < 0)
			break;
		audit_file_name(x->files[r->file].number, name);
		printf("R %s %llu %d %u\n", name, (unsigned long long)r->line, r->good, r->length);
		if (fwrite(s.line, r->length + 1U, 1, stdout) != 1)
			rc = -1;
	}
	fd_close(&s.fd);
	if (rc == 0)
		printf("E %llu %s %s %llu %llu %s %s\n", (unsigned long long)x->v.records,
		    word(x->v.before), word(x->v.head), (unsigned long long)x->v.bad,
		    (unsigned long long)x->v.bad_line, word(x->v.bad_file), x->v.why);
	if (rc < 0 || fflush(stdout) == EOF)
		return err_set(e, ERR_IO, errno, "cannot print what was found");
	return 0;
}
