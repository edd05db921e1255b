/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/rates.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

/* A time is a count of 2^10 ns of CLOCK_MONOTONIC: 48 bits of it last 9 years.  Above them stands
 * which boot it is of, as that clock begins anew with each. */
#define UNIT 10
#define BOOT 48
#define TIME ((1ULL << BOOT) - 1)
/* Nobody takes so much: it is damaged. */
#define FAR_NS (3600 * NS_PER_S)

/* Zeros are a place that nobody has, with all its time to give. */
struct place {
	_Atomic uint64_t user; /* a hash of the name */
	_Atomic uint64_t until;
};

struct rates {
	struct place *place; /* [0]: the host's */
	uint64_t boot;
};

#define SIZE ((1 + RATES_USERS) * sizeof(struct place))

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "between processes there are no locks");

/* FNV-1a; never 0. */
static uint64_t
hash_of(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3;
	return h ? h : 1;
}

static uint64_t
this_boot(void)
{
	auto_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char id[64];
	ssize_t n = fd < 0 ? 0 : fd_read_full(fd, id, sizeof id);

	return n > 0 ? hash_of(id, (size_t)n) >> BOOT : 0;
}

static int
cannot(const char *path, const char *why, struct err *e)
{
	err_set(e, ERR_LIMIT, errno, "cannot share the rate that policy sets with other sessions");
	err_why(e, "%s: %s", path, why);
	return err_hint(e, "make room there, or remove it when no session is running");
}

/* All of it has blocks, or touching it could be the end of us. */
static int
make_room(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return cannot(path, strerror(errno), e);
	errno = 0;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) ||
	    st.st_size > (off_t)SIZE)
		return cannot(path, "it was not made by this agent", e);
	if (fallocate(fd, 0, 0, (off_t)SIZE) < 0 &&
	    (errno != EOPNOTSUPP || ftruncate(fd, (off_t)SIZE) < 0))
		return cannot(path, strerror(errno), e);
	return 0;
}

static struct place *
map(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	void *p;

	if (fd < 0) {
		cannot(path, strerror(errno), e);
		return NULL;
	}
	if (make_room(fd, path, e) < 0)
		return NULL;
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* Who paints reads what a container wrote: nothing of others is in its hands. */
	if (p != MAP_FAILED && madvise(p, SIZE, MADV_DONTFORK) == 0)
		return p;
	cannot(path, strerror(errno), e);
	if (p != MAP_FAILED)
		munmap(p, SIZE);
	return NULL;
}

struct rates *
rates_open(const char *runtime_dir, struct err *e)
{
	struct rates *r = calloc(1, sizeof *r);
	char path[512];

	if (!r) {
		err_set(e, ERR_LIMIT, ENOMEM, "cannot start a session");
		return NULL;
	}
	snprintf(path, sizeof path, "%s/rates", runtime_dir);
	r->place = map(path, e);
	if (!r->place) {
		free(r);
		return NULL;
	}
	r->boot = this_boot() << BOOT;
	return r;
}

unsigned
rates_place(struct rates *r, const char *user)
{
	uint64_t h = hash_of(user, strlen(user));
	unsigned first = (unsigned)(h % RATES_USERS);

	if (!user[0])
		return 0;
	for (unsigned i = 0; i < RATES_USERS; i++) {
		unsigned at = 1 + (first + i) % RATES_USERS;
		uint64_t is = 0;

		if (atomic_compare_exchange_strong(&r->place[at].user, &is, h) || is == h)
			return at;
	}
	return 1 + first;
}

int64_t
rates_take(struct rates *r, unsigned place, int64_t now, uint64_t n, uint64_t a_second)
{
	_Atomic uint64_t *p = &r->place[place].until;
	uint64_t was = atomic_load(p), begin = (uint64_t)now >> UNIT, until;
	uint64_t more = (uint64_t)((double)n / (double)a_second * NS_PER_S);

	more = (more >> UNIT) + 1;
	do {
		until = was & TIME;
		if ((was & ~TIME) != r->boot || until < begin || until > begin + (FAR_NS >> UNIT))
			until = begin;
		until += more;
	} while (!atomic_compare_exchange_weak(p, &was, r->boot | (until & TIME)));
	return (int64_t)(until << UNIT);
}

void
rates_close(struct rates *r)
{
	if (r)
		munmap(r->place, SIZE);
	free(r);
}
