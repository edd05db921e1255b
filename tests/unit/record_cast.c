/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record_util.h"

#include <stdlib.h>

#include "base/sha256.h"
#include "base/str.h"

static const char *
digest_of(const void *p, size_t n)
{
	static char hex[65];
	unsigned char d[SHA256_SIZE];
	struct sha256 h;

	sha2_init(&h);
	sha2_update(&h, p, n);
	sha2_final(&h, d);
	str_hex(hex, d, sizeof(d));
	return hex;
}

static const json_t *
stream_end(const struct rec_seen *s, const char *name)
{
	return json_object_get(json_object_get(s->end, "streams"), name);
}

/* p written in pieces of `piece` bytes (0: random ones) must come back as it was. */
static void
round_trip(const char *name, const unsigned char *p, size_t n, size_t piece)
{
	struct cast_writer *w = rec_create("trip.cast", true, 0);
	json_t *result = json_pack("{si}", "exit_code", 3);
	struct err e = {0};
	struct rec_seen s;
	uint32_t seed = 7;
	int64_t t = REC_T0;
	int rc = 0;

	for (size_t i = 0, take; i < n && rc == 0; i += take, t += 12345) {
		take = piece ? piece : 1 + rec_random(&seed) % 200000;
		if (take > n - i)
			take = n - i;
		rc = cast_data(w, CAST_STDOUT, t, p + i, take, &e);
	}
	rc |= cast_end(w, t, result, &e);
	json_decref(result);
	cast_free(w);
	rec_read(rec_path("trip.cast"), &s);
	ok(rc == 0 && !s.failed && !s.truncated && s.sorted &&
		rec_same(&s.stream[CAST_STDOUT], p, n),
	    "%s in pieces of %zu come back exactly", name, piece);
	if (s.failed)
		printf("# %s: %s\n", s.e.what, s.e.why);
	is_str(json_string_value(json_object_get(stream_end(&s, "stdout"), "sha256")),
	    digest_of(p, n), "with their digest");
	is_int(json_integer_value(json_object_get(stream_end(&s, "stdout"), "bytes")), n,
	    "and their count");
	is_int(json_integer_value(json_object_get(s.end, "exit_code")), 3, "and the exit code");
	rec_forget(&s);
	unlinkat(rec_dirfd, "trip.cast", 0);
}

static void
test_round_trips(void)
{
	static const char text[] =
	    "aé€😀\xc2\x85\"\\\x7f\x1b[1m\r\n\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf";
	unsigned char all[256];
	size_t n = 3 * 1024 * 1024 + 17;
	unsigned char *noise = malloc(n);
	uint32_t seed = 99;

	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	for (size_t piece = 1; piece <= 7; piece++) {
		round_trip("characters", (const unsigned char *)text, sizeof(text), piece);
		round_trip("all bytes", all, sizeof(all), piece);
	}
	round_trip("all bytes", all, sizeof(all), 256);
	for (size_t i = 0; i < n; i++)
		noise[i] = (unsigned char)rec_random(&seed);
	round_trip("random bytes", noise, n, 0);
	round_trip("random bytes", noise, n, n);
	for (size_t i = 0; i < n; i++)
		noise[i] = (unsigned char)(noise[i] % 31);
	round_trip("control characters", noise, n, 0);
	for (size_t i = 0; i + 3 <= n; i += 3)
		memcpy(noise + i, "\xe2\x82\xac", 3);
	round_trip("split characters", noise, n, 65536);
	free(noise);
}

