/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static void
raise_buffer(int fd, int force, int plain, int size)
{
	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

int
fd_socketpair(int type, int bufsize, int pair[2])
{
	int i;

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0) {
		pair[0] = pair[1] = -1;
		return -1;
	}
	for (i = 0; bufsize > 0 && i < 2; i++) {
		raise_buffer(pair[i], SO_SNDBUFFORCE, SO_SNDBUF, bufsize);
		raise_buffer(pair[i], SO_RCVBUFFORCE, SO_RCVBUF, bufsize);
	}
	return 0;
}

union control {
	struct cmsghdr align;
	/* Credentials too: a socket with SO_PASSCRED must not squeeze out descriptors. */
	char space[CMSG_SPACE(FD_PASS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

ssize_t
fd_send_msg(int sock, const void *p, size_t n, const int *fds, size_t nfds)
{
	struct iovec iov = {.iov_base = (void *)p, .iov_len = n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	union control c;
	ssize_t put;

	if (nfds > FD_PASS_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (nfds) {
		struct cmsghdr *h;

		memset(&c, 0, sizeof(c));
		m.msg_control = &c;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(h), fds, nfds * sizeof(int));
	}
	do {
		put = sendmsg(sock, &m, MSG_NOSIGNAL);
	} while (put < 0 && errno == EINTR);
	return put;
}

/* At most `want` into fds, the others closed; how many were taken. */
static size_t
take_fds(struct msghdr *m, int *fds, size_t want)
{
	struct cmsghdr *h;
	size_t have = 0, i, n;

	for (h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			if (have < want)
				fds[have++] = fd;
			else
				fd_close(&fd);
		}
	}
	return have;
}

ssize_t
fd_recv_msg(int sock, void *p, size_t n, int *fds, size_t *nfds)
{
	struct iovec iov = {.iov_base = p, .iov_len = n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	size_t want = nfds ? *nfds : 0, have;
	union control c;
	ssize_t got;

	if (nfds)
		*nfds = 0;
	m.msg_control = &c;
	m.msg_controllen = sizeof(c);
	do {
		got = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -1;
	have = take_fds(&m, fds, want);
	/* Descriptors with a message that the caller will not look at would leak. */
	if (got == 0 || (m.msg_flags & MSG_TRUNC)) {
		while (have > 0)
			fd_close(&fds[--have]);
		if (got == 0 && !(m.msg_flags & MSG_TRUNC))
			return 0;
		errno = EMSGSIZE;
		return -1;
	}
	if (nfds)
		*nfds = have;
	return got;
}
