/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/mux_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "transport/sock.h"

#define LATE_NS (2 * NS_PER_S)

static bool
say(struct mux_guest *g, char what)
{
	return send(g->fd, &what, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

static void
end_guest(struct mux_guest *g)
{
	g->done = true;
	loop_del(&g->src);
	loop_timer_clear(g->m->loop, &g->late);
	fd_close(&g->fd);
}

static void
on_late(void *arg)
{
	end_guest(arg);
}

static struct mux_chan *
spare_of(const struct mux_master *m)
{
	struct mux_chan *ch = m->chans;

	while (ch && ch->state != MUX_SPARE)
		ch = ch->next;
	return ch;
}

/* GO is the guest's leave to send: when it has gone already, the channel stays unused. */
static void
seat(struct mux_guest *g, struct mux_chan *ch)
{
	if (say(g, MUX_SAY_GO))
		mux_chan_use(ch, steal_fd(&g->fd));
	end_guest(g);
}

static void
welcome(struct mux_guest *g)
{
	struct mux_chan *ch = spare_of(g->m);

	g->known = true;
	loop_timer_clear(g->m->loop, &g->late);
	/* What it sends next is the channel's. */
	loop_del(&g->src);
	if (ch)
		seat(g, ch);
	else if (!say(g, MUX_SAY_WAIT))
		end_guest(g);
}

static void
on_hello(void *arg, short revents)
{
	struct mux_guest *g = arg;
	const struct mux_key *k = g->m->key;
	size_t whole = 4 + k->n;
	ssize_t n = buf_read_fd(&g->hello, g->fd, whole - g->hello.len);
	struct rd r;

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end_guest(g);
		return;
	}
	r = (struct rd){.p = buf_head(&g->hello), .n = g->hello.len};
	if (r.n >= 4 && rd_u32(&r) != k->n) {
		say(g, MUX_SAY_NO);
		end_guest(g);
	} else if (g->hello.len == whole) {
		if (memcmp(r.p, k->blob, k->n) == 0) {
			welcome(g);
			return;
		}
		say(g, MUX_SAY_NO);
		end_guest(g);
	}
}

static bool
is_own_user(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == geteuid();
}

static void
admit(struct mux_master *m, int fd)
{
	struct mux_guest *g = calloc(1, sizeof(*g));

	if (!g) {
		fd_close(&fd);
		return;
	}
	g->m = m;
	g->fd = fd;
	buf_init(&g->hello, 4 + MUX_KEY_MAX);
	g->src = loop_add_in(m->loop, fd, on_hello, g);
	loop_timer_set(m->loop, &g->late, LATE_NS, on_late, g);
	g->next = m->guests;
	m->guests = g;
	m->nguests++;
	if (!g->src)
		end_guest(g);
}

static short
door_interest(void *arg)
{
	return ((struct mux_master *)arg)->nguests < MUX_GUESTS ? POLLIN : 0;
}

static void
on_door(void *arg, short revents)
{
	struct mux_master *m = arg;
	int fd;

	(void)revents;
	while (m->nguests < MUX_GUESTS &&
	       (fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		tp_sock_tune(fd);
		if (is_own_user(fd))
			admit(m, fd);
		else
			fd_close(&fd);
	}
}

void
mux_door_open(struct mux_master *m)
{
	m->door = loop_add(m->loop, m->listener, door_interest, on_door, m);
}

static int
opening(const struct mux_master *m)
{
	int n = 0;

	for (const struct mux_chan *ch = m->chans; ch; ch = ch->next)
		n += ch->state == MUX_OPENING || ch->state == MUX_NAMING;
	return n;
}

bool
mux_lacks_spare(const struct mux_master *m)
{
	return m->nchans < MUX_CHANNELS && !spare_of(m) && opening(m) == 0;
}

static bool
open_one(struct mux_master *m)
{
	ssh_channel ssh = m->nchans < MUX_CHANNELS ? ssh_channel_new(m->c->ssh) : NULL;
	struct mux_chan *ch = ssh ? mux_chan_new(m, ssh) : NULL;

	if (ch)
		mux_chan_settle(ch);
	else if (ssh)
		ssh_channel_free(ssh);
	return ch;
}

/* Guests get what is open, then what is being opened; who would have to wait for
 * another's end is sent away. */
void
mux_guests_settle(struct mux_master *m)
{
	struct mux_guest **at = &m->guests, *g;
	int hope = opening(m);

	while ((g = *at)) {
		struct mux_chan *ch = g->known && !g->done ? spare_of(m) : NULL;

		if (g->known && !g->done && m->retired) {
			say(g, MUX_SAY_NO);
			end_guest(g);
		} else if (ch) {
			seat(g, ch);
		} else if (g->known && !g->done && hope-- <= 0 && !open_one(m)) {
			say(g, MUX_SAY_FULL);
			end_guest(g);
		}
		if (!g->done) {
			at = &g->next;
			continue;
		}
		*at = g->next;
		m->nguests--;
		buf_fini(&g->hello);
		free(g);
	}
	if (m->want_spare && !m->retired && mux_lacks_spare(m))
		open_one(m);
	m->want_spare = false;
}
