/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * environ and cmdline lie in the memory of the process itself, which it can
 * keep from being read for as long as it likes: with a page that is never
 * delivered (FUSE, NFS, userfaultfd(2)) while its map is locked.  Only a fatal
 * signal ends such a read.  So a thread does it, and is left behind when it is
 * late; it goes with this process, which lives as long as one request.
 */
#include "target/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"

#define WAIT_NS (250 * NS_PER_MS)
#define STACK_BYTES (128 * 1024)

/* Owned by both sides; freed by who is last. */
struct reading {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done, left;
	int dir;
	char path[16];
	ssize_t n;
	int error;
	size_t size;
	char text[];
};

static void
free_reading(struct reading *r)
{
	fd_close(&r->dir);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void *
read_it(void *arg)
{
	struct reading *r = arg;
	ssize_t n = proc_read(r->dir, r->path, r->text, r->size);
	int error = errno;
	bool left;

	pthread_mutex_lock(&r->lock);
	r->n = n;
	r->error = error;
	r->done = true;
	left = r->left;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
	if (left)
		free_reading(r);
	return NULL;
}

static struct reading *
new_reading(int pd, const char *path, size_t size)
{
	struct reading *r = calloc(1, sizeof(*r) + size);

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	snprintf(r->path, sizeof(r->path), "%s", path);
	r->size = size;
	r->dir = fcntl(pd, F_DUPFD_CLOEXEC, 3);
	if (r->dir < 0) {
		free_reading(r);
		return NULL;
	}
	return r;
}

static int
start(struct reading *r)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, read_it, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	errno = rc;
	return rc == 0 ? 0 : -1;
}

/* Whether it is done; if not, it is the thread's from now on. */
static bool
wait_done(struct reading *r)
{
	int64_t end = clock_mono() + WAIT_NS;
	struct timespec until = {(time_t)(end / NS_PER_S), (long)(end % NS_PER_S)};
	bool done;

	pthread_mutex_lock(&r->lock);
	while (
	    !r->done && pthread_cond_clockwait(&r->changed, &r->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	done = r->done;
	r->left = !done;
	pthread_mutex_unlock(&r->lock);
	return done;
}

ssize_t
proc_read_memory(int pd, const char *path, char *out, size_t size)
{
	struct reading *r = new_reading(pd, path, size);
	ssize_t n;

	if (!r)
		return -1;
	if (start(r) < 0) {
		free_reading(r);
		return -1;
	}
	if (!wait_done(r)) {
		errno = ETIMEDOUT;
		return -1;
	}
	n = r->n;
	if (n > 0)
		memcpy(out, r->text, (size_t)n);
	errno = r->error;
	free_reading(r);
	return n;
}
