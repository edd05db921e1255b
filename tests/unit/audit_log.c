/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit_util.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "audit/head.h"
#include "audit/log_int.h"
#include "audit/survey.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "base/str.h"

#define MANY 240

static unsigned seen[MANY];

static char *
slurp(const char *path, size_t *n)
{
	struct buf b;
	char *text;

	buf_init(&b, 4 << 20);
	if (fd_read_file(AT_FDCWD, path, 4 << 20, &b) < 0)
		return NULL;
	*n = b.len;
	text = malloc(b.len + 1);
	memcpy(text, buf_head(&b), b.len);
	text[b.len] = '\0';
	buf_fini(&b);
	return text;
}

static void
spill(const char *path, const char *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	fd_write_all(fd, p, n);
	close(fd);
}

static void
add_bytes(const char *path, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	fd_write_all(fd, p, n);
	close(fd);
}

/* As the page says it is computed, with nothing of the writer's code. */
static bool
hash_is_right(const char *line, size_t n)
{
	const char *cut = strstr(line, ",\"hash\":\"");
	unsigned char raw[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	struct sha256 h;

	sha2_init(&h);
	sha2_update(&h, line, (size_t)(cut - line));
	sha2_update(&h, "}", 1);
	sha2_final(&h, raw);
	str_hex(hex, raw, sizeof raw);
	return strncmp(cut + 9, hex, 64) == 0 && strcmp(cut + 9 + 64, "\"}") == 0 &&
	       strlen(line) == n;
}

static void
test_line(void)
{
	static const char *const want[] = {"session_id", "timestamp", "event", "user_id", "actor",
	    "agent_id", "runtime", "provenance", "node", "environment", "service_name", "namespace",
	    "pod", "pod_uid", "container_name", "container_id", "image", "container_pid", "command",
	    "namespaces_entered", "cross_namespace", "uid", "gid", "mode", "reason", "approval_id",
	    "exit_code", "signal", "duration_ms", "stdout_bytes", "stderr_bytes", "stdin_bytes",
	    "error", "decision", "prev_hash", "hash"};
	char hash[AUDIT_HASH_SIZE], prev[AUDIT_HASH_SIZE], again[AUDIT_HASH_SIZE];
	json_t *rec = audit_record_new("session.start"), *back, *v;
	auto_free char *huge = malloc(100001);
	struct err e = {0};
	const char *key;
	struct buf b;
	char *line;
	size_t i = 0;

	memset(huge, 'x', 100000);
	huge[100000] = '\0';
	audit_set_text(rec, "user_id", "a\033]0;\xe2\x80\xae\xff");
	audit_set_text(rec, "reason", huge);
	audit_set_text(rec, "image", "");
	buf_init(&b, 1 << 20);
	is_int(audit_line(rec, 1763789480123456789LL, AUDIT_GENESIS, &b, hash, &e), 0, "a line");
	line = buf_cstr(&b);
	ok(strspn(line, " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
			"abcdefghijklmnopqrstuvwxyz{|}~\n") == b.len,
	    "has nothing that a terminal acts on");
	ok(audit_line_check(line, b.len, prev, again), "and is right");
	is_str(prev, AUDIT_GENESIS, "it follows what it was told to");
	is_str(again, hash, "its hash is the one returned");
	line[b.len - 1] = '\0';
	ok(hash_is_right(line, b.len - 1), "that of the line without its hash");
	back = json_parse(line, b.len - 1, &e);
	json_object_foreach(back, key, v)
	{
		if (i >= COUNT_OF(want) || strcmp(key, want[i]) != 0)
			break;
		i++;
	}
	is_int(i, COUNT_OF(want), "the keys are all there, in order");
	ok(json_is_null(json_object_get(back, "image")), "what is empty is null");
	is_str(json_str(back, "timestamp"), "2025-11-22T05:31:20.123456Z", "the time");
	is_int(strlen(json_str(back, "reason")), 2048 + 5, "a long text is cut");
	json_decref(back);
	buf_clear(&b);
	json_object_set_new(rec, "colour", json_true());
	is_int(audit_line(rec, 0, AUDIT_GENESIS, &b, hash, &e), -1, "no other key is taken");
	json_decref(rec);
	buf_fini(&b);
}

static void
test_list(void)
{
	json_t *rec = audit_record_new("x"), *list = json_array();
	const json_t *got;

	for (int i = 0; i < 4000; i++)
		json_array_append_new(list, json_string("0123456789"));
	audit_set_list(rec, "command", list);
	got = json_object_get(rec, "command");
	ok(json_array_size(got) < 1000, "a long command is cut");
	is_str(json_string_value(json_array_get(got, json_array_size(got) - 1)), "[3415 more]",
	    "and says so");
	json_decref(list);
	json_decref(rec);
}

static void
test_chain(void)
{
	const char *dir = rec_path("chain");
	auto_free char *path = strdup(dir);
	struct audit_verdict v;
	struct stat st;

	is_int(aud_fill(path, 0, 0, 3), 0, "three records");
	is_int(aud_fill(path, 0, 3, 3), 0, "and three of another process");
	v = aud_read(path, seen, MANY);
	ok(aud_is_whole(&v), "the chain holds");
	is_int(v.records, 6, "with all of them");
	stat(rec_path("chain"), &st);
	is_int(st.st_mode & 07777, 0700, "the directory is root's alone");
	stat(rec_path("chain/audit.jsonl"), &st);
	is_int(st.st_mode & 07777, 0600, "the file too");
	chmod(rec_path("chain/audit.jsonl"), 0666);
	is_int(aud_fill(path, 0, 6, 1), -1, "a file that anybody may write is not gone on with");
	unlink(rec_path("chain/audit.jsonl"));
	(void)!symlink("audit.lock", rec_path("chain/audit.jsonl"));
	is_int(aud_fill(path, 0, 6, 1), -1, "nor is a link");
}

static void
test_torn(const char *name, const char *bytes, size_t n)
{
	auto_free char *dir = strdup(rec_path(name));
	auto_free char *file = NULL;
	struct audit_verdict v;

	ok(asprintf(&file, "%s/" AUDIT_FILE, dir) > 0 && aud_fill(dir, 0, 0, 3) == 0, "%s", name);
	add_bytes(file, bytes, n);
	v = aud_read(dir, seen, MANY);
	ok(v.torn || v.bad > 0, "%s: is seen by a reader", name);
	is_int(aud_fill(dir, 0, 3, 2), 0, "and does not stop a writer");
	v = aud_read(dir, seen, MANY);
	ok(aud_is_whole(&v), "%s: the chain holds again", name);
	is_int(v.records, 6, "with a record of what was found");
	for (int i = 0; i < 5; i++)
		is_int(seen[i], 1, "and each of the others");
}

/* Whether the torn bytes are still somewhere. */
static bool
kept(const char *name, const char *bytes)
{
	auto_free char *cmd = NULL;

	return asprintf(&cmd, "grep -qF '%s' %s/torn-*", bytes, rec_path(name)) > 0 &&
	       system(cmd) == 0;
}

static void
test_all_torn(void)
{
	static const char zeros[20000];

	test_torn("half", "{\"session_id\":\"01jd", 19);
	ok(kept("half", "01jd"), "half a record is kept");
	test_torn("line", "{\"session_id\":\"01jd\"}\n", 22);
	test_torn("zeros", zeros, sizeof zeros);
	test_torn("blank", "\n\n\n", 3);
}

/* A file of which not even the first record is whole, and one before it. */
static void
test_torn_first(void)
{
	auto_free char *dir = strdup(rec_path("first"));
	auto_free char *old = strdup(rec_path("first/audit-00000001.jsonl"));
	struct audit_verdict v;

	aud_fill(dir, 0, 0, 2);
	rename(rec_path("first/audit.jsonl"), old);
	spill(rec_path("first/audit.jsonl"), "{\"ses", 5);
	is_int(aud_fill(dir, 0, 2, 1), 0, "a torn first record");
	v = aud_read(dir, seen, MANY);
	ok(aud_is_whole(&v), "the chain goes on from the file before");
	is_int(v.records, 4, "with all of it");
	unlink(rec_path("first/audit.jsonl"));
	is_int(aud_fill(dir, 0, 3, 1), 0, "a file that was not begun yet");
	v = aud_read(dir, seen, MANY);
	ok(aud_is_whole(&v), "is begun");
}

static void
test_crowd(void)
{
	auto_free char *dir = strdup(rec_path("crowd"));
	struct audit_verdict v;
	pid_t pids[4];
	int status, bad = 0, all = 1;

	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(aud_fill(dir, 8192, i * 60, 60) < 0);
	}
	for (int i = 0; i < 4; i++)
		bad += waitpid(pids[i], &status, 0) < 0 || status != 0;
	is_int(bad, 0, "four processes write at once");
	v = aud_read(dir, seen, MANY);
	ok(aud_is_whole(&v), "into one chain");
	ok(v.files > 10, "over many files (%d)", (int)v.files);
	for (int i = 0; i < MANY; i++)
		all &= seen[i] == 1;
	ok(all, "each record is there once");
}

