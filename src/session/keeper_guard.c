/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/keeper_guard.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "record/store.h"
#include "transport/frame.h"

#define STACK_BYTES (128 * 1024)

struct keeper_guard {
	const struct keeper_start *start;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct timespec until;
	const char *what;
	bool stopped, fired;
};

static struct keeper_guard guard = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* The stream's buffer is empty but for a notice: what does not fit now never would. */
static void
tell(const struct keeper_guard *g)
{
	unsigned char wire[ERR_WIRE_MAX];
	struct err e = {0};
	struct buf b;

	err_set(&e, ERR_TIMEOUT, 0, "the container does not answer");
	err_why(&e, "%s took too long: one of its file systems hangs (FUSE, NFS), or the machine",
	    g->what);
	err_hint(&e, "look for it in /proc/PID/mountinfo of the container's process");
	buf_init(&b, FRAME_HEAD + ERR_WIRE_MAX);
	if (frame_put(&b, FR_ERROR, wire, err_encode(&e, wire)) == 0 &&
	    send(g->start->stream, buf_head(&b), b.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		buf_clear(&b);
	buf_fini(&b);
	/* The descriptor stays open as long as the other thread waits. */
	shutdown(g->start->stream, SHUT_RDWR);
}

static void *
watch(void *arg)
{
	struct keeper_guard *g = arg;

	pthread_mutex_lock(&g->lock);
	while (!g->stopped &&
	       pthread_cond_clockwait(&g->changed, &g->lock, CLOCK_MONOTONIC, &g->until) == 0)
		;
	g->fired = !g->stopped;
	pthread_mutex_unlock(&g->lock);
	if (!g->fired)
		return NULL;
	store_discard(g->start->conf->state_dir, g->start->id, NULL);
	tell(g);
	_exit(1);
}

struct keeper_guard *
keeper_guard_start(const struct keeper_start *s, int64_t ns, const char *what)
{
	int64_t until = clock_mono() + ns;
	struct keeper_guard *g = &guard;
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	g->start = s;
	g->what = what;
	g->until.tv_sec = (time_t)(until / NS_PER_S);
	g->until.tv_nsec = (long)(until % NS_PER_S);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* Signals are for the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, watch, g);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc == 0 ? g : NULL;
}

void
keeper_guard_say(struct keeper_guard *g, const char *what)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	g->what = what;
	pthread_mutex_unlock(&g->lock);
}

void
keeper_guard_stop(struct keeper_guard *g)
{
	bool late;

	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	late = g->fired;
	g->stopped = true;
	pthread_cond_signal(&g->changed);
	pthread_mutex_unlock(&g->lock);
	while (late)
		pause();
}