static void
test_streams_and_carry(void)
{
	struct cast_writer *w = rec_create("streams.cast", false, 0);
	json_t *facts = json_pack("{ss}", "text", "a \"quoted\" line\n");
	struct err e = {0};
	struct rec_seen s;
	char hex[65];

	is_int(cast_flush_due(w), 0, "nothing is due at first");
	ok(cast_data(w, CAST_STDERR, REC_T0 + 5, "caf\xc3", 4, &e) == 0,
	    "stderr with half a letter");
	is_int(cast_flush_due(w), REC_T0 + 5 + 50 * NS_PER_MS, "is due after 50 ms");
	ok(cast_data(w, CAST_STDOUT, REC_T0 + 6, "\xe2", 1, &e) == 0, "stdout with a third of one");
	ok(cast_flush(w, REC_T0 + 50 * NS_PER_MS, &e) == 0, "both flushed");
	is_int(cast_flush_due(w), 0, "nothing is due then");
	ok(cast_data(w, CAST_STDERR, REC_T0 + 60 * NS_PER_MS, "\xa9!", 2, &e) == 0,
	    "the rest later");
	ok(cast_data(w, CAST_STDIN, REC_T0 + 61 * NS_PER_MS, "in\xff", 3, &e) == 0, "input");
	ok(cast_resize(w, REC_T0 + 10, 100, 30, &e) == 0, "a resize with an older clock");
	ok(cast_event(w, REC_T0 + 70 * NS_PER_MS, "notice", facts, &e) == 0, "a notice");
	ok(cast_event(w, REC_T0 + 70 * NS_PER_MS, "stdin_eof", NULL, &e) == 0,
	    "an event without facts");
	is_int(cast_count(w, CAST_STDERR), 6, "stderr is counted");
	cast_digest(w, CAST_STDERR, hex);
	is_str(hex, digest_of("caf\xc3\xa9!", 6), "and hashed");
	ok(cast_sync(w, REC_T0 + NS_PER_S, false, &e) == 0, "synced");
	ok(cast_end(w, REC_T0 + NS_PER_S, NULL, &e) == 0, "ended without a result");
	is_int(cast_data(w, CAST_STDOUT, REC_T0, "x", 1, &e), -1, "nothing is taken after the end");
	cast_free(w);
	rec_read(rec_path("streams.cast"), &s);
	ok(!s.failed && !s.truncated && s.sorted, "the file reads well: %s", s.e.why);
	ok(rec_same(&s.stream[CAST_STDERR], "caf\xc3\xa9!", 6), "stderr apart and exact");
	ok(rec_same(&s.stream[CAST_STDOUT], "\xe2", 1), "stdout exact");
	ok(rec_same(&s.stream[CAST_STDIN], "in\xff", 3), "input exact");
	is_int(s.resizes, 1, "one resize");
	is_int(json_array_size(s.coral), 2, "two events of coral's own");
	is_str(json_string_value(
		   json_object_get(json_array_get(json_array_get(s.coral, 0), 1), "text")),
	    "a \"quoted\" line\n", "with their facts");
	is_int(json_integer_value(json_object_get(s.end, "duration_ms")), 1000, "and a duration");
	json_decref(facts);
	rec_forget(&s);
}

