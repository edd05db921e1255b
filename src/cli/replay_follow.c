/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay_follow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/replay.h"

#define LOOK_MS 100
#define LOCK_NS (500 * NS_PER_MS) /* between two looks at whether the session lives */

struct follow {
	int fd; /* the file */
	off_t seen;
	bool over;
	struct err why; /* it is over too early */

	/* Here. */
	char state_dir[sizeof(((struct conf *)0)->state_dir)], id[STORE_ID_LEN + 1];
	int64_t looked;

	/* From the agent, by a process that copies. */
	pid_t copier;
	int news; /* its pipe: a byte when there is a line, an error, its end */
};

struct copy {
	int to, news;
	bool told;
};

static int
take(void *arg, const void *p, size_t n)
{
	struct copy *c = arg;

	if (fd_write_all(c->to, p, n) < 0)
		return -1;
	if (!c->told && memchr(p, '\n', n)) {
		c->told = true;
		return fd_write_all(c->news, "+", 1);
	}
	return 0;
}

static _Noreturn void
copy(const struct args *a, const struct conf *conf, const char *id, struct copy *c)
{
	unsigned char wire[ERR_WIRE_MAX];
	struct err e = {0};
	size_t n;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (replay_read(a, conf, REQ_READ, id, true, take, c, &e) == 0) {
		/* Of what is compressed a newline tells nothing. */
		if (!c->told)
			fd_write_all(c->news, "+", 1);
	} else {
		n = err_encode(&e, wire);
		fd_write_all(c->news, "-", 1);
		fd_write_all(c->news, wire, n);
	}
	_exit(0);
}

/* What stands in the pipe behind the minus sign. */
static void
read_error(struct follow *f)
{
	unsigned char wire[ERR_WIRE_MAX];
	size_t n = 0;
	ssize_t got;

	fcntl(f->news, F_SETFL, 0);
	while (n < sizeof(wire) && (got = read(f->news, wire + n, sizeof(wire) - n)) != 0) {
		if (got > 0)
			n += (size_t)got;
		else if (errno != EINTR)
			break;
	}
	if (err_decode(&f->why, wire, n))
		return;
	err_set(&f->why, ERR_TRANSPORT, 0, "the copy from the agent has ended early");
	err_why(&f->why, "the process that copied was ended");
}

/* The next word of the copier; 0: its end, -1: none yet. */
static int
hear(struct follow *f)
{
	char c = 0;
	ssize_t n;

	do
		n = read(f->news, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	if (n == 1 && c == '-')
		read_error(f);
	return n == 1 && c == '+' ? 1 : 0;
}

static int
from_agent(
    struct follow *f, const struct args *a, const struct conf *conf, const char *id, struct err *e)
{
	struct copy c = {.to = replay_spool(e)};
	int pipe[2];

	if (c.to < 0)
		return -1;
	f->fd = c.to;
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return err_set(e, ERR_IO, errno, "cannot follow %s", id);
	f->news = pipe[0];
	c.news = pipe[1];
	f->copier = fork();
	if (f->copier == 0) {
		close(pipe[0]);
		copy(a, conf, id, &c);
	}
	close(pipe[1]);
	if (f->copier < 0)
		return err_set(e, ERR_INTERNAL, errno, "cannot follow %s", id);
	/* It may ask for a passphrase meanwhile. */
	if (hear(f) != 1) {
		*e = f->why;
		return e->code ? -1
			       : err_set(e, ERR_BAD_FILE, 0, "the recording of %s is empty", id);
	}
	fcntl(f->news, F_SETFL, O_NONBLOCK);
	return 0;
}

static int
begin(struct follow *f, const struct args *a, const char *spec, const char *name, struct err *e)
{
	struct err why = {0};
	struct conf conf;
	int local;

	if (conf_load(&conf, e) < 0)
		return -1;
	local = replay_local_id(a, &conf, spec, name, f->id, e);
	if (local < 0)
		return -1;
	if (local > 0)
		f->fd = store_open_cast(conf.state_dir, f->id, &why);
	if (why.code == ERR_BAD_FILE) {
		*e = why;
		return -1;
	}
	if (f->fd < 0)
		return from_agent(f, a, &conf, spec, e);
	str_copy(f->state_dir, conf.state_dir, sizeof(f->state_dir));
	return 0;
}

int
replay_follow(const struct args *a, const char *spec, char *name, size_t size, struct follow **out,
    struct err *e)
{
	struct follow *f = calloc(1, sizeof(*f));
	char path[32];
	int fd = -1;

	str_vis(name, size, spec);
	if (!f)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot follow %s", name);
	f->fd = f->news = -1;
	if (replay_is_file(spec)) {
		err_set(e, ERR_USAGE, 0, "cannot follow the file %s", name);
		err_why(e, "only of a session it is known when it is over");
		err_hint(e, "name the session, or leave --follow out");
	} else if (begin(f, a, spec, name, e) == 0) {
		/* With an offset of its own. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			err_set(e, ERR_IO, errno, "cannot follow %s", name);
	}
	if (fd < 0)
		follow_free(f);
	else
		*out = f;
	return fd;
}

void
follow_free(struct follow *f)
{
	if (!f)
		return;
	if (f->copier > 0) {
		kill(f->copier, SIGTERM);
		waitpid(f->copier, NULL, 0);
	}
	fd_close(&f->fd);
	fd_close(&f->news);
	free(f);
}

static bool
is_over(struct follow *f)
{
	int64_t now = clock_mono();

	if (f->news >= 0)
		return hear(f) == 0;
	if (f->looked && now - f->looked < LOCK_NS)
		return false;
	f->looked = now;
	return !store_live(f->state_dir, f->id);
}

bool
follow_over(struct follow *f, struct err *e)
{
	if (!f->over)
		f->over = is_over(f);
	if (f->over && e)
		*e = f->why;
	return f->over;
}

bool
follow_more(void *arg)
{
	struct pollfd out = {.fd = STDOUT_FILENO};
	struct follow *f = arg;
	struct stat st;

	while (!f->over && fflush(stdout) == 0 && !ferror(stdout)) {
		/* First: what is written before the end is read after it was seen. */
		bool over = follow_over(f, NULL);

		if (over || (fstat(f->fd, &st) == 0 && st.st_size != f->seen)) {
			f->seen = over ? f->seen : st.st_size;
			return true;
		}
		if (poll(&out, 1, LOOK_MS) > 0)
			return false;
	}
	return false;
}

int
follow_status(const struct follow *f)
{
	return f->why.code != ERR_NONE ? cmd_fail(&f->why) : 0;
}
