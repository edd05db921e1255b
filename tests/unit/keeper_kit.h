/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_KEEPER_KIT_H
#define CORAL_TESTS_KEEPER_KIT_H

/* A keeper without a container: a pipe is its command. */
#include <fcntl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "record_util.h"
#include "session/keeper_int.h"

static struct keeper k;
static struct request req;
static struct keeper_start start = {.id = "test", .req = &req};
static int command;

static __attribute__((unused)) struct keeper_client *
add(enum keeper_role role, int *peer)
{
	struct keeper_client *c;
	int pair[2];

	if (fd_socketpair(SOCK_STREAM, 0, pair) < 0)
		exit(99);
	fd_nonblock(pair[1], true);
	*peer = pair[1];
	c = keeper_client_new(&k, pair[0], KEEPER_OUT_MAX);
	c->role = role;
	snprintf(c->user, sizeof c->user, "somebody");
	keeper_client_open(c, FR_OPENED, "{}", 2);
	return c;
}

static void
setup(int *peer)
{
	int pair[2];

	k = (struct keeper){.start = &start,
	    .req = &req,
	    .master = -1,
	    .input = -1,
	    .store_dir = -1,
	    .store_lock = -1,
	    .signal_fd = -1,
	    .door.fd = -1,
	    .cause = "exit"};
	k.rules.disconnect = REQ_DISC_DETACH;
	k.rules.keep_ns = 3600 * NS_PER_S;
	buf_init(&k.spare, FRAME_HEAD + FRAME_DATA_MAX);
	buf_init(&k.input_q, FRAME_CREDIT);
	k.loop = loop_new();
	k.context = json_object();
	k.cast = rec_create("keeper.cast", false, 0);
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		exit(99);
	command = pair[1];
	k.output[0] = (struct keeper_source){
	    .k = &k, .fd = pair[0], .stream = CAST_STDOUT, .frame = FR_STDOUT};
	k.output[1] =
	    (struct keeper_source){.k = &k, .fd = -1, .stream = CAST_STDERR, .frame = FR_STDERR};
	k.owner = k.keyboard = add(KEEPER_OWNER, peer);
}

static void
teardown(void)
{
	while (k.clients)
		keeper_client_drop(k.clients);
	keeper_clients_bury(&k);
	loop_free(k.loop);
	json_decref(k.context);
	json_decref(k.result);
	cast_free(k.cast);
	close(k.output[0].fd);
	close(command);
	buf_fini(&k.spare);
	buf_fini(&k.input_q);
	unlinkat(rec_dirfd, "keeper.cast", 0);
}

/* Frames of one type that are at hand, added up in `to`; how many of them, or -1. */
static __attribute__((unused)) int
hear(int fd, unsigned type, struct buf *to)
{
	struct buf in;
	struct frame f;
	int n = 0, rc;

	buf_init(&in, 16 << 20);
	while (buf_read_fd(&in, fd, 65536) > 0)
		;
	while ((rc = frame_peek(&in, &f)) > 0) {
		n += f.type == type;
		if (f.type == type && to)
			buf_put(to, f.data, f.len);
		frame_drop(&in, &f);
	}
	n = rc < 0 || in.len > 0 ? -1 : n;
	buf_fini(&in);
	return n;
}

static __attribute__((unused)) void
say(int fd, enum frame_type type, int times)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	while (times-- > 0)
		frame_put(&b, type, NULL, 0);
	if (fd_write_all(fd, buf_head(&b), b.len) < 0)
		exit(99);
	buf_fini(&b);
}

static __attribute__((unused)) int
attach(const char *token)
{
	struct control_ask a = {.req.verb = REQ_ATTACH, .req.resumable = true};
	struct err e = {0};
	int pair[2];

	if (fd_socketpair(SOCK_STREAM, 0, pair) < 0)
		exit(99);
	fd_nonblock(pair[1], true);
	a.stream = pair[0];
	snprintf(a.who.user, sizeof a.who.user, "somebody");
	snprintf(a.req.token, sizeof a.req.token, "%s", token);
	if (keeper_client_add(&k, &a, &e) < 0)
		err_print(1, &e);
	return pair[1];
}

#endif
