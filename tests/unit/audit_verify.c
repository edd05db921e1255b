/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The chain of a log over files that were removed, and heads that were seen before. */
#include "audit_util.h"

#include <stdlib.h>

#include "audit/peek.h"
#include "audit/verify.h"
#include "base/clock.h"
#include "base/str.h"

#define LIMIT 4096

static const char *
file_of(const char *dir, unsigned number)
{
	static char path[600];

	if (number)
		snprintf(path, sizeof path, "%s/audit-%08u.jsonl", dir, number);
	else
		snprintf(path, sizeof path, "%s/audit.jsonl", dir);
	return path;
}

/* The hash of the last record. */
static void
head_of(const char *dir, char hash[AUDIT_HASH_SIZE])
{
	struct audit_proof p;
	struct err e = {0};

	is_int(audit_verify(dir, NULL, 0, &p, &e), 0, "read");
	memcpy(hash, p.v.head, AUDIT_HASH_SIZE);
}

static void
tell_pruned(const char *dir, const char *file, const char *after, const char *last)
{
	struct audit_pruned gone = {.records = 7, .bytes = 4000};
	char text[AUDIT_PRUNED_TEXT];
	struct err e = {0};
	struct audit_log *l = audit_log_open(dir, &e);
	json_t *rec = audit_record_new(AUDIT_PRUNED);

	str_copy(gone.file, file, sizeof gone.file);
	str_copy(gone.after, after, sizeof gone.after);
	str_copy(gone.last, last, sizeof gone.last);
	audit_pruned_text(text, "older than 365d", &gone);
	audit_set_text(rec, "reason", text);
	is_int(audit_log_put(l, rec, true, &e), 0, "told");
	json_decref(rec);
	audit_log_close(l);
}

/* The last hash of a file. */
static void
last_of(const char *dir, const char *file, char last[AUDIT_HASH_SIZE])
{
	struct err e = {0};
	struct audit_reader *r = audit_read_open(dir, &e);
	struct audit_entry x;

	while (audit_next(r, &x, &e) == 1)
		if (strcmp(x.file, file) == 0)
			memcpy(last, x.hash, AUDIT_HASH_SIZE);
	audit_read_close(r);
}

static void
test_pruned(void)
{
	auto_free char *dir = strdup(rec_path("pruned"));
	struct audit_head heads[3] = {{.place = AUDIT_HEAD_GONE}};
	char last[AUDIT_HASH_SIZE] = "";
	struct audit_proof p;
	struct err e = {0};

	is_int(aud_fill(dir, LIMIT, 0, 40), 0, "a log of several files");
	ok(access(file_of(dir, 3), F_OK) == 0, "three at least");
	head_of(dir, heads[0].hash);
	is_int(audit_verify(dir, heads, 1, &p, &e), 0, "verified");
	is_int(p.from, AUDIT_FROM_FIRST, "it begins with its first record");
	is_int(heads[0].place, AUDIT_HEAD_HERE, "its head is there");
	is_str(heads[0].file, "audit.jsonl", "in the current file");
	last_of(dir, "audit-00000001.jsonl", last);

	/* Removed, and nobody says so. */
	unlink(file_of(dir, 1));
	is_int(audit_verify(dir, NULL, 0, &p, &e), 0, "verified");
	is_int(p.v.bad, 0, "what is left holds");
	is_int(p.from, AUDIT_FROM_NOWHERE, "it begins nowhere");

	tell_pruned(dir, "audit-00000001.jsonl", AUDIT_GENESIS, heads[0].hash);
	audit_verify(dir, NULL, 0, &p, &e);
	is_int(p.from, AUDIT_FROM_NOWHERE, "told of something else");

	tell_pruned(dir, "audit-00000001.jsonl", AUDIT_GENESIS, last);
	str_copy(heads[1].hash, last, sizeof heads[1].hash);
	memset(heads[2].hash, 'a', AUDIT_HASH_SIZE - 1);
	heads[0].place = AUDIT_HEAD_GONE;
	audit_verify(dir, heads, 3, &p, &e);
	is_int(p.v.bad, 0, "it holds");
	is_int(p.from, AUDIT_FROM_PRUNED, "and says what was before");
	ok(strcmp(p.pruned, p.first) > 0, "when: %s", p.pruned);
	is_int(heads[0].place, AUDIT_HEAD_HERE, "an earlier head");
	is_int(heads[1].place, AUDIT_HEAD_PRUNED, "the last that was removed");
	is_int(heads[2].place, AUDIT_HEAD_GONE, "one that never was");
}

