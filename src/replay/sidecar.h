/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_SIDECAR_H
#define CORAL_REPLAY_SIDECAR_H

/*
 * The index of a recording, ID.index beside it: coral-index(5).  Key frames, so
 * that a player begins near a time and a search near a place, and for the
 * stretch from each to the next a filter of what stood on the screen, so that a
 * search leaves out where it cannot have been.  It can be made again at any
 * time, proves nothing, and is taken for hostile.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "record/cast.h"
#include "replay/player_int.h"

/* Where the index of a recording in the store is; of no other, and of none that is encrypted. */
struct sidecar_home {
	int dir;
	char name[48];
};
int sidecar_home(int castfd, struct sidecar_home *h); /* -1: nowhere */
/* Told, and not found out from /proc. */
int sidecar_home_at(int sessdir, const char *id, int castfd, struct sidecar_home *h);
void sidecar_home_fini(struct sidecar_home *h);

struct sidecar;
/* NULL: there is none, or it is of another recording, or damaged. */
struct sidecar *sidecar_open(const struct sidecar_home *h, int castfd);
void sidecar_free(struct sidecar *x);

/* Bytes of the recording that it covers. */
uint64_t sidecar_upto(const struct sidecar *x);
/* The time of the last event in them. */
int64_t sidecar_length(const struct sidecar *x);
/* At least one: the first begins with the first event. */
size_t sidecar_count(const struct sidecar *x);
const struct place *sidecar_place(const struct sidecar *x, size_t k);
/* A screen can begin there. */
bool sidecar_has_frame(const struct sidecar *x, size_t k);
/* Put it on the screen; `more` (NULL: not wanted) gets what was kept with it.  -1: damaged. */
int sidecar_load(struct sidecar *x, size_t k, struct screen *s, struct place *at, struct buf *more);
/* Whether this may have stood there between k and the next one, whatever the case of its ASCII
 * letters.  When in doubt it may. */
bool sidecar_may_hold(struct sidecar *x, size_t k, const char *text, size_t n);
/* What has a name in it. */
int sidecar_moments(struct sidecar *x, struct moments *m);

struct sidecar_build;
/* Of what r reads from its beginning, or from the last place of `old` on.  NULL: cannot. */
struct sidecar_build *sidecar_build_new(
    const struct sidecar_home *h, int castfd, const struct cast_reader *r, struct sidecar *old);
/* A line that stands there. */
void sidecar_build_line(struct sidecar_build *b, const char *line, size_t n);
void sidecar_build_event(struct sidecar_build *b, const struct cast_event *ev);
void sidecar_build_output(struct sidecar_build *b, const struct screen_hidden *was,
    const struct screen_hidden *is, const struct cast_event *ev);
/* Between two events: whether a frame is due, and then take it (s NULL: without a screen). */
bool sidecar_build_due(const struct sidecar_build *b, uint64_t offset);
void sidecar_build_frame(
    struct sidecar_build *b, const struct place *at, struct screen *s, const struct buf *more);
/* All was read; in the place of what was there.  `end` is where it ends.  Frees it. */
void sidecar_build_finish(struct sidecar_build *b, const struct place *end);
void sidecar_build_free(struct sidecar_build *b); /* and leave nothing; accepts NULL */

#endif
