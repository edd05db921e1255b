/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "audit/send.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "session/prune_int.h"

/* A session that ends writes to its recording, and tells the log soon after. */
#define LOST_NS (3600 * NS_PER_S)

void
prune_duration(int64_t ns, char *out, size_t size)
{
	static const struct {
		char unit;
		int64_t s;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	int64_t s = ns / NS_PER_S;
	size_t i = 0;

	while (i + 1 < COUNT_OF(units) && (s < units[i].s || s % units[i].s != 0))
		i++;
	snprintf(out, size, "%lld%c", (long long)(s / units[i].s), units[i].unit);
}

void
prune_size(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = {" bytes", "KiB", "MiB", "GiB"};
	size_t i = 0;

	while (i + 1 < COUNT_OF(units) && bytes > 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	snprintf(out, size, "%llu%s", (unsigned long long)bytes, units[i]);
}

const int *
prune_calls(size_t *n)
{
	/* sysinfo(2) is of qsort(3), from some 60 things on. */
	static const int calls[] = {SYS_access, SYS_brk, SYS_clock_gettime, SYS_close, SYS_connect,
	    SYS_exit, SYS_exit_group, SYS_fadvise64, SYS_fallocate, SYS_fcntl, SYS_fdatasync,
	    SYS_flock, SYS_fstat, SYS_fsync, SYS_ftruncate, SYS_futex, SYS_getdents64, SYS_geteuid,
	    SYS_getpid, SYS_getrandom, SYS_gettid, SYS_getuid, SYS_lseek, SYS_madvise, SYS_mkdir,
	    SYS_mkdirat, SYS_mremap, SYS_munmap, SYS_newfstatat, SYS_open, SYS_openat, SYS_poll,
	    SYS_ppoll, SYS_pread64, SYS_pwrite64, SYS_read, SYS_recvfrom, SYS_renameat,
	    SYS_renameat2, SYS_restart_syscall, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sendmsg,
	    SYS_socket, SYS_stat, SYS_sysinfo, SYS_uname, SYS_unlink, SYS_unlinkat, SYS_write,
	    SYS_writev};

	*n = COUNT_OF(calls);
	return calls;
}

static int
add(void *arg, const char *id, bool live, uint64_t bytes)
{
	struct prune *p = arg;
	struct prune_one *grown = p->v;

	if ((p->n & (p->n + 1)) == 0)
		grown = reallocarray(p->v, 2 * p->n + 2, sizeof *p->v);
	if (!grown)
		return -1;
	p->v = grown;
	p->v[p->n] = (struct prune_one){.live = live, .bytes = bytes, .ended_ns = -1};
	str_copy(p->v[p->n++].id, id, sizeof p->v->id);
	p->total += bytes;
	return 0;
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct prune_one *)a)->id, ((const struct prune_one *)b)->id);
}

static int
list_recordings(struct prune *p, struct err *e)
{
	if (store_sizes(p->job->conf->state_dir, add, p, e) < 0)
		return e && e->code ? -1
				    : err_set(e, ERR_LIMIT, ENOMEM, "cannot list the recordings");
	if (p->n > 1)
		qsort(p->v, p->n, sizeof *p->v, by_id);
	return 0;
}

/* Most times nothing is due, and the log need not be read: nothing ended before it began. */
static bool
may_be_due(const struct prune *p)
{
	const struct policy_retention *k = &p->job->keep;
	bool due = k->size > 0 && p->total > k->size;

	for (size_t i = 0; i < p->n && !due && k->age_ns > 0; i++)
		due = !p->v[i].live && store_id_ms(p->v[i].id) < (p->now - k->age_ns) / NS_PER_MS;
	return due || (k->log_ns > 0 && audit_survey_older(p->audit_dir, p->now - k->log_ns));
}

static void
note_end(void *arg, const struct audit_peek *k)
{
	struct prune *p = arg;
	struct prune_one key, *one;

	if (strcmp(k->event, "session.end") != 0 && strcmp(k->event, "session.truncated") != 0)
		return;
	str_copy(key.id, k->session, sizeof key.id);
	one = p->n ? bsearch(&key, p->v, p->n, sizeof *p->v, by_id) : NULL;
	if (!one)
		return;
	one->ended_ns = audit_time_ns(k->time);
	one->cut = strcmp(k->event, "session.truncated") == 0;
}

/* Nobody will tell of its end any more, or the record went with its file of the log, or tells only
 * when it was missed: then what it has last written says when that was. */
