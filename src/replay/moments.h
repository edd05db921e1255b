/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_MOMENTS_H
#define CORAL_REPLAY_MOMENTS_H

#include "replay/player.h"

#define MOMENTS_MAX 4096

/* What is to be told of in a recording, in order, as far as it was read: the
 * first MOMENTS_MAX. */
struct moments {
	struct player_moment *list;
	size_t n, room;
	uint64_t upto;
	int64_t told[5]; /* when each kind of hiding was told of last, and one ns */
};

void moments_take(struct moments *m, const struct cast_event *ev);
/* What output hides, told by what was hidden before and after, is a moment; the second one applies
 * the output itself. */
void moments_hidden(struct moments *m, const struct screen_hidden *was,
    const struct screen_hidden *is, const struct cast_event *ev);
void moments_feed(struct moments *m, struct screen *s, const struct cast_event *ev);

#endif
