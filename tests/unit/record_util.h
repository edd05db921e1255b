/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_RECORD_UTIL_H
#define CORAL_TESTS_RECORD_UTIL_H

/* A directory of one test, and recordings in it. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "record/cast.h"
#include "tap.h"

static char rec_dir[64];
static int rec_dirfd = -1;

static int
rec_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static pid_t rec_owner;

static void
rec_cleanup(void)
{
	if (rec_dir[0] && getpid() == rec_owner)
		nftw(rec_dir, rec_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define REC_ID "01jd0z5s8w7k3mtq4v9x2c6b1n"
static struct keyfile rec_agent;
static struct evidence rec_evidence;

static void
rec_setup(void)
{
	char key[80];

	snprintf(rec_dir, sizeof(rec_dir), "/tmp/coral-record.XXXXXX");
	if (!mkdtemp(rec_dir) ||
	    (rec_dirfd = open(rec_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		printf("Bail out! no directory: %s\n", strerror(errno));
		exit(1);
	}
	snprintf(key, sizeof(key), "%s/agent_key", rec_dir);
	if (keyfile_load(&rec_agent, key, "key", NULL) < 0 ||
	    evidence_issue(&rec_evidence, &rec_agent, REC_ID, 1700000000 * NS_PER_S) < 0) {
		printf("Bail out! no key\n");
		exit(1);
	}
	unlink(key);
	rec_owner = getpid();
	atexit(rec_cleanup);
}

static __attribute__((unused)) const char *
rec_path(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", rec_dir, name);
	return path;
}

/* Time 0 is clock 1 s, so that tests may count from there. */
#define REC_T0 NS_PER_S

/* `s` has what is not so in each; its name, at least. */
static __attribute__((unused)) struct cast_writer *
rec_begin(struct cast_start s, struct err *e)
{
	json_t *coral =
	    json_pack("{ss ss s[s]}", "session_id", REC_ID, "verb", "exec", "command", "ls");
	struct cast_writer *w;

	s.dirfd = rec_dirfd;
	s.cols = 80;
	s.rows = 24;
	s.real_ns = 1700000000 * NS_PER_S;
	s.mono_ns = REC_T0;
	s.coral = coral;
	s.evidence = &rec_evidence;
	w = cast_create(&s, e);
	json_decref(coral);
	return w;
}

static __attribute__((unused)) struct cast_writer *
rec_create(const char *name, bool tty, uint64_t bulk_cap)
{
	struct err e = {0};
	struct cast_writer *w = rec_begin(
	    (struct cast_start){
		.name = name, .title = "a test", .term = "xterm", .bulk_cap = bulk_cap, .tty = tty},
	    &e);

	if (!w)
		err_print(1, &e);
	return w;
}

/* What a reader sees of a whole file. */
struct rec_seen {
	struct buf stream[CAST_STREAM_COUNT];
	json_t *end;
	json_t *coral; /* array of [name, facts] */
	size_t events, resizes;
	int64_t last_t;
	bool sorted, truncated, failed;
	struct err e;
};

static __attribute__((unused)) void
rec_read(const char *path, struct rec_seen *s)
{
	struct cast_event ev;
	struct cast_reader *r;
	int rc;

	memset(s, 0, sizeof(*s));
	for (int i = 0; i < CAST_STREAM_COUNT; i++)
		buf_init(&s->stream[i], 64 << 20);
	s->coral = json_array();
	s->sorted = true;
	r = cast_open(path, &s->e);
	if (!r) {
		s->failed = true;
		return;
	}
	while ((rc = cast_next(r, &ev, &s->e)) > 0) {
		s->events++;
		s->sorted = s->sorted && ev.t >= s->last_t;
		s->last_t = ev.t;
		if (ev.kind == CAST_EV_OUTPUT || ev.kind == CAST_EV_INPUT)
			buf_put(&s->stream[ev.stream], ev.data, ev.len);
		if (ev.kind == CAST_EV_RESIZE)
			s->resizes++;
		if (ev.kind == CAST_EV_CORAL)
			json_array_append_new(s->coral, json_pack("[s O]", ev.name, ev.facts));
		if (ev.kind == CAST_EV_END)
			s->end = json_deep_copy(ev.facts);
	}
	s->failed = rc < 0;
	s->truncated = cast_truncated(r);
	cast_close(r);
}

static __attribute__((unused)) void
rec_forget(struct rec_seen *s)
{
	for (int i = 0; i < CAST_STREAM_COUNT; i++)
		buf_fini(&s->stream[i]);
	json_decref(s->coral);
	json_decref(s->end);
}

static __attribute__((unused)) bool
rec_same(const struct buf *b, const void *p, size_t n)
{
	return b->len == n && (n == 0 || memcmp(buf_head(b), p, n) == 0);
}

static __attribute__((unused)) uint32_t
rec_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

#endif
