/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit_index/index.h"
#include "base/fd.h"
#include "base/str.h"

/* Another number makes every index anew. */
#define VERSION 1
#define APPLICATION 0x636f7261
#define LOCK_FILE "lock"
#define LOCK_TRIES 200
#define JOURNAL INDEX_FILE "-journal"

/* As they stand in the table of SQLite's own: what differs by a byte is not ours. */
static const char *const schema[] = {
    "CREATE TABLE files(id INTEGER PRIMARY KEY, number INTEGER, dev INTEGER, ino INTEGER, "
    "size INTEGER, changed INTEGER, closed INTEGER, verdict TEXT)",
    "CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT)",
    "CREATE UNIQUE INDEX names_name ON names(name)",
    "CREATE TABLE records(id INTEGER PRIMARY KEY, file INTEGER, line INTEGER, start INTEGER, "
    "length INTEGER, good INTEGER, time TEXT, session TEXT, event INTEGER, user INTEGER, "
    "target INTEGER, decision INTEGER)",
    "CREATE INDEX records_time ON records(time)",
    "CREATE INDEX records_session ON records(session)",
    "CREATE INDEX records_event ON records(event)",
    "CREATE INDEX records_user ON records(user)",
    "CREATE INDEX records_target ON records(target)",
    "CREATE INDEX records_decision ON records(decision)",
};

int
index_failed(const struct index *x, const char *doing, struct err *e)
{
	err_set(e, ERR_IO, 0, "the index of the audit log cannot be used");
	err_why(e, "%s: %s", doing, x->db ? sqlite3_errmsg(x->db) : "no memory");
	return err_hint(e, "remove %s/" INDEX_DIR ", and try again: it is made anew", x->dir);
}

int
index_exec(struct index *x, const char *sql, struct err *e)
{
	return sqlite3_exec(x->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
								       : index_failed(x, sql, e);
}

int
index_run(struct index *x, sqlite3_stmt *s, struct err *e)
{
	int rc = sqlite3_step(s);

	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : index_failed(x, "writing", e);
}

/* SQL's coral_glob(PATTERN, TEXT). */
static void
glob(sqlite3_context *c, int n, sqlite3_value **v)
{
	const char *pattern = (const char *)sqlite3_value_text(v[0]);
	const char *text = (const char *)sqlite3_value_text(v[1]);

	(void)n;
	sqlite3_result_int(c, pattern && str_glob(pattern, text ? text : ""));
}

/* SQL's coral_prefix(PREFIX, TEXT). */
static void
prefix(sqlite3_context *c, int n, sqlite3_value **v)
{
	const char *begin = (const char *)sqlite3_value_text(v[0]);
	const char *text = (const char *)sqlite3_value_text(v[1]);

	(void)n;
	sqlite3_result_int(c, begin && text && strncmp(text, begin, strlen(begin)) == 0);
}

static int
one_number(struct index *x, const char *sql, int64_t *out)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(x->db, sql, -1, &s, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		*out = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? 0 : -1;
}

/* 1 ours, 0 empty, -1 something else. */
static int
look_at_schema(struct index *x)
{
	sqlite3_stmt *s = NULL;
	int64_t version = 0, application = 0;
	size_t n = 0;
	bool same = true;
	int rc;

	if (sqlite3_prepare_v2(
		x->db, "SELECT sql FROM sqlite_schema ORDER BY rowid", -1, &s, NULL) != SQLITE_OK)
		return -1;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW && same) {
		const char *sql = (const char *)sqlite3_column_text(s, 0);

		same = n < COUNT_OF(schema) && sql && strcmp(sql, schema[n]) == 0;
		n++;
	}
	sqlite3_finalize(s);
	if (rc != SQLITE_DONE || !same || one_number(x, "PRAGMA user_version", &version) < 0 ||
	    one_number(x, "PRAGMA application_id", &application) < 0)
		return -1;
	if (n == 0)
		return version == 0 ? 0 : -1;
	return n == COUNT_OF(schema) && version == VERSION && application == APPLICATION ? 1 : -1;
}

static int
make_schema(struct index *x, struct err *e)
{
	char sql[128];

	if (index_exec(x, "BEGIN IMMEDIATE", e) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(schema); i++)
		if (index_exec(x, schema[i], e) < 0)
			return -1;
	snprintf(sql, sizeof sql, "PRAGMA user_version=%d; PRAGMA application_id=%d; COMMIT",
	    VERSION, APPLICATION);
	return index_exec(x, sql, e);
}

