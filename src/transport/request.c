/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/request.h"

#include <stdlib.h>
#include <string.h>

static const char *const verbs[REQ_VERB_COUNT] = {
    [REQ_NONE] = "none",
    [REQ_EXEC] = "exec",
    [REQ_SHELL] = "shell",
    [REQ_PS] = "ps",
    [REQ_SESSIONS] = "sessions",
    [REQ_SHOW] = "show",
    [REQ_READ] = "read",
    [REQ_REMOVE] = "remove",
    [REQ_ATTACH] = "attach",
    [REQ_WATCH] = "watch",
    [REQ_JOIN] = "join",
    [REQ_KILL] = "kill",
    [REQ_FREEZE] = "freeze",
    [REQ_THAW] = "thaw",
    [REQ_UNSEAL] = "unseal",
};

const char *
request_verb_name(enum request_verb v)
{
	return (unsigned)v < REQ_VERB_COUNT ? verbs[v] : verbs[REQ_NONE];
}

void
request_init(struct request *r)
{
	memset(r, 0, sizeof(*r));
}

static void
free_list(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

void
request_fini(struct request *r)
{
	free_list(r->argv, r->argc);
	free_list(r->env, r->envc);
	request_init(r);
}

/* The list always ends in a NULL; it grows at the powers of two. */
static int
list_add(char ***v, size_t *n, size_t max, const char *s)
{
	size_t need = *n + 2;
	char **grown, *copy;

	if (*n >= max || strnlen(s, REQUEST_ARG_MAX + 1) > REQUEST_ARG_MAX)
		return -1;
	if (*n == 0 || (need & (need - 1)) == 0) {
		grown = realloc(*v, 2 * need * sizeof(**v));
		if (!grown)
			return -1;
		*v = grown;
		(*v)[*n] = NULL;
	}
	copy = strdup(s);
	if (!copy)
		return -1;
	(*v)[(*n)++] = copy;
	(*v)[*n] = NULL;
	return 0;
}

int
request_add_arg(struct request *r, const char *arg)
{
	return list_add(&r->argv, &r->argc, REQUEST_ARGV_MAX, arg);
}

int
request_add_env(struct request *r, const char *kv)
{
	const char *eq = strchr(kv, '=');

	if (!eq || eq == kv)
		return -1;
	return list_add(&r->env, &r->envc, REQUEST_ENV_MAX, kv);
}
