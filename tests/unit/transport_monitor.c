/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the transport hears from its broker, in each order that it can come in. */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "transport/server_int.h"
#include "tap.h"

/* A transport that waits for a channel's answer, with the broker's end. */
static struct srv *
waiting(struct tp_server *conf, struct chan *c, int *broker)
{
	struct srv *s = calloc(1, sizeof(*s));
	int pair[2];

	if (!s || fd_socketpair(SOCK_SEQPACKET, 2 * PM_MAX, pair) < 0)
		exit(1);
	*broker = pair[0];
	conf->monitor = pair[1];
	s->conf = conf;
	s->loop = loop_new();
	s->chans = c;
	*c = (struct chan){.srv = s, .id = 7, .state = CH_WAIT, .fd = -1};
	return s;
}

static void
answer_channel(int broker, uint32_t id)
{
	struct buf b;
	int pair[2];

	buf_init(&b, 16);
	buf_put_u8(&b, PM_STREAM);
	buf_put_u32(&b, id);
	if (fd_socketpair(SOCK_STREAM, 0, pair) == 0) {
		fd_send_msg(broker, buf_head(&b), b.len, pair, 1);
		close(pair[0]);
		close(pair[1]);
	}
	buf_fini(&b);
}

static void
done(struct srv *s, struct chan *c, int broker)
{
	loop_del(&c->src);
	fd_close(&c->fd);
	loop_free(s->loop);
	fd_close(&s->conf->monitor);
	close(broker);
	free(s);
}

/* New keys are signed in the turn in which the answer came: the loop tells of it all the same. */
static void
test_taken_already(void)
{
	static const unsigned char question = PM_SIGN, yes = PM_YES;
	struct tp_server conf = {0};
	struct chan c;
	size_t len = 0;
	int broker;
	struct srv *s = waiting(&conf, &c, &broker);

	answer_channel(broker, 7);
	fd_send_msg(broker, &yes, 1, NULL, 0);
	is_int(srv_ask(s, &question, 1, &len), PM_YES, "the answer to what was asked");
	is_int(c.state, CH_STREAM, "and the channel's, which came first");
	alarm(10);
	srv_on_monitor(s, POLLIN);
	alarm(0);
	ok(!s->mon_lost, "what was taken already is not waited for");
	done(s, &c, broker);
}

static void
test_plain(void)
{
	struct tp_server conf = {0};
	struct chan c;
	int broker;
	struct srv *s = waiting(&conf, &c, &broker);

	answer_channel(broker, 6);
	srv_on_monitor(s, POLLIN);
	is_int(c.state, CH_WAIT, "another channel's answer");
	answer_channel(broker, 7);
	srv_on_monitor(s, POLLIN);
	is_int(c.state, CH_STREAM, "its own");
	done(s, &c, broker);
}

int
main(void)
{
	test_taken_already();
	test_plain();
	return done_testing();
}
