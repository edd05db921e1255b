/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/mux_int.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"

/* A master that is well answers at once; the channel may take as long as dialing. */
#define GREETING_MS 1000
#define CHANNEL_MS 20000

static int
answer_of(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	unsigned char said;
	int rc;

	do {
		rc = poll(&p, 1, timeout_ms);
	} while (rc < 0 && errno == EINTR);
	return rc > 0 && recv(fd, &said, 1, MSG_DONTWAIT) == 1 ? said : -1;
}

static bool
greet(int fd, const struct mux_key *k)
{
	unsigned char hello[4 + MUX_KEY_MAX];

	hello[0] = hello[1] = 0;
	hello[2] = (unsigned char)(k->n >> 8);
	hello[3] = (unsigned char)k->n;
	memcpy(hello + 4, k->blob, k->n);
	return send(fd, hello, 4 + k->n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)(4 + k->n);
}

/* Nothing of the request has been sent before GO: dialing anew repeats nothing. */
static int
ask(struct mux *m)
{
	auto_close int fd = mux_dial(m->dir, m->key->name);
	int said;

	if (fd < 0) {
		/* Many come at once: they find it, and need not replace it. */
		m->alone = errno == EAGAIN;
		return -1;
	}
	said = greet(fd, m->key) ? answer_of(fd, GREETING_MS) : -1;
	if (said == MUX_SAY_WAIT)
		said = answer_of(fd, CHANNEL_MS);
	if (said == MUX_SAY_GO)
		return steal_fd(&fd);
	m->alone = said == MUX_SAY_FULL;
	m->replace = !m->alone;
	return -1;
}

struct tp_client *
mux_join(struct mux *m, const char *dir, const struct mux_key *key, bool fresh)
{
	struct tp_client *c;
	int fd;

	*m = (struct mux){.key = key, .path = dir, .dir = -1, .replace = fresh};
	if (key->n == 0) {
		m->alone = true;
		return NULL;
	}
	m->dir = mux_dir_open(dir, &m->unsafe);
	if (m->unsafe.code != ERR_NONE)
		m->alone = true;
	if (m->dir < 0 || fresh)
		return NULL;
	fd = ask(m);
	if (fd < 0)
		return NULL;
	c = client_plain_new(fd);
	if (!c)
		fd_close(&fd);
	return c;
}

void
mux_close(struct mux *m)
{
	fd_close(&m->dir);
}
