/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * environ and cmdline lie in the memory of the process itself, which it can
 * keep from being read for as long as it likes: with a page that is never
 * delivered (FUSE, NFS, userfaultfd(2)) while its map is locked.  Only a fatal
 * signal ends such a read.  So a thread does it, and is left behind when it is
 * late; it goes with this process, which lives as long as one request.
 *
 * To start and to await a thread takes longer than to read: one reads for many
 * processes, and who comes after one that is held up gets another.
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
#include "base/str.h"
#include "target/lex.h"

#define WAIT_NS (250 * NS_PER_MS)
#define STACK_BYTES (128 * 1024)

struct read_one {
	int dir;
	ssize_t n;
	int error;
	struct proc_named found;
};

/* Owned by both sides; freed by who is last. */
struct reading {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool left;
	size_t at, n;  /* those before `at` are done */
	int64_t begun; /* when the one at `at` was */
	char path[16];
	bool named; /* what is wanted of each is `found`, else the text of the only one */
	size_t size;
	char *text;
	struct read_one one[];
};

static void
free_reading(struct reading *r)
{
	for (size_t i = 0; i < r->n; i++)
		fd_close(&r->one[i].dir);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r->text);
	free(r);
}

void
proc_take_named(const char *p, size_t n, struct proc_named *out)
{
	static const char *const names[PROC_NAMES] = {
	    [PROC_SERVICE_NAME] = "SERVICE_NAME=",
	    [PROC_CORAL_SERVICE] = "CORAL_SERVICE=",
	    [PROC_HOSTNAME] = "HOSTNAME=",
	};
	struct lex l = {p, n}, one;
	bool seen[PROC_NAMES] = {false};

	memset(out, 0, sizeof(*out));
	while (lex_until(&l, '\0', &one)) {
		for (size_t i = 0; i < PROC_NAMES; i++) {
			if (seen[i] || !lex_skip(&one, names[i]))
				continue;
			seen[i] = true;
			memcpy(out->value[i], one.p,
			    one.n < PROC_NAMED_MAX ? one.n : PROC_NAMED_MAX - 1);
			break;
		}
	}
}

static void *
read_them(void *arg)
{
	struct reading *r = arg;
	size_t n = r->n;
	bool left = false;

	/* After the last one it may be gone: it is looked at no more. */
	for (size_t i = 0; i < n && !left; i++) {
		struct read_one *one = &r->one[i];

		one->n = proc_read(one->dir, r->path, r->text, r->size);
		one->error = errno;
		if (one->n >= 0 && r->named)
			proc_take_named(r->text, (size_t)one->n, &one->found);
		pthread_mutex_lock(&r->lock);
		r->at = i + 1;
		r->begun = clock_mono();
		left = r->left;
		if (r->at == n)
			pthread_cond_signal(&r->changed);
		pthread_mutex_unlock(&r->lock);
	}
	if (left)
		free_reading(r);
	return NULL;
}

/* Descriptors of its own: it may outlive the caller's. */
static struct reading *
new_reading(const char *path, size_t size, const int *pd, size_t n)
{
	struct reading *r = calloc(1, sizeof(*r) + n * sizeof(r->one[0]));

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	str_copy(r->path, path, sizeof(r->path));
	r->size = size;
	r->n = n;
	for (size_t i = 0; i < n; i++)
		r->one[i].dir = fcntl(pd[i], F_DUPFD_CLOEXEC, 3);
	r->text = malloc(size);
	if (!r->text || r->one[0].dir < 0) {
		free_reading(r);
		return NULL;
	}
	return r;
}

/* On -1 it is no more. */
static int
start(struct reading *r)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int rc;

	r->begun = clock_mono();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, read_them, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		return 0;
	free_reading(r);
	errno = rc;
	return -1;
}

/* How many are done, and what was found in them.  If not all, the next one is held up, and all of
 * it is the thread's from now on. */
static size_t
wait_done(struct reading *r, struct proc_named *v)
{
	size_t done;

	pthread_mutex_lock(&r->lock);
	while (r->at < r->n) {
		int64_t end = r->begun + WAIT_NS;
		struct timespec until = {(time_t)(end / NS_PER_S), (long)(end % NS_PER_S)};

		if (clock_mono() >= end)
			break;
		pthread_cond_clockwait(&r->changed, &r->lock, CLOCK_MONOTONIC, &until);
	}
	done = r->at;
	for (size_t i = 0; v && i < done; i++)
		v[i] = r->one[i].found;
	r->left = done < r->n;
	/* It keeps no more than it is held up with. */
	for (size_t i = 0; r->left && i < r->n; i++)
		if (i != done)
			fd_close(&r->one[i].dir);
	pthread_mutex_unlock(&r->lock);
	return done;
}

ssize_t
proc_read_memory(int pd, const char *path, char *out, size_t size)
{
	struct reading *r = new_reading(path, size, &pd, 1);
	ssize_t n;

	if (!r || start(r) < 0)
		return -1;
	if (wait_done(r, NULL) == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	n = r->one[0].n;
	if (n > 0)
		memcpy(out, r->text, (size_t)n);
	errno = r->one[0].error;
	free_reading(r);
	return n;
}

void
proc_read_named(const int *pd, struct proc_named *v, size_t n)
{
	memset(v, 0, n * sizeof(*v));
	for (size_t at = 0; at < n; at++) {
		struct reading *r = new_reading("environ", PROC_ENVIRON_MAX + 1, pd + at, n - at);
		size_t done;

		if (!r)
			return;
		r->named = true;
		if (start(r) < 0)
			return;
		done = wait_done(r, v + at);
		at += done; /* and past the one that is held up */
		if (at == n)
			free_reading(r);
	}
}
