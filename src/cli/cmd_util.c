/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cmds.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/table.h"

int
cmd_bad_words(const struct cmd *c, int argc, char **argv, struct err *e)
{
	err_set(e, ERR_USAGE, 0,
	    argc ? "coral %s does not take \"%s\"" : "coral %s: too few arguments", c->name,
	    argc ? argv[argc - 1] : "");
	err_why(e, "it is used as: coral %s %s", c->name, c->usage);
	return err_hint(e, "coral %s --help", c->name);
}

bool
cmd_print_failed(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	errno = 0;
	if (fflush(stdout) != EOF && !ferror(stdout))
		return false;
	/* What failed before has taken its errno with it. */
	if (errno == EPIPE || (poll(&p, 1, 0) > 0 && (p.revents & POLLERR)))
		return false;
	if (errno == 0)
		errno = EIO;
	return true;
}

int
cmd_format(const struct args *a, bool *as_json, struct err *e)
{
	const char *o = args_str(a, "output");

	*as_json = o && strcmp(o, "json") == 0;
	if (!o || *as_json || strcmp(o, "table") == 0)
		return 0;
	err_set(e, ERR_USAGE, 0, "there is no output format %s", o);
	err_why(e, "there are: table, json");
	return err_hint(e, "-o json");
}

void
cmd_print_json(const json_t *j)
{
	json_put(stdout, j, JSON_INDENT(2));
	putchar('\n');
}

int
cmd_settings(struct conf *c, struct err *e)
{
	if (conf_load(c, e) < 0)
		return -1;
	if (c->warning[0])
		fprintf(stderr, "coral: %s\n", c->warning);
	table_set_colour(c->color);
	return 0;
}

void
cmd_agent_from(struct cmd_agent *to, const struct conf *c, const struct args *a)
{
	const char *addr = args_str(a, "agent-addr"), *const *ids = args_list(a, "identity");
	const char *home = getenv("HOME"), *xdg = getenv("XDG_STATE_HOME");
	size_t n = 0;

	memset(to, 0, sizeof(*to));
	for (; ids[n] && n + 1 < COUNT_OF(to->ids); n++)
		to->ids[n] = ids[n];
	if (n == 0 && c->identity[0])
		to->ids[n++] = c->identity;
	/* Per person also where the state directory is the machine's. */
	if (xdg && xdg[0] == '/')
		snprintf(to->known_hosts, sizeof(to->known_hosts), "%s/coral/known_hosts", xdg);
	else if (home && home[0] == '/')
		snprintf(to->known_hosts, sizeof(to->known_hosts),
		    "%s/.local/state/coral/known_hosts", home);
	else
		snprintf(to->known_hosts, sizeof(to->known_hosts), "%s/known_hosts", c->config_dir);
	snprintf(to->share_dir, sizeof(to->share_dir), "%s/mux", c->runtime_dir);
	to->where = (struct client_where){
	    .address = addr	     ? addr
		       : c->agent[0] ? c->agent
				     : NULL,
	    .socket = c->socket,
	    .known_hosts = to->known_hosts,
	    .identities = n ? to->ids : NULL,
	    .share_dir = to->share_dir,
	    .share_ns = c->share_ns,
	    .embed = true,
	    .ask = true,
	};
}

/* What only looks may be asked twice: the connection may be lost with another command. */
static bool
ask_again(
    struct client_where *w, const struct tp_client *c, enum request_verb verb, const struct err *e)
{
	bool looks = verb == REQ_PS || verb == REQ_SESSIONS || verb == REQ_SHOW;
	bool shared = tp_client_shared(c);

	if (!looks || !shared || w->fresh || e->code != ERR_TRANSPORT)
		return client_connect_again(w, shared, e);
	w->fresh = true;
	return true;
}

json_t *
cmd_ask(const struct args *a, const struct request *r, struct err *e)
{
	struct cmd_agent agent;
	struct tp_client *c;
	struct conf conf;
	json_t *j = NULL;
	bool again;

	if (cmd_settings(&conf, e) < 0)
		return NULL;
	cmd_agent_from(&agent, &conf, a);
	do {
		c = client_connect(&agent.where, e);
		if (c)
			j = client_query_json(c, r, e);
		again = c && !j && ask_again(&agent.where, c, r->verb, e);
		tp_client_free(c);
	} while (again);
	return j;
}

static int
about_session(struct request *r, enum request_verb verb, const char *id, struct err *e)
{
	request_init(r);
	r->verb = verb;
	snprintf(r->client, sizeof(r->client), "coral %s", CORAL_VERSION);
	if (!id || str_copy(r->id, id, sizeof(r->id)) < sizeof(r->id))
		return 0;
	err_set(e, ERR_NO_SESSION, 0, "there is no session %.80s", id);
	err_why(e, "a session id has 26 letters and digits");
	return err_hint(e, "coral sessions");
}

json_t *
cmd_ask_session(const struct args *a, enum request_verb verb, const char *id, struct err *e)
{
	struct request r;
	json_t *j = NULL;

	if (about_session(&r, verb, id, e) == 0)
		j = cmd_ask(a, &r, e);
	request_fini(&r);
	return j;
}

struct cmd_asked {
	struct conf conf;
	struct cmd_agent agent;
	struct request r;
	struct tp_client *c;
	struct client_asked *asked;
};

static void
forget(struct cmd_asked *q)
{
	tp_client_free(q->c);
	request_fini(&q->r);
	free(q);
}

struct cmd_asked *
cmd_ask_begin(const struct args *a, enum request_verb verb, const char *id, struct err *e)
{
	struct cmd_asked *q = calloc(1, sizeof(*q));

	if (!q) {
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot ask the agent");
		return NULL;
	}
	if (about_session(&q->r, verb, id, e) == 0 && cmd_settings(&q->conf, e) == 0) {
		cmd_agent_from(&q->agent, &q->conf, a);
		q->c = client_connect(&q->agent.where, e);
	}
	/* What fails here may succeed on another connection, as what fails later. */
	if (q->c)
		q->asked = client_query_begin(q->c, &q->r, e);
	if (q->asked || (q->c && client_connect_again(&q->agent.where, tp_client_shared(q->c), e)))
		return q;
	forget(q);
	return NULL;
}

json_t *
cmd_ask_finish(struct cmd_asked *q, const struct args *a, struct err *e)
{
	json_t *j = q->asked ? client_query_finish(q->asked, e) : NULL;
	bool again =
	    !j && (!q->asked || client_connect_again(&q->agent.where, tp_client_shared(q->c), e));

	if (again)
		j = cmd_ask(a, &q->r, e);
	forget(q);
	return j;
}
