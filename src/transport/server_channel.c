/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server_int.h"

#include <poll.h>
#include <string.h>

#include "base/fd.h"
#include "transport/conn.h"

static int
on_data(ssh_session s, ssh_channel ch, void *data, uint32_t len, int is_stderr, void *arg)
{
	struct chan *c = arg;

	(void)s;
	(void)ch;
	if (is_stderr || c->state >= CH_DRAIN)
		return (int)len;
	return c->stock ? stock_on_data(c, data, len) : coral_on_data(c, data, len);
}

static void
on_eof(ssh_session s, ssh_channel ch, void *arg)
{
	(void)s;
	(void)ch;
	((struct chan *)arg)->peer_eof = true;
}

static void
on_close(ssh_session s, ssh_channel ch, void *arg)
{
	struct chan *c = arg;

	(void)s;
	(void)ch;
	c->peer_eof = c->peer_closed = true;
}

static bool
want_stock(struct chan *c)
{
	if (c->state != CH_NEW)
		return false;
	if (!c->stock)
		c->stock = stock_new(c);
	return c->stock != NULL;
}

static int
on_pty(ssh_session s, ssh_channel ch, const char *term, int cols, int rows, int xpixel, int ypixel,
    void *arg)
{
	struct chan *c = arg;

	(void)s;
	(void)ch;
	return want_stock(c) ? stock_pty(c, term, cols, rows, xpixel, ypixel) : -1;
}

static int
on_env(ssh_session s, ssh_channel ch, const char *name, const char *value, void *arg)
{
	struct chan *c = arg;

	(void)s;
	(void)ch;
	return want_stock(c) ? stock_env(c, name, value) : -1;
}

static int
on_exec(ssh_session s, ssh_channel ch, const char *command, void *arg)
{
	struct chan *c = arg;

	(void)s;
	(void)ch;
	return want_stock(c) ? stock_start(c, REQ_EXEC, command) : -1;
}

static int
on_shell(ssh_session s, ssh_channel ch, void *arg)
{
	struct chan *c = arg;

	(void)s;
	(void)ch;
	return want_stock(c) ? stock_start(c, REQ_SHELL, NULL) : -1;
}

static int
on_winch(ssh_session s, ssh_channel ch, int cols, int rows, int xpixel, int ypixel, void *arg)
{
	struct chan *c = arg;

	(void)s;
	(void)ch;
	if (!c->stock)
		return -1;
	stock_winch(c, cols, rows, xpixel, ypixel);
	return 0;
}

static void
on_signal(ssh_session s, ssh_channel ch, const char *name, void *arg)
{
	struct chan *c = arg;

	(void)s;
	(void)ch;
	if (c->stock)
		stock_signal(c, name);
}

static int
on_subsystem(ssh_session s, ssh_channel ch, const char *name, void *arg)
{
	struct chan *c = arg;
	char line[128];
	int n;

	(void)s;
	if (c->state != CH_NEW)
		return -1;
	if (!c->stock && !c->srv->mon_lost && strcmp(name, FRAME_SUBSYSTEM) == 0) {
		c->state = CH_HEAD;
		return 0;
	}
	n = snprintf(line, sizeof(line), "coral: %s is not served yet\r\n",
	    strcmp(name, "sftp") == 0 ? "sftp" : "this subsystem");
	if (ssh_channel_window_size(ch) >= (uint32_t)n)
		ssh_channel_write_stderr(ch, line, (uint32_t)n);
	return -1;
}

static void
set_callbacks(struct chan *c)
{
	struct ssh_channel_callbacks_struct *cb = &c->callbacks;

	cb->userdata = c;
	cb->channel_data_function = on_data;
	cb->channel_eof_function = on_eof;
	cb->channel_close_function = on_close;
	cb->channel_pty_request_function = on_pty;
	cb->channel_env_request_function = on_env;
	cb->channel_exec_request_function = on_exec;
	cb->channel_shell_request_function = on_shell;
	cb->channel_pty_window_change_function = on_winch;
	cb->channel_signal_function = on_signal;
	cb->channel_subsystem_request_function = on_subsystem;
	ssh_callbacks_init(cb);
	ssh_set_channel_callbacks(c->ssh, cb);
}

/* What both sides have closed goes when this turn is over: the opening may have come with the
 * close, and whoever sent both had counted right. */
static int
in_use(const struct srv *s)
{
	int n = 0;

	for (const struct chan *c = s->chans; c; c = c->next)
		n += c->state != CH_SHUT || !c->peer_closed;
	return n;
}

ssh_channel
srv_on_open(ssh_session ssh, void *arg)
{
	struct srv *s = arg;
	struct chan *c;

	/* Without a broker nothing new can begin. */
	if (!s->authed || s->mon_lost || in_use(s) >= s->conf->max_channels)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->ssh = ssh_channel_new(ssh);
	if (!c->ssh) {
		free(c);
		return NULL;
	}
	c->srv = s;
	c->id = ++s->next_id;
	c->fd = -1;
	buf_init(&c->held, HELD_MAX);
	buf_init(&c->out, 2 * CHUNK + FRAME_HEAD);
	set_callbacks(c);
	c->next = s->chans;
	s->chans = c;
	s->nchans++;
	return c->ssh;
}

