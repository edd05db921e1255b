/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "replay/grep_int.h"

#define REPAINT NS_PER_S /* what is painted again so soon was there all the time */

/* FNV-1a */
static uint64_t
hash_of(const char *p, size_t n)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 1099511628211u;
	return h;
}

/* The first byte of a character at or after i. */
static size_t
character(const char *p, size_t n, size_t i)
{
	while (i < n && ((unsigned char)p[i] & 0xc0) == 0x80)
		i++;
	return i;
}

static void
set_line(struct hit *h, const struct grep_line *l)
{
	size_t from = 0, n = l->n;

	if (n > GREP_SHOWN) {
		if (l->to > GREP_SHOWN && l->from > GREP_SHOWN / 4)
			from = character(l->p, n, l->from - GREP_SHOWN / 4);
		n = n - from < GREP_SHOWN ? n - from : GREP_SHOWN;
		while (from + n < l->n && ((unsigned char)l->p[from + n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(h->text, l->p + from, n);
	h->h.line = h->text;
	h->h.len = n;
	h->h.from = l->from - from < n ? l->from - from : n;
	h->h.to = l->to - from < n ? l->to - from : n;
	h->h.before = from > 0;
	h->h.after = from + n < l->n;
	h->hash = hash_of(l->p, l->n);
	h->len = l->n;
	h->row = l->row;
}

static bool
over(const struct hit *h, int64_t now)
{
	return h->state == HIT_LEFT || (h->state == HIT_GONE && now - h->gone > REPAINT);
}

static void
tell(struct grep_hits *x, struct hit *h)
{
	if (!h->told && !x->stopped && x->want->found(x->want->arg, &h->h) < 0)
		x->stopped = true;
	h->told = true;
}

static void
drop(struct grep_hits *x, size_t i)
{
	free(x->v[i]);
	x->n--;
	memmove(&x->v[i], &x->v[i + 1], (x->n - i) * sizeof(x->v[0]));
}

void
hits_tell(struct grep_hits *x, int64_t now, bool all)
{
	size_t i, kept = 0;

	for (i = 0; i < x->n && (all || x->v[i]->told || over(x->v[i], now)); i++)
		tell(x, x->v[i]);
	for (i = 0; i < x->n; i++) {
		if (x->v[i]->told && (all || over(x->v[i], now)))
			free(x->v[i]);
		else
			x->v[kept++] = x->v[i];
	}
	x->n = kept;
}

/* The oldest that does not stand anywhere makes room, told with all before it. */
static void
make_room(struct grep_hits *x)
{
	size_t i;

	for (i = 0; i + 1 < x->n && x->v[i]->state != HIT_GONE && x->v[i]->state != HIT_LEFT; i++)
		tell(x, x->v[i]);
	tell(x, x->v[i]);
	drop(x, i);
}

static struct hit *
add(struct grep_hits *x, const struct grep_scan *on, const struct grep_line *l, int64_t t)
{
	struct hit *h = malloc(sizeof(*h));

	if (!h) {
		x->failed = true;
		return NULL;
	}
	if (x->n == GREP_HITS)
		make_room(x);
	memset(&h->h, 0, sizeof(h->h));
	h->h.t = t;
	h->on = on;
	h->alt = l->alt;
	h->told = false;
	h->gone = 0;
	set_line(h, l);
	h->state = HIT_HERE;
	x->v[x->n++] = h;
	return h;
}

void
hits_open(struct grep_hits *x, const struct grep_scan *on, int from, int to, bool alt)
{
	struct hit *h;

	for (size_t i = 0; i < x->n; i++) {
		h = x->v[i];
		if (h->on == on && ((h->state == HIT_HERE && h->row >= from && h->row < to) ||
				       (h->state == HIT_UNDER && !alt)))
			h->state = HIT_OPEN;
	}
}

static bool
equal(const struct hit *h, const struct grep_line *l, uint64_t hash)
{
	return h->hash == hash && h->len == l->n;
}

static bool
grew(const struct hit *h, const struct grep_line *l)
{
	return !h->h.before && !h->h.after && h->h.len <= l->n &&
	       memcmp(h->text, l->p, h->h.len) == 0;
}

/* One that grew, or that changed elsewhere than where it matches. */
static bool
became(const struct hit *h, const struct grep_line *l)
{
	size_t was = h->h.to - h->h.from;

	if (h->alt != l->alt)
		return false;
	return grew(h, l) || (h->row == l->row && was <= l->to - l->from &&
				 memcmp(h->text + h->h.from, l->p + l->from, was) == 0);
}

/* Given is the line as it stood first, but whole. */
static void
change(struct hit *h, const struct grep_line *l)
{
	if (grew(h, l) || h->h.to - h->h.from < l->to - l->from)
		set_line(h, l);
	h->hash = hash_of(l->p, l->n);
	h->len = l->n;
	h->row = l->row;
}

bool
hits_same(struct grep_hits *x, const struct grep_scan *on, const struct grep_line *l)
{
	uint64_t hash = hash_of(l->p, l->n);
	struct hit *found = NULL, *h;

	for (size_t i = 0; i < x->n; i++) {
		h = x->v[i];
		if (h->on != on || h->state != HIT_OPEN || h->alt != l->alt || !equal(h, l, hash))
			continue;
		if (!found || h->row == l->row)
			found = h;
	}
	if (!found)
		return false;
	found->state = HIT_HERE;
	found->row = l->row;
	return true;
}

void
hits_other(struct grep_hits *x, const struct grep_scan *on, const struct grep_line *l, int64_t t)
{
	uint64_t hash = hash_of(l->p, l->n);
	struct hit *h, *again = NULL;

	for (size_t i = 0; i < x->n; i++) {
		h = x->v[i];
		if (h->on != on)
			continue;
		if (h->state == HIT_OPEN && became(h, l)) {
			h->state = HIT_HERE;
			change(h, l);
			return;
		}
		if (h->state == HIT_GONE && t - h->gone <= REPAINT && equal(h, l, hash))
			again = h;
	}
	if (again) {
		again->state = HIT_HERE;
		again->row = l->row;
		again->alt = l->alt;
		return;
	}
	add(x, on, l, t);
}

void
hits_close(struct grep_hits *x, const struct grep_scan *on, bool alt, int64_t t)
{
	struct hit *h;

	for (size_t i = 0; i < x->n; i++) {
		h = x->v[i];
		if (h->on != on || h->state != HIT_OPEN)
			continue;
		h->state = alt && !h->alt ? HIT_UNDER : HIT_GONE;
		h->gone = t;
	}
	hits_tell(x, t, false);
}

/* The uppermost that is the same, or that it grew from, or one of which nothing was seen. */
void
hits_leave(struct grep_hits *x, const struct grep_scan *on, const struct grep_line *l, int64_t t)
{
	uint64_t hash = hash_of(l->p, l->n);
	struct hit *same = NULL, *grown = NULL, *h;

	for (size_t i = 0; i < x->n; i++) {
		h = x->v[i];
		if (h->on != on || h->state != HIT_HERE || h->alt)
			continue;
		if (equal(h, l, hash) && (!same || h->row < same->row))
			same = h;
		else if (became(h, l) && (!grown || h->row < grown->row))
			grown = h;
	}
	h = same ? same : grown;
	if (h == NULL)
		h = add(x, on, l, t);
	else if (!same)
		change(h, l);
	if (h)
		h->state = HIT_LEFT;
	hits_tell(x, t, false);
}

bool
hits_any(const struct grep_hits *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i]->state != HIT_GONE && x->v[i]->state != HIT_LEFT)
			return true;
	return false;
}

void
hits_fini(struct grep_hits *x)
{
	while (x->n > 0)
		free(x->v[--x->n]);
}
