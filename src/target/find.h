/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_FIND_H
#define CORAL_TARGET_FIND_H

/* Between find.c and its errors. */
#include <stdbool.h>
#include "target/target.h"

struct found {
	struct tgt_list all, hits;
	struct tgt_list infra; /* pause processes: never a hit */
	struct tgt own;	       /* our own container */
	bool has_own;
	bool cached; /* some of it is only remembered */
};
/* Anything at all. */
bool tgt_asks(const struct tgt_query *q);
/* Exact names; with `prefix` also the beginning of an id. */
bool tgt_matches(const struct tgt *t, const struct tgt_query *q, bool prefix);
/* A match in remembered facts counts when the process itself still says the same. */
bool find_still_so(
    const struct tgt_sys *s, const struct tgt_query *q, const struct tgt *was, struct tgt *out);
/* True with the only match, out of the cache; false: all has to be looked at. */
bool find_quick(const struct tgt_sys *s, const struct tgt_query *q, struct tgt *out);
/* Both return -1. */
int tgt_err_none(const struct tgt_query *q, const struct found *f, struct err *e);
int tgt_err_several(const struct tgt_query *q, const struct found *f, struct err *e);

static inline struct tgt_list
steal_list(struct tgt_list *l)
{
	struct tgt_list got = *l;

	*l = (struct tgt_list){NULL, 0};
	return got;
}

#endif
