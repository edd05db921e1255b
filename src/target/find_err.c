/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/find.h"

#include <stdio.h>
#include <stdlib.h>
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

/* A name that a shell and the option parser leave alone. */
static bool
is_plain(const char *s)
{
	return *s && *s != '-' &&
	       s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-")] ==
		   '\0';
}

static bool
is_only(const struct tgt_list *all, const struct tgt_query *q)
{
	size_t n = 0;

	for (int prefix = 0; prefix < 2 && n == 0; prefix++)
		for (size_t i = 0; i < all->n; i++)
			n += tgt_matches(&all->v[i], q, prefix);
	return n == 1;
}

/* What to type for it and nothing else. */
static void
words_for(const struct tgt_list *all, const struct tgt *t, char *dst, size_t size)
{
	bool pod = is_plain(t->pod), ns = is_plain(t->ns);
	char id[13];

	str_copy(id, t->id, sizeof(id));
	const struct tgt_query forms[] = {
	    {.container = t->container},
	    {.pod = pod ? t->pod : NULL, .container = t->container},
	    {.ns = ns ? t->ns : NULL, .pod = pod ? t->pod : NULL, .container = t->container},
	    {.container = id},
	};

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		const struct tgt_query *q = &forms[i];

		if (!is_plain(q->container) || !is_only(all, q))
			continue;
		snprintf(dst, size, "%s%s%s%s%s%s-c %s", q->ns ? "-n " : "", q->ns ? q->ns : "",
		    q->ns ? " " : "", q->pod ? "--pod " : "", q->pod ? q->pod : "",
		    q->pod ? " " : "", q->container);
		return;
	}
	snprintf(dst, size, "--pid %d", (int)t->pid);
}

/* SERVICE/CONTAINER  pid N  runtime  id12: pod and namespace where there is one; what to type. */
static void
list(const struct tgt_list *all, const struct tgt_list *l, struct err *e)
{
	char words[1024];

	for (size_t i = 0; i < l->n && i < LINES_MAX; i++) {
		const struct tgt *t = &l->v[i];

		words_for(all, t, words, sizeof(words));
		err_why(e, "\n%.60s/%.60s  pid %d  %s%s%.12s%s%.60s%s%.60s  try %.200s",
		    *t->service ? t->service : "-", *t->container ? t->container : "-", (int)t->pid,
		    t->runtime, *t->id ? "  " : "", t->id, *t->pod ? "  pod " : "", t->pod,
		    *t->ns ? "  namespace " : "", t->ns, words);
	}
	if (l->n > LINES_MAX)
		err_why(e, "\nand %zu more", l->n - LINES_MAX);
}

/* Whose name was perhaps meant, or NULL. */
static const struct tgt *
nearest(const struct tgt_query *q, const struct tgt_list *all)
{
	const char *const asked[] = {q->word, q->service, q->container, q->pod};
	const char *words[2 * LINES_MAX * 8 + 1], *name = NULL;
	size_t n = 0;

	for (size_t i = 0; i < all->n && n + 2 < COUNT_OF(words); i++) {
		if (*all->v[i].service)
			words[n++] = all->v[i].service;
		if (*all->v[i].container)
			words[n++] = all->v[i].container;
	}
	words[n] = NULL;
	for (size_t i = 0; i < COUNT_OF(asked) && !name; i++)
		if (asked[i] && *asked[i])
			name = str_nearest(asked[i], words);
	for (size_t i = 0; i < all->n && name; i++)
		if (name == all->v[i].service || name == all->v[i].container)
			return &all->v[i];
	return NULL;
}

/* It is there, and never entered. */
static bool
left_out(const struct tgt_query *q, const struct found *f, struct err *e)
{
	if (f->has_own && (tgt_matches(&f->own, q, false) || tgt_matches(&f->own, q, true))) {
		err_why(e, "that is the container of coral itself, which is not to be entered");
		err_hint(e, "coral ps shows what can be entered");
		return true;
	}
	for (size_t i = 0; i < f->infra.n; i++) {
		const struct tgt *t = &f->infra.v[i];

		if (!tgt_matches(t, q, true))
			continue;
		err_why(e, "that is the pause process of %s%.100s, which only holds namespaces",
		    *t->pod ? "pod " : "a pod", t->pod);
		if (is_plain(t->pod))
			err_hint(e, "--pod %.200s", t->pod);
		else
			err_hint(e, "coral ps shows what can be entered");
		return true;
	}
	return false;
}

