/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/audit_bundle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/str.h"
#include "cli/audit_readme.h"
#include "record/keys.h"
#include "record/sealed_file.h"
#include "record/store.h"

#define SESSIONS_MAX 10000
#define SUMS_MAX (4 << 20)
#define RECORDS "log/records.jsonl"
#define CHAIN "log/audit.jsonl"
#define BLOCK 65536
#define KEYS_TEXT_MAX 65536

/* Of the records: whether there are gaps between them. */
struct pieces {
	uint64_t records, bad, n;
	char first[AUDIT_HASH_SIZE], last[AUDIT_HASH_SIZE];
	char since[AUDIT_TIME_SIZE], until[AUDIT_TIME_SIZE];
};

struct audit_bundle {
	char path[512];
	int dir;
	FILE *log;
	struct pieces p;
	json_t *sessions; /* their ids are keys */
	json_t *recordings, *missing, *unread;
	struct buf sums;
};

static int
failed(const struct audit_bundle *b, const char *name, struct err *e)
{
	err_set(e, ERR_IO, errno, "cannot write %s/%s", b->path, name);
	err_why(e, "%s", strerror(errno));
	return err_hint(e, "remove %s, and name a place with room", b->path);
}

static int
make(const struct audit_bundle *b, const char *name, struct err *e)
{
	int fd = openat(b->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? failed(b, name, e) : fd;
}

static bool
is_empty(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;
	bool empty = d != NULL;

	while (empty && (de = readdir(d)))
		empty = strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0;
	if (d)
		closedir(d);
	else
		fd_close(&fd);
	return empty;
}

static int
make_dir(struct audit_bundle *b, struct err *e)
{
	int fd;

	if (mkdir(b->path, 0700) < 0 && errno != EEXIST)
		return err_set(e, ERR_IO, errno, "cannot make the directory %s", b->path);
	b->dir = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->dir < 0)
		return err_set(e, ERR_IO, errno, "cannot open the directory %s", b->path);
	if (!is_empty(b->dir)) {
		err_set(e, ERR_USAGE, 0, "%s cannot be exported to", b->path);
		err_why(e, "there is something in it");
		return err_hint(e, "name a directory that is not there yet");
	}
	if (mkdirat(b->dir, "log", 0700) < 0)
		return failed(b, "log", e);
	fd = make(b, RECORDS, e);
	b->log = fd >= 0 ? fdopen(fd, "we") : NULL;
	return b->log ? 0 : -1;
}

struct audit_bundle *
audit_bundle_open(const char *path, struct err *e)
{
	struct audit_bundle *b = calloc(1, sizeof *b);

	if (!b) {
		err_set(e, ERR_LIMIT, ENOMEM, "cannot export the audit log");
		return NULL;
	}
	b->dir = -1;
	b->sessions = json_object();
	b->recordings = json_array();
	b->missing = json_array();
	b->unread = json_array();
	buf_init(&b->sums, SUMS_MAX);
	if (str_copy(b->path, path, sizeof b->path) >= sizeof b->path)
		err_set(e, ERR_USAGE, ENAMETOOLONG, "cannot export to that directory");
	else if (make_dir(b, e) == 0)
		return b;
	audit_bundle_free(b);
	return NULL;
}

void
audit_bundle_free(struct audit_bundle *b)
{
	if (!b)
		return;
	if (b->log)
		fclose(b->log);
	fd_close(&b->dir);
	json_decref(b->sessions);
	json_decref(b->recordings);
	json_decref(b->missing);
	json_decref(b->unread);
	buf_fini(&b->sums);
	free(b);
}

int
audit_bundle_record(
    struct audit_bundle *b, const struct audit_entry *x, const json_t *rec, struct err *e)
{
	const char *id = json_str(rec, "session_id"), *time = json_str(rec, "timestamp");
	struct pieces *p = &b->p;

	if (fwrite(x->text, x->len, 1, b->log) != 1 || fputc('\n', b->log) == EOF)
		return failed(b, RECORDS, e);
	if (p->records++ == 0) {
		str_copy(p->first, x->good ? x->prev : "", sizeof p->first);
		str_copy(p->since, time ? time : "", sizeof p->since);
	}
	p->bad += !x->good;
	p->n += p->n == 0 || strcmp(x->prev, p->last) != 0;
	str_copy(p->last, x->hash, sizeof p->last);
	str_copy(p->until, time ? time : "", sizeof p->until);
	if (id && store_id_valid(id) && json_object_size(b->sessions) < SESSIONS_MAX)
		json_object_set_new(b->sessions, id, json_true());
	return 0;
}

