/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_AUDIT_INDEX_INDEX_H
#define CORAL_AUDIT_INDEX_INDEX_H

/*
 * The program coral-audit-index: an index in SQLite of the files of an audit
 * log, DIR/index/index.db, which is brought up to date and asked in one run.
 * Nothing in it is evidence: it can be removed at any time, is made again, and
 * what it finds is read from the log itself.  Its file is hostile like any.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "audit/read.h"
#include "base/err.h"

#define INDEX_DIR "index"
#define INDEX_FILE "index.db"
/* Of one question; more are found by reading the log. */
#define INDEX_ROWS_MAX 4000000

/* What is asked; NULL and 0: all. */
struct index_want {
	const char *since, *until;		      /* as in a record */
	const char *session;			      /* a prefix */
	const char *user, *event, *target, *decision; /* may have * and ? */
	int64_t last;
};

struct index_file {
	int64_t id;
	uint32_t number;
	int64_t dev, ino, size, changed;
	bool closed;		/* it has been read to its end, and another follows */
	struct audit_verdict v; /* of the log up to there */
};

struct index_row {
	uint64_t line, start;
	uint32_t file; /* in `files` */
	uint32_t length;
	bool good;
};

struct index {
	const char *dir; /* of the log */
	int dirfd, lock; /* of the log; held while the database is open */
	sqlite3 *db;
	sqlite3_stmt *put, *name, *name_put, *file_put;
	struct index_file *files; /* in order */
	size_t nfiles;
	int current; /* the file without a number, open: it may get one; or -1 */
	struct audit_verdict v;
};

/* confine.c: from here on this process reads DIR, writes DIR/index, and does nothing else. */
int index_confine(int dirfd, int at, struct err *e);

/* db.c: the working directory is DIR/index.  The database, made where there is none that can be
 * used.  -1 as well when another has it for too long. */
int index_open(struct index *x, struct err *e);
void index_close(struct index *x); /* and lets others; accepts what is closed */
/* Throw it away, and open an empty one. */
int index_renew(struct index *x, struct err *e);
/* -1 with what the library says. */
int index_failed(const struct index *x, const char *doing, struct err *e);
int index_exec(struct index *x, const char *sql, struct err *e);
/* sqlite3_step() of a statement that gives no rows, then ready for the next time. */
int index_run(struct index *x, sqlite3_stmt *s, struct err *e);

/* db_files.c: rows of the table. */
int index_files_load(struct index *x, struct err *e);
struct index_file *index_files_add(struct index *x); /* NULL: no memory */
int index_file_save(struct index *x, const struct index_file *f, struct err *e);
/* The first `n` are no longer there, nor what is known of their records. */
int index_files_drop(struct index *x, size_t n, struct err *e);

/* update.c: 0, or 1: it is not of these files, or -1. */
int index_update(struct index *x, struct err *e);

/* query.c: the rows in the order of the log. */
struct index_rows {
	struct index_row *v;
	size_t n;
};
int index_ask(struct index *x, const struct index_want *w, struct index_rows *out, struct err *e);
/* 0, or 1: a line is not what the index says. */
int index_check(const struct index *x, const struct index_rows *rows);
/* To standard output: what cli/audit_index.h reads. */
int index_print(const struct index *x, const struct index_rows *rows, struct err *e);

#endif
