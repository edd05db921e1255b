/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An audit log on a disk that is full. */
#include "audit_util.h"

#include <stdlib.h>
#include <sys/mount.h>

#define SEEN 4096

static unsigned seen[SEEN];

static void
fill_up(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	static const char block[4096];

	while (write(fd, block, sizeof block) > 0)
		;
	close(fd);
}

static int
put_reserved(struct audit_log *l, int n, struct err *e)
{
	json_t *rec = aud_record(n);
	int rc = audit_log_put(l, rec, true, e);

	json_decref(rec);
	return rc;
}

static void
test_full(const char *dir, const char *ballast, uint64_t limit)
{
	struct err e = {0};
	struct audit_log *l = audit_log_open(dir, &e);
	struct audit_verdict v;
	int n = 0, ends, all = 1;

	audit_log_limit(l, limit);
	ok(aud_put(l, n++, &e) == 0, "a record");
	fill_up(ballast);
	while (n < SEEN && aud_put(l, n, &e) == 0)
		n++;
	ok(n < SEEN, "then the disk is full: %d", n);
	is_int(e.code, ERR_RECORDING, "and nothing more is taken");
	is_int(e.sys, ENOSPC, "for that reason");
	ok(strstr(e.hint, "sessions rm") != NULL, "what to do is said");
	for (ends = 0; ends < 50; ends++)
		if (put_reserved(l, n + ends, &e) < 0)
			break;
	is_int(ends, 50, "there is room for what must be told");
	n += ends;
	v = aud_read(dir, seen, SEEN);
	ok(aud_is_whole(&v), "the chain holds");
	is_int(v.records, n, "with no record more or less");
	unlink(ballast);
	is_int(aud_put(l, n++, &e), 0, "with room again it goes on");
	audit_log_close(l);
	v = aud_read(dir, seen, SEEN);
	ok(aud_is_whole(&v), "in the same chain");
	for (int i = 0; i < n; i++)
		all &= seen[i] == 1;
	ok(all, "each record is there once");
}

int
main(void)
{
	auto_free char *small = NULL, *dir = NULL, *other = NULL, *ballast = NULL;

	rec_setup();
	small = strdup(rec_path("small"));
	dir = strdup(rec_path("small/audit"));
	other = strdup(rec_path("small/other"));
	ballast = strdup(rec_path("small/ballast"));
	mkdir(small, 0700);
	if (mount("coral-test", small, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0700") < 0) {
		printf("Bail out! no tmpfs: %s\n", strerror(errno));
		return 1;
	}
	test_full(dir, ballast, 0x7fffffff);
	test_full(other, ballast, 20000);
	ok(umount(small) == 0, "nothing keeps the file system");
	return done_testing();
}
