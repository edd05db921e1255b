/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/alive.h"

void
client_alive_init(struct client_alive *a, int64_t boot, int64_t mono)
{
	*a = (struct client_alive){.heard = boot, .asleep = boot - mono};
}

void
client_alive_heard(struct client_alive *a, int64_t boot)
{
	a->heard = boot;
	a->asked = 0;
}

static enum client_alive_do
ask(struct client_alive *a, int64_t boot, int64_t patience)
{
	a->asked = boot;
	a->patience = patience;
	return ALIVE_ASK;
}

enum client_alive_do
client_alive_look(struct client_alive *a, int64_t boot, int64_t mono)
{
	int64_t asleep = boot - mono;
	bool slept = asleep - a->asleep > ALIVE_SLEPT;

	a->asleep = asleep;
	/* What was asked before may have been answered to nobody. */
	if (slept)
		return ask(a, boot, ALIVE_ANSWER_AWAKE);
	if (a->asked)
		return boot - a->asked >= a->patience ? ALIVE_LOST : ALIVE_WAIT;
	return boot - a->heard >= ALIVE_SILENCE ? ask(a, boot, ALIVE_ANSWER) : ALIVE_WAIT;
}

enum client_alive_do
client_alive_typed(struct client_alive *a, int64_t boot)
{
	if (a->asked || boot - a->heard < ALIVE_TYPED)
		return ALIVE_WAIT;
	return ask(a, boot, ALIVE_ANSWER);
}

int64_t
client_alive_due(const struct client_alive *a)
{
	return a->asked ? a->asked + a->patience : a->heard + ALIVE_SILENCE;
}