static void
find_lost_ends(struct prune *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct prune_one *one = &p->v[i];
		int64_t t = one->live || (one->ended_ns >= 0 && !one->cut)
				? -1
				: store_written_ns(p->job->conf->state_dir, one->id);

		one->untold = t >= 0 && one->ended_ns < 0 && p->now - t >= LOST_NS;
		if (one->untold || (one->cut && t >= 0 && t < one->ended_ns))
			one->ended_ns = t;
	}
}

/* Why it is due, or false. */
static bool
is_due(const struct prune *p, const struct prune_one *one, char *why, size_t size)
{
	const struct policy_retention *k = &p->job->keep;
	int64_t since = one->ended_ns < 0 ? store_id_ms(one->id) * NS_PER_MS : one->ended_ns;
	int64_t age = p->now - since;
	char text[32];

	if (one->live || age < k->keep_ns)
		return false;
	if (k->age_ns > 0 && age > k->age_ns) {
		prune_duration(k->age_ns, text, sizeof text);
		snprintf(why, size, "older than %s", text);
		return true;
	}
	prune_size(k->size, text, sizeof text);
	snprintf(why, size, "beyond %s of recordings", text);
	return k->size > 0 && p->total > k->size;
}

static void
prune_recordings(struct prune *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct prune_one *one = &p->v[i];
		char why[64];

		if (!is_due(p, one, why, sizeof why))
			continue;
		if (one->ended_ns < 0) {
			p->sum->unproved++;
			continue;
		}
		if (prune_recording(p, one, why) < 0)
			continue;
		one->gone = true;
		p->total -= one->bytes;
	}
}

/* While a recording is there, what the log tells of it stays. */
static bool
has_records_of_one(const struct prune *p, const struct audit_file *f)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->v[i].gone && store_id_ms(p->v[i].id) <= f->newest_ns / NS_PER_MS)
			return true;
	return false;
}

/* From the oldest on, and none behind one that stays: what is left begins in one place. */
static void
prune_log(struct prune *p)
{
	int64_t keep = p->job->keep.log_ns;
	char text[32], why[64];

	prune_duration(keep, text, sizeof text);
	snprintf(why, sizeof why, "older than %s", text);
	for (size_t i = 0; i < p->log.n && keep > 0; i++) {
		const struct audit_file *f = &p->log.v[i];

		if (f->needed || !f->good || f->newest_ns < 0 || p->now - f->newest_ns <= keep ||
		    has_records_of_one(p, f) || prune_log_file(p, f, why) < 0)
			return;
	}
}

/* Of two at once the second one would tell what the first one does. */
static int
take_lock(const struct prune *p, struct err *e)
{
	char path[sizeof p->audit_dir + 16];
	auto_close int fd = -1;

	snprintf(path, sizeof path, "%s/prune.lock", p->audit_dir);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return steal_fd(&fd);
	if (fd < 0 || errno != EWOULDBLOCK) {
		err_set(e, ERR_IO, errno, "cannot take the lock %s", path);
		return e && *e->hint ? -1 : err_hint(e, "move it away, and try again");
	}
	err_set(e, ERR_LIMIT, 0, "recordings are being removed already");
	err_why(e, "another process holds %s", path);
	return err_hint(e, "try again when it has ended");
}

static int
run(struct prune *p, struct err *e)
{
	if (!p->job->dry_run)
		store_sweep(p->job->conf->state_dir);
	p->now = clock_real();
	if (list_recordings(p, e) < 0)
		return -1;
	if (!may_be_due(p))
		return 0;
	if (audit_survey(p->audit_dir, note_end, p, &p->log, e) < 0)
		return -1;
	find_lost_ends(p);
	prune_recordings(p);
	prune_log(p);
	return 0;
}

int
prune_run(const struct prune_job *job, struct prune_sum *sum, struct err *e)
{
	struct prune p = {.job = job, .sum = sum};
	auto_close int lock = -1;
	int rc = 0;

	*sum = (struct prune_sum){0};
	if (audit_dir(job->conf->state_dir, p.audit_dir, sizeof p.audit_dir, e) < 0)
		return -1;
	/* Where no log is, nothing is proved to have ended. */
	if (access(p.audit_dir, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (!job->dry_run)
		rc = lock = take_lock(&p, e);
	if (rc >= 0)
		rc = run(&p, e);
	audit_survey_fini(&p.log);
	free(p.v);
	return rc < 0 ? -1 : 0;
}
