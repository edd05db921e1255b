/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A keeper where several clients meet. */
#include <signal.h>

#include "keeper_kit.h"

#define OTHERS (KEEPER_CLIENTS - 1)

static struct control_ask
ask(enum request_verb verb, int *peer)
{
	struct control_ask a = {.req.verb = verb};
	int pair[2];

	if (fd_socketpair(SOCK_STREAM, 0, pair) < 0)
		exit(99);
	a.stream = pair[0];
	*peer = pair[1];
	snprintf(a.who.user, sizeof a.who.user, "another");
	return a;
}

/* The answer to one who comes; what is left of it is closed. */
static enum err_code
come(enum request_verb verb)
{
	struct err e = {0};
	int peer;
	struct control_ask a = ask(verb, &peer);

	keeper_client_add(&k, &a, &e);
	fd_close(&a.stream);
	close(peer);
	return e.code;
}

static void
full_house(void)
{
	int owner, peers[OTHERS], late, wrong = 0;
	struct control_ask a;
	struct err e = {0};
	size_t n = 0;

	setup(&owner);
	for (int i = 0; i < OTHERS; i++)
		add(KEEPER_WATCHING, &peers[i]);
	is_int(come(REQ_WATCH), ERR_LIMIT, "with 63 others nobody more may look on");
	a = ask(REQ_ATTACH, &late);
	is_int(keeper_client_add(&k, &a, &e), 0, "but its owner may attach");
	for (int i = 0; i < 3 * KEEPER_CLIENTS; i++)
		wrong += come(REQ_ATTACH) != ERR_NONE;
	is_int(wrong, 0, "as often as it likes, however many of its clients are leaving");
	for (const struct keeper_client *c = k.clients; c; c = c->next)
		n++;
	ok(n <= 2 * KEEPER_CLIENTS + 1, "and they are bounded: %zu", n);
	is_int(come(REQ_JOIN), ERR_LIMIT, "the place is the owner's");
	close(late);
	close(owner);
	for (int i = 0; i < OTHERS; i++)
		close(peers[i]);
	teardown();
}

/* As much as may be under way, in frames. */
static void
type(int fd, char c, size_t n)
{
	static unsigned char text[FRAME_DATA_MAX];
	int tries = 10000;
	struct buf b;

	memset(text, c, sizeof text);
	buf_init(&b, FRAME_DATA_MAX + FRAME_HEAD);
	for (; n > 0; n -= FRAME_DATA_MAX) {
		frame_put(&b, FR_STDIN, text, sizeof text);
		while (b.len > 0 && tries-- > 0) {
			if (buf_write_fd(&b, fd) < 0 && errno != EAGAIN)
				exit(99);
			loop_turn(k.loop, 0);
		}
	}
	buf_fini(&b);
}

static int stdin_read;

static void
open_input(void)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		exit(99);
	stdin_read = pair[0];
	k.input = pair[1];
	keeper_watch_input(&k);
}

/* What the command reads of it, up to its end. */
static size_t
read_input(char last, size_t *of_last)
{
	static char text[65536];
	size_t n = 0;
	ssize_t got;

	*of_last = 0;
	do {
		got = read(stdin_read, text, sizeof text);
		for (ssize_t i = 0; i < got; i++)
			*of_last += text[i] == last;
		n += got > 0 ? (size_t)got : 0;
		loop_turn(k.loop, 0);
	} while (got > 0);
	return n;
}

/* A joiner has the keyboard, and the owner has typed all that is taken. */
static struct keeper_client *
setup_two(int *owner, int *peer)
{
	struct keeper_client *c;

	req.tty = true;
	setup(owner);
	open_input();
	c = add(KEEPER_JOINED, peer);
	type(*owner, 'a', FRAME_CREDIT);
	keeper_give_keyboard(&k, c);
	return c;
}

static void
teardown_two(int owner, int peer)
{
	close(owner);
	close(peer);
	close(stdin_read);
	teardown();
	req.tty = false;
}

static void
input_nobody_reads(void)
{
	struct keeper_client *c;
	int owner, peer;
	size_t of_b;

	c = setup_two(&owner, &peer);
	hear(peer, FR_NOTICE, NULL);
	type(peer, 'b', FRAME_CREDIT);
	say(peer, FR_PING, 1);
	loop_turn(k.loop, 0);
	is_int(hear(peer, FR_RECEIVED, NULL) > 0, 1, "who types behind another is heard");
	say(peer, FR_WHO, 1);
	loop_turn(k.loop, 0);
	is_int(hear(peer, FR_NOTICE, NULL), 2, "and told who is there");
	ok(k.input_q.len + c->typed.len <= 2 * FRAME_CREDIT, "what is typed is bounded");
	say(peer, FR_STDIN_EOF, 1);
	loop_turn(k.loop, 0);
	is_int((long)read_input('b', &of_b), 2 * FRAME_CREDIT, "the command gets all of both");
	is_int((long)of_b, FRAME_CREDIT, "each byte once");
	ok(k.input_eof && k.input < 0, "and then the end");
	teardown_two(owner, peer);
}

static void
leaves_behind_input(void)
{
	int owner, peer;
	size_t of_b;

	setup_two(&owner, &peer);
	type(peer, 'b', FRAME_CREDIT);
	say(peer, FR_DETACH, 1);
	loop_turn(k.loop, 0);
	is_int(hear(peer, FR_LEFT, NULL), 1, "who types behind another may leave");
	is_int(k.keyboard == k.owner, 1, "and the owner types again");
	type(owner, 'b', 0);
	read_input('b', &of_b);
	is_int((long)of_b < FRAME_CREDIT, 1, "what the command had no room for went with it");
	teardown_two(owner, peer);
}

/* A repaint that is to begin when the connection is lost would stand behind what comes then. */
static void
lost_before_a_repaint(void)
{
	int owner;

	req.tty = true;
	setup(&owner);
	keeper_token_new(k.owner);
	stream_keep(&k.owner->s, 0);
	say(owner, FR_REPAINT, 1);
	loop_turn(k.loop, 0);
	say(owner, FR_REPAINT, 1);
	loop_turn(k.loop, 0);
	is_int(k.owner->t_paint.linked, 1, "a second repaint has to wait");
	close(owner);
	loop_turn(k.loop, 0);
	is_int(k.owner->fd, -1, "the connection is lost");
	ok(!k.owner->t_paint.linked, "nothing is painted for nobody");
	ok(k.owner->gap, "and who comes back is painted everything");
	teardown();
	req.tty = false;
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	rec_setup();
	full_house();
	input_nobody_reads();
	leaves_behind_input();
	lost_before_a_repaint();
	return done_testing();
}
