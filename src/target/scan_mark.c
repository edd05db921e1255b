/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How far pids were given out.  The kernel hands them out ascending from the last one (pid 1's
 * namespace: alloc_pid), so between two marks every new process has its number between them,
 * unless the numbers began again at the bottom or a checkpoint was restored with numbers of its
 * own: then there were more forks than numbers.
 */
#include "target/scan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "target/lex.h"

#define STAT_MAX (512 * 1024) /* a number for each interrupt of a large machine */

static bool
last_pid(int proc, uint64_t *out)
{
	char text[32];
	ssize_t n = proc_read(proc, "sys/kernel/ns_last_pid", text, sizeof(text));
	struct lex l = {text, n < 0 ? 0 : (size_t)n};

	return lex_number(&l, 10, INT32_MAX, out) && lex_is(&l, "\n");
}

/* "processes N" of proc_stat(5): every fork, and every thread, since the start. */
static bool
forks(int proc, uint64_t *out)
{
	auto_free char *text = malloc(STAT_MAX);
	ssize_t n = text ? proc_read(proc, "stat", text, STAT_MAX) : -1;
	struct lex l = {text, n < 0 ? 0 : (size_t)n}, line;

	while (lex_until(&l, '\n', &line))
		if (lex_skip(&line, "processes "))
			return lex_whole(&line, UINT64_MAX, out);
	return false;
}

/* The numbers in this procfs are those of our own pid namespace, of which ns_last_pid speaks. */
bool
scan_own_numbers(const struct scan *sc)
{
	auto_close int pd = -1;
	struct proc_status st;
	bool own;

	if (sc->sys->standin)
		return false;
	pd = openat(sc->sys->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (pd < 0 || proc_read_status(pd, &st) < 0)
		return false;
	own = st.nnspid == 1 && st.nspid[0] == getpid();
	proc_status_fini(&st);
	return own;
}

bool
scan_mark_now(const struct scan *sc, struct scan_mark *m)
{
	uint64_t again;

	memset(m, 0, sizeof(*m));
	if (!sc->own_numbers)
		return false;
	/* Both of one moment, in which nothing was forked. */
	for (int i = 0; i < 3; i++) {
		if (!last_pid(sc->sys->proc, &m->last) || !forks(sc->sys->proc, &m->forks) ||
		    !last_pid(sc->sys->proc, &again))
			return false;
		if (again == m->last) {
			m->at = sc->boot_ticks;
			m->good = true;
			return true;
		}
	}
	return false;
}

bool
scan_mark_range(const struct scan_mark *from, const struct scan_mark *to, uint64_t max)
{
	return from->good && to->good && to->last >= from->last && to->forks >= from->forks &&
	       to->last - from->last <= max && to->forks - from->forks <= to->last - from->last;
}
