/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/find.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define LINES_MAX 12

/* As the user typed it: `--service web`, `web`. */
static void
describe_query(const struct tgt_query *q, char *dst, size_t size)
{
	const struct {
		const char *flag, *value;
	} parts[] = {
	    {"", q->word},
	    {"--service ", q->service},
	    {"--pod ", q->pod},
	    {"--namespace ", q->ns},
	    {"--container ", q->container},
	};
	size_t at = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		if (!parts[i].value || !*parts[i].value || at + 2 >= size)
			continue;
		if (at)
			dst[at++] = ' ';
		at += str_copy(dst + at, parts[i].flag, size - at);
		if (at >= size)
			at = size - 1;
		at += str_vis(dst + at, size - at, parts[i].value);
	}
}

/* SERVICE/CONTAINER  pid N  runtime  id12: the pod is said where there is one. */
static void
list(const struct tgt_list *l, struct err *e)
{
	for (size_t i = 0; i < l->n && i < LINES_MAX; i++) {
		const struct tgt *t = &l->v[i];

		err_why(e, "\n%.60s/%.60s  pid %d  %s%s%.12s%s%.60s",
		    *t->service ? t->service : "-", *t->container ? t->container : "-", (int)t->pid,
		    t->runtime, *t->id ? "  " : "", t->id, *t->pod ? "  pod " : "", t->pod);
	}
	if (l->n > LINES_MAX)
		err_why(e, "\nand %zu more", l->n - LINES_MAX);
}

/* The name that was perhaps meant, or NULL. */
static const char *
nearest(const struct tgt_query *q, const struct tgt_list *all)
{
	const char *const asked[] = {q->word, q->service, q->container, q->pod};
	const char *words[2 * LINES_MAX * 8 + 1];
	size_t n = 0;

	for (size_t i = 0; i < all->n && n + 2 < COUNT_OF(words); i++) {
		if (*all->v[i].service)
			words[n++] = all->v[i].service;
		if (*all->v[i].container)
			words[n++] = all->v[i].container;
	}
	words[n] = NULL;
	for (size_t i = 0; i < COUNT_OF(asked); i++)
		if (asked[i] && *asked[i])
			return str_nearest(asked[i], words);
	return NULL;
}

int
tgt_err_none(const struct tgt_query *q, const struct tgt_list *all, struct err *e)
{
	const char *near = nearest(q, all);
	char asked[320];

	describe_query(q, asked, sizeof(asked));
	if (all->n == 0) {
		err_set(e, ERR_NO_TARGET, 0, "no container is running here");
		err_why(e, "none was found in the process table");
		return err_hint(e, "start one, or enter any process with --pid N");
	}
	err_set(e, ERR_NO_TARGET, 0, "no target matches %.200s", asked);
	err_why(e, "running are:");
	list(all, e);
	return near ? err_hint(e, "did you mean %.200s?", near) : err_hint(e, "coral ps");
}

static bool
unique_container(const struct tgt_list *l, size_t which)
{
	if (!*l->v[which].container)
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (i != which && strcmp(l->v[i].container, l->v[which].container) == 0)
			return false;
	return true;
}

int
tgt_err_several(const struct tgt_query *q, const struct tgt_list *hits, struct err *e)
{
	char asked[320];

	describe_query(q, asked, sizeof(asked));
	if (*asked)
		err_set(e, ERR_AMBIGUOUS, 0, "%.200s matches %zu targets", asked, hits->n);
	else
		err_set(e, ERR_AMBIGUOUS, 0, "no target was named, and there are %zu", hits->n);
	err_why(e, "it could be:");
	list(hits, e);
	if (unique_container(hits, 0))
		return err_hint(e, "--container %.200s", hits->v[0].container);
	return err_hint(e, "--pid %d", (int)hits->v[0].pid);
}
