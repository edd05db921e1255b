/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A peer that is silent, and one that only does not read, on a network of our own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"
#include "transport/sock.h"

static void
loopback(bool up)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {.ifr_flags = up ? IFF_UP : 0};

	strcpy(r.ifr_name, "lo");
	if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		printf("# lo: %s\n", strerror(errno));
	close(fd);
}

static bool
pair_of(int ends[2])
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);
	int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(door, (struct sockaddr *)&sa, n) < 0 || listen(door, 1) < 0 ||
	    getsockname(door, (struct sockaddr *)&sa, &n) < 0 ||
	    connect(ends[0], (struct sockaddr *)&sa, n) < 0)
		return false;
	ends[1] = accept(door, NULL, NULL);
	close(door);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	tp_sock_tune(ends[0]);
	return ends[1] >= 0;
}

static void
fill(int fd)
{
	static char p[65536];

	for (int quiet = 0; quiet < 5; quiet++) {
		while (write(fd, p, sizeof(p)) > 0)
			quiet = 0;
		poll(NULL, 0, 20);
	}
}

/* The error that ends the connection within ten seconds, or 0. */
static int
end_of(int fd, int64_t ns)
{
	struct pollfd p = {.fd = fd};
	int64_t until = clock_mono() + ns;
	socklen_t n = sizeof(int);
	int sys = 0;

	while (clock_mono() < until && poll(&p, 1, 50) == 0)
		continue;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n);
	return sys;
}

static void
test_reader_that_is_stopped(void)
{
	unsigned ms = 500;
	int a[2], b[2];

	if (!ok(pair_of(a) && pair_of(b), "two connections"))
		return;
	setsockopt(b[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	fill(a[0]);
	fill(b[0]);
	is_int(end_of(b[0], 10 * NS_PER_S), ETIMEDOUT,
	    "TCP_USER_TIMEOUT ends a connection whose reader lives and is stopped");
	is_int(end_of(a[0], NS_PER_S), 0, "ours goes on");
	ok(!tp_sock_silent(a[0], ms), "and such a peer does not count as silent");
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}

static void
test_peer_that_is_gone(void)
{
	int64_t until;
	int a[2];

	if (!ok(pair_of(a), "a connection"))
		return;
	ok(!tp_sock_silent(a[0], 0), "one that has nothing to say is not waited for");
	loopback(false);
	if (write(a[0], "x", 1) != 1)
		printf("# write: %s\n", strerror(errno));
	until = clock_mono() + 10 * NS_PER_S;
	while (!tp_sock_silent(a[0], 500) && clock_mono() < until)
		poll(NULL, 0, 20);
	ok(tp_sock_silent(a[0], 500), "a peer that is gone is found silent");
	loopback(true);
	until = clock_mono() + 20 * NS_PER_S;
	while (tp_sock_silent(a[0], 0) && clock_mono() < until)
		poll(NULL, 0, 20);
	ok(!tp_sock_silent(a[0], 0), "and no longer once it answers");
	close(a[0]);
	close(a[1]);
}

int
main(void)
{
	if (unshare(CLONE_NEWNET) < 0) {
		ok(true, "# SKIP no network namespace: %s", strerror(errno));
		return done_testing();
	}
	loopback(true);
	test_reader_that_is_stopped();
	test_peer_that_is_gone();
	return done_testing();
}
