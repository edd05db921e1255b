/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that paints: it reads the recording, orders, and nothing else. */
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "record/cast.h"
#include "screen/mirror.h"
#include "session/painter_int.h"

/* Told this often, in bytes of the recording and in time. */
#define TELL_BYTES (512 * 1024)
#define TELL_NS (200 * NS_PER_MS)
/* Catching up without a lower priority: work and pause. */
#define SLICE_NS (10 * NS_PER_MS)
#define PAUSE_MS 30
/* Then it gives back what it needs for painting alone. */
#define QUIET_MS 2000

struct work {
	int sock, fd;
	struct cast_reader *cast;
	struct mirror *mirror;
	struct cast_event ev; /* read, and beyond what was asked for */
	bool held, wrong;
	uint64_t reached, told;
	int64_t told_at;
	uint64_t goal; /* of catching up */
	bool gentle;
};

struct order {
	uint32_t serial;
	uint8_t kind, what, gentle;
	uint16_t rows, cols;
	uint64_t upto;
};

static void
answer(struct work *w, enum painter_answer kind, uint32_t serial, const void *p, size_t n)
{
	unsigned char bytes[PAINTER_HEAD_SIZE + PAINTER_PIECE_MAX];
	struct buf b = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};

	buf_put_u8(&b, (uint8_t)kind);
	buf_put_u32(&b, serial);
	buf_put_u32(&b, (uint32_t)n);
	buf_put(&b, p, n);
	if (fd_write_all(w->sock, bytes, b.len) < 0)
		_exit(0);
}

static void
tell(struct work *w)
{
	unsigned char at[8];
	struct buf b = {.data = at, .cap = sizeof(at), .max = sizeof(at)};

	buf_put_u64(&b, w->reached);
	answer(w, PAINTER_OFFSET, 0, at, sizeof(at));
	w->told = w->reached;
	w->told_at = clock_mono();
}

static void
begin(struct work *w)
{
	const json_t *coral, *recorded;
	struct err e = {0};

	lseek(w->fd, 0, SEEK_SET);
	w->cast = cast_open_fd(w->fd, "the recording", &e);
	if (!w->cast)
		_exit(2);
	coral = json_object_get(cast_header(w->cast), "coral");
	recorded = json_object_get(coral, "recorded");
	w->wrong = json_is_false(json_object_get(recorded, "output")) ||
		   json_is_false(json_object_get(coral, "tty"));
	w->mirror = mirror_new(cast_rows(w->cast), cast_cols(w->cast));
	if (!w->mirror)
		_exit(3);
}

/* The next event, kept until it is applied.  false: there is none before `upto`. */
static bool
have_event(struct work *w, uint64_t upto)
{
	struct err e = {0};
	int rc;

	if (!w->held) {
		rc = cast_next(w->cast, &w->ev, &e);
		w->wrong |= rc < 0;
		if (rc <= 0)
			return false;
		w->held = true;
	}
	return w->ev.offset < upto;
}

static void
apply(struct work *w)
{
	const struct cast_event *ev = &w->ev;

	w->held = false;
	if (ev->offset >= w->reached)
		w->reached = ev->offset + 1;
	if (ev->kind == CAST_EV_RESIZE)
		mirror_resize(w->mirror, ev->rows, ev->cols);
	else if (ev->kind == CAST_EV_OUTPUT && mirror_feed(w->mirror, ev->data, ev->len) < 0)
		_exit(3);
	if (w->reached - w->told >= TELL_BYTES || clock_mono() - w->told_at >= TELL_NS)
		tell(w);
}

static bool
draw(struct work *w, const struct order *o)
{
	unsigned what = MIRROR_SCREEN | (o->what & PAINTER_SCROLLBACK ? MIRROR_SCROLLBACK : 0);
	struct buf out;
	size_t n;
	bool ok;

	buf_init(&out, MIRROR_PAINT_MAX);
	ok = mirror_paint(w->mirror, o->rows, o->cols, what, &out) == 0;
	while (ok && out.len > 0) {
		n = out.len < PAINTER_PIECE_MAX ? out.len : PAINTER_PIECE_MAX;
		answer(w, PAINTER_PIECE, o->serial, buf_head(&out), n);
		buf_consume(&out, n);
	}
	buf_fini(&out);
	malloc_trim(0);
	return ok;
}

static void
paint(struct work *w, const struct order *o)
{
	unsigned char ok = 0;

	while (!w->wrong && have_event(w, o->upto))
		apply(w);
	if (!w->wrong)
		ok = draw(w, o);
	answer(w, PAINTER_DONE, o->serial, &ok, 1);
}

/* 1: an order, 0: none yet.  Ends with the keeper. */
static int
take_order(struct work *w, int wait_ms, struct order *o)
{
	struct pollfd p = {.fd = w->sock, .events = POLLIN};
	unsigned char bytes[PAINTER_ORDER_SIZE];
	struct rd r = {.p = bytes, .n = sizeof(bytes)};

	if (poll(&p, 1, wait_ms) <= 0)
		return 0;
	if (fd_read_full(w->sock, bytes, sizeof(bytes)) != sizeof(bytes))
		_exit(0);
	o->serial = rd_u32(&r);
	o->kind = rd_u8(&r);
	o->what = rd_u8(&r);
	o->gentle = rd_u8(&r);
	rd_u8(&r);
	o->rows = rd_u16(&r);
	o->cols = rd_u16(&r);
	o->upto = rd_u64(&r);
	return 1;
}

/* Some of the way; true: there is more. */
static bool
catch_up(struct work *w)
{
	int64_t until = clock_mono() + SLICE_NS;

	while (!w->wrong && have_event(w, w->goal)) {
		apply(w);
		if (clock_mono() >= until)
			return true;
	}
	malloc_trim(0);
	/* What is left before the goal, if anything, is no whole event. */
	if (w->goal > w->reached)
		w->reached = w->goal;
	w->goal = 0;
	tell(w);
	return false;
}

void
painter_run(int sock, int cast)
{
	struct work w = {.sock = sock, .fd = cast};
	struct order o;
	bool busy = false, trimmed = false;

	/* Memory that is freed goes back. */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	mallopt(M_TRIM_THRESHOLD, 128 * 1024);
	begin(&w);
	for (;;) {
		int wait_ms = busy ? (w.gentle ? PAUSE_MS : 0) : trimmed ? -1 : QUIET_MS;

		if (take_order(&w, wait_ms, &o)) {
			trimmed = false;
			if (o.kind == PAINTER_PAINT) {
				paint(&w, &o);
			} else if (o.upto > w.goal) {
				w.goal = o.upto;
				w.gentle = o.gentle;
			}
		} else if (!busy) {
			mem_trim();
			trimmed = true;
		}
		busy = w.goal > 0 && catch_up(&w);
	}
}
