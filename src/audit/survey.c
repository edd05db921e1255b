/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/log_int.h"
#include "audit/read.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/str.h"

static struct audit_file *
file_of(struct audit_survey *s, const struct audit_entry *x)
{
	struct audit_file *grown;

	if (s->n > 0 && x->line > 1 && strcmp(s->v[s->n - 1].name, x->file) == 0)
		return &s->v[s->n - 1];
	grown = reallocarray(s->v, s->n + 1, sizeof *s->v);
	if (!grown)
		return NULL;
	s->v = grown;
	grown = &s->v[s->n++];
	*grown = (struct audit_file){.good = true, .newest_ns = -1};
	str_copy(grown->name, x->file, sizeof grown->name);
	memcpy(grown->after, x->prev, sizeof grown->after);
	return grown;
}

static int
take(struct audit_survey *s, const struct audit_entry *x, audit_survey_fn *each, void *arg)
{
	struct audit_file *f = file_of(s, x);
	struct audit_peek k;

	if (!f)
		return -1;
	f->records++;
	f->bytes += x->len + 1;
	memcpy(f->last, x->hash, sizeof f->last);
	if (!x->good || !audit_peek(x->text, x->len, &k)) {
		f->good = false;
		return 0;
	}
	f->newest_ns = audit_time_ns(k.time);
	if (each)
		each(arg, &k);
	return 0;
}

/* The file that grows, and the one whose number the next one's follows. */
static void
mark_needed(struct audit_survey *s)
{
	bool numbered = false;

	for (size_t i = s->n; i > 0; i--) {
		struct audit_file *f = &s->v[i - 1];

		f->needed = audit_file_number(f->name) == 0 || !numbered;
		numbered |= audit_file_number(f->name) != 0;
	}
}

int
audit_survey(
    const char *dir, audit_survey_fn *each, void *arg, struct audit_survey *s, struct err *e)
{
	struct audit_reader *r = audit_read_open(dir, e);
	struct audit_entry x;
	int rc = r ? 0 : -1;

	*s = (struct audit_survey){0};
	while (r && (rc = audit_next(r, &x, e)) == 1)
		if (take(s, &x, each, arg) < 0) {
			rc = err_set(e, ERR_LIMIT, ENOMEM, "cannot look through the audit log");
			break;
		}
	audit_read_close(r);
	mark_needed(s);
	if (rc < 0)
		audit_survey_fini(s);
	return rc;
}

void
audit_survey_fini(struct audit_survey *s)
{
	free(s->v);
	*s = (struct audit_survey){0};
}

bool
audit_survey_older(const char *dir, int64_t real_ns)
{
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t last = fd >= 0 ? audit_last_number(fd) : 0;
	char name[AUDIT_NAME_SIZE];
	struct stat st;

	/* They are written one after the other, and the oldest goes first: the least number of
	 * those that are there is looked for from the end. */
	for (last--; last > 0; last--) {
		audit_file_name((uint32_t)last, name);
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
		if (st.st_mtim.tv_sec * NS_PER_S < real_ns)
			return true;
	}
	return false;
}

int
audit_survey_remove(const char *dir, const struct audit_file *f, struct err *e)
{
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (f->needed || audit_file_number(f->name) == 0) {
		err_set(e, ERR_LIMIT, 0, "cannot remove %s of the log", f->name);
		err_why(e, "it is the one that grows, or the last one before it");
		return err_hint(e, "wait until the log has others");
	}
	if (fd >= 0 && unlinkat(fd, f->name, 0) == 0 && fsync(fd) == 0)
		return 0;
	err_set(e, ERR_IO, errno, "cannot remove %s of the log", f->name);
	return e && *e->hint ? -1 : err_hint(e, "see what %s is: ls -l, lsattr", dir);
}
