/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/passwd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "target/lex.h"

#define FIELDS_MAX 7

/* Exactly `want` fields; (uid_t)-1 is no id: chown(2) and setresuid(2) give it another meaning. */
static bool
split(struct lex line, struct lex *f, size_t want)
{
	size_t have = 0;

	while (have < want) {
		const char *colon = memchr(line.p, ':', line.n);

		f[have].p = line.p;
		f[have].n = colon ? (size_t)(colon - line.p) : line.n;
		have++;
		if (!colon)
			return have == want;
		line.n -= f[have - 1].n + 1;
		line.p = colon + 1;
	}
	return false;
}

static bool
parse_id(const struct lex *f, uint32_t *id)
{
	uint64_t v;

	if (!lex_whole(f, UINT32_MAX - 1, &v))
		return false;
	*id = (uint32_t)v;
	return true;
}

static bool
passwd_line(struct lex line, struct pw_entry *out)
{
	struct lex f[FIELDS_MAX];

	return split(line, f, 7) && f[0].n > 0 && lex_copy(&f[0], out->name, sizeof(out->name)) &&
	       parse_id(&f[2], &out->uid) && parse_id(&f[3], &out->gid) &&
	       lex_copy(&f[5], out->home, sizeof(out->home)) &&
	       lex_copy(&f[6], out->shell, sizeof(out->shell));
}

bool
pw_by_name(const char *text, size_t n, const char *name, struct pw_entry *out)
{
	struct lex l = {text, n}, line;

	while (lex_until(&l, '\n', &line))
		if (passwd_line(line, out) && strcmp(out->name, name) == 0)
			return true;
	memset(out, 0, sizeof(*out));
	return false;
}

bool
pw_by_uid(const char *text, size_t n, uid_t uid, struct pw_entry *out)
{
	struct lex l = {text, n}, line;

	while (lex_until(&l, '\n', &line))
		if (passwd_line(line, out) && out->uid == uid)
			return true;
	memset(out, 0, sizeof(*out));
	return false;
}

static bool
group_line(struct lex line, struct lex *name, gid_t *gid, struct lex *members)
{
	struct lex f[4];

	if (!split(line, f, 4) || f[0].n == 0 || !parse_id(&f[2], gid))
		return false;
	*name = f[0];
	*members = f[3];
	return true;
}

bool
pw_group_by_name(const char *text, size_t n, const char *name, gid_t *gid)
{
	struct lex l = {text, n}, line, found, members;
	gid_t g;

	while (lex_until(&l, '\n', &line)) {
		if (group_line(line, &found, &g, &members) && lex_is(&found, name)) {
			*gid = g;
			return true;
		}
	}
	return false;
}

bool
pw_group_by_gid(const char *text, size_t n, gid_t gid, char name[PW_NAME_MAX + 1])
{
	struct lex l = {text, n}, line, found, members;
	gid_t g;

	while (lex_until(&l, '\n', &line))
		if (group_line(line, &found, &g, &members) && g == gid &&
		    lex_copy(&found, name, PW_NAME_MAX + 1))
			return true;
	name[0] = '\0';
	return false;
}

static bool
is_member(struct lex members, const char *user)
{
	struct lex one;

	while (lex_until(&members, ',', &one))
		if (lex_is(&one, user))
			return true;
	return false;
}

static int
by_gid(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

size_t
pw_groups_of(const char *text, size_t n, const char *user, gid_t *out, size_t max)
{
	struct lex l = {text, n}, line, name, members;
	size_t have = 0, kept = 0;
	gid_t g;

	while (have < max && lex_until(&l, '\n', &line))
		if (group_line(line, &name, &g, &members) && is_member(members, user))
			out[have++] = g;
	qsort(out, have, sizeof(*out), by_gid);
	for (size_t i = 0; i < have; i++)
		if (kept == 0 || out[kept - 1] != out[i])
			out[kept++] = out[i];
	return kept;
}

/* At most PW_FILE_MAX bytes of a regular file. */
static int
read_whole(int fd, struct buf *out)
{
	size_t got = 0;
	ssize_t n;
	char probe;

	for (;;) {
		n = got < PW_FILE_MAX ? buf_read_fd(out, fd, PW_FILE_MAX - got)
				      : read(fd, &probe, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		if (got == PW_FILE_MAX) {
			errno = EFBIG;
			return -1;
		}
		got += (size_t)n;
	}
}

int
pw_read(int rootfd, const char *path, struct buf *out)
{
	struct open_how how = {
	    .flags = O_PATH | O_CLOEXEC,
	    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	auto_close int held = -1, fd = -1;
	size_t before = out->len;
	struct stat st;
	char link[32];

	/* Looked at before it is opened: opening alone makes some devices act, and the
	 * container's device rules do not bind us. */
	held = (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
	if (held < 0 || fstat(held, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", held);
	fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || read_whole(fd, out) < 0) {
		out->len = before;
		return -1;
	}
	return 0;
}