static bool
begins(const char *name, const char *word)
{
	return word && *word && strncmp(name, word, strlen(word)) == 0;
}

/* Names that go on after what was asked for. */
static bool
goes_on(const struct tgt *t, const struct tgt_query *q)
{
	const char *name = q->container && *q->container ? q->container : q->word;

	return begins(t->container, name) || begins(t->service, name) || begins(t->pod, name) ||
	       begins(t->service, q->service) || begins(t->pod, q->pod);
}

static bool
say(const char *how, const struct tgt_list *all, const struct tgt_list *near, struct err *e)
{
	char words[1024];

	if (near->n == 0)
		return false;
	err_why(e, "%s", how);
	list(all, near, e);
	words_for(all, &near->v[0], words, sizeof(words));
	err_hint(e, "%.200s", words);
	return true;
}

/* What would match if one of the words were left out, or were longer. */
static bool
near_misses(const struct tgt_query *q, const struct tgt_list *all, struct err *e)
{
	const struct {
		const char *how;
		const char *ns, *pod, *container, *service;
	} parts[] = {
	    {"in another namespace there is:", NULL, q->pod, q->container, q->service},
	    {"in another pod there is:", q->ns, NULL, q->container, q->service},
	    {"there it could be:", q->ns, q->pod, NULL, q->service},
	    {"of another service there is:", q->ns, q->pod, q->container, NULL},
	};
	struct tgt_list near = {calloc(all->n, sizeof(*near.v)), 0};
	bool said = false;

	for (size_t k = 0; near.v && !said && k < COUNT_OF(parts); k++) {
		struct tgt_query less = {.word = q->word,
		    .ns = parts[k].ns,
		    .pod = parts[k].pod,
		    .container = parts[k].container,
		    .service = parts[k].service};

		if (!tgt_asks(&less))
			continue;
		near.n = 0;
		for (size_t i = 0; i < all->n; i++)
			if (tgt_matches(&all->v[i], &less, true))
				near.v[near.n++] = all->v[i];
		said = say(parts[k].how, all, &near, e);
	}
	near.n = 0;
	for (size_t i = 0; near.v && !said && i < all->n; i++)
		if (goes_on(&all->v[i], q))
			near.v[near.n++] = all->v[i];
	said = said || say("names are matched whole; longer ones are:", all, &near, e);
	tgt_list_fini(&near);
	return said;
}

int
tgt_err_none(const struct tgt_query *q, const struct found *f, struct err *e)
{
	const struct tgt_list *all = &f->all;
	const struct tgt *near = nearest(q, all);
	char asked[320], words[1024];

	describe_query(q, asked, sizeof(asked));
	if (all->n == 0)
		err_set(e, ERR_NO_TARGET, 0, "no container is running here");
	else
		err_set(e, ERR_NO_TARGET, 0, "no target matches %.200s", asked);
	if (tgt_asks(q) && left_out(q, f, e))
		return -1;
	if (all->n == 0) {
		err_why(e, "none was found in the process table");
		return err_hint(e, "start one, or enter any process with --pid N");
	}
	if (near_misses(q, all, e))
		return -1;
	err_why(e, "running are:");
	list(all, all, e);
	if (!near)
		return err_hint(e, "coral ps");
	words_for(all, near, words, sizeof(words));
	return err_hint(e, "%.200s", words);
}

int
tgt_err_several(const struct tgt_query *q, const struct found *f, struct err *e)
{
	char asked[320], words[1024];

	describe_query(q, asked, sizeof(asked));
	if (*asked)
		err_set(e, ERR_AMBIGUOUS, 0, "%.200s matches %zu targets", asked, f->hits.n);
	else
		err_set(e, ERR_AMBIGUOUS, 0, "no target was named, and there are %zu", f->hits.n);
	err_why(e, "it could be:");
	list(&f->all, &f->hits, e);
	words_for(&f->all, &f->hits.v[0], words, sizeof(words));
	return err_hint(e, "%.200s", words);
}
