/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/grep.h"

#include <errno.h>
#include <stdlib.h>

#include "record/grep_int.h"

/* Of output without a terminal: wide enough for most lines, which are joined where it is not. */
#define PLAIN_ROWS 24
#define PLAIN_COLS 200
#define LAST_TIME (INT64_MAX / 4)

static int
out_of_memory(struct err *e)
{
	return err_set(e, ERR_INTERNAL, ENOMEM, "cannot search the recording");
}

static void
take(struct grep_scan *const scan[2], const struct cast_event *ev, int64_t t)
{
	struct grep_scan *s = scan[1] && ev->stream == CAST_STDERR ? scan[1] : scan[0];

	if (ev->kind == CAST_EV_OUTPUT)
		scan_feed(s, t, ev->data, ev->len);
	else if (ev->kind == CAST_EV_RESIZE && !scan[1])
		scan_resize(s, t, ev->rows, ev->cols);
}

static int
run(struct cast_reader *r, struct grep_hits *x, struct grep_scan *const scan[2], struct err *e)
{
	struct cast_event ev;
	int64_t t = 0;
	int got;

	while ((got = cast_next(r, &ev, e)) == 1) {
		/* As the player has it: times do not go back. */
		if (ev.t > t)
			t = ev.t < LAST_TIME ? ev.t : LAST_TIME;
		take(scan, &ev, t);
		if (x->failed || scan[0]->failed || (scan[1] && scan[1]->failed))
			return out_of_memory(e);
		if (x->stopped)
			return 0;
	}
	hits_tell(x, t, true);
	return got;
}

int
grep_recording(struct cast_reader *r, const struct grep_want *w, struct err *e)
{
	const json_t *tty = json_object_get(json_object_get(cast_header(r), "coral"), "tty");
	struct grep_hits *x = calloc(1, sizeof(*x));
	bool plain = json_is_false(tty);
	struct grep_scan *scan[2] = {NULL};
	int rc;

	if (!x)
		return out_of_memory(e);
	x->want = w;
	scan[0] = scan_new(
	    x, w, plain ? PLAIN_ROWS : cast_rows(r), plain ? PLAIN_COLS : cast_cols(r), plain);
	if (plain)
		scan[1] = scan_new(x, w, PLAIN_ROWS, PLAIN_COLS, true);
	if (!scan[0] || (plain && !scan[1]))
		rc = out_of_memory(e);
	else
		rc = run(r, x, scan, e);
	scan_free(scan[0]);
	scan_free(scan[1]);
	hits_fini(x);
	free(x);
	return rc;
}
