/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * coral-audit-index VERSION DIR [KEY=VALUE...]: for coral alone, which knows
 * another way when this one fails, and so says nothing of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_index/index.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "base/str.h"

static int
take_word(struct index_want *w, const char *word)
{
	const struct {
		const char *key;
		const char **to;
	} keys[] = {{"since=", &w->since}, {"until=", &w->until}, {"session=", &w->session},
	    {"user=", &w->user}, {"event=", &w->event}, {"target=", &w->target},
	    {"decision=", &w->decision}};

	if (strncmp(word, "last=", 5) == 0)
		return str_to_i64(word + 5, 1, INDEX_ROWS_MAX, &w->last);
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (strncmp(word, keys[i].key, strlen(keys[i].key)) == 0) {
			*keys[i].to = word + strlen(keys[i].key);
			return 0;
		}
	return -1;
}

static int
not_own(const struct index *x, const struct stat *st, struct err *e)
{
	err_set(e, ERR_IO, 0, "cannot use %s/" INDEX_DIR, x->dir);
	err_why(e, "it is of uid %u, mode %03o: not the caller's alone", (unsigned)st->st_uid,
	    (unsigned)st->st_mode & 0777);
	return err_hint(e, "remove it, and try again: it is made anew");
}

/* DIR/index, the caller's alone. */
static int
open_own(const struct index *x, struct err *e)
{
	auto_close int at = -1;
	struct stat st;

	if (mkdirat(x->dirfd, INDEX_DIR, 0700) < 0 && errno != EEXIST)
		return err_set(e, ERR_IO, errno, "cannot make %s/" INDEX_DIR, x->dir);
	at = openat(x->dirfd, INDEX_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0 || fstat(at, &st) < 0 || fchdir(at) < 0)
		return err_set(e, ERR_IO, errno, "cannot use %s/" INDEX_DIR, x->dir);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return not_own(x, &st, e);
	return steal_fd(&at);
}

/* What libraries do once, and need files or chance for. */
static void
warm_up(void)
{
	unsigned char digest[SHA256_SIZE];
	struct sha256 h;

	json_object_seed(0);
	sqlite3_initialize();
	if (sha2_init(&h) == 0)
		sha2_final(&h, digest);
}

/* 1: the index is of no use, and gone by the next time. */
static int
answer(struct index *x, const struct index_want *w, struct index_rows *rows, struct err *e)
{
	int rc = index_update(x, e);

	if (rc == 0)
		rc = index_ask(x, w, rows, e);
	if (rc == 0)
		rc = index_check(x, rows);
	return rc;
}

static int
run(struct index *x, const struct index_want *w, struct err *e)
{
	struct index_rows rows = {0};
	int rc = index_open(x, e);

	if (rc == 0)
		rc = answer(x, w, &rows, e);
	if (rc != 0 && x->lock >= 0 && e->code != ERR_LIMIT) {
		*e = (struct err){0};
		rows.n = 0;
		rc = index_renew(x, e);
		if (rc == 0)
			rc = answer(x, w, &rows, e);
	}
	/* Whoever reads the answer may take his time. */
	index_close(x);
	if (rc == 0)
		rc = index_print(x, &rows, e);
	free(rows.v);
	if (rc > 0) {
		err_set(e, ERR_BAD_FILE, 0, "cannot use an index of the audit log");
		err_why(e, "the log changes as it is read, and not by what is added");
		err_hint(e, "coral audit verify --log");
	}
	return rc;
}

int
main(int argc, char **argv)
{
	struct index x = {.dirfd = -1, .lock = -1, .current = -1};
	static char block[64 * 1024];
	struct index_want w = {0};
	struct err e = {0};
	int at, rc = 0;

	for (int i = 3; i < argc && rc == 0; i++)
		rc = take_word(&w, argv[i]);
	if (argc < 3 || rc < 0 || strcmp(argv[1], CORAL_VERSION) != 0) {
		fputs("coral-audit-index: run by coral audit alone\n", stderr);
		return 2;
	}
	umask(077);
	setvbuf(stdout, block, _IOFBF, sizeof block); /* else isatty(3) is asked for its size */
	x.dir = argv[2];
	x.dirfd = open(x.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x.dirfd < 0) {
		err_set(&e, ERR_IO, errno, "cannot open %s", x.dir);
		return err_print(STDERR_FILENO, &e), 1;
	}
	at = open_own(&x, &e);
	warm_up();
	rc = at < 0 || index_confine(x.dirfd, at, &e) < 0 ? -1 : run(&x, &w, &e);
	if (rc != 0)
		err_print(STDERR_FILENO, &e);
	free(x.files);
	return rc == 0 ? 0 : 1;
}
