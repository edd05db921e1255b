/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/grep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/grep_int.h"
#include "replay/sidecar.h"

/* Of output without a terminal: wide enough for most lines, which are joined where it is not. */
#define PLAIN_ROWS 24
#define PLAIN_COLS 200
#define LAST_TIME (INT64_MAX / 4)
#define LEAVING_MOST ((size_t)64 << 10)

struct run {
	struct cast_reader *r;
	int castfd;
	const struct grep_want *want;
	struct grep_want own; /* that asks the other, and tells the index */
	struct grep_hits *hits;
	struct grep_scan *scan[2];
	struct place at;
	const struct sidecar_home *home;
	struct sidecar *old;
	size_t segment; /* of the old index, that is read */
	bool past_old;	/* behind its last place */
	struct sidecar_build *build;
	struct buf leaving;
};

static int
out_of_memory(struct err *e)
{
	return err_set(e, ERR_INTERNAL, ENOMEM, "cannot search the recording");
}

static bool
own_match(void *arg, const char *line, size_t n, size_t *from, size_t *to)
{
	struct run *x = arg;

	if (x->build)
		sidecar_build_line(x->build, line, n);
	return x->want->match && x->want->match(x->want->arg, line, n, from, to);
}

static int
own_found(void *arg, const struct grep_hit *h)
{
	struct run *x = arg;

	return x->want->found(x->want->arg, h);
}

static void
take(struct run *x, const struct cast_event *ev)
{
	struct grep_scan *s = x->scan[1] && ev->stream == CAST_STDERR ? x->scan[1] : x->scan[0];

	/* As the player has it: times do not go back. */
	if (ev->t > x->at.t)
		x->at.t = ev->t < LAST_TIME ? ev->t : LAST_TIME;
	if (ev->kind == CAST_EV_OUTPUT || ev->kind == CAST_EV_RESIZE)
		x->at.frame++;
	else
		typed_take(&x->at.typed, ev);
	if (x->build)
		sidecar_build_event(x->build, ev);
	if (ev->kind == CAST_EV_OUTPUT) {
		struct screen_hidden was = *screen_hidden(s->screen);

		scan_feed(s, x->at.t, ev->data, ev->len);
		if (x->build)
			sidecar_build_output(x->build, &was, screen_hidden(s->screen), ev);
	} else if (ev->kind == CAST_EV_RESIZE && !x->scan[1]) {
		scan_resize(s, x->at.t, ev->rows, ev->cols);
	}
}

static bool
may_hold(struct run *x, size_t k)
{
	return !x->want->must || sidecar_may_hold(x->old, k, x->want->must, strlen(x->want->must));
}

/* What was read since the index was made is of its last place. */
static bool
is_whole(const struct run *x)
{
	return (uint64_t)cast_size(x->r) == sidecar_upto(x->old);
}

/* The next place from here on where it may be, or the number of places when it is in none. */
static size_t
next_place(struct run *x, size_t k)
{
	size_t n = sidecar_count(x->old);

	while (k < n && !may_hold(x, k))
		k++;
	return k == n && !is_whole(x) ? n - 1 : k;
}

/* As leap(). */
static int
jump(struct run *x, size_t k, struct err *e)
{
	struct grep_scan *s = x->scan[0];

	buf_clear(&x->leaving);
	if (sidecar_load(x->old, k, s->screen, &x->at, &x->leaving) < 0) {
		/* Damaged: it goes on without, and the next search makes another. */
		unlinkat(x->home->dir, x->home->name, 0);
		sidecar_free(x->old);
		x->old = NULL;
		return 0;
	}
	scan_moved(s, x->at.t, &x->leaving);
	x->segment = k;
	return cast_seek(x->r, x->at.offset, x->at.line, x->at.line_t, e) < 0 ? -1 : 1;
}

/* Before the event at `offset`: 1 when it stands elsewhere now, 0, 2 at the end, or -1. */
static int
leap(struct run *x, uint64_t offset, struct err *e)
{
	size_t n = sidecar_count(x->old), k = x->segment, to;

	while (k + 1 < n && sidecar_place(x->old, k + 1)->offset <= offset)
		k++;
	if ((k == x->segment && offset > sidecar_place(x->old, 0)->offset) || hits_any(x->hits))
		return 0;
	x->segment = k;
	/* Somewhere within: the whole of it was left out, or none. */
	if (offset != sidecar_place(x->old, k)->offset)
		return 0;
	to = next_place(x, k);
	if (to == n)
		return 2;
	while (to > k && !sidecar_has_frame(x->old, to))
		to--;
	return to > k ? jump(x, to, e) : 0;
}

/* The index goes on with what is read from its last place on. */
static void
build_from(struct run *x, uint64_t offset)
{
	const struct place *last = sidecar_place(x->old, sidecar_count(x->old) - 1);
	int64_t size = cast_size(x->r);

	if (x->past_old || offset < last->offset)
		return;
	x->past_old = true;
	if (size >= 0 && (uint64_t)size >= sidecar_upto(x->old) + GREP_INDEX_LEAST)
		x->build = sidecar_build_new(x->home, x->castfd, x->r, x->old);
}

