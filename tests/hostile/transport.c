/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A transport that is taken over, for tests/container/test_taken_over.py.  It
 * enters the same sandbox as the real one, then does whatever its peer says:
 * the connection carries, instead of SSH, orders and reports of one form: op
 * (u8), a (u32), length (u32), bytes.
 *
 *   M  send the bytes to the broker, with a descriptors
 *   S  send the bytes on stream a          D  the same, with 8 descriptors
 *   H  shut stream a down for writing      C  close it
 *   R  read stream a, if the byte is 1: the next one too, before it comes
 *   B  send heartbeats, if a is 1          Y  make the system call: u64 number, six arguments
 *
 *   m  the broker's message, a-1 the stream that came with it
 *   s  bytes of stream a                   e  its end
 *   y  u64 result or -errno                f  errno: an order that failed
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "transport/privmsg.h"
#include "transport/sandbox_int.h"
#include "transport/server.h"

#define HEAD 9
#define ORDER_MAX (1024 * 1024)
#define STREAMS 32
#define BEAT_MS 2000

static struct {
	int sock, monitor;
	struct {
		int fd;
		bool deaf;
	} stream[STREAMS];
	int nstreams;
	bool beats;
	unsigned char bytes[ORDER_MAX];
} t = {.beats = true};

static void
report(char op, uint32_t a, const void *p, size_t n)
{
	struct buf b;

	buf_init(&b, HEAD + n);
	buf_put_u8(&b, (uint8_t)op);
	buf_put_u32(&b, a);
	buf_put_u32(&b, (uint32_t)n);
	buf_put(&b, p, n);
	if (fd_write_all(t.sock, buf_head(&b), b.len) < 0)
		_exit(0);
	buf_fini(&b);
}

static void
report_errno(int sys)
{
	report('f', (uint32_t)sys, NULL, 0);
}

static void
order_send(int fd, size_t n, uint32_t nfds)
{
	int fds[FD_PASS_MAX] = {0}; /* 0 is /dev/null here */

	if (nfds > FD_PASS_MAX)
		nfds = FD_PASS_MAX;
	if (fd_send_msg(fd, t.bytes, n, fds, nfds) < 0)
		report_errno(errno);
}

static void
order_syscall(size_t n)
{
	struct rd r = {.p = t.bytes, .n = n};
	uint64_t v[7], result;
	unsigned char out[8];

	for (int i = 0; i < 7; i++)
		v[i] = rd_u64(&r);
	result = (uint64_t)syscall((long)v[0], v[1], v[2], v[3], v[4], v[5], v[6]);
	if (result == (uint64_t)-1)
		result = (uint64_t)-errno;
	for (int i = 0; i < 8; i++)
		out[i] = (unsigned char)(result >> (56 - 8 * i));
	report('y', 0, out, sizeof(out));
}

static void
order(char op, uint32_t a, size_t n)
{
	int *fd = a < STREAMS ? &t.stream[a].fd : NULL;

	if (op == 'M')
		order_send(t.monitor, n, a);
	else if (op == 'B')
		t.beats = a;
	else if (op == 'Y')
		order_syscall(n);
	else if (fd && op == 'R')
		t.stream[a].deaf = n < 1 || !t.bytes[0];
	else if (!fd || *fd < 0)
		report_errno(EBADF);
	else if (op == 'S' || op == 'D')
		order_send(*fd, n, op == 'D' ? FD_PASS_MAX : 0);
	else if (op == 'H')
		shutdown(*fd, SHUT_WR);
	else if (op == 'C')
		fd_close(fd);
}

static void
on_peer(void)
{
	unsigned char head[HEAD];
	struct rd r = {.p = head, .n = HEAD};
	uint32_t a, n;
	char op;

	if (fd_read_full(t.sock, head, HEAD) != HEAD)
		_exit(0);
	op = (char)rd_u8(&r);
	a = rd_u32(&r);
	n = rd_u32(&r);
	if (n > sizeof(t.bytes) || (n && fd_read_full(t.sock, t.bytes, n) != (ssize_t)n))
		_exit(0);
	order(op, a, n);
}

static void
on_monitor(void)
{
	static unsigned char msg[PM_MAX];
	int fd = -1;
	size_t nfds = 1;
	ssize_t n = fd_recv_msg(t.monitor, msg, sizeof(msg), &fd, &nfds);
	uint32_t stream = 0;

	if (n <= 0)
		_exit(0);
	if (nfds == 1 && t.nstreams < STREAMS) {
		t.stream[t.nstreams++].fd = fd;
		stream = (uint32_t)t.nstreams;
	}
	report('m', stream, msg, (size_t)n);
}

static void
on_stream(int i)
{
	static unsigned char p[64 * 1024];
	ssize_t n = read(t.stream[i].fd, p, sizeof(p));

	if (n > 0) {
		report('s', (uint32_t)i, p, (size_t)n);
	} else {
		report('e', (uint32_t)i, NULL, 0);
		t.stream[i].deaf = true;
	}
}

static void
turn(void)
{
	const unsigned char beat = PM_HEARTBEAT;
	struct pollfd p[2 + STREAMS] = {{t.sock, POLLIN, 0}, {t.monitor, POLLIN, 0}};

	for (int i = 0; i < t.nstreams; i++)
		p[2 + i] = (struct pollfd){t.stream[i].deaf ? -1 : t.stream[i].fd, POLLIN, 0};
	if (poll(p, 2 + (nfds_t)t.nstreams, BEAT_MS) == 0 && t.beats)
		fd_send_msg(t.monitor, &beat, 1, NULL, 0);
	if (p[1].revents)
		on_monitor();
	for (int i = t.nstreams - 1; i >= 0; i--)
		if (p[2 + i].revents)
			on_stream(i);
	if (p[0].revents)
		on_peer();
}

_Noreturn void
tp_server_main(struct tp_server *s)
{
	struct err e;

	t.sock = s->sock;
	t.monitor = s->monitor;
	for (int i = 0; i < STREAMS; i++)
		t.stream[i].fd = -1;
	if (tp_sandbox_enter(s->sandbox, s->sock, s->monitor, 2 * STREAMS, &e) < 0) {
		log_error_of(&e, "entering the sandbox");
		_exit(1);
	}
	for (;;)
		turn();
}
