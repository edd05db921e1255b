/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record_util.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/json.h"
#include "record/auditor.h"
#include "record/sealed.h"
#include "stops.h"

static struct auditors two;
static struct auditor_key keys[3]; /* the third's recording is not sealed to */

static void
make_keys(void)
{
	static const char *const names[] = {"alice", "bob", "carol"};
	char line[AUDITOR_LINE];
	const char *why = "";
	struct auditor who;
	struct err e = {0};

	for (int i = 0; i < 3; i++) {
		const char *path = rec_path(names[i]);

		ok(auditor_key_create(path, names[i], "", &who, &e) == 0 &&
			auditor_key_load(&keys[i], path, NULL, &e) == 0,
		    "a key: %s", e.why);
		auditor_line(line, &keys[i].who);
		if (i < 2)
			ok(auditors_add(&two, line, &why) == 0, "%s is added: %s", line, why);
	}
	ok(auditors_add(&two, line + 1, &why) < 0, "a line of another kind");
	auditor_line(line, &keys[0].who);
	ok(auditors_add(&two, line, &why) < 0 && strstr(why, "twice"), "a key twice");
	ok(auditors_add(&two,
	       "coral-auditor-x25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= zero", &why) < 0,
	    "a key that would open to everybody");
	is_int(two.n, 2, "two are left");
}

static int
make_dora(void)
{
	struct auditor who;

	return auditor_key_create(rec_path("dora"), "dora", "", &who, NULL) < 0;
}

/* Who makes one may be killed at any moment, and be refused by either file. */
static void
test_pair(void)
{
	struct auditor_key k = {0};
	struct stat st;
	int bad = 0, n = 0;
	struct err e = {0};

	for (; killed_at(n, make_dora); n++) {
		bool open = fstatat(rec_dirfd, "dora.pub", &st, 0) == 0;

		if (open &&
		    (st.st_size == 0 || auditor_key_load(&k, rec_path("dora"), NULL, NULL) < 0))
			bad++;
		auditor_key_free(&k);
		unlinkat(rec_dirfd, "dora", 0);
		unlinkat(rec_dirfd, "dora.pub", 0);
	}
	ok(bad == 0 && n > 10, "%d of %d stops leave a public half that nobody opens", bad, n);
	ok(auditor_key_load(&k, rec_path("dora"), NULL, &e) == 0, "the last is whole: %s", e.why);
	auditor_key_free(&k);
	for (int i = 0; i < 2; i++) {
		const char *gone = i ? "dora.pub" : "dora", *left = i ? "dora" : "dora.pub";

		unlinkat(rec_dirfd, gone, 0);
		ok(auditor_key_create(rec_path("dora"), "dora", "", &k.who, &e) < 0 &&
			e.code == ERR_CONFIG && strstr(e.what, left) && e.why[0] && e.hint[0],
		    "%s is there already: %s", left, e.why);
		ok(fstatat(rec_dirfd, gone, &st, 0) < 0, "and none is made beside it");
		unlinkat(rec_dirfd, left, 0);
		is_int(make_dora(), 0, "without it both are");
	}
}

static struct cast_writer *
create(const char *name, const struct auditors *to)
{
	struct err e = {0};
	struct cast_writer *w = rec_begin(
	    (struct cast_start){
		.name = name, .tty = true, .auditors = to, .seal_input = to != NULL},
	    &e);

	ok(w != NULL, "a recording is begun: %s", e.why);
	return w;
}

/* All of it that opens, one after the other; -1: something does not. */
static int
texts_of(const char *name, const struct auditor_key *by, struct buf *out)
{
	struct cast_reader *r = cast_open(rec_path(name), NULL);
	unsigned char text[SEALED_TEXT + 1];
	struct sealed_key k;
	struct cast_event ev;
	int n = 0, len;

	buf_clear(out);
	if (!r || sealed_take(&k, json_object_get(cast_header(r), "coral"), by, NULL) < 0) {
		cast_close(r);
		return -1;
	}
	while (n >= 0 && cast_next(r, &ev, NULL) > 0) {
		if (ev.kind != CAST_EV_CORAL || strcmp(ev.name, "sealed") != 0)
			continue;
		len = sealed_get(
		    &k, (uint64_t)json_int(ev.facts, "n", 0), json_str(ev.facts, "box"), text);
		n = len < 0 ? -1 : n + 1;
		if (len > 0)
			buf_put(out, text, (size_t)len);
	}
	cast_close(r);
	return n;
}

static void
test_lines(struct buf *got)
{
	struct cast_writer *w = create("lines.cast", &two);
	char many[600];
	struct err e = {0};

	memset(many, 'x', sizeof(many));
	ok(cast_seals(w), "it seals");
	ok(cast_secret(w, REC_T0 + 1, "a", 1, &e) == 0 &&
		cast_secret(w, REC_T0 + 2, "b\r", 2, &e) == 0,
	    "a line in two pieces");
	ok(cast_secret(w, REC_T0 + 3, "\r\r", 2, &e) == 0, "two that are empty");
	ok(cast_secret(w, REC_T0 + 4, many, sizeof(many), &e) == 0, "a long one");
	ok(cast_secret_end(w, REC_T0 + 5, &e) == 0 && cast_secret_end(w, REC_T0 + 6, &e) == 0,
	    "which does not end");
	ok(cast_secret(w, REC_T0 + 7, "left", 4, &e) == 0, "one that the end cuts");
	ok(cast_end(w, REC_T0 + 8, NULL, &e) == 0, "the end");
	cast_free(w);
	for (int i = 0; i < 2; i++) {
		is_int(texts_of("lines.cast", &keys[i], got), 7, "each auditor opens all events");
		ok(got->len == 5 + 600 + 4 && memcmp(buf_head(got), "ab\r\r\rxx", 7) == 0 &&
			memcmp(buf_head(got) + 605, "left", 4) == 0,
		    "and has what was typed");
	}
	is_int(texts_of("lines.cast", &keys[2], got), -1, "who is no auditor does not");
}

