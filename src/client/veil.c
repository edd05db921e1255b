/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <unistd.h>

#include "client/run_int.h"
#include "screen/screen.h"
#include "screen/screen_filter.h"

/* What a piece may grow to: a REP fills a row. */
#define PIECE 4096
#define PIECE_MAX ((size_t)PIECE * SCREEN_COLS_MAX * 4)

struct client_veil {
	struct filter filter;
	struct buf out; /* of the piece at hand, and not written */
	size_t piece;	/* its bytes before the filter; 0: there is none */
};

static void
on_put(void *arg, const char *p, size_t n)
{
	struct client_veil *v = arg;

	buf_put(&v->out, p, n);
}

static void
on_wiping(void *arg, enum filter_wipe how)
{
	(void)arg;
	(void)how;
}

struct client_veil *
client_veil_new(void)
{
	struct client_veil *v = calloc(1, sizeof(*v));

	if (v)
		buf_init(&v->out, PIECE_MAX);
	return v;
}

void
client_veil_free(struct client_veil *v)
{
	if (v)
		buf_fini(&v->out);
	free(v);
}

static void
filter(struct client_veil *v, const unsigned char *p, size_t n)
{
	const struct filter_sink sink = {
	    .put = on_put, .wiping = on_wiping, .arg = v, .cols = SCREEN_COLS_MAX};

	v->piece = n < PIECE ? n : PIECE;
	buf_clear(&v->out);
	filter_run(&v->filter, &sink, p, v->piece);
}

ssize_t
client_veil_write(struct client_veil *v, struct client_sink *k, const unsigned char *p, size_t n)
{
	uint64_t count = k->count;
	size_t done = 0;
	ssize_t put;

	while (done < n) {
		if (v->piece == 0)
			filter(v, p + done, n - done);
		put = v->out.len > 0 ? client_sink_write(k, buf_head(&v->out), v->out.len) : 0;
		if (put < 0)
			return -1;
		buf_consume(&v->out, (size_t)put);
		if (v->out.len > 0)
			break;
		done += v->piece;
		v->piece = 0;
	}
	/* Of what came, not of what it became. */
	k->count = count + done;
	return (ssize_t)done;
}
