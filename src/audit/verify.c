/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/verify.h"

#include <string.h>

#include "audit/peek.h"
#include "base/str.h"

static void
note_head(struct audit_head *h, enum audit_place place, const struct audit_entry *x,
    const struct audit_peek *k)
{
	h->place = place;
	h->line = x->line;
	str_copy(h->file, x->file, sizeof h->file);
	str_copy(h->time, k->time, sizeof h->time);
}

/* What a removal says is believed as the record is: no more, and no less, than the others. */
static void
take_pruned(struct audit_proof *p, struct audit_head *heads, size_t n, const struct audit_entry *x,
    const struct audit_peek *k, const char *before)
{
	char last[AUDIT_HASH_SIZE];

	if (strcmp(k->event, AUDIT_PRUNED) != 0 || !audit_pruned_last(x->text, x->len, last))
		return;
	if (strcmp(last, before) == 0) {
		p->from = AUDIT_FROM_PRUNED;
		str_copy(p->pruned, k->time, sizeof p->pruned);
	}
	for (size_t i = 0; i < n; i++)
		if (heads[i].place == AUDIT_HEAD_GONE && strcmp(heads[i].hash, last) == 0)
			note_head(&heads[i], AUDIT_HEAD_PRUNED, x, k);
}

static void
take(struct audit_proof *p, struct audit_head *heads, size_t n, const struct audit_entry *x,
    const char *before)
{
	struct audit_peek k;

	if (!x->good || !audit_peek(x->text, x->len, &k))
		return;
	if (!p->first[0])
		str_copy(p->first, k.time, sizeof p->first);
	str_copy(p->last, k.time, sizeof p->last);
	str_copy(p->head_file, x->file, sizeof p->head_file);
	p->head_line = x->line;
	take_pruned(p, heads, n, x, &k, before);
	for (size_t i = 0; i < n; i++)
		if (strcmp(heads[i].hash, x->hash) == 0)
			note_head(&heads[i], AUDIT_HEAD_HERE, x, &k);
}

int
audit_verify(
    const char *dir, struct audit_head *heads, size_t n, struct audit_proof *p, struct err *e)
{
	struct audit_reader *r = audit_read_open(dir, e);
	char before[AUDIT_HASH_SIZE] = "";
	struct audit_entry x;
	int rc = r ? 0 : -1;

	*p = (struct audit_proof){.from = AUDIT_FROM_NOWHERE};
	while (r && (rc = audit_next(r, &x, e)) == 1) {
		if (p->v.records++ == 0)
			memcpy(before, x.prev, sizeof before);
		take(p, heads, n, &x, before);
	}
	if (rc == 0)
		audit_verdict(r, &p->v);
	if (rc == 0 && (p->v.begins || p->v.records == 0))
		p->from = AUDIT_FROM_FIRST;
	audit_read_close(r);
	return rc;
}
