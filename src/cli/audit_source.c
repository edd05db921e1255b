/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/audit_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* Less is read faster than a program is started and its index opened. */
#define LARGE (4 << 20)
#define PROGRAM "coral-audit-index"
#define WORDS_MAX 16

struct audit_source {
	struct audit_reader *r; /* NULL: by the index */
	pid_t pid;
	FILE *in;
	struct audit_verdict v;
	bool ended;
	char name[40], line[AUDIT_LINE_MAX + 1];
};

static bool
is_large(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	struct stat st;
	off_t size = 0;

	while (dir && (d = readdir(dir)) && size < LARGE)
		if (strncmp(d->d_name, "audit", 5) == 0 &&
		    fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			size += st.st_size;
	if (dir)
		closedir(dir);
	return size >= LARGE;
}

/* It is in the directory of the build, or where `make install` puts it. */
static int
open_program(void)
{
	const char *places[] = {"/" PROGRAM, "/../libexec/coral/" PROGRAM};
	char self[512], path[600];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	struct stat st;
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -1;
	*slash = '\0';
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		auto_close int fd = -1;

		snprintf(path, sizeof path, "%s%s", self, places[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & 022))
			return steal_fd(&fd);
	}
	return -1;
}

/* Its standard output is the pipe; what it has to say of itself nobody needs. */
static int
spawn(struct audit_source *s, int program, int out, char *const argv[])
{
	posix_spawn_file_actions_t acts;
	char *const env[] = {NULL};
	char path[64];
	int rc;

	snprintf(path, sizeof path, "/proc/self/fd/%d", program);
	if (posix_spawn_file_actions_init(&acts) != 0)
		return -1;
	rc = posix_spawn_file_actions_adddup2(&acts, out, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(&acts, 0, "/dev/null", O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(&acts, 2, "/dev/null", O_WRONLY, 0);
	if (rc == 0)
		rc = posix_spawn(&s->pid, path, &acts, NULL, argv, env);
	posix_spawn_file_actions_destroy(&acts);
	if (rc != 0)
		s->pid = 0;
	return rc == 0 ? 0 : -1;
}

static int
run_program(struct audit_source *s, char *const argv[])
{
	auto_close int program = open_program();
	int pipes[2];

	if (program < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return -1;
	if (spawn(s, program, pipes[1], argv) == 0)
		s->in = fdopen(pipes[0], "re");
	fd_close(&pipes[1]);
	if (!s->in)
		fd_close(&pipes[0]);
	return s->in ? 0 : -1;
}

/* "KEY=VALUE" of what is wanted. */
struct words {
	char *argv[WORDS_MAX + 1];
	int n;
	bool bad;
};

static void
add_word(struct words *w, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	if (w->n == WORDS_MAX || asprintf(&w->argv[w->n], "%s%s", key, value) < 0)
		w->bad = true;
	else
		w->n++;
}

/* 0, or -1: not by the index. */
static int
ask_index(struct audit_source *s, const char *dir, const struct audit_want *w, size_t last)
{
	struct words words = {.n = 0};
	char number[24];
	int rc;

	snprintf(number, sizeof number, "%zu", last);
	add_word(&words, "", PROGRAM);
	add_word(&words, "", CORAL_VERSION);
	add_word(&words, "", dir);
	add_word(&words, "since=", w->since);
	add_word(&words, "until=", w->until);
	add_word(&words, "session=", w->session);
	add_word(&words, "user=", w->user);
	add_word(&words, "event=", w->event);
	add_word(&words, "target=", w->target);
	add_word(&words, "decision=", w->decision);
	/* What a pattern takes of them only we know. */
	add_word(&words, "last=", last > 0 && !w->grep ? number : NULL);
	rc = words.bad || words.n <= 3 ? -1 : run_program(s, words.argv);
	while (words.n > 0)
		free(words.argv[--words.n]);
	return rc;
}

static void
drop_program(struct audit_source *s)
{
	if (s->in)
		fclose(s->in);
	s->in = NULL;
	while (s->pid > 0 && waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
}

/* Whether it answers: its first word comes when all is found. */
static bool
answers(struct audit_source *s)
{
	int c = getc(s->in);

	return c != EOF && ungetc(c, s->in) != EOF;
}

struct audit_source *
audit_source_open(
    const char *dir, const struct audit_want *w, size_t last, bool whole, struct err *e)
{
	struct audit_source *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(e, ERR_LIMIT, ENOMEM, "cannot read the audit log");
		return NULL;
	}
	if (!whole && is_large(dir) && ask_index(s, dir, w, last) == 0 && answers(s))
		return s;
	drop_program(s);
	s->r = audit_read_open(dir, e);
	if (s->r)
		return s;
	free(s);
	return NULL;
}

static int
lost(struct err *e)
{
	err_set(e, ERR_IO, 0, "cannot read the audit log by its index");
	err_why(e, "the program " PROGRAM " did not finish its answer");
	return err_hint(e, "remove the directory index of the log, and try again");
}

/* "R FILE LINE GOOD LENGTH" and the line, or "E RECORDS BEFORE HEAD BAD LINE FILE WHY". */
static int
take_answer(struct audit_source *s, struct audit_entry *x, struct err *e)
{
	unsigned long long line, bad, records;
	unsigned good, length;
	char head[512];
	int at = 0;

	if (!fgets(head, sizeof head, s->in))
		return lost(e);
	head[strcspn(head, "\n")] = '\0';
	if (sscanf(head, "R %39s %llu %u %u", s->name, &line, &good, &length) == 4 &&
	    length < AUDIT_LINE_MAX && fread(s->line, length + 1U, 1, s->in) == 1) {
		*x = (struct audit_entry){.text = s->line,
		    .len = length,
		    .file = s->name,
		    .fd = -1,
		    .line = line,
		    .good = good == 1};
		if (x->good && !audit_line_check(x->text, x->len + 1, x->prev, x->hash))
			return lost(e);
		return 1;
	}
	if (sscanf(head, "E %llu %64s %64s %llu %llu %39s%n", &records, s->v.before, s->v.head,
		&bad, &line, s->v.bad_file, &at) < 6 ||
	    at == 0)
		return lost(e);
	if (strcmp(s->v.before, "-") == 0)
		s->v.before[0] = '\0';
	if (strcmp(s->v.head, "-") == 0)
		s->v.head[0] = '\0';
	s->v.records = records;
	s->v.bad = bad;
	s->v.bad_line = line;
	str_copy(s->v.why, head + at + (head[at] == ' '), sizeof s->v.why);
	s->ended = true;
	return 0;
}

int
audit_source_next(struct audit_source *s, struct audit_entry *x, struct err *e)
{
	if (s->r)
		return audit_next(s->r, x, e);
	return s->ended ? 0 : take_answer(s, x, e);
}

void
audit_source_verdict(const struct audit_source *s, struct audit_verdict *v)
{
	*v = s->v;
	if (s->r)
		audit_verdict(s->r, v);
}

void
audit_source_close(struct audit_source *s)
{
	if (!s)
		return;
	drop_program(s);
	audit_read_close(s->r);
	free(s);
}

/* What cannot be trusted is listed all the same, and said. */
int
audit_source_say_bad(const struct audit_source *s)
{
	struct audit_verdict v;

	audit_source_verdict(s, &v);
	if (v.bad == 0)
		return 0;
	fprintf(stderr,
	    "coral: %llu %s of the audit log not as written; the first is line %llu of %s: %s\n",
	    (unsigned long long)v.bad, v.bad == 1 ? "record is" : "records are",
	    (unsigned long long)v.bad_line, v.bad_file, v.why);
	return 1;
}
