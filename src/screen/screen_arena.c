/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "screen/screen_arena.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGN 16u
#define MAGIC 0xc04a1b10u
#define GIVE_BACK (1u << 20) /* freed tail over this goes back to the kernel */

struct block {
	size_t size; /* with this header */
	uint32_t used;
	uint32_t magic;
};

static struct block *
block_at(const struct arena *a, size_t off)
{
	return (struct block *)(void *)(a->base + off);
}

int
arena_init(struct arena *a, size_t limit)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *p;

	limit = (limit + page - 1) & ~(page - 1);
	p = mmap(
	    NULL, limit + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	if (mprotect(p + page, limit, PROT_READ | PROT_WRITE) < 0) {
		munmap(p, limit + 2 * page);
		return -1;
	}
	*a = (struct arena){.base = p + page, .limit = limit};
	return 0;
}

void
arena_fini(struct arena *a)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (a->base)
		munmap(a->base - page, a->limit + 2 * page);
	*a = (struct arena){0};
}

/* A free block is cut to what is asked, the rest stays a block of its own. */
static void
split(struct block *b, size_t size)
{
	struct block *rest = (struct block *)(void *)((unsigned char *)b + size);

	if (b->size - size <= sizeof(*b))
		return;
	*rest = (struct block){.size = b->size - size, .magic = MAGIC};
	b->size = size;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	size_t size = sizeof(struct block) + ((n + ALIGN - 1) & ~(size_t)(ALIGN - 1));
	struct block *b = NULL;
	size_t off;

	if (n > a->limit)
		return NULL;
	for (off = 0; off < a->used; off += block_at(a, off)->size) {
		b = block_at(a, off);
		if (!b->used && b->size >= size)
			break;
	}
	if (off == a->used) {
		if (size > a->limit - a->used)
			return NULL;
		b = block_at(a, off);
		*b = (struct block){.size = size, .magic = MAGIC};
		a->used += size;
	} else {
		split(b, size);
	}
	b->used = 1;
	return memset(b + 1, 0, b->size - sizeof(*b));
}

static void
merge_free(struct arena *a)
{
	struct block *b, *next;
	size_t off = 0;

	while (off < a->used) {
		b = block_at(a, off);
		if (b->used) {
			off += b->size;
			continue;
		}
		if (off + b->size == a->used) {
			if (b->size > GIVE_BACK)
				madvise(a->base + ((off + 4095) & ~(size_t)4095), b->size - 4096,
				    MADV_DONTNEED);
			a->used = off;
			return;
		}
		next = block_at(a, off + b->size);
		if (next->used)
			off += b->size;
		else
			b->size += next->size;
	}
}

void
arena_release(struct arena *a, void *p)
{
	if (!p)
		return;
	((struct block *)p - 1)->used = 0;
	merge_free(a);
}

bool
arena_sound(const struct arena *a)
{
	const struct block *b;
	size_t off;

	for (off = 0; off < a->used; off += b->size) {
		b = block_at(a, off);
		if (b->magic != MAGIC || b->size <= sizeof(*b) - 1 || b->size > a->used - off ||
		    b->used > 1)
			return false;
	}
	return true;
}
