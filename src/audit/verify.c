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

/* Files go from the oldest on, so that each removal begins where the one told before it ended: from
 * a head that was the last of one, the next ones lead to what the log follows. */
static void
take_pruned(struct audit_proof *p, struct audit_head *heads, size_t n, const struct audit_entry *x,
    const struct audit_peek *k, const char *before)
{
	char after[AUDIT_HASH_SIZE], last[AUDIT_HASH_SIZE];

	if (strcmp(k->event, AUDIT_PRUNED) != 0 ||
	    !audit_pruned_parse(x->text, x->len, after, last))
		return;
	if (strcmp(last, before) == 0) {
		p->from = AUDIT_FROM_PRUNED;
		str_copy(p->pruned, k->time, sizeof p->pruned);
	}
	for (size_t i = 0; i < n; i++) {
		struct audit_head *h = &heads[i];

		if (h->place == AUDIT_HEAD_GONE && strcmp(h->hash, last) == 0)
			note_head(h, AUDIT_HEAD_GONE, x, k);
		if (strcmp(h->hash, last) == 0 || strcmp(h->leads, after) == 0)
			memcpy(h->leads, last, sizeof h->leads);
	}
}

/* A removal that nothing of the chain speaks for is none. */
static void
judge_heads(const struct audit_proof *p, struct audit_head *heads, size_t n, const char *before)
{
	for (size_t i = 0; i < n; i++) {
		struct audit_head *h = &heads[i];

		if (h->place != AUDIT_HEAD_GONE)
			continue;
		if (p->from == AUDIT_FROM_PRUNED && strcmp(h->leads, before) == 0) {
			h->place = AUDIT_HEAD_PRUNED;
			continue;
		}
		h->file[0] = h->time[0] = '\0';
		h->line = 0;
	}
}

static void
take(struct audit_proof *p, struct audit_head *heads, size_t n, const struct audit_entry *x,
    const char *before)
{
	struct audit_peek k;

	if (!x->good || !audit_peek(x->text, x->len, &k) || audit_time_ns(k.time) < 0)
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
	for (size_t i = 0; i < n; i++) {
		heads[i].place = AUDIT_HEAD_GONE;
		heads[i].leads[0] = heads[i].file[0] = heads[i].time[0] = '\0';
		heads[i].line = 0;
	}
	while (r && (rc = audit_next(r, &x, e)) == 1) {
		if (p->v.records++ == 0)
			memcpy(before, x.prev, sizeof before);
		take(p, heads, n, &x, before);
	}
	if (rc == 0)
		audit_verdict(r, &p->v);
	if (rc == 0 && (p->v.begins || p->v.records == 0))
		p->from = AUDIT_FROM_FIRST;
	judge_heads(p, heads, n, before);
	audit_read_close(r);
	return rc;
}
