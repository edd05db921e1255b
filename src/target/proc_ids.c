/* SPDX-License-Identifier: GPL-3.0-or-later */
/* status, uid_map and limits: who a process is and what it may use. */
#include "target/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "target/lex.h"

static int
invalid(void)
{
	errno = EINVAL;
	return -1;
}

/* Whole line after "Key:", blanks trimmed in front. */
static bool
one_number(struct lex l, unsigned base, uint64_t max, uint64_t *out)
{
	lex_blanks(&l);
	return lex_number(&l, base, max, out) && l.n == 0;
}

static bool
four_ids(struct lex l, uint32_t out[4])
{
	uint64_t v;

	for (int i = 0; i < 4; i++) {
		lex_blanks(&l);
		if (!lex_number(&l, 10, UINT32_MAX, &v))
			return false;
		out[i] = (uint32_t)v;
	}
	return l.n == 0;
}

static bool
group_list(struct lex l, struct proc_status *st)
{
	size_t room = 0;
	uint64_t v;

	st->ngroups = 0;
	for (;;) {
		lex_blanks(&l);
		if (l.n == 0)
			return true;
		if (!lex_number(&l, 10, UINT32_MAX, &v) || st->ngroups == 65536)
			return false;
		if (st->ngroups == room) {
			gid_t *grown;

			room = room ? room * 2 : 16;
			grown = realloc(st->groups, room * sizeof(*grown));
			if (!grown)
				return false;
			st->groups = grown;
		}
		st->groups[st->ngroups++] = (gid_t)v;
	}
}

static bool
nspid_list(struct lex l, struct proc_status *st)
{
	uint64_t v;

	st->nnspid = 0;
	for (;;) {
		lex_blanks(&l);
		if (l.n == 0)
			return true;
		if (!lex_number(&l, 10, INT32_MAX, &v) || st->nnspid == PROC_NSPID_MAX)
			return false;
		st->nspid[st->nnspid++] = (pid_t)v;
	}
}

enum seen { SEEN_UID = 1, SEEN_GID = 2, SEEN_GROUPS = 4, SEEN_CAPS = 8 };

/* Tgid, PPid, TracerPid, Umask, NoNewPrivs, Seccomp: one number each. */
static bool
status_number(struct lex key, struct lex l, struct proc_status *st)
{
	uint64_t v;

	if (lex_is(&key, "Tgid") || lex_is(&key, "PPid") || lex_is(&key, "TracerPid")) {
		if (!one_number(l, 10, INT32_MAX, &v))
			return false;
		*(lex_is(&key, "Tgid")	   ? &st->tgid
		    : lex_is(&key, "PPid") ? &st->ppid
					   : &st->tracer) = (pid_t)v;
	} else if (lex_is(&key, "Umask")) {
		if (!one_number(l, 8, 0777, &v))
			return false;
		st->umask = (mode_t)v;
		st->has_umask = true;
	} else if (lex_is(&key, "NoNewPrivs")) {
		if (!one_number(l, 10, 1, &v))
			return false;
		st->no_new_privs = v == 1;
	} else if (lex_is(&key, "Seccomp")) {
		if (!one_number(l, 10, 2, &v))
			return false;
		st->seccomp = (int)v;
	} else if (lex_is(&key, "Seccomp_filters")) {
		if (!one_number(l, 10, INT32_MAX, &v))
			return false;
		st->seccomp_filters = (int)v;
	}
	return true;
}

/* What decides over rights is there once. */
static bool
once(unsigned *seen, unsigned what)
{
	bool first = !(*seen & what);

	*seen |= what;
	return first;
}

