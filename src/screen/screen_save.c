/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "screen/screen.h"

#include <string.h>

#include "screen/screen_int.h"

/*
 * Pointers inside the arena stay right because it never moves: a state goes
 * back to the addresses that it came from.
 */
struct saved {
	const unsigned char *base;
	size_t used;
	struct screen_flags flags;
};

size_t
screen_save_size(const struct screen *s)
{
	return sizeof(struct saved) + s->arena.used;
}

int
screen_save(const struct screen *s, struct buf *out)
{
	struct saved h;
	unsigned char *p = buf_tail(out, screen_save_size(s));

	if (!p)
		return -1;
	memset(&h, 0, sizeof(h));
	h.base = s->arena.base;
	h.used = s->arena.used;
	h.flags = s->flags;
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), s->arena.base, s->arena.used);
	buf_added(out, screen_save_size(s));
	return 0;
}

int
screen_restore(struct screen *s, const void *p, size_t n)
{
	struct saved h;

	if (n < sizeof(h))
		return -1;
	memcpy(&h, p, sizeof(h));
	if (h.base != s->arena.base || h.used != n - sizeof(h) || h.used > s->arena.limit)
		return -1;
	memcpy(s->arena.base, (const unsigned char *)p + sizeof(h), h.used);
	s->arena.used = h.used;
	s->flags = h.flags;
	s->dirty_from = 0;
	s->dirty_to = SCREEN_ROWS_MAX;
	s->changes++;
	return 0;
}

bool
screen_sound(const struct screen *s)
{
	return arena_sound(&s->arena);
}