/* While it is read it is gone on with, in another file. */
static void
test_follow(void)
{
	auto_free char *dir = strdup(rec_path("follow"));
	struct err e = {0};
	struct audit_reader *r;
	struct audit_entry x;
	struct audit_verdict v;
	int n = 0;

	aud_fill(dir, 2000, 0, 3);
	r = audit_read_open(dir, &e);
	while (audit_next(r, &x, &e) == 1)
		n++;
	is_int(n, 3, "what there is");
	aud_fill(dir, 2000, 3, 9);
	while (audit_next(r, &x, &e) == 1)
		n++;
	is_int(n, 12, "and what came later");
	audit_verdict(r, &v);
	ok(aud_is_whole(&v), "in one chain");
	audit_read_close(r);
}

/* As a put after a sync that failed. */
static void
renew(const char *dir, uint64_t limit, int from, int n)
{
	struct audit_log *l = audit_log_open(dir, NULL);

	audit_log_limit(l, limit);
	l->failed = true;
	for (int i = 0; i < n; i++)
		aud_put(l, from + i, NULL);
	audit_log_close(l);
}

static void
is_next(struct audit_reader *r, int from, int n, const char *what)
{
	struct err e = {0};
	struct audit_entry x;
	int got = 0, right = 0;

	while (audit_next(r, &x, &e) == 1) {
		json_t *j = json_parse(x.text, x.len, NULL);

		right += x.good && json_int(j, "container_pid", -1) == from + got;
		json_decref(j);
		got++;
	}
	ok(got == n && right == n, "%s: %d of %d, in %d", what, right, n, got);
}

