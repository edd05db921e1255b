/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/sock.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define UNIX_BUFFER (1024 * 1024)
#define IDLE_S 30
#define PROBE_S 10
#define PROBES 3

static void
set(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

/* The FORCE form passes the limit of net.core.*mem_max, and needs CAP_NET_ADMIN. */
static void
grow(int fd, int name, int force, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof(bytes)) < 0)
		set(fd, SOL_SOCKET, name, bytes);
}

void
tp_sock_tune(int fd)
{
	int domain = 0;
	socklen_t n = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0)
		return;
	if (domain == AF_UNIX) {
		grow(fd, SO_SNDBUF, SO_SNDBUFFORCE, UNIX_BUFFER);
		grow(fd, SO_RCVBUF, SO_RCVBUFFORCE, UNIX_BUFFER);
		return;
	}
	/* TCP grows its own buffers; setting them would switch that off (tcp(7)). */
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
}

/* The kernel asks a closed window again after at most 120 s (TCP_RTO_MAX): only
 * two questions without an answer mean something. */
#define CLOSED_WINDOW_MS 240000

void
tp_sock_impatient(int fd)
{
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, TP_SOCK_SILENCE_MS);
}

bool
tp_sock_silent(int fd, unsigned limit_ms)
{
	struct tcp_info i;
	socklen_t n = sizeof(i);

	memset(&i, 0, sizeof(i));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &n) < 0)
		return false;
	if (!i.tcpi_unacked && !i.tcpi_probes && !i.tcpi_notsent_bytes)
		return false;
	return i.tcpi_last_ack_recv >= (i.tcpi_snd_wnd ? limit_ms : limit_ms + CLOSED_WINDOW_MS);
}
