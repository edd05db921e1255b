/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/mux_int.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "transport/conn.h"
#include "transport/readahead.h"

/* Who was taken out of the agent's group must lose his access some day. */
#define LIFE_NS (3600 * NS_PER_S)
/* Is the socket there and ours?  At logout its directory goes. */
#define LOOK_NS (5 * NS_PER_S)
/* The next channel is opened ahead, but not while this command starts. */
#define SPARE_NS (20 * NS_PER_MS)

void
mux_retire(struct mux_master *m)
{
	if (m->retired)
		return;
	m->retired = true;
	mux_unlink(m->dir, m->key->name, &m->sock);
	/* Who waits there is refused by the kernel, and dials anew. */
	loop_del(&m->door);
	fd_close(&m->listener);
}

static void
on_retire(void *arg)
{
	mux_retire(arg);
}

static void
on_look(void *arg)
{
	struct mux_master *m = arg;

	if (!mux_is_there(m->dir, m->key->name, &m->sock))
		mux_retire(m);
	else
		loop_timer_set(m->loop, &m->look, LOOK_NS, on_look, m);
}

static void
on_spare(void *arg)
{
	((struct mux_master *)arg)->want_spare = true;
}

static short
net_interest(void *arg)
{
	return conn_interest(((struct mux_master *)arg)->c->ssh);
}

static void
on_net(void *arg, short revents)
{
	struct mux_master *m = arg;

	(void)revents;
	if (conn_turn(m->c->ssh, m->c->event) == 0)
		return;
	/* What had arrived is still the guests'. */
	m->lost = true;
	loop_del(&m->net);
	for (struct mux_chan *ch = m->chans; ch; ch = ch->next)
		ch->agent_eof = ch->agent_closed = true;
	mux_retire(m);
}

static bool
in_use(const struct mux_master *m)
{
	if (m->nguests)
		return true;
	for (const struct mux_chan *ch = m->chans; ch; ch = ch->next)
		if (ch->state == MUX_USED)
			return true;
	return false;
}

static void
settle(struct mux_master *m)
{
	struct mux_chan **at = &m->chans, *ch;
	bool busy;

	for (ch = m->chans; ch; ch = ch->next)
		mux_chan_settle(ch);
	while ((ch = *at)) {
		if (ch->state == MUX_SHUT && ch->agent_closed) {
			*at = ch->next;
			m->nchans--;
			mux_chan_free(ch);
			m->want_spare = true;
		} else {
			at = &ch->next;
		}
	}
	mux_guests_settle(m);
	busy = in_use(m);
	if (busy && m->idling)
		loop_timer_clear(m->loop, &m->idle);
	else if (!busy && !m->idling)
		loop_timer_set(m->loop, &m->idle, m->idle_ns, on_retire, m);
	m->idling = !busy;
	if (busy && !m->spare.linked && !m->retired && mux_lacks_spare(m))
		loop_timer_set(m->loop, &m->spare, SPARE_NS, on_spare, m);
}

static bool
begin(struct mux_master *m, int first)
{
	struct tp_client *c = m->c;
	struct mux_chan *ch;

	m->loop = loop_new();
	if (!m->loop)
		return false;
	ssh_remove_channel_callbacks(c->channel, &c->callbacks);
	ch = mux_chan_new(m, c->channel);
	if (!ch)
		return false;
	c->channel = NULL;
	fd_nonblock(first, true);
	mux_chan_use(ch, first);
	m->net = loop_add(m->loop, c->sock, net_interest, on_net, m);
	mux_door_open(m);
	loop_timer_set(m->loop, &m->life, LIFE_NS, on_retire, m);
	loop_timer_set(m->loop, &m->look, LOOK_NS, on_look, m);
	return m->net && m->door && ch->src;
}

_Noreturn void
mux_master_main(struct mux_master *m, int first)
{
	bool up = begin(m, first);

	while (up && (!m->retired || in_use(m))) {
		settle(m);
		/* Writing makes libssh read on: poll(2) does not know what it read ahead. */
		if (!m->lost && readahead_pending(m->c->sock))
			on_net(m, 0);
		else
			loop_turn(m->loop, -1);
	}
	mux_retire(m);
	if (!m->lost)
		ssh_disconnect(m->c->ssh);
	_exit(0);
}
