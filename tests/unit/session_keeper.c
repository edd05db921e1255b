/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A keeper's clients, without a container: a pipe is its command. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "record_util.h"
#include "session/keeper_int.h"

#define ONLOOKERS 6

static struct keeper k;
static struct request req;
static struct keeper_start start = {.id = "test", .req = &req};
static int command;

static struct keeper_client *
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
	cast_free(k.cast);
	close(k.output[0].fd);
	close(command);
	buf_fini(&k.spare);
	buf_fini(&k.input_q);
	unlinkat(rec_dirfd, "keeper.cast", 0);
}

/* Frames of one type that are at hand, added up in `to`; how many of them, or -1. */
static int
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

/* Who is found lost while output is shared out is told of to the owner, in whose buffer it stands.
 */
static void
some_are_lost(void)
{
	static const char text[] = "what the command says";
	int owner, peers[ONLOOKERS], wrong = 0;
	struct buf got;

	setup(&owner);
	for (int i = 0; i < ONLOOKERS; i++)
		add(KEEPER_WATCHING, &peers[i]);
	for (int i = 0; i < ONLOOKERS - 1; i++)
		close(peers[i]);
	if (write(command, text, strlen(text)) < 0)
		exit(99);
	keeper_output_ready(&k.output[0]);
	buf_init(&got, 1 << 20);
	wrong += hear(peers[ONLOOKERS - 1], FR_STDOUT, &got) != 1;
	wrong += strcmp(buf_cstr(&got), text) != 0;
	is_int(wrong, 0, "who looks on hears the command while others are lost");
	is_int(hear(owner, FR_NOTICE, NULL), ONLOOKERS - 1, "the owner is told of each");
	buf_fini(&got);
	close(owner);
	close(peers[ONLOOKERS - 1]);
	teardown();
}

static void
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

/* Four bytes each, and every answer a write. */
static void
many_questions(void)
{
	int owner, peer, n;

	setup(&owner);
	add(KEEPER_WATCHING, &peer);
	hear(peer, FR_OPENED, NULL);
	say(peer, FR_WHO, 1000);
	loop_turn(k.loop, 0);
	is_int(
	    hear(peer, FR_NOTICE, NULL), 2, "asked a thousand times who is there, it says it once");
	say(peer, FR_PING, 1000);
	loop_turn(k.loop, 0);
	n = hear(peer, FR_RECEIVED, NULL);
	ok(n > 0 && n < 10, "a thousand pings are answered at once, not one by one: %d", n);
	close(owner);
	close(peer);
	teardown();
}

/* Who was told to leave may be slow to hear it, also when the session ends meanwhile. */
static void
leaving(void)
{
	json_t *why = json_pack("{s:s}", "why", "taken_over");
	struct keeper_client *c;
	char fill[4096] = {0};
	int owner, peer;

	setup(&owner);
	c = add(KEEPER_WATCHING, &peer);
	/* Its socket is full. */
	while (write(c->fd, fill, sizeof fill) > 0)
		;
	keeper_client_leave(c, why);
	k.phase = KEEPER_DRAINING;
	k.exit_code = 1; /* no directory of live sessions here */
	fd_close(&k.output[0].fd);
	keeper_maybe_finish(&k);
	is_int(k.phase, KEEPER_TELLING, "the session is over");
	ok(!c->gone, "and who leaves is still told why");
	json_decref(why);
	close(owner);
	close(peer);
	teardown();
}

static int
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

/* Without a terminal input is its first client's alone. */
static void
input_taken_over(void)
{
	int owner, second, pair[2];

	setup(&owner);
	if (pipe2(pair, O_CLOEXEC) < 0)
		exit(99);
	k.input = pair[1];
	second = attach("");
	is_int(k.input, -1, "who takes over a command without a terminal ends its input");
	close(owner);
	close(second);
	close(pair[0]);
	teardown();
}

/* Nothing can paint here, so that each try is one notice. */
static void
back_at_once(void)
{
	int owner, second;

	req.tty = true;
	setup(&owner);
	keeper_token_new(k.owner);
	say(owner, FR_REPAINT, 1);
	loop_turn(k.loop, 0);
	is_int(hear(owner, FR_NOTICE, NULL), 1, "one repaint");
	k.owner->gap = true;
	second = attach(k.owner->token);
	is_int(hear(second, FR_NOTICE, NULL), 1, "who comes back right after one is painted first");
	close(owner);
	close(second);
	teardown();
	req.tty = false;
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	rec_setup();
	some_are_lost();
	many_questions();
	leaving();
	input_taken_over();
	back_at_once();
	return done_testing();
}