static bool
status_line(struct lex key, struct lex l, struct proc_status *st, unsigned *seen)
{
	static const char *const caps[PROC_CAPS] = {
	    "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};

	for (unsigned i = 0; i < PROC_CAPS; i++)
		if (lex_is(&key, caps[i]))
			return once(seen, (unsigned)SEEN_CAPS << i) &&
			       one_number(l, 16, UINT64_MAX, &st->caps[i]);
	if (lex_is(&key, "Uid"))
		return once(seen, SEEN_UID) && four_ids(l, st->uid);
	if (lex_is(&key, "Gid"))
		return once(seen, SEEN_GID) && four_ids(l, st->gid);
	if (lex_is(&key, "Groups"))
		return once(seen, SEEN_GROUPS) && group_list(l, st);
	if (lex_is(&key, "NSpid"))
		return nspid_list(l, st);
	if (lex_is(&key, "State")) {
		lex_blanks(&l);
		st->state = l.n ? *l.p : '?';
		return l.n > 0;
	}
	return status_number(key, l, st);
}

int
proc_parse_status(const char *p, size_t n, struct proc_status *out)
{
	unsigned seen = 0, all = SEEN_UID | SEEN_GID | SEEN_GROUPS;
	struct lex l = {p, n}, line, key;
	bool good;

	memset(out, 0, sizeof(*out));
	out->seccomp_filters = -1;
	for (int i = 0; i < PROC_CAPS; i++)
		all |= (unsigned)SEEN_CAPS << i;
	/* The first line is the name, which the process chose itself: keys count from the second.
	 */
	good = lex_until(&l, '\n', &line) && lex_skip(&line, "Name:");
	while (good && lex_until(&l, '\n', &line))
		good = lex_until(&line, ':', &key) && status_line(key, line, out, &seen);
	if (good && (seen & all) == all)
		return 0;
	proc_status_fini(out);
	return invalid();
}

int
proc_read_status(int pd, struct proc_status *out)
{
	char small[8192];
	auto_free char *large = NULL;
	ssize_t n = proc_read(pd, "status", small, sizeof(small));

	memset(out, 0, sizeof(*out));
	if (n >= 0)
		return proc_parse_status(small, (size_t)n, out);
	if (errno != EFBIG || !(large = malloc(PROC_STATUS_MAX)))
		return -1;
	n = proc_read(pd, "status", large, PROC_STATUS_MAX);
	return n < 0 ? -1 : proc_parse_status(large, (size_t)n, out);
}

void
proc_status_fini(struct proc_status *st)
{
	free(st->groups);
	st->groups = NULL;
	st->ngroups = 0;
}

int
proc_parse_idmap(const char *p, size_t n, struct proc_idmap *out)
{
	struct lex l = {p, n}, line;
	uint64_t v[3];

	out->n = 0;
	while (lex_until(&l, '\n', &line)) {
		bool good = out->n < PROC_IDMAP_MAX;

		for (int i = 0; good && i < 3; i++) {
			lex_blanks(&line);
			good = lex_number(&line, 10, UINT32_MAX, &v[i]);
		}
		/* The last id is one less than -1, which means none to setresuid(2). */
		if (!good || line.n || v[2] == 0 || v[0] + v[2] > UINT32_MAX) {
			out->n = 0;
			return invalid();
		}
		out->v[out->n].inside = (uint32_t)v[0];
		out->v[out->n].outside = (uint32_t)v[1];
		out->v[out->n].count = (uint32_t)v[2];
		out->n++;
	}
	return 0;
}

int
proc_read_idmap(int pd, const char *name, struct proc_idmap *out)
{
	char text[PROC_SMALL_MAX];
	ssize_t n = proc_read(pd, name, text, sizeof(text));

	out->n = 0;
	return n < 0 ? -1 : proc_parse_idmap(text, (size_t)n, out);
}

uint32_t
proc_idmap_inside(const struct proc_idmap *m, uint32_t outside)
{
	for (size_t i = 0; i < m->n && outside != PROC_ID_NONE; i++) {
		/* A range that the reader's own namespace does not know is shown as starting at -1.
		 */
		if (m->v[i].outside == PROC_ID_NONE || outside < m->v[i].outside)
			continue;
		if (outside - m->v[i].outside < m->v[i].count)
			return m->v[i].inside + (outside - m->v[i].outside);
	}
	return PROC_ID_NONE;
}

uint32_t
proc_idmap_outside(const struct proc_idmap *m, uint32_t inside)
{
	for (size_t i = 0; i < m->n; i++) {
		uint32_t off = inside - m->v[i].inside;

		if (m->v[i].outside == PROC_ID_NONE || inside < m->v[i].inside)
			continue;
		if (off < m->v[i].count && m->v[i].outside < UINT32_MAX - off)
			return m->v[i].outside + off;
	}
	return PROC_ID_NONE;
}

static const struct {
	const char *name;
	int which;
} limit_names[] = {
    {"Max cpu time", RLIMIT_CPU},
    {"Max file size", RLIMIT_FSIZE},
    {"Max data size", RLIMIT_DATA},
    {"Max stack size", RLIMIT_STACK},
    {"Max core file size", RLIMIT_CORE},
    {"Max resident set", RLIMIT_RSS},
    {"Max processes", RLIMIT_NPROC},
    {"Max open files", RLIMIT_NOFILE},
    {"Max locked memory", RLIMIT_MEMLOCK},
    {"Max address space", RLIMIT_AS},
    {"Max file locks", RLIMIT_LOCKS},
    {"Max pending signals", RLIMIT_SIGPENDING},
    {"Max msgqueue size", RLIMIT_MSGQUEUE},
    {"Max nice priority", RLIMIT_NICE},
    {"Max realtime priority", RLIMIT_RTPRIO},
    {"Max realtime timeout", RLIMIT_RTTIME},
};

static bool
limit_value(struct lex *l, rlim_t *out)
{
	uint64_t v;

	lex_blanks(l);
	if (lex_skip(l, "unlimited")) {
		*out = RLIM_INFINITY;
		return true;
	}
	if (!lex_number(l, 10, UINT64_MAX, &v))
		return false;
	*out = (rlim_t)v;
	return true;
}

static int
limit_line(struct lex line, struct proc_limits *out)
{
	struct rlimit r;

	for (size_t i = 0; i < COUNT_OF(limit_names); i++) {
		struct lex l = line;

		if (!lex_skip(&l, limit_names[i].name) || l.n == 0 || *l.p != ' ')
			continue;
		if (!limit_value(&l, &r.rlim_cur) || l.n == 0 || *l.p != ' ' ||
		    !limit_value(&l, &r.rlim_max) || (l.n && *l.p != ' ') ||
		    r.rlim_cur > r.rlim_max)
			return invalid();
		out->v[limit_names[i].which] = r;
		out->has[limit_names[i].which] = true;
		return 0;
	}
	return 0; /* a limit of a newer kernel */
}

int
proc_parse_limits(const char *p, size_t n, struct proc_limits *out)
{
	struct lex l = {p, n}, line;

	memset(out, 0, sizeof(*out));
	if (!lex_until(&l, '\n', &line) || !lex_skip(&line, "Limit "))
		return invalid();
	while (lex_until(&l, '\n', &line))
		if (limit_line(line, out) < 0)
			return -1;
	return 0;
}

int
proc_read_limits(int pd, struct proc_limits *out)
{
	char text[PROC_SMALL_MAX];
	ssize_t n = proc_read(pd, "limits", text, sizeof(text));

	memset(out, 0, sizeof(*out));
	return n < 0 ? -1 : proc_parse_limits(text, (size_t)n, out);
}
