/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "transport/client.h"

static void
on_opened(void *arg, const json_t *opened)
{
	const struct enter *en = arg;

	/* Called before raw mode begins. */
	if (en->explain)
		explain_print(opened);
}

/* The targets, asked on a connection of its own: a channel carries one request. */
static json_t *
list_targets(const struct client_where *w, const struct request *of, struct err *e)
{
	struct tp_client *c = client_connect(w, e);
	struct request r;
	json_t *j;

	if (!c)
		return NULL;
	request_init(&r);
	r.verb = REQ_PS;
	memcpy(r.client, of->client, sizeof(r.client));
	j = client_query_json(c, &r, e);
	request_fini(&r);
	tp_client_free(c);
	return j;
}

/* 0 chosen, 1 given up, -1 not possible (e stays what it was). */
static int
choose(struct enter *en, const struct client_where *w, struct err *e)
{
	struct err ignored;
	json_t *targets;
	int rc;

	if (en->req.id[0] || e->code != ERR_AMBIGUOUS || !choose_possible())
		return -1;
	targets = list_targets(w, &en->req, &ignored);
	if (!targets)
		return -1;
	rc = choose_target(&en->req, targets);
	json_decref(targets);
	return rc;
}

/* docker exec has no "--" between the container and the command. */
static bool
forgot_dashes(const struct enter *en, const struct client_where *w, struct err *e)
{
	bool not_there = e->code == ERR_NOT_FOUND, is_one = false;
	auto_free char *line = NULL;
	struct err ignored;
	json_t *targets;
	const json_t *row;
	size_t i;

	if (!en->loose || (!not_there && e->code != ERR_AMBIGUOUS))
		return false;
	targets = list_targets(w, &en->req, &ignored);
	json_array_foreach(targets, i, row)
	{
		if (choose_word_means(en->loose[0], row))
			is_one = true;
	}
	json_decref(targets);
	line = is_one ? malloc(ERR_HINT_SIZE) : NULL;
	if (!line)
		return false;
	if (not_there)
		err_set(e, ERR_NOT_FOUND, 0, "%s", e->what);
	else
		err_set(e, ERR_AMBIGUOUS, 0, "no target was named");
	err_why(
	    e, "%.200s is one, but without -- it is the first word of the command", en->loose[0]);
	str_quote_argv(line, ERR_HINT_SIZE, (const char *const *)(const void *)(en->loose + 1));
	err_hint(e, "coral exec %.200s -- %.200s", en->loose[0], line);
	return true;
}

static int
attempt(struct enter *en, struct client_where *w, struct client_result *res, struct err *e)
{
	struct tp_client *c;
	bool shared;
	int rc;

	for (;;) {
		memset(res, 0, sizeof(*res));
		c = client_connect(w, e);
		if (!c)
			return -1;
		shared = tp_client_shared(c);
		rc = client_session(c, &en->req, &en->io, res, e);
		if (rc == 0 || !client_connect_again(w, shared, e))
			return rc;
		client_result_fini(res);
	}
}

/* Also the agent that is started for this command: another one finds its sessions. */
static struct tp_client *
again(void *arg, struct err *e)
{
	return client_connect(arg, e);
}

static int
run(struct enter *en)
{
	/* An attempt to connect again may outlive us. */
	static struct client_where quietly;
	static struct cmd_agent agent;
	struct client_result res;
	struct err e;
	int rc, code;

	cmd_agent_from(&agent, &en->conf, en->args);
	quietly = agent.where;
	quietly.ask = false;
	/* Whose connection was lost may hold a dead one. */
	quietly.share_dir = NULL;
	en->io.opened = on_opened;
	en->io.arg = en;
	en->io.again = again;
	en->io.again_arg = &quietly;
	rc = attempt(en, &agent.where, &res, &e);
	if (rc < 0 && !forgot_dashes(en, &agent.where, &e) && !res.result) {
		int chose = choose(en, &agent.where, &e);

		if (chose == 1) {
			client_result_fini(&res);
			return 125;
		}
		if (chose == 0) {
			client_result_fini(&res);
			rc = attempt(en, &agent.where, &res, &e);
		}
	}
	code = outcome_report(en, &res, rc < 0 ? &e : NULL);
	if (rc < 0)
		err_print(STDERR_FILENO, &e);
	else if (res.left)
		enter_left(en, &res);
	client_result_fini(&res);
	return code;
}

int
enter_main(const struct args *a, enum request_verb verb, enter_words *words, int argc, char **argv,
    int dashdash)
{
	static struct enter en; /* as in run() */
	struct err e;
	int rc;

	if (enter_init(&en, a, verb, &e) < 0 || words(&en, argc, argv, dashdash, &e) < 0) {
		rc = outcome_report(&en, NULL, &e);
		err_print(STDERR_FILENO, &e);
	} else {
		rc = run(&en);
	}
	enter_fini(&en);
	return rc;
}
