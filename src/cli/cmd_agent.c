/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/broker.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "client/client.h"
#include "session/embed.h"
#include "target/self_seal.h"
#include "transport/client.h"

static const struct opt start_opts[] = {
    {"socket", 0, OPT_STR, "PATH", "listen on this unix socket", COMP_FILE, NULL},
    {"listen", 0, OPT_STR, "HOST:PORT", "listen on TCP as well (off by default)", COMP_NONE, NULL},
    {"authorized-keys", 0, OPT_STR, "FILE", "who may connect over TCP", COMP_FILE, NULL},
    {"proc-root", 0, OPT_STR, "DIR", "the procfs to find targets in", COMP_DIR, NULL},
    {0},
};

static void
override(char *field, size_t size, const struct args *a, const char *name)
{
	const char *v = args_str(a, name);

	if (v)
		str_copy(field, v, size);
}

/* The host's socket is what a user's client falls back to, not what a user serves. */
static void
own_socket(struct conf *c)
{
	if (geteuid() != 0 && strcmp(c->socket, "/run/coral/agent.sock") == 0)
		snprintf(c->socket, sizeof(c->socket), "%.240s/agent.sock", c->runtime_dir);
}

static int
load(struct conf *c, const struct args *a, struct err *e)
{
	if (conf_load(c, e) < 0)
		return -1;
	override(c->socket, sizeof c->socket, a, "socket");
	override(c->listen, sizeof c->listen, a, "listen");
	override(c->authorized_keys, sizeof c->authorized_keys, a, "authorized-keys");
	override(c->proc_root, sizeof c->proc_root, a, "proc-root");
	if (c->listen[0] && !c->authorized_keys[0])
		snprintf(c->authorized_keys, sizeof c->authorized_keys, "%.200s/authorized_keys",
		    c->config_dir);
	return 0;
}

/* A long-lived agent runs from a binary that no container can write: security notes of
 * coral-privsep(7). */
static int
reseal(struct err *e)
{
	static char line[65536];
	char *argv[256];
	size_t n = 0;
	int fd;
	ssize_t got;

	if (self_is_sealed())
		return 0;
	fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	got = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
	if (fd >= 0)
		close(fd);
	for (char *p = line; got > 0 && p < line + got && n + 1 < COUNT_OF(argv);
	     p += strlen(p) + 1)
		argv[n++] = p;
	argv[n] = NULL;
	return n == 0 ? err_set(e, ERR_INTERNAL, errno, "cannot read my own command line")
		      : self_seal_exec(argv, true, e);
}

static int
run_start(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct conf conf;
	struct err e = {0};
	int rc;

	(void)c;
	(void)argc;
	(void)argv;
	(void)dashdash;
	if (load(&conf, a, &e) < 0 || reseal(&e) < 0)
		return cmd_fail(&e);
	own_socket(&conf);
	rc = broker_serve(&conf, &e);
	if (rc < 0)
		return cmd_fail(&e);
	return rc;
}

const struct cmd cmd_agent_start = {
    .name = "agent start",
    .usage = "[--socket PATH] [--listen HOST:PORT] [--authorized-keys FILE] [--proc-root DIR]",
    .summary = "run an agent near the containers",
    .examples = "coral agent start\tserve root and the group coral on the local socket\n"
		"coral agent start --listen 127.0.0.1:7022\tand people with a key over TCP\n",
    .opts = start_opts,
    .run = run_start,
};

static const struct opt status_opts[] = {
    {"socket", 0, OPT_STR, "PATH", "the agent's unix socket", COMP_FILE, NULL},
    {0},
};

static size_t
count_live(const json_t *sessions)
{
	size_t live = 0, i;
	json_t *s;

	json_array_foreach(sessions, i, s)
	{
		const char *state = json_string_value(json_object_get(s, "state"));

		live += state && (strcmp(state, "live") == 0 || strcmp(state, "detached") == 0);
	}
	return live;
}

/* As far as the caller may see them. */
static void
recorded(const json_t *sessions, char out[STR_SIZE_MAX])
{
	uint64_t bytes = 0;
	size_t i;
	json_t *s;

	json_array_foreach(sessions, i, s) bytes += (uint64_t)json_int(s, "size", 0);
	str_size(out, bytes);
}

static json_t *
ask(const struct client_where *w, enum request_verb verb, struct err *e)
{
	struct request r;
	struct tp_client *tc = client_connect(w, e);
	json_t *j;

	if (!tc)
		return NULL;
	request_init(&r);
	r.verb = verb;
	j = client_query_json(tc, &r, e);
	request_fini(&r);
	tp_client_free(tc);
	return j;
}

static int
run_status(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct conf conf;
	struct err e = {0};
	struct client_where w = {0};
	json_t *targets, *sessions;
	char size[STR_SIZE_MAX];

	(void)c;
	(void)argc;
	(void)argv;
	(void)dashdash;
	if (load(&conf, a, &e) < 0)
		return cmd_fail(&e);
	w.socket = conf.socket;
	targets = ask(&w, REQ_PS, &e);
	sessions = targets ? ask(&w, REQ_SESSIONS, &e) : NULL;
	recorded(sessions, size);
	if (sessions)
		printf("agent on %s: %zu containers, %zu live sessions, %s of recordings\n",
		    conf.socket, json_array_size(targets), count_live(sessions), size);
	json_decref(targets);
	if (!sessions)
		return cmd_fail(&e);
	json_decref(sessions);
	return 0;
}

const struct cmd cmd_agent_status = {
    .name = "agent status",
    .usage = "[--socket PATH]",
    .summary = "say whether the local agent answers, and what it sees",
    .examples = "coral agent status\tis it up?\n",
    .opts = status_opts,
    .run = run_status,
};

static const struct opt no_opts[] = {{0}};

/* Standard output belongs to the command that we serve: hold none of its descriptors. */
static void
let_go_of_stdio(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

static int
run_embedded(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct conf conf;
	struct err e = {0};
	int64_t sock, status;

	(void)c;
	(void)a;
	(void)dashdash;
	if (argc != 2 || str_to_i64(argv[0], 3, 1024, &sock) < 0 ||
	    str_to_i64(argv[1], 3, 1024, &status) < 0)
		return cmd_fail(
		    (err_set(&e, ERR_USAGE, 0, "agent embedded is for coral itself"), &e));
	fcntl((int)sock, F_SETFD, FD_CLOEXEC);
	fcntl((int)status, F_SETFD, FD_CLOEXEC);
	let_go_of_stdio();
	if (conf_load(&conf, &e) == 0 && broker_serve_one(&conf, (int)sock, &e) == 0)
		return 0;
	embed_fail((int)status, &e);
	return 125;
}

const struct cmd cmd_agent_embedded = {
    .name = "agent embedded",
    .usage = "SOCKET STATUS",
    .summary = "serve one command, for coral itself",
    .opts = no_opts,
    .hidden = true,
    .run = run_embedded,
};
