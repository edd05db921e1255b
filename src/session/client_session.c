/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/client_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "pty/term.h"

/* A reader that has gone ends the command by SIGPIPE; one that ignores it and goes on writing is
 * left after this long. */
#define PIPE_PATIENCE (2 * NS_PER_S)

int
client_run_fail(struct client_run *s)
{
	s->state = RUN_FAILED;
	loop_stop(s->loop);
	return -1;
}

void
client_run_leave(struct client_run *s, int signo)
{
	if (s->state == RUN_OPENING || s->state == RUN_OPEN) {
		s->state = RUN_LEFT;
		s->left_by = signo;
	}
	loop_stop(s->loop);
}

static short
net_interest(void *arg)
{
	struct client_run *s = arg;
	short want = client_link_interest(&s->link);

	return s->blocked ? want & ~POLLIN : want;
}

static void
on_net(void *arg, short revents)
{
	struct client_run *s = arg;

	(void)revents;
	if (tp_client_turn(s->link.c, &s->lost_why) < 0 ||
	    client_link_push(&s->link, &s->lost_why) < 0) {
		s->lost = true;
		loop_del(&s->net);
	}
	client_run_pump(s);
}

static short
in_interest(void *arg)
{
	struct client_run *s = arg;

	if (s->state != RUN_OPEN || s->lost || s->in_ended || s->sent >= s->credit)
		return 0;
	return client_link_room(&s->link) ? POLLIN : 0;
}

static void
in_end(struct client_run *s)
{
	s->in_ended = true;
	if (client_link_send(&s->link, FR_STDIN_EOF, NULL, 0, s->e) < 0)
		client_run_fail(s);
	else
		client_run_pump(s);
}

static void
on_in(void *arg, short revents)
{
	struct client_run *s = arg;
	size_t n = client_link_room(&s->link);
	unsigned char *p;
	ssize_t got;

	(void)revents;
	if (n > s->credit - s->sent)
		n = (size_t)(s->credit - s->sent);
	p = n ? client_link_reserve(&s->link, n) : NULL;
	if (!p)
		return;
	got = read(s->io->in, p, n);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0 && !s->req->tty)
		s->in_errno = errno;
	if (got <= 0) {
		in_end(s);
		return;
	}
	s->sent += (uint64_t)got;
	if (client_link_commit(&s->link, FR_STDIN, (size_t)got, s->e) < 0)
		client_run_fail(s);
	else
		client_run_pump(s);
}

static short
out_interest(void *arg)
{
	struct client_run_out *o = arg;

	return o->run->blocked == &o->sink ? POLLOUT : 0;
}

static void
on_out(void *arg, short revents)
{
	struct client_run_out *o = arg;

	(void)revents;
	client_run_pump(o->run);
}

/* To be called after every send as well, which may have read from the connection on its way.
 * Frames that are whole, then what the connection has buffered, until there is no more or a reader
 * is slow: then nothing more is read from the agent, and SSH's window holds it back. */
void
client_run_pump(struct client_run *s)
{
	struct frame f;
	ssize_t got = 0;
	int rc;

	s->blocked = NULL;
	do {
		while ((s->state == RUN_OPENING || s->state == RUN_OPEN) &&
		       (rc = client_link_next(&s->link, &f, s->e)) != 0) {
			if (rc < 0 || client_run_frame(s, &f) < 0) {
				client_run_fail(s);
				return;
			}
			if (s->blocked)
				return;
			frame_drop(&s->link.in, &f);
		}
		if (s->state != RUN_OPENING && s->state != RUN_OPEN)
			return;
		got = client_link_pull(&s->link);
	} while (got > 0);
	if (s->lost) {
		*s->e = s->lost_why;
		client_run_fail(s);
	} else if (got < 0 || tp_client_ended(s->link.c)) {
		err_set(s->e, ERR_TRANSPORT, 0, "the agent hung up before the exit status arrived");
		err_why(s->e, "%llu bytes of output were delivered until then",
		    (unsigned long long)(s->out.sink.count + s->err.sink.count));
		err_hint(s->e, "coral sessions; the recording tells how far the command came");
		client_run_fail(s);
	}
}

