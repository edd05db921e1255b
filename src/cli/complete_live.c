/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/complete.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/cmds.h"

#define WAIT_MS 80 /* of the 100 that a completion may take */
#define CHILD_S 20 /* then a hanging agent's answer is of no use any more */
#define ROWS_MAX (4u * 1024 * 1024)

struct source {
	struct conf conf;
	struct cmd_agent agent;
	enum request_verb verb;
	char dir[300], cache[360];
};

/* One file an agent and question; the name only has to differ. */
static uint64_t
hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

static void
cache_path(struct source *s)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	const char *agent = s->agent.where.address ? s->agent.where.address : s->agent.where.socket;

	s->dir[0] = '\0';
	if (xdg && xdg[0] == '/')
		snprintf(s->dir, sizeof(s->dir), "%s/coral", xdg);
	else if (home && home[0] == '/')
		snprintf(s->dir, sizeof(s->dir), "%s/.cache/coral", home);
	snprintf(s->cache, sizeof(s->cache), "%s/%s-%016llx.json", s->dir,
	    request_verb_name(s->verb), (unsigned long long)hash(agent));
}

/* The child: asks, answers on `out`, and leaves the answer for the next time. */
static void
fetch(struct source *s, int out)
{
	struct err ignored;
	struct tp_client *c = client_connect(&s->agent.where, &ignored);
	auto_free char *text = NULL;
	char tmp[400];
	struct request r;
	json_t *j;
	int fd;

	request_init(&r);
	r.verb = s->verb;
	str_copy(r.client, "coral completion", sizeof(r.client));
	j = c ? client_query_json(c, &r, &ignored) : NULL;
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	if (!text)
		return;
	fd_write_all(out, text, strlen(text));
	close(out);
	snprintf(tmp, sizeof(tmp), "%s.%d", s->cache, (int)getpid());
	if (!s->dir[0] || fd_make_dir(s->dir, 0700, NULL) < 0)
		return;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (fd_write_all(fd, text, strlen(text)) < 0 || rename(tmp, s->cache) < 0)
		unlink(tmp);
	close(fd);
}

static _Noreturn void
child(struct source *s, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* The shell waits for the end of our output: the child must not hold it. */
	setsid();
	signal(SIGPIPE, SIG_IGN);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	alarm(CHILD_S);
	fetch(s, out);
	_exit(0);
}

/* Everything from the pipe by the deadline: true when it came to its end. */
static bool
drain(int fd, struct buf *b)
{
	int64_t end = clock_mono() + WAIT_MS * NS_PER_MS;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = (end - clock_mono()) / NS_PER_MS;
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return false;
		n = buf_read_fd(b, fd, 64 * 1024);
		if (n == 0)
			return b->len > 0;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

static json_t *
rows(struct source *s)
{
	int pipefd[2];
	struct buf b;
	json_t *j = NULL;
	bool fresh = false;
	pid_t pid;

	buf_init(&b, ROWS_MAX);
	if (pipe2(pipefd, O_CLOEXEC) == 0) {
		pid = fork();
		if (pid == 0)
			child(s, pipefd[1]);
		close(pipefd[1]);
		fresh = pid > 0 && drain(pipefd[0], &b);
		close(pipefd[0]);
	}
	if (!fresh) {
		buf_clear(&b);
		fd_read_file(AT_FDCWD, s->cache, ROWS_MAX, &b);
	}
	if (b.len)
		j = json_loadb((const char *)buf_head(&b), b.len, 0, NULL);
	buf_fini(&b);
	return j;
}

/* Names that a shell takes as they are; others would have to be quoted its way. */
static void
offer(FILE *f, const char *value, const char *about, const char *prefix)
{
	static const char ok[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@%+-/";
	char safe[128];

	if (!value || !*value || strspn(value, ok) != strlen(value) ||
	    strncmp(value, prefix, strlen(prefix)) != 0)
		return;
	str_vis(safe, sizeof(safe), about ? about : "");
	fprintf(f, "%s\t%s\n", value, safe);
}

static bool
runs(const json_t *row)
{
	const char *state = json_string_value(json_object_get(row, "state"));

	return state && (strcmp(state, "live") == 0 || strcmp(state, "detached") == 0);
}

static void
offer_row(FILE *f, const json_t *row, enum opt_complete kind, bool any, const char *prefix)
{
	const char *service = json_string_value(json_object_get(row, "service"));
	const char *container = json_string_value(json_object_get(row, "container"));
	const char *image = json_string_value(json_object_get(row, "image"));
	char num[24];

	switch (kind) {
	case COMP_SERVICE:
		offer(f, service, image, prefix);
		if (any && container && (!service || strcmp(service, container) != 0))
			offer(f, container, image, prefix);
		break;
	case COMP_POD:
		offer(f, json_string_value(json_object_get(row, "pod")), service, prefix);
		break;
	case COMP_NAMESPACE:
		offer(f, json_string_value(json_object_get(row, "namespace")), NULL, prefix);
		break;
	case COMP_CONTAINER:
		offer(f, container, image, prefix);
		break;
	case COMP_PID:
		if (!json_is_integer(json_object_get(row, "pid")))
			break;
		snprintf(num, sizeof(num), "%lld",
		    (long long)json_integer_value(json_object_get(row, "pid")));
		offer(f, num, service && *service ? service : container, prefix);
		break;
	case COMP_LIVE:
	case COMP_SESSION:
		if (kind == COMP_LIVE && !runs(row))
			break;
		offer(f, json_string_value(json_object_get(row, "id")),
		    json_string_value(json_object_get(row, "target")), prefix);
		break;
	default:
		break;
	}
}

void
complete_live(
    FILE *f, const struct complete_at *at, enum opt_complete kind, bool any, int argc, char **argv)
{
	struct source s = {
	    .verb = kind == COMP_SESSION || kind == COMP_LIVE ? REQ_SESSIONS : REQ_PS};
	const json_t *row;
	struct args a;
	json_t *all;
	size_t i;

	/* An unfinished line: what was understood of it is enough. */
	args_parse(&a, at->cmd, argc - at->first, argv + at->first, NULL);
	if (a.values && conf_load(&s.conf, NULL) == 0) {
		cmd_agent_from(&s.agent, &s.conf, &a);
		s.agent.where.ask = false;
		cache_path(&s);
		all = rows(&s);
		json_array_foreach(all, i, row)
		{
			offer_row(f, row, kind, any, at->prefix);
		}
		json_decref(all);
	}
	args_fini(&a);
}
