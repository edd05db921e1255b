/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/mux_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "transport/conn.h"
#include "transport/frame.h"
#include "transport/readahead.h"

#define HELD_MAX (8 * 1024 * 1024)
/* Reads a turn, so that one busy guest does not starve the others. */
#define CHUNKS 8
#define GATHERED (128 * 1024)

/* send(2) to the guest; what went.  One that reads no more takes all. */
static size_t
put(struct mux_chan *ch, const void *p, size_t n)
{
	ssize_t put = 0;

	if (!ch->guest_deaf) {
		put = send(ch->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			ch->guest_deaf = true;
	}
	if (ch->guest_deaf)
		return n;
	return put > 0 ? (size_t)put : 0;
}

/* Several packets that were read at once go on at once, and wake the guest once. */
static bool
gather(struct mux_chan *ch, const void *data, uint32_t len)
{
	if (ch->held.len > 0 && ch->held.len + len > GATHERED)
		buf_consume(&ch->held, put(ch, buf_head(&ch->held), ch->held.len));
	if (ch->waiting || ch->held.len + len > GATHERED ||
	    (ch->held.len == 0 && !readahead_pending(ch->m->c->sock)))
		return false;
	return buf_put(&ch->held, data, len) == 0;
}

static int
on_data(ssh_session s, ssh_channel c, void *data, uint32_t len, int is_stderr, void *arg)
{
	struct mux_chan *ch = arg;
	size_t took;

	(void)s;
	(void)c;
	if (is_stderr || ch->state == MUX_SHUT)
		return (int)len;
	if (ch->state != MUX_USED) {
		ch->spoiled = true;
		return (int)len;
	}
	if (gather(ch, data, len))
		return (int)len;
	/* Straight from libssh's buffer; the rest stays there, and with it the window. */
	if (ch->held.len) {
		ch->waiting = len;
		return 0;
	}
	took = put(ch, data, len);
	ch->waiting = len - took;
	return (int)took;
}

static void
on_eof(ssh_session s, ssh_channel c, void *arg)
{
	(void)s;
	(void)c;
	((struct mux_chan *)arg)->agent_eof = true;
}

static void
on_close(ssh_session s, ssh_channel c, void *arg)
{
	struct mux_chan *ch = arg;

	(void)s;
	(void)c;
	ch->agent_eof = ch->agent_closed = true;
}

struct mux_chan *
mux_chan_new(struct mux_master *m, ssh_channel ssh)
{
	struct mux_chan *ch = calloc(1, sizeof(*ch));
	struct ssh_channel_callbacks_struct *cb;

	if (!ch)
		return NULL;
	ch->m = m;
	ch->ssh = ssh;
	ch->fd = -1;
	buf_init(&ch->held, HELD_MAX);
	buf_init(&ch->out, sizeof(m->scratch));
	cb = &ch->callbacks;
	cb->userdata = ch;
	cb->channel_data_function = on_data;
	cb->channel_eof_function = on_eof;
	cb->channel_close_function = on_close;
	ssh_callbacks_init(cb);
	ssh_set_channel_callbacks(ssh, cb);
	ch->next = m->chans;
	m->chans = ch;
	m->nchans++;
	return ch;
}

static size_t
room(const struct mux_chan *ch)
{
	if (ch->stalled || ch->agent_closed || conn_full(ch->m->c->ssh))
		return 0;
	return ssh_channel_window_size(ch->ssh);
}

static size_t
write_out(struct mux_chan *ch, const void *p, size_t n)
{
	size_t free = room(ch);
	int put;

	if (n > free)
		n = free;
	if (n == 0)
		return 0;
	put = ssh_channel_write(ch->ssh, p, (uint32_t)n);
	/* Nothing is taken while keys are exchanged: again after the next turn. */
	ch->stalled = put < 0 || (size_t)put < n;
	return put > 0 ? (size_t)put : 0;
}

/* It shut down its half, or is gone altogether: unix(7) tells by POLLHUP. */
static void
end_of_guest(struct mux_chan *ch)
{
	struct pollfd p = {.fd = ch->fd};

	ch->guest_eof = true;
	ch->guest_gone = poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

static void
from_guest(struct mux_chan *ch)
{
	int chunks = CHUNKS;

	while (!ch->guest_eof && !ch->out.len && chunks-- > 0) {
		unsigned char *p = ch->m->scratch;
		size_t want = room(ch), sent;
		ssize_t n;

		if (want > sizeof(ch->m->scratch))
			want = sizeof(ch->m->scratch);
		if (want == 0)
			return;
		n = recv(ch->fd, p, want, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			end_of_guest(ch);
			return;
		}
		sent = write_out(ch, p, (size_t)n);
		if (sent < (size_t)n && buf_put(&ch->out, p + sent, (size_t)n - sent) < 0)
			ch->guest_eof = ch->guest_gone = true;
		if ((size_t)n < want)
			return;
	}
}

static void
to_guest(struct mux_chan *ch)
{
	if (ch->held.len == 0 && ch->waiting) {
		size_t n = ch->waiting < HELD_MAX ? ch->waiting : HELD_MAX;
		unsigned char *p = buf_tail(&ch->held, n);
		int got = p ? ssh_channel_read_nonblocking(ch->ssh, p, (uint32_t)n, 0) : -1;

		if (got <= 0) {
			ch->guest_deaf = true;
			ch->waiting = 0;
			return;
		}
		buf_added(&ch->held, (size_t)got);
		ch->waiting -= (size_t)got;
	}
	if (ch->held.len)
		buf_consume(&ch->held, put(ch, buf_head(&ch->held), ch->held.len));
}

static short
interest(void *arg)
{
	const struct mux_chan *ch = arg;
	bool in = !ch->guest_eof && !ch->out.len && room(ch) > 0;
	bool out = !ch->guest_deaf && (ch->held.len || ch->waiting);

	return (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0));
}

static void
on_guest(void *arg, short revents)
{
	struct mux_chan *ch = arg;

	if (revents & (POLLOUT | POLLERR))
		to_guest(ch);
	if (revents & (POLLIN | POLLHUP | POLLERR))
		from_guest(ch);
}

void
mux_chan_use(struct mux_chan *ch, int fd)
{
	ch->state = MUX_USED;
	ch->fd = fd;
	ch->src = loop_add(ch->m->loop, fd, interest, on_guest, ch);
	if (!ch->src)
		ch->guest_eof = ch->guest_gone = true;
}

static void
shut(struct mux_chan *ch)
{
	loop_del(&ch->src);
	fd_close(&ch->fd);
	ch->state = MUX_SHUT;
	buf_clear(&ch->held);
	if (!ch->agent_closed)
		ssh_channel_close(ch->ssh);
}

static void
settle_used(struct mux_chan *ch)
{
	bool delivered;

	to_guest(ch);
	if (ch->out.len)
		buf_consume(&ch->out, write_out(ch, buf_head(&ch->out), ch->out.len));
	if (ch->guest_eof && !ch->out.len && !ch->said_eof) {
		ssh_channel_send_eof(ch->ssh);
		ch->said_eof = true;
	}
	delivered = ch->guest_deaf || (!ch->held.len && !ch->waiting);
	if ((ch->said_eof && ch->guest_gone) || ch->guest_deaf || (ch->agent_closed && delivered))
		shut(ch);
	else if (ch->agent_eof && delivered)
		shutdown(ch->fd, SHUT_WR);
}

static void
settle_opening(struct mux_chan *ch)
{
	int rc = SSH_OK;

	if (ch->state == MUX_OPENING && (rc = ssh_channel_open_session(ch->ssh)) == SSH_OK)
		ch->state = MUX_NAMING;
	if (ch->state == MUX_NAMING &&
	    (rc = ssh_channel_request_subsystem(ch->ssh, FRAME_SUBSYSTEM)) == SSH_OK)
		ch->state = MUX_SPARE;
	if (rc != SSH_OK && rc != SSH_AGAIN)
		ch->spoiled = true;
}

void
mux_chan_settle(struct mux_chan *ch)
{
	ch->stalled = false;
	if (!ch->agent_closed && (ch->state == MUX_OPENING || ch->state == MUX_NAMING))
		settle_opening(ch);
	if (ch->state == MUX_USED) {
		settle_used(ch);
	} else if (ch->state != MUX_SHUT && (ch->spoiled || ch->agent_eof)) {
		/* An agent that ends says so on the channel that nobody has. */
		shut(ch);
		mux_retire(ch->m);
	}
}

void
mux_chan_free(struct mux_chan *ch)
{
	loop_del(&ch->src);
	fd_close(&ch->fd);
	ssh_remove_channel_callbacks(ch->ssh, &ch->callbacks);
	ssh_channel_free(ch->ssh);
	buf_fini(&ch->held);
	buf_fini(&ch->out);
	free(ch);
}
