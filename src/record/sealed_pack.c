/* SPDX-License-Identifier: GPL-3.0-or-later */
#define ZSTD_STATIC_LINKING_ONLY
#include "record/sealed_pack.h"

#include <string.h>
#include <sys/mman.h>
#include <zstd.h>

#include "record/sealed_file.h"

#define LEVEL 1
/* Less than this is not worth what zstd puts before it. */
#define LEAST 256

struct sealed_packer {
	ZSTD_CCtx *zstd;
	size_t room, size; /* of `out`, and of all this */
	unsigned char out[];
};

static void *
map(size_t n)
{
	void *p = mmap(
	    NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* With how long it is before it: munmap(2) wants to know. */
static void *
zstd_alloc(void *arg, size_t n)
{
	size_t *p = map(n + 64);

	(void)arg;
	if (!p)
		return NULL;
	*p = n + 64;
	return (char *)p + 64;
}

static void
zstd_free(void *arg, void *p)
{
	size_t *begin = p ? (size_t *)(void *)((char *)p - 64) : NULL;

	(void)arg;
	if (begin)
		munmap(begin, *begin);
}

struct sealed_packer *
sealed_packer_new(size_t most)
{
	ZSTD_customMem mem = {.customAlloc = zstd_alloc, .customFree = zstd_free};
	size_t size = sizeof(struct sealed_packer) + most;
	struct sealed_packer *p = map(size);

	if (!p)
		return NULL;
	p->size = size;
	p->room = most;
	p->zstd = ZSTD_createCCtx_advanced(mem);
	if (p->zstd)
		return p;
	munmap(p, size);
	return NULL;
}

void
sealed_packer_free(struct sealed_packer *p)
{
	if (!p)
		return;
	ZSTD_freeCCtx(p->zstd);
	munmap(p, p->size);
}

/* Room for less than n: what does not become shorter fails. */
unsigned char *
sealed_pack(struct sealed_packer *p, const void *in, size_t n, size_t *packed)
{
	size_t room = n - 1 < p->room ? n - 1 : p->room;

	if (n < LEAST)
		return NULL;
	*packed = ZSTD_compressCCtx(p->zstd, p->out, room, in, n, LEVEL);
	return ZSTD_isError(*packed) ? NULL : p->out;
}

size_t
sealed_unpacked_size(const void *in, size_t n)
{
	unsigned long long size = ZSTD_getFrameContentSize(in, n);

	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
	    size > SEALED_FRAME_MAX || ZSTD_findFrameCompressedSize(in, n) != n)
		return 0;
	return (size_t)size;
}

int
sealed_unpack(void *out, size_t size, const void *in, size_t n)
{
	return ZSTD_decompress(out, size, in, n) == size ? 0 : -1;
}