/* Every bit of a text's box and of a key's. */
static void
test_mutations(void)
{
	static const char base64[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char box[SEALED_B64 + 1], *text;
	unsigned char out[SEALED_TEXT + 1];
	struct sealed_key k, again;
	size_t bad = 0;
	json_t *coral;

	ok(sealed_make(&k, REC_ID) == 0 &&
		sealed_put(&k, 5, (const unsigned char *)"pw", 2, box) == 0,
	    "a text is sealed");
	ok(sealed_get(&k, 5, box, out) == 2 && memcmp(out, "pw", 2) == 0, "and opened");
	ok(sealed_get(&k, 4, box, out) < 0, "not in another's place");
	for (size_t i = 0; i < SEALED_B64; i++) {
		char was = box[i];

		for (int bit = 0; bit < 6; bit++) {
			const char *at = strchr(base64, was);

			if (!at || !was)
				continue;
			box[i] = base64[(at - base64) ^ (1 << bit)];
			bad += sealed_get(&k, 5, box, out) >= 0;
		}
		box[i] = was;
	}
	is_int(bad, 0, "no bit of it can be another");
	coral = json_pack("{ss so}", "session_id", REC_ID, "sealing", sealed_header(&k, &two));
	ok(sealed_take(&again, coral, &keys[1], NULL) == 0 && memcmp(&again, &k, sizeof(k)) == 0,
	    "the key comes back");
	text = (char *)(uintptr_t)json_str(
	    json_array_get(json_object_get(json_object_get(coral, "sealing"), "to"), 1), "box");
	for (size_t i = 0; text[i]; i++) {
		char was = text[i];

		text[i] = was == 'A' ? 'B' : 'A';
		bad += sealed_take(&again, coral, &keys[1], NULL) == 0;
		text[i] = was;
	}
	is_int(bad, 0, "unless its box was altered");
	json_object_set_new(coral, "session_id", json_string("01jd0z5s8w7k3mtq4v9x2c6b1p"));
	ok(sealed_take(&again, coral, &keys[1], NULL) < 0, "or moved to another session");
	json_decref(coral);
}

/* What could not be written is not there, and comes once when it can. */
static void
test_no_room(struct buf *got)
{
	struct cast_writer *w = create("full.cast", &two);
	struct rlimit was, now;
	char many[3000];
	struct err e = {0};

	memset(many, 'y', sizeof(many));
	ok(cast_secret(w, REC_T0 + 1, "begun ", 6, &e) == 0, "half a line");
	getrlimit(RLIMIT_FSIZE, &was);
	now = was;
	now.rlim_cur = (rlim_t)cast_offset(w) + 1500;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &now);
	ok(cast_secret(w, REC_T0 + 2, many, sizeof(many), &e) < 0 && e.code == ERR_RECORDING,
	    "no room for the rest");
	setrlimit(RLIMIT_FSIZE, &was);
	ok(cast_secret(w, REC_T0 + 3, many, sizeof(many), &e) == 0, "there is again");
	ok(cast_end(w, REC_T0 + 4, NULL, &e) == 0, "the end");
	cast_free(w);
	is_int(texts_of("full.cast", &keys[0], got), 12, "it was sealed once");
	ok(got->len == 3006 && memcmp(buf_head(got), "begun yy", 8) == 0, "and whole");
}

static void
test_masked(void)
{
	struct cast_writer *w = create("masked.cast", NULL);
	struct err e = {0};
	struct rec_seen s;

	ok(!cast_seals(w), "nobody to seal to");
	ok(cast_secret(w, REC_T0 + 1, "secret", 6, &e) == 0 &&
		cast_secret(w, REC_T0 + 1, "\rmore", 5, &e) == 0 &&
		cast_end(w, REC_T0 + 2, NULL, &e) == 0,
	    "two lines");
	cast_free(w);
	rec_read(rec_path("masked.cast"), &s);
	is_int(json_array_size(s.coral), 2, "are two events");
	is_str(
	    json_string_value(json_array_get(json_array_get(s.coral, 0), 0)), "masked", "masked");
	is_int(json_object_size(json_array_get(json_array_get(s.coral, 1), 1)), 0, "of nothing");
	rec_forget(&s);
}

int
main(void)
{
	struct buf got;

	rec_setup();
	buf_init(&got, 1 << 20);
	make_keys();
	test_pair();
	test_lines(&got);
	test_mutations();
	test_no_room(&got);
	test_masked();
	for (int i = 0; i < 3; i++)
		auditor_key_free(&keys[i]);
	buf_fini(&got);
	return done_testing();
}