/* n bytes under a cap: the head whole, the end whole, the middle told. */
static void
bulk(size_t n, size_t cap, size_t piece, int64_t want_elided)
{
	struct cast_writer *w = rec_create("bulk.cast", false, cap);
	unsigned char *p = malloc(n);
	struct err e = {0};
	struct rec_seen s;
	struct stat st;
	int64_t elided = 0;
	size_t i, kept;
	json_t *pair;
	int rc = 0;

	for (i = 0; i < n; i++)
		p[i] = "0123456789\xc3\xa9\n"[i % 13];
	for (i = 0; i < n; i += piece)
		rc |= cast_data(w, CAST_STDERR, REC_T0, p + i, piece < n - i ? piece : n - i, &e);
	rc |= cast_end(w, REC_T0, NULL, &e);
	cast_free(w);
	rec_read(rec_path("bulk.cast"), &s);
	json_array_foreach(s.coral, i, pair)
	{
		if (strcmp(json_string_value(json_array_get(pair, 0)), "elided") == 0)
			elided =
			    json_integer_value(json_object_get(json_array_get(pair, 1), "bytes"));
	}
	kept = s.stream[CAST_STDERR].len;
	ok(rc == 0 && !s.failed && elided + (int64_t)kept == (int64_t)n,
	    "%zu bytes under a cap of %zu: what is kept and what is left out add up", n, cap);
	ok(want_elided ? elided > 0 && elided >= want_elided && elided < want_elided + 8
		       : elided == 0,
	    "%lld are left out", (long long)elided);
	ok(kept > cap - 4 || kept == n, "the head is whole");
	ok(kept == n ? rec_same(&s.stream[CAST_STDERR], p, n)
		     : memcmp(buf_head(&s.stream[CAST_STDERR]), p, cap - 4) == 0 &&
			   memcmp(buf_head(&s.stream[CAST_STDERR]) + kept - 65000, p + n - 65000,
			       65000) == 0,
	    "head and tail are exact");
	is_str(json_string_value(json_object_get(stream_end(&s, "stderr"), "sha256")),
	    digest_of(p, n), "the digest is of all");
	ok(json_is_boolean(json_object_get(stream_end(&s, "stderr"), "whole")) &&
		json_is_true(json_object_get(stream_end(&s, "stderr"), "whole")) == (elided == 0),
	    "and the end says whether the file holds all");
	ok(fstatat(rec_dirfd, "bulk.cast", &st, 0) == 0 &&
		(size_t)st.st_size < 2 * (cap + 65536) + 24 * (n / piece) + 8192,
	    "the file is bounded");
	rec_forget(&s);
	free(p);
	unlinkat(rec_dirfd, "bulk.cast", 0);
}

static void
test_digest_only(void)
{
	struct cast_start cs = {.dirfd = rec_dirfd,
	    .name = "none.cast",
	    .cols = 80,
	    .rows = 24,
	    .mono_ns = REC_T0,
	    .digest_only = true,
	    .tty = true};
	struct err e = {0};
	struct cast_writer *w = cast_create(&cs, &e);
	struct rec_seen s;

	ok(w && cast_data(w, CAST_STDOUT, REC_T0, "secret\xff", 7, &e) == 0 &&
		cast_end(w, REC_T0, NULL, &e) == 0,
	    "a session that is only counted");
	cast_free(w);
	rec_read(rec_path("none.cast"), &s);
	ok(!s.failed && s.stream[CAST_STDOUT].len == 0, "stores no byte");
	is_str(json_string_value(json_object_get(stream_end(&s, "stdout"), "sha256")),
	    digest_of("secret\xff", 7), "but their digest");
	ok(json_is_false(json_object_get(stream_end(&s, "stdout"), "whole")), "and says so");
	rec_forget(&s);
}

static void
test_limits(void)
{
	struct cast_writer *w = rec_create("limits.cast", true, 0);
	char *big = malloc(200 * 1024);
	json_t *facts;
	struct err e = {0};
	struct rec_seen s;

	memset(big, 'x', 200 * 1024 - 1);
	big[200 * 1024 - 1] = '\0';
	facts = json_pack("{ss}", "text", big);
	is_int(cast_event(w, REC_T0, "notice", facts, &e), -1, "facts over the limit are refused");
	is_int(e.code, ERR_LIMIT, "as a limit");
	is_int(cast_end(w, REC_T0, facts, &e), -1, "and so is an end");
	is_int(cast_end(w, REC_T0, NULL, &e), 0, "a smaller end is then taken");
	cast_free(w);
	rec_read(rec_path("limits.cast"), &s);
	ok(!s.failed && !s.truncated && s.events == 1,
	    "nothing of the refused ones is in the file");
	rec_forget(&s);
	ok(!rec_create("limits.cast", true, 0), "an existing file is never overwritten");
	json_decref(facts);
	free(big);
}

int
main(void)
{
	rec_setup();
	test_round_trips();
	test_streams_and_carry();
	bulk(1000, 1000, 100, 0);
	bulk(100000, 50000, 7777, 0);
	bulk(500000, 50000, 7777, 500000 - 50000 - 65536);
	bulk(500000, 50000, 500000, 500000 - 50000 - 65536);
	bulk(50000 + 65536, 50000, 33, 0);
	test_digest_only();
	test_limits();
	return done_testing();
}