/* Who reads it goes on where it was, whatever its files are called by then. */
static void
test_follow_renewed(void)
{
	auto_free char *dir = strdup(rec_path("renewed"));
	struct err e = {0};
	struct audit_reader *r, *late;
	struct audit_verdict v;

	aud_fill(dir, 0, 0, 3);
	r = audit_read_open(dir, &e);
	is_next(r, 0, 3, "what there is");
	renew(dir, 1 << 20, 3, 2);
	is_next(r, 3, 2, "after it was written once more");
	renew(dir, 2000, 5, 4);
	is_next(r, 5, 4, "and begun anew as well");
	renew(dir, 1 << 20, 9, 1);
	renew(dir, 1 << 20, 10, 1);
	is_next(r, 9, 2, "twice");
	late = audit_read_open(dir, &e);
	aud_fill(dir, 1000, 11, 3);
	is_next(late, 0, 14, "who listed the files before they were more");
	is_next(r, 11, 3, "and who read them");
	audit_verdict(r, &v);
	ok(aud_is_whole(&v), "in one chain");
	audit_verdict(late, &v);
	ok(aud_is_whole(&v), "for both");
	audit_read_close(late);
	audit_read_close(r);
}

/* Every line in turn, in every way; whoever looks must say where. */
static void
damage(const char *dir, const char *file, const char *text, size_t n, int at, int how)
{
	auto_free char *out = malloc(2 * n + 1);
	const char *line = text, *next, *after;
	struct audit_verdict v;
	size_t len, m;

	for (int i = 0; i < at; i++)
		line = strchr(line, '\n') + 1;
	next = strchr(line, '\n') + 1;
	len = (size_t)(next - line);
	after = strchr(next, '\n');
	m = (size_t)(line - text);
	memcpy(out, text, m);
	if (how == 1 || how == 2) { /* twice; or behind the next one */
		const char *p = how == 1 ? line : next;
		size_t k = how == 1 ? len : (size_t)(after + 1 - next);

		memcpy(out + m, p, k);
		m += k;
	}
	if (how != 3) { /* 3: not at all */
		memcpy(out + m, line, len);
		if (how == 0)
			out[m + len / 3] ^= 1;
		m += len;
	}
	if (how == 2)
		next = after + 1;
	memcpy(out + m, next, n - (size_t)(next - text));
	m += n - (size_t)(next - text);
	spill(file, out, m);
	v = aud_read(dir, seen, MANY);
	ok(v.bad > 0 || (at == 0 && how == 3 && !v.begins), "way %d of line %d is seen", how, at);
	if (v.bad)
		ok((int)v.bad_line >= at + 1 && (int)v.bad_line <= at + 2, "and where: %d",
		    (int)v.bad_line);
}