static int
prepare(struct index *x, struct err *e)
{
	const struct {
		sqlite3_stmt **to;
		const char *sql;
	} all[] = {{&x->put, "INSERT INTO records(file, line, start, length, good, time, session, "
			     "event, user, target, decision) VALUES(?,?,?,?,?,?,?,?,?,?,?)"},
	    {&x->name, "SELECT id FROM names WHERE name = ?"},
	    {&x->name_put, "INSERT INTO names(name) VALUES(?)"},
	    {&x->file_put, "INSERT OR REPLACE INTO files VALUES(?,?,?,?,?,?,?,?)"}};

	for (size_t i = 0; i < COUNT_OF(all); i++)
		if (sqlite3_prepare_v2(x->db, all[i].sql, -1, all[i].to, NULL) != SQLITE_OK)
			return index_failed(x, "its tables", e);
	return 0;
}

/* Nothing in the file is to be run, and it takes no more than it has to. */
static int
harden(struct index *x, struct err *e)
{
	const int kind = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;

	sqlite3_db_config(x->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(x->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(x->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(x->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(x->db, SQLITE_LIMIT_LENGTH, 1 << 20);
	sqlite3_limit(x->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_busy_timeout(x->db, 2000);
	if (sqlite3_create_function(x->db, "coral_glob", 2, kind, NULL, glob, NULL, NULL) !=
		SQLITE_OK ||
	    sqlite3_create_function(x->db, "coral_prefix", 2, kind, NULL, prefix, NULL, NULL) !=
		SQLITE_OK)
		return index_failed(x, "preparing it", e);
	return index_exec(x,
	    "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
	    "PRAGMA journal_mode=DELETE; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536",
	    e);
}

static void
drop_db(struct index *x)
{
	sqlite3_stmt **all[] = {&x->put, &x->name, &x->name_put, &x->file_put};

	for (size_t i = 0; i < COUNT_OF(all); i++) {
		sqlite3_finalize(*all[i]);
		*all[i] = NULL;
	}
	sqlite3_close(x->db);
	x->db = NULL;
}

/* 0, 1: it is not ours, -1. */
static int
try_open(struct index *x, struct err *e)
{
	struct stat st;
	int rc;

	if (lstat(INDEX_FILE, &st) == 0 &&
	    (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1))
		return 1;
	if (sqlite3_open_v2(INDEX_FILE, &x->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		NULL) != SQLITE_OK)
		return 1;
	rc = harden(x, e) < 0 ? -1 : look_at_schema(x);
	if (rc < 0)
		return 1;
	if (rc == 0 && make_schema(x, e) < 0)
		return -1;
	return prepare(x, e);
}

/* Whoever has it is busy with it, and only so long. */
static int
take_lock(struct index *x, struct err *e)
{
	const struct timespec pause = {0, 50 * 1000 * 1000};

	if (x->lock >= 0)
		return 0;
	x->lock = open(LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (x->lock < 0)
		return err_set(e, ERR_IO, errno, "cannot open the lock of the index");
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(x->lock, LOCK_EX | LOCK_NB) == 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	fd_close(&x->lock);
	err_set(e, ERR_LIMIT, 0, "the index of the audit log is in use");
	return err_why(e, "another one holds %s/" INDEX_DIR "/" LOCK_FILE, x->dir);
}

int
index_open(struct index *x, struct err *e)
{
	int rc;

	if (take_lock(x, e) < 0)
		return -1;
	rc = try_open(x, e);
	return rc == 1 ? index_renew(x, e) : rc;
}

int
index_renew(struct index *x, struct err *e)
{
	drop_db(x);
	x->nfiles = 0;
	if ((unlink(INDEX_FILE) < 0 && errno != ENOENT) || (unlink(JOURNAL) < 0 && errno != ENOENT))
		return err_set(e, ERR_IO, errno, "cannot remove an index that is of no use");
	if (try_open(x, e) == 0)
		return 0;
	return e->code ? -1 : index_failed(x, "making it", e);
}

void
index_close(struct index *x)
{
	drop_db(x);
	fd_close(&x->lock);
}
