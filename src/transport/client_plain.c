/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/client_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "transport/readahead.h"

/* Of one write; the socket takes what it can. */
#define ROOM (256 * 1024)

struct tp_client *
client_plain_new(int sock)
{
	struct tp_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->plain = true;
	c->sock = sock;
	return c;
}

void
client_plain_free(struct tp_client *c)
{
	fd_close(&c->sock);
	free(c);
}

void
client_plain_take(struct tp_client *c, int sock)
{
	auto_close int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

	readahead_stop(c->sock);
	/* What libssh has to say as it frees a channel must not reach the peer. */
	if (nowhere >= 0 && dup3(nowhere, c->sock, O_CLOEXEC) >= 0) {
		ssh_remove_channel_callbacks(c->channel, &c->callbacks);
		ssh_event_remove_session(c->event, c->ssh);
		ssh_event_free(c->event);
		ssh_free(c->ssh);
	}
	fd_close(&c->sock);
	buf_fini(&c->in);
	*c = (struct tp_client){.plain = true, .sock = sock};
}

short
client_plain_interest(const struct tp_client *c)
{
	if (c->eof)
		return 0;
	return (short)(POLLIN | (c->stalled && !c->deaf ? POLLOUT : 0));
}

/* A master that dies leaves what it had sent, then an end or ECONNRESET. */
ssize_t
client_plain_read(struct tp_client *c, void *p, size_t n)
{
	ssize_t got;

	if (c->eof || n == 0)
		return 0;
	/* The socket was found empty: only poll(2) knows when to go on. */
	if (c->drained) {
		c->drained = false;
		return 0;
	}
	got = recv(c->sock, p, n, MSG_DONTWAIT);
	c->drained = got > 0 && (size_t)got < n;
	if (got > 0)
		return got;
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		c->eof = true;
	return 0;
}

size_t
client_plain_room(const struct tp_client *c)
{
	return c->deaf || c->eof ? 0 : ROOM;
}

ssize_t
client_plain_write(struct tp_client *c, const void *p, size_t n)
{
	ssize_t put;

	if (n > client_plain_room(c))
		n = client_plain_room(c);
	if (n == 0)
		return 0;
	put = send(c->sock, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (put < 0) {
		c->deaf = errno != EAGAIN && errno != EINTR;
		put = 0;
	}
	/* Until a write is whole, and not for one turn: only poll(2) knows when to go on. */
	c->stalled = (size_t)put < n;
	return put;
}