static void
build_at(struct run *x, const struct cast_event *ev)
{
	struct grep_scan *s = x->scan[0];

	x->at.offset = ev->offset;
	x->at.line = ev->line;
	x->at.line_t = ev->t;
	if (x->build && sidecar_build_due(x->build, ev->offset))
		sidecar_build_frame(x->build, &x->at, x->scan[1] ? NULL : s->screen, &s->leaving);
}

/* A place at the very end, to go on from; of version 3 the time of what comes is not known. */
static void
build_end(struct run *x)
{
	struct grep_scan *s = x->scan[0];

	x->at.offset = cast_passed(x->r, &x->at.line);
	x->at.line_t = x->at.t;
	if (!cast_is_v3(x->r) && !x->scan[1] && cast_is_ours(x->r))
		sidecar_build_frame(x->build, &x->at, s->screen, &s->leaving);
	sidecar_build_finish(steal_ptr(&x->build), &x->at);
}

static int
run(struct run *x, struct err *e)
{
	struct cast_event ev;
	int got, rc;

	while ((got = cast_next(x->r, &ev, e)) == 1) {
		if (x->old) {
			rc = leap(x, ev.offset, e);
			if (rc < 0)
				return -1;
			if (rc == 1)
				continue;
			if (rc == 2) {
				got = 0;
				break;
			}
			if (x->old)
				build_from(x, ev.offset);
		}
		build_at(x, &ev);
		take(x, &ev);
		if (x->hits->failed || x->scan[0]->failed || (x->scan[1] && x->scan[1]->failed))
			return out_of_memory(e);
		if (x->hits->stopped)
			return 0;
	}
	hits_tell(x->hits, x->at.t, true);
	if (got == 0 && x->build)
		build_end(x);
	return got;
}

static int
search(struct run *x, struct err *e)
{
	const json_t *tty = json_object_get(json_object_get(cast_header(x->r), "coral"), "tty");
	bool plain = json_is_false(tty);
	int rc;

	x->hits = calloc(1, sizeof(*x->hits));
	if (!x->hits)
		return out_of_memory(e);
	x->own = (struct grep_want){own_match, own_found, x, NULL};
	x->hits->want = &x->own;
	buf_init(&x->leaving, LEAVING_MOST);
	x->scan[0] = scan_new(x->hits, &x->own, plain ? PLAIN_ROWS : cast_rows(x->r),
	    plain ? PLAIN_COLS : cast_cols(x->r), plain);
	if (plain)
		x->scan[1] = scan_new(x->hits, &x->own, PLAIN_ROWS, PLAIN_COLS, true);
	rc = !x->scan[0] || (plain && !x->scan[1]) ? out_of_memory(e) : run(x, e);
	scan_free(x->scan[0]);
	scan_free(x->scan[1]);
	hits_fini(x->hits);
	free(x->hits);
	buf_fini(&x->leaving);
	return rc;
}

int
grep_recording(struct cast_reader *r, const struct grep_want *w, struct err *e)
{
	return search(&(struct run){.r = r, .want = w}, e);
}

static int
search_at(struct run *x, struct err *e)
{
	int rc;

	x->old = sidecar_open(x->home, x->castfd);
	if (!x->old)
		x->build = sidecar_build_new(x->home, x->castfd, x->r, NULL);
	rc = search(x, e);
	sidecar_build_free(x->build);
	sidecar_free(x->old);
	return rc;
}

int
grep_indexed(struct cast_reader *r, int castfd, const struct grep_want *w, struct err *e)
{
	struct sidecar_home home;
	struct run x = {.r = r, .castfd = castfd, .home = &home, .want = w};
	int rc;

	if (cast_size(r) < GREP_INDEX_LEAST || sidecar_home(castfd, &home) < 0)
		return search(&x, e);
	rc = search_at(&x, e);
	sidecar_home_fini(&home);
	return rc;
}

static bool
no_match(void *arg, const char *line, size_t n, size_t *from, size_t *to)
{
	(void)arg;
	(void)line;
	(void)n;
	(void)from;
	(void)to;
	return false;
}

static int
no_hit(void *arg, const struct grep_hit *h)
{
	(void)arg;
	(void)h;
	return 0;
}

int
grep_make_index(struct cast_reader *r, int castfd, const struct sidecar_home *h, struct err *e)
{
	/* Nothing is in every line that matches when none does: all but what is new is left out. */
	struct grep_want w = {no_match, no_hit, NULL, "\1\2\3\4\5\6\7\1\3\5\7\2\4\6"};

	return search_at(&(struct run){.r = r, .castfd = castfd, .home = h, .want = &w}, e);
}
