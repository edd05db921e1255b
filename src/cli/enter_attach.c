/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "pty/term.h"

#define ID_LEN 26
#define LIST_MAX 8

static bool
is_whole_id(const char *id)
{
	return strlen(id) == ID_LEN && strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz") == ID_LEN;
}

static bool
state_is(const json_t *row, const char *state)
{
	const char *have = json_str(row, "state");

	return have && strcmp(have, state) == 0;
}

/* Without an id somebody else's is never meant. */
static bool
is_meant(const json_t *row, const char *id)
{
	const char *have = json_str(row, "id");

	if (!have || !is_whole_id(have))
		return false;
	return id ? strncmp(have, id, strlen(id)) == 0
		  : !json_is_false(json_object_get(row, "own"));
}

struct found {
	const json_t *live[LIST_MAX], *ended, *detached;
	size_t nlive, ndetached;
};

static void
look(struct found *f, const json_t *rows, const char *id)
{
	const json_t *row;
	size_t i;

	memset(f, 0, sizeof(*f));
	json_array_foreach(rows, i, row)
	{
		if (!is_meant(row, id))
			continue;
		if (state_is(row, "detached")) {
			f->detached = row;
			f->ndetached++;
		} else if (!state_is(row, "live")) {
			f->ended = row;
			continue;
		}
		if (f->nlive < LIST_MAX)
			f->live[f->nlive] = row;
		f->nlive++;
	}
}

static int
none(const struct found *f, const char *id, struct err *e)
{
	if (id && f->ended) {
		err_set(e, ERR_NO_SESSION, 0, "the session %s has ended", json_str(f->ended, "id"));
		err_why(e, "only what still runs can be attached to, watched or joined");
		return err_hint(e, "coral replay %s", json_str(f->ended, "id"));
	}
	err_set(e, ERR_NO_SESSION, 0, id ? "there is no session %.80s" : "there is no session",
	    id ? id : "");
	err_why(
	    e, id ? "no id that you may see begins so" : "none of yours is detached or live here");
	return err_hint(e, id ? "coral sessions" : "coral shell TARGET starts one");
}

/* One that does not fit is left out whole; so is one that err_print() would not show as it is. */
static void
reach_add(struct enter *en, const char *flag, const char *value)
{
	const char *const words[] = {flag, value, NULL};
	char text[sizeof(en->reach) + 16];
	size_t have = strlen(en->reach), n = str_quote_argv(text, sizeof(text), words);

	if (have + n + 1 < sizeof(en->reach) && !strchr(text, '\\'))
		snprintf(en->reach + have, sizeof(en->reach) - have, "%s ", text);
}

void
enter_reach(struct enter *en)
{
	const char *addr = args_str(en->args, "agent-addr");

	en->reach[0] = '\0';
	if (addr)
		reach_add(en, "--agent-addr", addr);
	for (const char *const *id = args_list(en->args, "identity"); *id; id++)
		reach_add(en, "--identity", *id);
}

static int
several(const struct enter *en, const struct found *f, struct err *e)
{
	char text[400];

	err_set(e, ERR_AMBIGUOUS, 0, "several sessions are meant");
	err_why(e, "there are:");
	for (size_t i = 0; i < f->nlive && i < LIST_MAX; i++) {
		const char *target = json_str(f->live[i], "target");

		str_vis(text, sizeof(text), target ? target : "");
		err_why(e, "\n%s %s %s", json_str(f->live[i], "id"), json_str(f->live[i], "state"),
		    text);
	}
	if (f->nlive > LIST_MAX)
		err_why(e, "\nand %zu more", f->nlive - LIST_MAX);
	return err_hint(e, "coral %s %s%s", request_verb_name(en->req.verb), en->reach,
	    json_str(f->live[0], "id"));
}

/* A connection of its own: a channel carries one request. */
static json_t *
list(struct enter *en, struct err *e)
{
	struct cmd_agent agent;
	struct tp_client *c;
	struct request r;
	json_t *rows;

	cmd_agent_from(&agent, &en->conf, en->args);
	c = client_connect(&agent.where, e);
	if (!c)
		return NULL;
	request_init(&r);
	r.verb = REQ_SESSIONS;
	memcpy(r.client, en->req.client, sizeof(r.client));
	rows = client_query_json(c, &r, e);
	request_fini(&r);
	tp_client_free(c);
	return rows;
}

static int
find(struct enter *en, const char *id, struct err *e)
{
	json_t *rows = list(en, e);
	const json_t *one = NULL;
	struct found f;
	int rc = 0;

	if (!rows)
		return -1;
	look(&f, rows, id);
	if (f.nlive == 1)
		one = f.live[0];
	else if (!id && f.ndetached == 1)
		one = f.detached;
	if (one)
		str_copy(en->req.id, json_str(one, "id"), sizeof(en->req.id));
	else
		rc = f.nlive ? several(en, &f, e) : none(&f, id, e);
	json_decref(rows);
	return rc;
}

int
enter_session(struct enter *en, const char *id, struct err *e)
{
	struct request *r = &en->req;
	struct winsize ws;

	if (id && (!*id || strlen(id) > ID_LEN)) {
		err_set(e, ERR_NO_SESSION, 0, "there is no session %.80s", *id ? id : "\"\"");
		err_why(e, "a session's id has %d letters and digits", ID_LEN);
		return err_hint(e, "coral sessions");
	}
	/* Who looks on or joins keeps no count: it comes back as a newcomer. */
	r->resumable = r->verb == REQ_ATTACH;
	if (enter_tty(en, true, e) < 0)
		return -1;
	if (!r->tty && isatty(en->io.out)) {
		term_size(en->io.out, &ws);
		r->rows = ws.ws_row;
		r->cols = ws.ws_col;
	}
	if (!id || !is_whole_id(id))
		return find(en, id, e);
	str_copy(r->id, id, sizeof(r->id));
	return 0;
}

void
enter_left(const struct enter *en, const struct client_result *res)
{
	const char *why = json_str(res->left, "why"), *id = json_str(res->left, "id");
	const char *by = json_str(res->left, "by");
	char who[200];

	if (!why || !id)
		return;
	str_vis(who, sizeof(who), by ? by : "somebody");
	/* The cursor is where the session had it. */
	if (en->io.raw && isatty(STDERR_FILENO))
		fputc('\n', stderr);
	if (en->io.quiet)
		return;
	if (strcmp(why, "taken_over") == 0)
		fprintf(stderr, "[taken over by %s: coral attach %s%s takes it back]\n", who,
		    en->reach, id);
	else if (strcmp(why, "detached") == 0)
		fprintf(stderr, "[detached: coral attach %s%s]\n", en->reach, id);
	else
		fprintf(stderr, "[left: the session goes on]\n");
}