/* A removal counts only where removals lead from it to what the log follows. */
static void
test_pruned_gap(void)
{
	auto_free char *whole = strdup(rec_path("whole")), *dir = strdup(rec_path("gap"));
	struct audit_head heads[2] = {{.place = AUDIT_HEAD_GONE}};
	char second[AUDIT_HASH_SIZE] = "";
	struct audit_proof p;
	struct err e = {0};

	aud_fill(whole, 0, 0, 5);
	memset(heads[0].hash, 'a', AUDIT_HASH_SIZE - 1);
	tell_pruned(whole, "audit-00000001.jsonl", AUDIT_GENESIS, heads[0].hash);
	audit_verify(whole, heads, 1, &p, &e);
	is_int(p.from, AUDIT_FROM_FIRST, "a whole log");
	is_int(heads[0].place, AUDIT_HEAD_GONE, "that says something was removed: of no head");

	aud_fill(dir, LIMIT, 0, 40);
	last_of(dir, "audit-00000001.jsonl", heads[1].hash);
	last_of(dir, "audit-00000002.jsonl", second);
	tell_pruned(dir, "audit-00000000.jsonl", AUDIT_GENESIS, heads[0].hash);
	tell_pruned(dir, "audit-00000002.jsonl", heads[1].hash, second);
	unlink(file_of(dir, 1));
	unlink(file_of(dir, 2));
	audit_verify(dir, heads, 2, &p, &e);
	is_int(p.from, AUDIT_FROM_PRUNED, "it begins behind a removal");
	is_int(heads[0].place, AUDIT_HEAD_GONE, "one that does not lead there");
	is_int(heads[1].place, AUDIT_HEAD_GONE, "one that no record says was a last one");
	is_int((long)heads[0].line, 0, "and no record of it is named");
	tell_pruned(dir, "audit-00000001.jsonl", heads[0].hash, heads[1].hash);
	tell_pruned(dir, "audit-00000002.jsonl", heads[1].hash, second);
	audit_verify(dir, heads, 2, &p, &e);
	is_int(heads[0].place, AUDIT_HEAD_PRUNED, "over three removals");
	is_int(heads[1].place, AUDIT_HEAD_PRUNED, "and two");
}

/* The end cut at a line, or all of it written anew: a chain that holds, and only a head tells. */
static void
test_cut(void)
{
	auto_free char *dir = strdup(rec_path("cut"));
	struct audit_head head = {.place = AUDIT_HEAD_GONE};
	struct audit_proof p;
	struct err e = {0};
	struct stat st;

	aud_fill(dir, 0, 0, 5);
	stat(file_of(dir, 0), &st);
	aud_fill(dir, 0, 5, 5);
	head_of(dir, head.hash);
	aud_fill(dir, 0, 10, 1);
	audit_verify(dir, &head, 1, &p, &e);
	is_int(head.place, AUDIT_HEAD_HERE, "it is there");
	is_int(head.line, 10, "on its line");
	head.place = AUDIT_HEAD_GONE;
	is_int(truncate(file_of(dir, 0), st.st_size), 0, "cut");
	audit_verify(dir, &head, 1, &p, &e);
	ok(p.v.bad == 0 && p.from == AUDIT_FROM_FIRST && !p.v.torn, "the chain does not show it");
	is_int(head.place, AUDIT_HEAD_GONE, "the head does");
	unlink(file_of(dir, 0));
	aud_fill(dir, 0, 0, 11);
	audit_verify(dir, &head, 1, &p, &e);
	ok(p.v.bad == 0 && p.from == AUDIT_FROM_FIRST, "written anew it holds");
	is_int(head.place, AUDIT_HEAD_GONE, "and the head is not in it");
}

static void
test_peek(void)
{
	static const char *const no[] = {"", "{", "{\"session_id\":", "{\"session_id\":\"abc",
	    "{\"session_id\":\"a\\\"\",\"timestamp\":null,\"event\":null",
	    "{\"session_id\":12,\"timestamp\":null,\"event\":\"x\"",
	    "{\"session_id\":null,\"event\":\"x\",\"timestamp\":null",
	    "{\"session_id\":null,\"timestamp\":\"\033]0;x\a\",\"event\":\"x\"",
	    "{\"session_id\":null,\"timestamp\":null,\"event\":\"\302\233\"",
	    "{\"session_id\":\"0123456789012345678901234567890123456789\",\"timestamp\":null,"
	    "\"event\":\"x\""};
	static const char yes[] = "{\"session_id\":\"01abc\",\"timestamp\":\"2026-11-22T05:41:"
				  "20.123456Z\",\"event\":\"session.end\",\"user_id\"";
	struct audit_peek k;
	char after[AUDIT_HASH_SIZE], last[AUDIT_HASH_SIZE];

	for (size_t i = 0; i < COUNT_OF(no); i++)
		ok(!audit_peek(no[i], strlen(no[i]), &k), "not a record: %s", no[i]);
	ok(audit_peek(yes, sizeof yes - 1, &k), "a record");
	is_str(k.session, "01abc", "its session");
	is_str(k.event, "session.end", "its event");
	ok(audit_time_ns(k.time) == 1795326080LL * NS_PER_S + 123456000, "its time");
	is_int(audit_time_ns("2026-11-22T05:41:20Z"), -1, "no time of a record");
	is_int(audit_time_ns("2026-11-22T05:41:20.123456Z "), -1, "nor this");
	ok(!audit_pruned_parse("{}", 2, after, last), "no reason");
	ok(!audit_pruned_parse("{\"reason\":\"x last=abc\"}", 22, after, last), "no hash");
}

int
main(void)
{
	rec_setup();
	test_peek();
	test_pruned();
	test_pruned_gap();
	test_cut();
	return done_testing();
}
