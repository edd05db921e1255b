/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A keeper's clients. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "keeper_kit.h"

#define ONLOOKERS 6

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
