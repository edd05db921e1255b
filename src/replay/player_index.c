/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/player_int.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "replay/sidecar.h"

int
index_init(struct index *x)
{
	*x = (struct index){.gap = INDEX_GAP};
	buf_init(&x->raw, SAVE_MAX);
	x->kf = calloc(INDEX_MAX, sizeof(x->kf[0]));
	return x->kf ? 0 : -1;
}

void
index_fini(struct index *x)
{
	size_t i;

	for (i = 0; i < x->n; i++)
		free(x->kf[i].z);
	free(x->kf);
	buf_fini(&x->raw);
	sidecar_free(x->file);
}

void
index_add_file(struct index *x, struct sidecar *file)
{
	x->file = file;
	x->in_file = sidecar_count(file) - 1;
}

void
index_drop_file(struct index *x)
{
	sidecar_free(x->file);
	x->file = NULL;
	x->in_file = 0;
}

size_t
index_count(const struct index *x)
{
	return x->n + x->in_file;
}

const struct place *
index_place(const struct index *x, size_t k)
{
	if (k > 0 && k <= x->in_file)
		return sidecar_place(x->file, k);
	return &x->kf[k == 0 ? 0 : k - x->in_file].at;
}

/* Every second one goes, but the first stays. */
static void
thin_out(struct index *x)
{
	size_t i, n = 0;

	for (i = 0; i < x->n; i++) {
		if (i % 2 == 0) {
			x->kf[n++] = x->kf[i];
		} else {
			x->bytes -= x->kf[i].zlen;
			free(x->kf[i].z);
		}
	}
	x->n = n;
	x->gap *= 2;
}

static void
append(struct index *x, const struct screen *s, const struct place *at)
{
	uLongf zlen;
	unsigned char *z, *fit;

	buf_clear(&x->raw);
	if (screen_save(s, &x->raw) < 0)
		return;
	zlen = compressBound(x->raw.len);
	z = malloc(zlen);
	if (!z || compress2(z, &zlen, buf_head(&x->raw), x->raw.len, 1) != Z_OK ||
	    (zlen > INDEX_ONE && x->n > 0)) {
		free(z);
		return;
	}
	fit = realloc(z, zlen);
	x->kf[x->n++] =
	    (struct keyframe){.at = *at, .z = fit ? fit : z, .zlen = zlen, .rawlen = x->raw.len};
	x->bytes += zlen;
	while (x->n == INDEX_MAX || (x->bytes > INDEX_BYTES && x->n > 1))
		thin_out(x);
}

void
index_consider(struct index *x, const struct screen *s, const struct place *at)
{
	const struct place *last = x->n ? index_place(x, index_count(x) - 1) : NULL;
	uint64_t gap = x->gap, size = screen_save_size(s);

	/* Making one costs about as much as reading half its size. */
	if (size / 2 > gap)
		gap = size / 2;
	if (last && (at->offset <= last->offset || at->offset - last->offset < gap))
		return;
	append(x, s, at);
}

int
index_restore(struct index *x, size_t k, struct screen *s, struct place *at)
{
	const struct keyframe *kf;
	unsigned char *p;
	uLongf len;

	if (k > 0 && k <= x->in_file)
		return sidecar_load(x->file, k, s, at, NULL);
	kf = &x->kf[k == 0 ? 0 : k - x->in_file];
	len = kf->rawlen;
	buf_clear(&x->raw);
	p = buf_tail(&x->raw, kf->rawlen);
	if (!p || uncompress(p, &len, kf->z, kf->zlen) != Z_OK || screen_restore(s, p, len) < 0)
		return -1;
	*at = kf->at;
	return 0;
}

typedef bool past_fn(const struct place *at, const struct place *want);

static bool
past_time(const struct place *at, const struct place *want)
{
	return at->t > want->t;
}

static bool
past_frame(const struct place *at, const struct place *want)
{
	return at->frame > want->frame;
}

static bool
past_offset(const struct place *at, const struct place *want)
{
	return at->offset > want->offset;
}

static size_t
last_not(const struct index *x, past_fn *past, const struct place *want)
{
	size_t lo = 0, hi = index_count(x), mid;

	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (past(index_place(x, mid), want))
			hi = mid;
		else
			lo = mid;
	}
	return lo;
}

size_t
index_by_time(const struct index *x, int64_t t)
{
	return last_not(x, past_time, &(struct place){.t = t});
}

size_t
index_by_frame(const struct index *x, uint64_t frame)
{
	return last_not(x, past_frame, &(struct place){.frame = frame});
}

size_t
index_by_offset(const struct index *x, uint64_t offset)
{
	return last_not(x, past_offset, &(struct place){.offset = offset});
}
