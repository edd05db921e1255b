/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/broker_int.h"
#include "base/fd.h"
#include "base/log.h"
#include "tap.h"

/* A request that a stopping broker refuses: each time an answer, and no process. */
static const unsigned char request[] = {PM_OPEN, 0, 0, 0, 1};
static const struct policy_who who = {.user = "test", .root = true};
static struct conf conf;

/* One transport that asks and asks, and reads no answer: it ends, not the broker. */
static void
test_deaf_transport(const char *dir)
{
	struct broker b = {.conf = &conf, .loop = loop_new()};
	int pair[2] = {-1, -1}, asked = 0;
	char file[64];
	struct err e = {0};

	snprintf(file, sizeof(file), "%s/host_key", dir);
	b.policy = policy_parse("roles: []\n", 10, "policy.yaml", &e);
	if (!ok(b.policy && tp_sandbox_init(&b.sandbox, dir, &e) == 0 &&
		    hostkey_load(&b.hostkey, file, &e) == 0 &&
		    fd_socketpair(SOCK_STREAM, 0, pair) == 0,
		"a broker"))
		return;
	b.stopping = true;
	broker_conn_start(&b, pair[0], &who, "test");
	if (!ok(b.conns != NULL, "a connection"))
		return;
	b.conns->has_id = true;
	kill(b.conns->pid, SIGSTOP);
	alarm(10); /* fails by ending this program */
	while (b.conns->monitor_src && asked < 1000000) {
		broker_answer(b.conns, request, sizeof(request));
		asked++;
	}
	alarm(0);
	ok(asked > 100 && asked < 1000000, "it is ended after %d questions", asked);
	while (b.conns)
		loop_turn(b.loop, 1000);
	is_int((long long)b.conn_count, 0, "and nothing is left of it");
	close(pair[1]);
	hostkey_fini(&b.hostkey);
	tp_sandbox_fini(&b.sandbox);
	policy_free(b.policy);
	loop_free(b.loop);
}

int
main(void)
{
	char dir[] = "/tmp/coral-unit-XXXXXX", sub[64];

	log_open("test", LOG_LV_ERR);
	if (!ok(mkdtemp(dir) != NULL, "a directory"))
		return done_testing();
	test_deaf_transport(dir);
	snprintf(sub, sizeof(sub), "%s/empty", dir);
	rmdir(sub);
	snprintf(sub, sizeof(sub), "%s/host_key", dir);
	unlink(sub);
	is_int(rmdir(dir), 0, "the directory is empty again");
	return done_testing();
}
