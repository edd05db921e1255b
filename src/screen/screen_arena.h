/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_SCREEN_SCREEN_ARENA_H
#define CORAL_SCREEN_SCREEN_ARENA_H

/*
 * Memory of one screen: a fixed range of addresses between two guard pages,
 * with a first-fit allocator whose book-keeping lies inside.  Copying the used
 * part out and back restores every object, pointers included.
 */
#include <stdbool.h>
#include <stddef.h>

struct arena {
	unsigned char *base; /* after the guard page */
	size_t limit;	     /* bytes reserved */
	size_t used;	     /* up to the end of the last block */
};

int arena_init(struct arena *a, size_t limit);
void arena_fini(struct arena *a);
/* Zeroed; NULL when the range is full. */
void *arena_alloc(struct arena *a, size_t n);
void arena_release(struct arena *a, void *p); /* accepts NULL */
/* Book-keeping is whole: for tests. */
bool arena_sound(const struct arena *a);

#endif
