/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An audit log on a disk that fails for a while: nothing is taken meanwhile, and nothing is lost.
 */
#include "audit_util.h"

#include <signal.h>

#include "audit/send.h"
#include "audit/serve.h"
#include "base/log.h"
#include "disk_util.h"

#define SEEN 4096
#define EACH 400

static unsigned seen[SEEN];

/* A disk that has less room than it says: writing it fails, until it is given some. */
static int
thin_disk(const char *pool, const char *dir)
{
	char path[160];
	int fd;

	if (mount("coral-test", pool, "tmpfs", 0, "size=600k,mode=0700") < 0)
		bail("no tmpfs");
	snprintf(path, sizeof path, "%s/image", pool);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	format_image(fd, "^has_journal");
	mount_image(fd, dir, "");
	return fd;
}

/* How many records were taken. */
static int
fill_until_it_fails(struct audit_log *l, int *synced, struct err *e)
{
	int n = 0;

	while (n < SEEN - EACH && aud_put(l, n, e) == 0) {
		n++;
		if (n % 50 == 0 && audit_log_sync(l, e) < 0)
			return n;
		if (n % 50 == 0)
			*synced = n;
	}
	return n;
}

static int
put_synced(const char *state, int n, struct err *e)
{
	json_t *rec = aud_record(n);
	int rc = audit_put_synced(state, rec, e);

	json_decref(rec);
	return rc;
}

static pid_t
start_writer(const char *log)
{
	struct err e = {0};
	int fd = audit_listen(log, &e);
	pid_t pid = fd < 0 ? -1 : fork();

	if (pid < 0)
		bail("no writer");
	if (pid == 0) {
		log_open("audit", LOG_LV_ERR);
		_exit(audit_serve(fd, -1, log, &e) < 0);
	}
	close(fd);
	return pid;
}

/* By the process itself, or by one that writes for it.  The block that could not be written again
 * may hold the end of the record before. */
static void
test_synced(const char *pool, const char *dir, const char *log, bool writer)
{
	int fd = thin_disk(pool, dir), n = 0, kept = 0;
	const char *who = writer ? "the writer" : "a process itself";
	struct err e = {0};
	pid_t pid = 0;

	if (writer)
		pid = start_writer(log);
	while (n < SEEN && put_synced(dir, n, &e) == 0)
		n++;
	ok(n > 50 && n < SEEN && e.code == ERR_RECORDING,
	    "%s hears at record %d that it is lost: %s", who, n, e.why);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (umount(dir) < 0 ||
	    mount("coral-test", pool, "tmpfs", MS_REMOUNT, "size=16m,mode=0700") < 0)
		bail("no larger tmpfs");
	mount_image(fd, dir, "");
	aud_read(log, seen, SEEN);
	for (int i = 0; i < n; i++)
		kept += seen[i] == 1;
	ok(kept >= n - 1, "what %s said is on the disk is there: %d of %d", who, kept, n);
	umount(dir);
	close(fd);
	umount(pool);
}

int
main(void)
{
	auto_free char *pool = NULL, *dir = NULL, *log = NULL;
	struct audit_verdict v;
	struct audit_log *l;
	struct err e = {0};
	int fd, n, synced = 0, once = 1;

	mounts_of_our_own();
	rec_setup();
	pool = strdup(rec_path("pool"));
	dir = strdup(rec_path("disk"));
	log = strdup(rec_path("disk/audit"));
	mkdir(pool, 0700);
	mkdir(dir, 0700);
	fd = thin_disk(pool, dir);
	l = audit_log_open(log, &e);
	n = fill_until_it_fails(l, &synced, &e);
	ok(n > 50 && n < SEEN - EACH && e.code == ERR_RECORDING, "the disk fails at record %d: %s",
	    n, e.why);
	is_int(audit_log_sync(l, &e), -1, "a second sync does not say that all is well");
	for (int i = 0; i < 3; i++)
		once &= aud_put(l, n, &e) < 0;
	ok(once, "and nothing more is taken: %s", e.why);
	if (mount("coral-test", pool, "tmpfs", MS_REMOUNT, "size=16m,mode=0700") < 0)
		bail("no larger tmpfs");
	while (aud_put(l, n, &e) < 0 && once++ < 300)
		usleep(20000);
	n++;
	ok(once < 300, "with a disk that works it goes on, within a second or so: %s", e.why);
	for (int i = 0; i < EACH; i++)
		n += aud_put(l, n, &e) == 0;
	is_int(audit_log_sync(l, &e), 0, "and what is there is on the disk");
	audit_log_close(l);
	/* From the disk, and not from what the kernel has of it. */
	if (umount(dir) < 0)
		bail("busy");
	mount_image(fd, dir, "");
	v = aud_read(log, seen, SEEN);
	ok(aud_is_whole(&v), "after a new mount the chain holds");
	is_int(v.records, n, "with every record that was taken");
	for (int i = 0; i < n; i++)
		once = seen[i] == 1 ? once : 1000;
	ok(once < 1000, "once");
	umount(dir);
	close(fd);
	umount(pool);
	test_synced(pool, dir, log, false);
	test_synced(pool, dir, log, true);
	return done_testing();
}
