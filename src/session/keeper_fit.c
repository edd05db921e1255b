/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The session's terminal has one size, that of who types.  What is drawn for it does not fit one of
 * another size: rows beside it stay as they were, and margins that were the whole screen are a part
 * of it.  When a terminal fits again, its screen is painted anew. */
#include "session/keeper_int.h"

static bool
fits(const struct keeper_client *c)
{
	const struct winsize *is = &c->k->resize.now;

	return c->size.ws_row == 0 ||
	       (c->size.ws_row == is->ws_row && c->size.ws_col == is->ws_col);
}

void
keeper_fit_sent(struct keeper *k)
{
	/* Who types gives the size: the session is about to have it. */
	for (struct keeper_client *c = k->clients; c; c = c->next)
		if (c != k->keyboard && c->opened && !fits(c))
			c->unfit = true;
}

void
keeper_fit(struct keeper_client *c)
{
	const struct keeper *k = c->k;

	if (!c->unfit || !fits(c) || !c->opened || !keeper_client_is_here(c) ||
	    keeper_is_painting(c) || !k->rules.record_output || k->phase >= KEEPER_DRAINING)
		return;
	/* It gets a screen when it has taken what there is. */
	if (c->role != KEEPER_OWNER && stream_waits(&c->s))
		keeper_share_none(c);
	else
		keeper_paint(c, PAINTER_SCREEN);
}