/* The file in the list of sums, and how large it is.  -1 with errno. */
static int64_t
sum(struct audit_bundle *b, const char *name, char hex[2 * SHA256_SIZE + 1])
{
	auto_close int fd = openat(b->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_free char *block = malloc(BLOCK);
	unsigned char digest[SHA256_SIZE];
	struct sha256 h;
	int64_t size = 0;
	ssize_t n = -1;

	sha2_init(&h);
	while (block && fd >= 0 && (n = read(fd, block, BLOCK)) > 0) {
		sha2_update(&h, block, (size_t)n);
		size += n;
	}
	if (sha2_final(&h, digest) < 0 || n < 0)
		return -1;
	str_hex(hex, digest, sizeof digest);
	return buf_printf(&b->sums, "%s  %s\n", hex, name) < 0 ? -1 : size;
}

static int
sum_of(struct audit_bundle *b, const char *name, struct err *e)
{
	char hex[2 * SHA256_SIZE + 1];

	return sum(b, name, hex) < 0 ? failed(b, name, e) : 0;
}

static int
put_text(struct audit_bundle *b, const char *name, const void *text, size_t n, struct err *e)
{
	auto_close int fd = make(b, name, e);

	if (fd < 0)
		return -1;
	return fd_write_all(fd, text, n) < 0 || fsync(fd) < 0 ? failed(b, name, e) : 0;
}

/* 1: it cannot be read on, with errno; nothing of it stays. */
static int
copy(struct audit_bundle *b, int from, const char *name, struct err *e)
{
	auto_free char *block = malloc(BLOCK);
	auto_close int to = make(b, name, e);
	ssize_t n = 0;
	int cause;

	if (to < 0)
		return -1;
	while (block && (n = read(from, block, BLOCK)) > 0)
		if (fd_write_all(to, block, (size_t)n) < 0)
			return failed(b, name, e);
	cause = errno;
	if (n < 0) {
		unlinkat(b->dir, name, 0);
		errno = cause;
		return 1;
	}
	return !block || fsync(to) < 0 ? failed(b, name, e) : 0;
}

/* What follows the id in the name of such a file. */
static const char *
ending(const unsigned char *head, size_t n)
{
	static const unsigned char zstd[] = {0x28, 0xb5, 0x2f, 0xfd};

	if (n >= sizeof zstd && memcmp(head, zstd, sizeof zstd) == 0)
		return ".cast.zst";
	if (n >= SEALED_MAGIC_LEN && memcmp(head, SEALED_MAGIC, SEALED_MAGIC_LEN) == 0)
		return ".cast.sealed";
	return ".cast";
}

/* The others are exported all the same. */
static int
unread(struct audit_bundle *b, const char *id, const struct err *why)
{
	err_print(STDERR_FILENO, why);
	return json_array_append_new(
	    b->unread, json_pack("{s:s,s:o}", "session_id", id, "why", json_text(why->why)));
}

static int
unread_by_errno(struct audit_bundle *b, const char *id)
{
	struct err why = {0};

	err_set(&why, ERR_IO, errno, "cannot read the recording of %s", id);
	err_why(&why, "%s", strerror(why.sys));
	return unread(b, id, &why);
}

/* As it lies. */
static int
add_recording(struct audit_bundle *b, const char *state_dir, const char *id, struct err *e)
{
	struct err why = {0};
	auto_close int from = store_open_cast(state_dir, id, &why);
	char name[96], hex[2 * SHA256_SIZE + 1];
	unsigned char head[SEALED_MAGIC_LEN];
	int64_t size;
	ssize_t n;
	int rc;

	/* A session without a file has not begun to record. */
	if (from < 0 && (why.code == ERR_NO_SESSION || why.sys == ENOENT))
		return json_array_append_new(b->missing, json_string(id));
	if (from < 0)
		return unread(b, id, &why);
	n = pread(from, head, sizeof head, 0);
	if (n < 0)
		return unread_by_errno(b, id);
	snprintf(name, sizeof name, "recordings/%s%s", id, ending(head, (size_t)n));
	rc = copy(b, from, name, e);
	if (rc != 0)
		return rc < 0 ? -1 : unread_by_errno(b, id);
	size = sum(b, name, hex);
	if (size < 0)
		return failed(b, name, e);
	return json_array_append_new(
	    b->recordings, json_pack("{s:s,s:s,s:I,s:s}", "session_id", id, "file", name, "bytes",
			       (json_int_t)size, "sha256", hex));
}

static int
sync_dir(struct audit_bundle *b, const char *name, struct err *e)
{
	auto_close int fd = openat(b->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? failed(b, name, e) : 0;
}

static int
add_recordings(struct audit_bundle *b, const char *state_dir, struct err *e)
{
	const char *id;
	json_t *v;

	if (mkdirat(b->dir, "recordings", 0700) < 0)
		return failed(b, "recordings", e);
	json_object_foreach(b->sessions, id, v)
	{
		if (add_recording(b, state_dir, id, e) < 0)
			return -1;
	}
	return sync_dir(b, "recordings", e);
}

static int
add_keys(struct audit_bundle *b, const char *state_dir, struct err *e)
{
	char text[KEYS_TEXT_MAX] = "", line[KEYFILE_LINE];
	struct keys_list keys = {0};
	size_t at = 0;
	int rc = keys_known(state_dir, &keys, e);

	for (size_t i = 0; rc == 0 && i < keys.n; i++) {
		if (at + KEYFILE_LINE + 128 >= sizeof text) {
			err_set(e, ERR_LIMIT, 0, "cannot export the agent's public keys");
			err_why(
			    e, "they are %zu; their file takes %d bytes", keys.n, (int)sizeof text);
			rc = err_hint(e, "remove keys that are not needed: coral keys list");
			break;
		}
		keyfile_line(line, keys.v[i].public);
		at +=
		    (size_t)snprintf(text + at, sizeof text - at, "%s %s\n", line, keys.v[i].name);
	}
	keys_fini(&keys);
	if (rc == 0)
		rc = put_text(b, "agent.pub", text, at, e);
	return rc == 0 ? sum_of(b, "agent.pub", e) : rc;
}

static json_t *
text_or_null(const char *s)
{
	return s[0] ? json_string(s) : json_null();
}

static int
add_manifest(struct audit_bundle *b, const json_t *asked, const char *file,
    const struct audit_verdict *log, struct err *e)
{
	const struct pieces *p = &b->p;
	json_t *j =
	    json_pack("{s:s,s:O,s:{s:s,s:I,s:I,s:I,s:o,s:o,s:o,s:o},s:{s:I,s:o},s:O,s:O,s:O}",
		"made_by", "coral " CORAL_VERSION, "asked", asked, "records", "file", file, "count",
		(json_int_t)p->records, "pieces", (json_int_t)p->n, "bad", (json_int_t)p->bad,
		"since", text_or_null(p->since), "until", text_or_null(p->until), "prev_hash",
		text_or_null(p->first), "hash", text_or_null(p->last), "log", "bad",
		(json_int_t)log->bad, "head", text_or_null(log->head), "recordings", b->recordings,
		"without_recording", b->missing, "unreadable", b->unread);
	auto_free char *text = j ? json_show(j, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;
	auto_free char *line = NULL;
	int rc = -1;

	if (!text || asprintf(&line, "%s\n", text) < 0)
		err_set(e, ERR_LIMIT, ENOMEM, "cannot export the audit log");
	else
		rc = put_text(b, "MANIFEST.json", line, strlen(line), e);

	json_decref(j);
	return rc == 0 ? sum_of(b, "MANIFEST.json", e) : rc;
}

/* What has no gaps has the name by which audit verify knows a log. */
static int
close_log(struct audit_bundle *b, const char **file, struct err *e)
{
	bool whole = b->p.n == 1 && b->p.bad == 0;
	FILE *f = b->log;
	int rc = fflush(f) == EOF || fsync(fileno(f)) < 0 ? -1 : 0;

	b->log = NULL;
	*file = whole ? CHAIN : RECORDS;
	if (fclose(f) == EOF || rc < 0 ||
	    (whole && renameat2(b->dir, RECORDS, b->dir, CHAIN, RENAME_NOREPLACE) < 0))
		return failed(b, RECORDS, e);
	return sync_dir(b, "log", e) < 0 ? -1 : sum_of(b, *file, e);
}

/* Of what is here alone. */
static int
add_readme(struct audit_bundle *b, bool recordings, const char *file, struct err *e)
{
	char text[AUDIT_README_MAX];
	size_t n = audit_readme(text, recordings, strcmp(file, CHAIN) == 0);

	return put_text(b, "README", text, n, e) < 0 ? -1 : sum_of(b, "README", e);
}

int
audit_bundle_finish(struct audit_bundle *b, const char *state_dir, bool recordings,
    const json_t *asked, const struct audit_verdict *log, struct err *e)
{
	const char *file;

	if (close_log(b, &file, e) < 0 || (recordings && add_recordings(b, state_dir, e) < 0) ||
	    add_keys(b, state_dir, e) < 0 || add_manifest(b, asked, file, log, e) < 0 ||
	    add_readme(b, recordings, file, e) < 0)
		return -1;
	if (put_text(b, "SHA256SUMS", buf_head(&b->sums), b->sums.len, e) < 0)
		return -1;
	return fsync(b->dir) < 0 ? failed(b, "", e) : 0;
}

int
audit_bundle_say(const struct audit_bundle *b, FILE *f)
{
	size_t there = json_array_size(b->recordings), missing = json_array_size(b->missing);
	size_t bad = json_array_size(b->unread);

	fprintf(f, "%s: %llu %s, %zu %s\n", b->path, (unsigned long long)b->p.records,
	    b->p.records == 1 ? "record" : "records", there,
	    there == 1 ? "recording" : "recordings");
	if (missing > 0)
		fprintf(f, "%zu %s no recording: MANIFEST.json names them\n", missing,
		    missing == 1 ? "session has" : "sessions have");
	if (bad > 0)
		fprintf(f, "%zu %s could not be read: MANIFEST.json names them\n", bad,
		    bad == 1 ? "recording" : "recordings");
	if (json_object_size(b->sessions) == SESSIONS_MAX)
		fprintf(f, "of more than %d sessions no recording was looked for\n", SESSIONS_MAX);
	return bad > 0;
}
