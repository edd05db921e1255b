/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/client.h"

#include <string.h>

#include "base/fd.h"
#include "transport/client_int.h"
#include "transport/conn.h"
#include "transport/readahead.h"

/* Up to here libssh's buffer is read in pieces; beyond, at once: each piece
 * read makes libssh grant a whole new window, whatever it still holds. */
#define PIECEWISE (256 * 1024)

static int
on_data(ssh_session s, ssh_channel ch, void *data, uint32_t len, int is_stderr, void *arg)
{
	struct tp_client *c = arg;

	(void)s;
	(void)ch;
	(void)data;
	/* The subsystem has no stderr: what comes there is dropped. */
	if (is_stderr)
		return (int)len;
	c->waiting = len;
	return 0;
}

static void
on_eof(ssh_session s, ssh_channel ch, void *arg)
{
	(void)s;
	(void)ch;
	((struct tp_client *)arg)->eof = true;
}

static void
on_close(ssh_session s, ssh_channel ch, void *arg)
{
	(void)s;
	(void)ch;
	((struct tp_client *)arg)->closed = true;
}

void
client_listen(struct tp_client *c)
{
	c->callbacks.userdata = c;
	c->callbacks.channel_data_function = on_data;
	c->callbacks.channel_eof_function = on_eof;
	c->callbacks.channel_close_function = on_close;
	ssh_callbacks_init(&c->callbacks);
	ssh_set_channel_callbacks(c->channel, &c->callbacks);
}

void
tp_client_free(struct tp_client *c)
{
	if (!c)
		return;
	if (c->plain) {
		client_plain_free(c);
		return;
	}
	if (c->channel) {
		ssh_remove_channel_callbacks(c->channel, &c->callbacks);
		ssh_channel_free(c->channel);
	}
	if (c->event) {
		ssh_event_remove_session(c->event, c->ssh);
		ssh_event_free(c->event);
	}
	if (c->ssh) {
		ssh_disconnect(c->ssh);
		ssh_free(c->ssh);
	}
	/* libssh leaves a socket open that it was given. */
	readahead_stop(c->sock);
	fd_close(&c->sock);
	buf_fini(&c->in);
	free(c);
}

int
tp_client_fd(const struct tp_client *c)
{
	return c->sock;
}

short
tp_client_interest(struct tp_client *c)
{
	if (c->plain)
		return client_plain_interest(c);
	return c->lost ? 0 : conn_interest(c->ssh);
}

int
tp_client_turn(struct tp_client *c, struct err *e)
{
	if (c->plain)
		return 0;
	if (c->lost)
		return client_lost(c, "in use", e);
	c->stalled = false;
	if (conn_turn(c->ssh, c->event) == 0)
		return 0;
	c->lost = true;
	/* A peer that closed the channel first may leave as it likes. */
	if (c->closed)
		return 0;
	return client_lost(c, "in use", e);
}

/* Everything libssh holds, into c->in, which is empty. */
static void
take_all(struct tp_client *c)
{
	unsigned char *p = buf_tail(&c->in, c->waiting);
	int got = p ? ssh_channel_read_nonblocking(c->channel, p, (uint32_t)c->waiting, 0) : 0;

	if (got > 0) {
		buf_added(&c->in, (size_t)got);
		c->waiting -= (size_t)got;
	} else {
		c->waiting = 0;
	}
}

ssize_t
tp_client_read(struct tp_client *c, void *p, size_t n)
{
	int got;

	if (c->plain)
		return client_plain_read(c, p, n);
	if (c->in.len == 0 && c->waiting > PIECEWISE)
		take_all(c);
	if (c->in.len > 0) {
		if (n > c->in.len)
			n = c->in.len;
		memcpy(p, buf_head(&c->in), n);
		buf_consume(&c->in, n);
		return (ssize_t)n;
	}
	if (c->waiting == 0 || n == 0)
		return 0;
	if (n > c->waiting)
		n = c->waiting;
	got = ssh_channel_read_nonblocking(c->channel, p, (uint32_t)n, 0);
	if (got <= 0) {
		c->waiting = 0;
		return 0;
	}
	c->waiting -= (size_t)got;
	return got;
}

bool
tp_client_ended(struct tp_client *c)
{
	return (c->eof || c->closed || c->lost) && c->waiting == 0 && c->in.len == 0;
}

bool
tp_client_shared(const struct tp_client *c)
{
	return c->plain;
}

size_t
tp_client_room(struct tp_client *c)
{
	if (c->plain)
		return client_plain_room(c);
	if (c->stalled || c->lost || c->closed || conn_full(c->ssh))
		return 0;
	return ssh_channel_window_size(c->channel);
}

ssize_t
tp_client_write(struct tp_client *c, const void *p, size_t n)
{
	size_t room = tp_client_room(c);
	int put;

	if (c->plain)
		return client_plain_write(c, p, n);
	if (n > room)
		n = room;
	if (n == 0)
		return 0;
	put = ssh_channel_write(c->channel, p, (uint32_t)n);
	if (put < 0)
		put = 0;
	c->stalled = (size_t)put < n;
	/* libssh may have read on while it wrote. */
	if (readahead_pending(c->sock) && conn_turn(c->ssh, c->event) < 0)
		c->lost = true;
	return put;
}
