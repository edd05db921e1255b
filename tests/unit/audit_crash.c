/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A writer that is killed at every system call it makes, before it and after it. */
#include "audit_util.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/str.h"
#include "stops.h"

#define RECORDS 7
#define LIMIT 2600 /* so that another file is begun on the way */
#define SEEN 64

static int *acked; /* how many puts returned 0, in memory that outlives the writer */
static char dir[512];

static int
write_some(void)
{
	struct err e = {0};
	struct audit_log *l;

	l = audit_log_open(dir, &e);
	if (l)
		audit_log_limit(l, LIMIT);
	for (int i = 0; l && i < RECORDS; i++) {
		if (aud_put(l, i, &e) < 0)
			return 1;
		*acked = i + 1;
		if (i % 3 == 2 && audit_log_sync(l, &e) < 0)
			return 1;
	}
	return l ? 0 : 1;
}

static void
test_every_point(void)
{
	static unsigned seen[SEEN];
	int k, lost = 0, twice = 0, broken = 0, stuck = 0;
	char name[32];

	for (k = 1;; k++) {
		struct audit_verdict v;
		bool killed;

		snprintf(name, sizeof name, "kill%d", k);
		*acked = 0;
		str_copy(dir, rec_path(name), sizeof(dir));
		killed = killed_at(k, write_some);
		stuck += aud_fill(rec_path(name), LIMIT, RECORDS, 2) < 0;
		v = aud_read(rec_path(name), seen, SEEN);
		broken += !aud_is_whole(&v);
		for (int i = 0; i < *acked; i++)
			lost += seen[i] == 0;
		for (int i = 0; i < SEEN; i++)
			twice += seen[i] > 1;
		if (!killed)
			break;
	}
	ok(k > 60, "killed at %d points", k);
	is_int(*acked, RECORDS, "the last time not at all");
	is_int(stuck, 0, "whoever comes next can go on");
	is_int(lost, 0, "what was acknowledged is there");
	is_int(twice, 0, "once");
	is_int(broken, 0, "in a chain that holds");
}

int
main(void)
{
	rec_setup();
	acked = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	test_every_point();
	return done_testing();
}
