/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/seektable.h"

#include <stdlib.h>
#include <string.h>

#define FOOT_MAGIC 0x8f92eab1u
#define HEAD 8	       /* the skippable frame's magic and length */
#define CHECKSUMS 0x80 /* of the descriptor: entries have one each */
#define RESERVED 0x7c

static uint32_t
get_le32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int
put_le32(struct buf *b, uint64_t v)
{
	const unsigned char p[4] = {(unsigned char)v, (unsigned char)(v >> 8),
	    (unsigned char)(v >> 16), (unsigned char)(v >> 24)};

	return buf_put(b, p, sizeof(p));
}

int
seektable_add(struct seektable *t, uint64_t c, uint64_t d)
{
	struct seektable_frame *grown;

	if (t->n >= SEEKTABLE_FRAMES || d > SEEKTABLE_FRAME_MAX || c > UINT32_MAX)
		return -1;
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 16;

		grown = reallocarray(t->v, room, sizeof(*t->v));
		if (!grown)
			return -1;
		t->v = grown;
		t->room = room;
	}
	t->v[t->n++] = (struct seektable_frame){t->c, t->d};
	t->c += c;
	t->d += d;
	return 0;
}

size_t
seektable_find(const struct seektable *t, uint64_t at)
{
	size_t low = 0, high = t->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (t->v[mid].d <= at)
			low = mid;
		else
			high = mid;
	}
	return low;
}

bool
seektable_same(const struct seektable *a, const struct seektable *b)
{
	return a->n == b->n && a->c == b->c && a->d == b->d &&
	       (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}

static size_t
entry_size(const unsigned char *foot)
{
	return foot[4] & CHECKSUMS ? 12 : 8;
}

size_t
seektable_length(const unsigned char foot[SEEKTABLE_FOOT])
{
	uint32_t n = get_le32(foot);

	if (get_le32(foot + 5) != FOOT_MAGIC)
		return 0;
	if (n > SEEKTABLE_FRAMES || foot[4] & RESERVED)
		return SIZE_MAX;
	return HEAD + n * entry_size(foot) + SEEKTABLE_FOOT;
}

int
seektable_parse(struct seektable *t, const unsigned char *p, size_t n)
{
	const unsigned char *at = p + HEAD, *foot = p + n - SEEKTABLE_FOOT;

	if (n < HEAD + SEEKTABLE_FOOT || seektable_length(foot) != n ||
	    get_le32(p) != SEEKTABLE_MAGIC || get_le32(p + 4) != n - HEAD)
		return -1;
	for (; at < foot; at += entry_size(foot))
		if (seektable_add(t, get_le32(at), get_le32(at + 4)) < 0)
			return -1;
	return 0;
}

int
seektable_put(const struct seektable *t, struct buf *out)
{
	int rc = put_le32(out, SEEKTABLE_MAGIC) | put_le32(out, 8 * t->n + SEEKTABLE_FOOT);

	for (size_t i = 0; i < t->n; i++) {
		bool last = i + 1 == t->n;

		rc |= put_le32(out, (last ? t->c : t->v[i + 1].c) - t->v[i].c);
		rc |= put_le32(out, (last ? t->d : t->v[i + 1].d) - t->v[i].d);
	}
	return rc | put_le32(out, t->n) | buf_put_u8(out, 0) | put_le32(out, FOOT_MAGIC);
}

void
seektable_fini(struct seektable *t)
{
	free(t->v);
	*t = (struct seektable){0};
}
