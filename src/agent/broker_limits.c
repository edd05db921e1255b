/* SPDX-License-Identifier: GPL-3.0-or-later */
/* No one person keeps all others out.  Root on the unix socket is not counted: it could end us. */
#include <string.h>

#include "agent/broker_int.h"
#include "base/log.h"

size_t
broker_limits_conns(const struct broker *b, const struct policy_who *who)
{
	size_t n = 0;

	for (const struct conn *c = b->conns; c && !who->root; c = c->next)
		n += c->state == CONN_AUTHED && !c->who.root && strcmp(c->who.user, who->user) == 0;
	return n;
}

size_t
broker_limits_work(const struct broker *b, const struct policy_who *who)
{
	size_t n = 0;

	for (const struct worker *w = b->workers; w && !who->root; w = w->next)
		n += w->kind == WORK_KEEPER && strcmp(w->user, who->user) == 0;
	return n;
}

int
broker_limits_enter(struct broker *b, const struct policy_who *who, bool *over)
{
	size_t most = policy_limits(b->policy).connections, n = broker_limits_conns(b, who);

	*over = n >= most;
	if (n < most + BROKER_OVER)
		return 0;
	log_warn("refused a connection of %s, who has %zu", who->user, n);
	return -1;
}

int
broker_limits_check(struct conn *c, struct err *e)
{
	struct policy_limits most = policy_limits(c->b->policy);
	size_t conns = c->over ? broker_limits_conns(c->b, &c->who) : 0;
	size_t work = broker_limits_work(c->b, &c->who);

	c->over = conns > most.connections;
	if (c->over) {
		err_set(e, ERR_LIMIT, 0, "%s has too many connections to this agent", c->who.user);
		err_why(e, "%zu are open, and limits.connections of the policy is %zu", conns,
		    most.connections);
		return err_hint(e, "end what runs on others; later commands share one by default");
	}
	if (work < most.sessions + BROKER_ASKING)
		return 0;
	err_set(e, ERR_LIMIT, 0, "the agent takes nothing more from %s now", c->who.user);
	err_why(e, "%zu sessions and questions about them are under way", work);
	return err_hint(e, "wait until some of them have ended");
}
