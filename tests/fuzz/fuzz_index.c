/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "replay/sidecar_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What protects from chance does not from an enemy. */
static void
make_right(unsigned char *p, size_t n)
{
	size_t end = n - SIDECAR_FOOT;
	struct rd r = {.p = p + end, .n = 8};
	uint64_t from = rd_u64(&r), crc;

	if (from > end)
		return;
	crc = crc32(crc32(0, p + from, (uInt)(end - from)), p + end, SIDECAR_FOOT - 20);
	for (int i = 0; i < 8; i++)
		p[end + SIDECAR_FOOT - 20 + (size_t)i] = (unsigned char)(crc >> (56 - 8 * i));
}

static void
use(struct sidecar *x)
{
	struct screen *s = screen_new(24, 80);
	struct moments m = {0};
	struct place at;
	struct buf more;

	buf_init(&more, 1 << 16);
	for (size_t k = 0; k < sidecar_count(x) && k < 8; k++) {
		x->list[k].crc = 0;
		if (x->list[k].block + x->list[k].zlen + x->list[k].filter < 1 << 20) {
			unsigned char b[4096];
			size_t len = (size_t)x->list[k].zlen + x->list[k].filter;

			if (len <= sizeof(b) && pread(x->fd, b, len, (off_t)x->list[k].block) > 0)
				x->list[k].crc = (uint32_t)crc32(0, b, (uInt)len);
		}
		sidecar_may_hold(x, k, "needle", 6);
		if (sidecar_load(x, k, s, &at, &more) == 0)
			screen_feed(s, "\x1b[9;9Hx\r\n\xcc\x81\tz", 13);
	}
	if (sidecar_moments(x, &m) == 0 && m.n > SIDECAR_MOMENTS_MAX)
		abort();
	free(m.list);
	buf_fini(&more);
	screen_free(s);
}

/* An index of an enemy: what is said in it is refused, or does no harm. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct sidecar_home h = {.dir = -1};
	struct sidecar *x;
	unsigned char *copy;
	int fd;

	if (n < SIDECAR_FOOT)
		return 0;
	if (h.dir < 0) {
		h.dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		snprintf(h.name, sizeof(h.name), "fuzz.%d.index", (int)getpid());
	}
	copy = malloc(n);
	memcpy(copy, p, n);
	make_right(copy, n);
	fd = openat(h.dir, h.name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, copy, n) != (ssize_t)n)
		abort();
	close(fd);
	free(copy);
	x = sidecar_open(&h, -1);
	if (x)
		use(x);
	sidecar_free(x);
	unlinkat(h.dir, h.name, 0);
	return 0;
}
