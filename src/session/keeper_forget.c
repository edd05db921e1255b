/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a copy of the keeper must not know: the recording is all that the painter works on. */
#include <string.h>

#include "session/keeper_int.h"

/* All of it: what was consumed stands there still. */
static void
wipe_buf(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_clear(b);
}

static void
wipe_client(struct keeper_client *c)
{
	struct buf *const all[] = {
	    &c->in, &c->typed, &c->later, &c->paint, &c->held, &c->notices, &c->s.first, &c->s.out};

	for (size_t i = 0; i < COUNT_OF(all); i++)
		wipe_buf(all[i]);
	explicit_bzero(c->token, sizeof c->token);
}

/* Of a command line there is a redacted copy in the recording. */
static void
wipe_texts(char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		explicit_bzero(v[i], strlen(v[i]));
}

void
keeper_forget(void *keeper)
{
	struct keeper *k = keeper;

	for (struct keeper_client *c = k->clients; c; c = c->next)
		wipe_client(c);
	for (struct keeper_client *c = k->gone; c; c = c->next_gone)
		wipe_client(c);
	explicit_bzero(k->old_tokens, sizeof k->old_tokens);
	wipe_buf(&k->spare);
	wipe_buf(&k->input_q);
	wipe_texts(k->req->argv, k->req->argc);
	wipe_texts(k->req->env, k->req->envc);
	keeper_redact_forget(k);
	for (size_t i = 0; i < COUNT_OF(k->output); i++)
		wipe_buf(&k->output[i].redacted);
	if (k->plan)
		enter_plan_forget(k->plan);
}
