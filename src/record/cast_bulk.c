/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast.h"

#include <errno.h>
#include <string.h>

#include "record/cast_escape.h"
#include "record/cast_priv.h"

/* {KIND:{"stream":ST,"bytes":N}} */
static int
put_note(struct cast_writer *w, const char *kind, enum cast_stream st, int64_t t, uint64_t n,
    struct err *e)
{
	json_t *facts = json_pack("{si sI}", "stream", (int)st, "bytes", (json_int_t)n);
	int rc = cast_put_facts(w, t, kind, facts, CAST_FACTS_MAX, e);

	json_decref(facts);
	return rc;
}

int
cast_bulk_over(struct cast_writer *w, enum cast_stream st, int64_t t, struct err *e)
{
	struct cast_ring *ring = &w->ring[st];

	if (!ring->data && !(ring->data = malloc(CAST_TAIL)))
		return cast_failed(w, ENOMEM, "keeping the end of a stream in", e);
	cast_put_carry(w, st, t);
	w->side[st].over = true;
	/* Should the session be killed, this says why nothing follows. */
	return put_note(w, "cap", st, t, w->side[st].kept, e);
}

int
cast_bulk_data(struct cast_writer *w, enum cast_stream st, int64_t t, const unsigned char *p,
    size_t n, struct err *e)
{
	struct cast_side *s = &w->side[st];
	uint64_t room = w->bulk_cap - s->kept;

	if (s->over)
		return 0;
	if (n <= room)
		return cast_put_stream(w, st, t, p, n, e);
	/* The part that is kept ends with a whole character. */
	room -= cast_utf8_tail(p, (size_t)room);
	if (room && cast_put_stream(w, st, t, p, (size_t)room, e) < 0)
		return -1;
	if (cast_bulk_over(w, st, t, e) < 0)
		return -1;
	return cast_commit(w, false, e);
}

void
cast_bulk_accept(struct cast_writer *w, enum cast_stream st, const unsigned char *p, size_t n)
{
	struct cast_ring *r = &w->ring[st];
	uint64_t over = w->count[st] + n - w->side[st].kept - r->taken;
	size_t first;

	/* `over` is what of p lies past the cap. */
	p += n - (size_t)over;
	n = (size_t)over;
	r->taken += n;
	if (n >= CAST_TAIL) {
		memcpy(r->data, p + n - CAST_TAIL, CAST_TAIL);
		r->at = 0;
		r->len = CAST_TAIL;
		return;
	}
	first = n < CAST_TAIL - r->at ? n : CAST_TAIL - r->at;
	memcpy(r->data + r->at, p, first);
	memcpy(r->data, p + first, n - first);
	r->at = (r->at + n) % CAST_TAIL;
	r->len = r->len + n < CAST_TAIL ? r->len + n : CAST_TAIL;
}

int
cast_bulk_end(
    struct cast_writer *w, enum cast_stream st, int64_t t, bool without_tail, struct err *e)
{
	struct cast_ring *r = &w->ring[st];
	size_t lead = 0, len = without_tail ? 0 : r->len, first = r->len - r->at;

	if (!w->side[st].over || r->done)
		return 0;
	/* In order, and in `joined`, which has room for exactly one chunk. */
	if (len == CAST_TAIL) {
		memcpy(w->joined, r->data + r->at, first);
		memcpy(w->joined + first, r->data, r->at);
	} else {
		memcpy(w->joined, r->data, len);
	}
	/* Where something is left out, the tail begins with a whole character. */
	if (r->taken > len)
		lead = cast_utf8_lead(w->joined, len);
	len -= lead;
	r->elided = r->taken - len;
	if (r->elided && put_note(w, "elided", st, t, r->elided, e) < 0)
		return -1;
	if (len)
		cast_put_bytes(w, st, t, w->joined + lead, len);
	if (cast_commit_beyond(w, without_tail, e) < 0)
		return -1;
	r->done = true;
	return 0;
}

_Static_assert(CAST_TAIL <= CAST_CHUNK, "a tail is one event");
