/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was appended since the last time, and whether the rest is still what was read then. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/log_int.h"
#include "audit_index/index.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"

/* Records of one transaction. */
#define BATCH 50000

struct update {
	struct index *x;
	struct index_file *at; /* of the entry */
	size_t known;	       /* files of the index that are still to be seen, from here on */
	size_t end;
	struct audit_verdict before; /* of all but this entry */
	uint64_t offset;	     /* where it begins */
	size_t pending;
	bool same; /* the entry's file is in the index, by this name */
};

static int64_t
changed(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * NS_PER_S + st->st_ctim.tv_nsec;
}

static bool
is_as_it_was(const struct index *x, const struct index_file *f)
{
	char name[AUDIT_NAME_SIZE];
	struct stat st;

	audit_file_name(f->number, name);
	return fstatat(x->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (int64_t)st.st_dev == f->dev && (int64_t)st.st_ino == f->ino &&
	       st.st_size == f->size && changed(&st) == f->changed;
}

/* How many numbered files there are up to `last`, and the lowest number.  -1. */
static int
count_files(const struct index *x, uint32_t last, size_t *n, uint32_t *lowest)
{
	int fd = openat(x->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;

	*n = 0;
	*lowest = UINT32_MAX;
	if (!dir) {
		fd_close(&fd);
		return -1;
	}
	while ((d = readdir(dir))) {
		uint32_t number = audit_file_number(d->d_name);

		*n += number > 0 && number <= last;
		if (number > 0 && number < *lowest)
			*lowest = number;
	}
	closedir(dir);
	return 0;
}

/* How many of the first files need not be read again; those that were removed are forgotten.  -1,
 * or -2: it is of other files. */
static int64_t
keep_files(struct index *x, struct err *e)
{
	size_t closed = 0, gone = 0, there;
	uint32_t lowest, last = 0;

	while (closed < x->nfiles && x->files[closed].closed)
		last = x->files[closed++].number;
	if (count_files(x, last, &there, &lowest) < 0)
		return err_set(e, ERR_IO, errno, "cannot list the audit log");
	while (gone < closed && x->files[gone].number < lowest)
		gone++;
	if (there != closed - gone)
		return -2;
	for (size_t i = gone; i < closed; i++)
		if (!is_as_it_was(x, &x->files[i]))
			return -2;
	if (gone > 0 && x->files[gone - 1].v.bad > 0)
		return -2;
	return index_files_drop(x, gone, e) < 0 ? -1 : (int64_t)(closed - gone);
}

static int64_t
name_id(struct index *x, const char *name)
{
	int64_t id = -1;

	sqlite3_bind_text(x->name, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(x->name) == SQLITE_ROW)
		id = sqlite3_column_int64(x->name, 0);
	sqlite3_reset(x->name);
	if (id >= 0)
		return id;
	sqlite3_bind_text(x->name_put, 1, name, -1, SQLITE_STATIC);
	if (index_run(x, x->name_put, NULL) < 0)
		return -1;
	return sqlite3_last_insert_rowid(x->db);
}

static int
bind_text(sqlite3_stmt *s, int i, const char *text)
{
	return text ? sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC) : sqlite3_bind_null(s, i);
}

/* What is no JSON is in no answer. */
static int
put_record(struct update *u, const struct audit_entry *a, struct err *e)
{
	json_t *rec = json_parse(a->text, a->len, NULL);
	sqlite3_stmt *s = u->x->put;
	const char *names[] = {json_str(rec, "event"), json_str(rec, "user_id"), audit_target(rec),
	    json_str(rec, "decision")};
	int rc = 0;

	if (!rec)
		return 0;
	sqlite3_bind_int64(s, 1, u->at->id);
	sqlite3_bind_int64(s, 2, (int64_t)a->line);
	sqlite3_bind_int64(s, 3, (int64_t)a->offset);
	sqlite3_bind_int64(s, 4, (int64_t)a->len);
	sqlite3_bind_int(s, 5, a->good);
	bind_text(s, 6, json_str(rec, "timestamp"));
	bind_text(s, 7, json_str(rec, "session_id"));
	for (int i = 0; i < 4 && rc == 0; i++) {
		int64_t id = name_id(u->x, names[i] ? names[i] : "");

		rc = id < 0 ? index_failed(u->x, "its names", e) : 0;
		sqlite3_bind_int64(s, 8 + i, id);
	}
	if (rc == 0)
		rc = index_run(u->x, s, e);
	json_decref(rec);
	return rc;
}

/* Another file begins: the one before it never changes again, if it has its number by now and
 * nothing but records in it. */
static int
leave(struct update *u, const struct audit_entry *a, const struct audit_verdict *now, struct err *e)
{
	uint64_t bad_between = now->bad - u->before.bad - (a && !a->good);
	char name[AUDIT_NAME_SIZE];
	struct stat st;

	if (!u->at)
		return 0;
	if (u->offset < (uint64_t)u->at->size)
		return 1;
	if (!a && u->offset == (uint64_t)u->at->size && u->same)
		return 0;
	u->at->size = (int64_t)u->offset;
	u->at->v = u->before;
	audit_file_name(u->at->number, name);
	if (a && bad_between == 0 && u->at->number > 0 &&
	    fstatat(u->x->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (int64_t)st.st_ino == u->at->ino && st.st_size == u->at->size) {
		u->at->closed = true;
		u->at->changed = changed(&st);
	}
	return index_file_save(u->x, u->at, e);
}

/* 0, 1: it is not the one that the index has next, -1. */
static int
enter(struct update *u, const struct audit_entry *a, struct err *e)
{
	struct index *x = u->x;
	struct stat st;

	if (fstat(a->fd, &st) < 0)
		return err_set(e, ERR_IO, errno, "cannot look at %s", a->file);
	u->same = u->known < u->end;
	if (u->same) {
		u->at = &x->files[u->known++];
		if ((int64_t)st.st_dev != u->at->dev || (int64_t)st.st_ino != u->at->ino)
			return 1;
	} else {
		int64_t id = x->nfiles > 0 ? x->files[x->nfiles - 1].id + 1 : 1;

		u->at = index_files_add(x);
		if (!u->at)
			return err_set(e, ERR_LIMIT, ENOMEM, "the audit log has too many files");
		*u->at = (struct index_file){
		    .id = id, .dev = (int64_t)st.st_dev, .ino = (int64_t)st.st_ino};
	}
	u->same = u->same && u->at->number == a->number;
	u->at->number = a->number;
	if (a->number == 0) {
		fd_close(&x->current);
		x->current = fcntl(a->fd, F_DUPFD_CLOEXEC, 3);
	}
	return 0;
}

static int
commit(struct update *u, struct err *e)
{
	u->pending = 0;
	u->at->size = (int64_t)u->offset;
	u->at->v = u->before;
	if (index_file_save(u->x, u->at, e) < 0 || index_exec(u->x, "COMMIT", e) < 0)
		return -1;
	return index_exec(u->x, "BEGIN", e);
}

/* 0, 1: it is not what was there, -1. */
static int
take(struct update *u, const struct audit_entry *a, const struct audit_verdict *now, struct err *e)
{
	bool known;
	int rc = 0;

	if (a->line == 1) {
		rc = leave(u, a, now, e);
		if (rc == 0)
			rc = enter(u, a, e);
		u->offset = 0;
	}
	if (rc != 0 || !u->at)
		return rc ? rc : 1;
	known = a->offset < (uint64_t)u->at->size;
	u->offset = a->offset + a->len + 1;
	u->before = *now;
	if (known) {
		/* The chain up to here, all of it, is the one that was read then. */
		if (u->offset < (uint64_t)u->at->size)
			return 0;
		return u->offset > (uint64_t)u->at->size || strcmp(now->head, u->at->v.head) != 0 ||
		       now->bad != u->at->v.bad;
	}
	rc = put_record(u, a, e);
	return rc == 0 && ++u->pending >= BATCH ? commit(u, e) : rc;
}

static int
read_on(struct update *u, struct audit_reader *r, struct err *e)
{
	struct audit_entry a;
	struct audit_verdict now;
	int rc, got = 0;

	while ((got = audit_next(r, &a, e)) == 1) {
		audit_verdict(r, &now);
		rc = take(u, &a, &now, e);
		if (rc != 0)
			return rc;
	}
	if (got < 0)
		return -1;
	audit_verdict(r, &u->x->v);
	rc = leave(u, NULL, &u->x->v, e);
	return rc == 0 && u->known < u->end ? 1 : rc;
}

int
index_update(struct index *x, struct err *e)
{
	struct update u = {.x = x};
	struct audit_reader *r;
	int64_t kept;
	int rc;

	if (index_files_load(x, e) < 0)
		return -1;
	kept = keep_files(x, e);
	if (kept < 0)
		return kept == -2 ? 1 : -1;
	r = audit_read_open(x->dir, e);
	if (!r)
		return -1;
	u.known = (size_t)kept;
	u.end = x->nfiles;
	memcpy(u.before.head, AUDIT_GENESIS, sizeof u.before.head);
	if (kept > 0) {
		u.before = x->files[kept - 1].v;
		audit_read_after(r, x->files[kept - 1].number, &u.before);
	}
	rc = index_exec(x, "BEGIN", e);
	if (rc == 0)
		rc = read_on(&u, r, e);
	audit_read_close(r);
	if (rc == 0)
		return index_exec(x, "COMMIT", e);
	sqlite3_exec(x->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}