struct chan *
srv_chan(struct srv *s, uint32_t id)
{
	struct chan *c = s->chans;

	while (c && c->id != id)
		c = c->next;
	return c;
}

void
chan_take(struct chan *c)
{
	size_t room = buf_room(&c->held), n = c->waiting < room ? c->waiting : room;
	unsigned char *p = n ? buf_tail(&c->held, n) : NULL;
	int got = p ? ssh_channel_read_nonblocking(c->ssh, p, (uint32_t)n, 0) : -1;

	if (got <= 0) {
		/* Never with an honest peer: it overran its window by megabytes. */
		c->srv->ending = true;
		return;
	}
	buf_added(&c->held, (size_t)got);
	c->waiting -= (size_t)got;
}

size_t
chan_room(const struct chan *c)
{
	if (c->stalled || c->peer_closed || conn_full(c->srv->ssh))
		return 0;
	return ssh_channel_window_size(c->ssh);
}

size_t
chan_write(struct chan *c, const void *p, size_t n, bool to_stderr)
{
	size_t room = chan_room(c);
	int put;

	if (n > room)
		n = room;
	if (n == 0)
		return 0;
	put = to_stderr ? ssh_channel_write_stderr(c->ssh, p, (uint32_t)n)
			: ssh_channel_write(c->ssh, p, (uint32_t)n);
	/* Nothing is taken while keys are exchanged: again after the next turn. */
	if (put < 0 || (size_t)put < n)
		c->stalled = true;
	return put > 0 ? (size_t)put : 0;
}

static short
interest(void *arg)
{
	const struct chan *c = arg;
	bool in = c->state == CH_STREAM && !c->keeper_eof && chan_room(c) > 0;
	bool out = c->state == CH_STREAM && !c->keeper_deaf;

	in = in && (c->stock ? stock_wants_in(c) : c->out.len == 0);
	out = out && (c->stock ? stock_wants_out(c) : c->held.len || c->waiting);
	return (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0));
}

static void
on_keeper(void *arg, short revents)
{
	struct chan *c = arg;

	if (revents & (POLLOUT | POLLERR)) {
		if (c->stock)
			stock_to_keeper(c);
		else
			coral_to_keeper(c);
	}
	if (revents & (POLLIN | POLLHUP | POLLERR)) {
		if (c->stock)
			stock_from_keeper(c);
		else
			coral_from_keeper(c);
	}
}

void
chan_stream(struct chan *c, int fd)
{
	fd_nonblock(fd, true);
	c->fd = fd;
	c->src = loop_add(c->srv->loop, fd, interest, on_keeper, c);
	c->state = CH_STREAM;
	if (!c->src)
		c->keeper_eof = c->keeper_deaf = true;
}

void
chan_refuse(struct chan *c, const struct err *e)
{
	unsigned char wire[ERR_WIRE_MAX];

	if (c->stock) {
		stock_fail(c, e);
	} else {
		c->state = CH_DRAIN;
		frame_put(&c->out, FR_ERROR, wire, err_encode(e, wire));
	}
}

static void
drop_keeper(struct chan *c)
{
	loop_del(&c->src);
	fd_close(&c->fd);
}

/* All was said: end of file, close, and wait for the peer's close. */
static void
shut(struct chan *c)
{
	drop_keeper(c);
	c->state = CH_SHUT;
	buf_clear(&c->held);
	if (!c->peer_closed) {
		ssh_channel_send_eof(c->ssh);
		ssh_channel_close(c->ssh);
	}
}

static void
settle_coral(struct chan *c)
{
	if (c->state == CH_HEAD)
		coral_head(c);
	if (c->state == CH_STREAM && (c->waiting || c->held.len || c->peer_eof))
		coral_to_keeper(c);
	if (c->out.len)
		buf_consume(&c->out, chan_write(c, buf_head(&c->out), c->out.len, false));
	if (!c->out.len && (c->state == CH_DRAIN || (c->state == CH_STREAM && c->keeper_eof)))
		shut(c);
}

static void
settle_stock(struct chan *c)
{
	if (c->state == CH_STREAM)
		stock_to_keeper(c);
	if (c->state == CH_STREAM || c->state == CH_DRAIN)
		stock_from_keeper(c);
	if (stock_done(c))
		shut(c);
}

void
chan_settle(struct chan *c)
{
	c->stalled = false;
	if (c->state == CH_SHUT)
		return;
	if (c->stock)
		settle_stock(c);
	else
		settle_coral(c);
	/* Gone for good: what it sent last was offered above, more is not owed. */
	if (c->peer_closed && c->state != CH_SHUT)
		shut(c);
}

void
chan_free(struct chan *c)
{
	drop_keeper(c);
	ssh_remove_channel_callbacks(c->ssh, &c->callbacks);
	ssh_channel_free(c->ssh);
	stock_free(c->stock);
	buf_fini(&c->held);
	buf_fini(&c->out);
	free(c);
}
