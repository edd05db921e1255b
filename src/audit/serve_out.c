/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The records on standard output as well, for who collects what a container says. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit/serve_int.h"
#include "base/fd.h"
#include "base/log.h"

#define WAITING_MAX (1024 * 1024)

static short
has_lines(void *arg)
{
	const struct audit_out *o = arg;

	return o->lines.len > 0 ? POLLOUT : 0;
}

static void
give_up(struct audit_out *o)
{
	log_warn("standard output takes no more audit records: %s", strerror(errno));
	loop_del(&o->src);
	fd_close(&o->fd);
	buf_fini(&o->lines);
}

/* A pipe that is ready takes so much without waiting: pipe(7).  Its other flags are its owners'. */
static void
write_some(void *arg, short revents)
{
	struct audit_out *o = arg;
	size_t n = o->lines.len < PIPE_BUF ? o->lines.len : PIPE_BUF;
	ssize_t put = send(o->fd, buf_head(&o->lines), n, MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)revents;
	if (put < 0 && errno == ENOTSOCK)
		put = write(o->fd, buf_head(&o->lines), n);
	if (put > 0)
		buf_consume(&o->lines, (size_t)put);
	else if (put < 0 && errno != EAGAIN && errno != EINTR)
		give_up(o);
}

void
audit_out_init(struct audit_out *o, struct loop *l, int fd)
{
	*o = (struct audit_out){.fd = fd};
	buf_init(&o->lines, WAITING_MAX);
	if (fd >= 0)
		o->src = loop_add(l, fd, has_lines, write_some, o);
}

/* Nobody waits for who reads there: what he lacks, the chain shows him. */
void
audit_out_put(struct audit_out *o, const struct buf *line)
{
	struct pollfd p = {.fd = o->fd, .events = POLLOUT};
	bool lost = o->lost;

	if (o->fd < 0)
		return;
	o->lost = buf_put(&o->lines, buf_head(line), line->len) < 0;
	/* At once where it can be: the last ones of an agent that ends, too. */
	while (o->lines.len > 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLOUT))
		write_some(o, p.revents);
	if (o->lost && !lost)
		log_warn("standard output is read too slowly for the audit records: some are left "
			 "out there");
}