/* Output, from where the last short write stopped. */
int
client_run_deliver(struct client_run *s, struct client_run_out *o, const struct frame *f)
{
	struct client_sink *k = &o->sink;
	bool was_broken = k->broken;
	ssize_t n = client_sink_write(k, f->data + s->part, f->len - s->part);

	if (n < 0) {
		err_set(s->e, ERR_SHORT_OUTPUT, errno, "cannot write %s", o->name);
		err_hint(
		    s->e, "free some space, or write the output elsewhere; the command was ended");
		return -1;
	}
	s->part += (size_t)n;
	if (s->part < f->len) {
		s->blocked = k;
		return 0;
	}
	s->part = 0;
	if (!k->broken)
		return 0;
	if (!was_broken)
		return client_link_send(&s->link, FR_SIGNAL, "PIPE", 4, s->e);
	if (clock_mono() - k->broken > PIPE_PATIENCE)
		client_run_leave(s, SIGPIPE);
	return 0;
}

static int
out_open(struct client_run *s, struct client_run_out *o, const char *name, int fd, struct buf *keep)
{
	o->run = s;
	o->name = name;
	client_sink_open(&o->sink, fd, keep);
	if (o->sink.fd < 0 || o->sink.kind == SINK_KEEP)
		return 0;
	o->src = loop_add(s->loop, o->sink.fd, out_interest, on_out, o);
	return o->src ? 0 : -1;
}

static int
start(struct client_run *s)
{
	bool keep = s->io->capture;

	s->loop = loop_new();
	if (!s->loop || client_run_signals(s) < 0 ||
	    out_open(s, &s->out, "standard output", s->io->out, keep ? &s->res->out : NULL) < 0 ||
	    out_open(s, &s->err, "standard error", s->io->err, keep ? &s->res->err : NULL) < 0)
		return err_set(s->e, ERR_INTERNAL, errno, "cannot start the session's loop");
	s->net = loop_add(s->loop, tp_client_fd(s->link.c), net_interest, on_net, s);
	if (s->io->in >= 0)
		s->in = loop_add(s->loop, s->io->in, in_interest, on_in, s);
	if (!s->net || (s->io->in >= 0 && !s->in))
		return err_set(s->e, ERR_INTERNAL, errno, "cannot start the session's loop");
	return client_link_send_open(&s->link, s->req, s->e);
}

static void
stop(struct client_run *s)
{
	term_restore();
	/* Only a program that was cut off can have left the terminal in its own modes. */
	if (s->io->raw && s->opened && s->state != RUN_ENDED)
		term_reset_modes(s->io->out);
	client_run_signals_end(s);
	loop_del(&s->net);
	loop_del(&s->in);
	loop_del(&s->out.src);
	loop_del(&s->err.src);
	loop_free(s->loop);
	s->res->out_bytes = s->out.sink.count;
	s->res->err_bytes = s->err.sink.count;
	client_sink_close(&s->out.sink);
	client_sink_close(&s->err.sink);
	client_link_fini(&s->link);
	json_decref(s->opened);
}

int
client_session(struct tp_client *c, const struct request *r, const struct client_io *io,
    struct client_result *res, struct err *e)
{
	struct client_run s = {
	    .req = r, .io = io, .res = res, .e = e, .credit = FRAME_CREDIT, .sigfd = -1};
	int rc = -1;

	memset(res, 0, sizeof(*res));
	buf_init(&res->out, CLIENT_KEEP_MAX);
	buf_init(&res->err, CLIENT_KEEP_MAX);
	client_link_init(&s.link, c);
	if (start(&s) == 0) {
		client_run_pump(&s);
		if (s.state == RUN_OPENING || s.state == RUN_OPEN)
			loop_run(s.loop);
		rc = client_run_verdict(&s);
	}
	stop(&s);
	return rc;
}
