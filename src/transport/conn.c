/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/conn.h"

#include <poll.h>

#include "transport/readahead.h"

/* Enough for what one read-ahead brings (libssh takes 4 KiB a pass). */
#define PASSES 64

bool
conn_full(ssh_session s)
{
	return ssh_get_poll_flags(s) & SSH_WRITE_PENDING;
}

short
conn_interest(ssh_session s)
{
	return (short)(POLLIN | (conn_full(s) ? POLLOUT : 0));
}

int
conn_turn(ssh_session s, ssh_event ev)
{
	int passes = PASSES;

	do {
		if (ssh_event_dopoll(ev, 0) == SSH_ERROR || !ssh_is_connected(s))
			return -1;
	} while (readahead_pending(ssh_get_fd(s)) && --passes > 0);
	return 0;
}
