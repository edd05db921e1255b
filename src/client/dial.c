/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/dial.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "base/fd.h"
#include "transport/client.h"

/* An abandoned attempt that is not waiting for the network is over within this time; nothing of it
 * should run while the process exits. */
#define LAST_MS 200

enum { UNDER_WAY, OVER, ABANDONED };

struct client_dial {
	client_redial_fn *dial;
	void *arg;
	pthread_t thread;
	int done; /* eventfd */
	atomic_int state;
	struct tp_client *c;
	struct err e;
};

static void
bury(struct client_dial *d)
{
	tp_client_free(d->c);
	fd_close(&d->done);
	free(d);
}

static void *
run(void *arg)
{
	struct client_dial *d = arg;

	d->c = d->dial(d->arg, &d->e);
	if (atomic_exchange(&d->state, OVER) == ABANDONED)
		bury(d);
	else
		eventfd_write(d->done, 1);
	return NULL;
}

struct client_dial *
client_dial_start(client_redial_fn *dial, void *arg)
{
	struct client_dial *d = calloc(1, sizeof(*d));
	sigset_t all, old;

	if (!d)
		return NULL;
	d->dial = dial;
	d->arg = arg;
	d->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = d->done < 0 ? errno : pthread_create(&d->thread, NULL, run, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (errno == 0)
		return d;
	fd_close(&d->done);
	free(d);
	return NULL;
}

int
client_dial_fd(const struct client_dial *d)
{
	return d->done;
}

struct tp_client *
client_dial_take(struct client_dial *d, struct err *e)
{
	struct tp_client *c;

	pthread_join(d->thread, NULL);
	c = steal_ptr(&d->c);
	if (!c && e)
		*e = d->e;
	bury(d);
	return c;
}

void
client_dial_abandon(struct client_dial *d)
{
	struct pollfd p = {.events = POLLIN};

	if (!d)
		return;
	p.fd = d->done;
	if (poll(&p, 1, LAST_MS) > 0 || atomic_exchange(&d->state, ABANDONED) == OVER)
		tp_client_free(client_dial_take(d, NULL));
	else
		pthread_detach(d->thread);
}