static void
test_damage(void)
{
	auto_free char *dir = strdup(rec_path("damage"));
	auto_free char *file = strdup(rec_path("damage/" AUDIT_FILE));
	auto_free char *text = NULL;
	size_t n = 0;

	aud_fill(dir, 0, 0, 8);
	text = slurp(file, &n);
	for (int at = 0; at < 7; at++)
		for (int how = 0; how < 4; how++)
			damage(dir, file, text, n, at, how);
}

/* A line that is longer than any record costs no memory, and what follows is read. */
static void
damage_byte(const char *file, off_t at)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	ok(pwrite(fd, "~", 1, at) == 1, "damaged");
	close(fd);
}

/* What failed, why, and what to type next. */
static void
has_parts(const struct err *e, const char *what)
{
	ok(e->code && *e->what && *e->why && *e->hint, "%s: %s: %s; %s", what, e->what, e->why,
	    e->hint);
}

static void
test_errors(void)
{
	auto_free char *dir = strdup(rec_path("errors")), *file = NULL;
	struct audit_file grows = {.name = AUDIT_FILE, .needed = true};
	struct audit_reader *r;
	struct audit_entry x;
	struct audit_top top;
	struct audit_log *l;
	struct err e = {0};
	struct stat st;

	file = strdup(rec_path("errors/" AUDIT_FILE));
	mkdir(dir, 0700);
	mkdir(file, 0700);
	r = audit_read_open(dir, &e);
	is_int(audit_next(r, &x, &e), -1, "a directory is no log");
	has_parts(&e, "it cannot be read");
	audit_read_close(r);
	is_int(aud_fill(dir, 0, 0, 1), -1, "nor written");
	rmdir(file);
	aud_fill(dir, 0, 0, 3);
	l = audit_log_open(dir, &e);
	aud_put(l, 3, &e);
	damage_byte(file, 40);
	l->failed = true;
	e = (struct err){0};
	is_int(aud_put(l, 4, &e), -1, "one that was changed is not written once more");
	has_parts(&e, "it does not go on");
	audit_log_close(l);
	stat(file, &st);
	damage_byte(file, st.st_size - 200);
	is_int(audit_top(dir, &top, &e), -1, "nor does it have a head");
	has_parts(&e, "which was changed");
	is_int(audit_survey_remove(dir, &grows, &e), -1, "a file that grows stays");
	has_parts(&e, "it is needed");
}

static void
test_long(void)
{
	auto_free char *dir = strdup(rec_path("long"));
	auto_free char *block = malloc(300001);
	struct audit_verdict v;

	aud_fill(dir, 0, 0, 1);
	memset(block, 'x', 300000);
	block[300000] = '\n';
	add_bytes(rec_path("long/" AUDIT_FILE), block, 300001);
	v = aud_read(dir, seen, MANY);
	is_int(v.records, 2, "an overlong line is one");
	is_int(v.bad_line, 2, "and a bad one");
}

int
main(void)
{
	rec_setup();
	test_line();
	test_list();
	test_chain();
	test_all_torn();
	test_torn_first();
	test_crowd();
	test_follow();
	test_follow_renewed();
	test_damage();
	test_long();
	test_errors();
	return done_testing();
}
