/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/run_int.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "pty/term.h"

/* A reader that has gone ends the command by SIGPIPE; one that ignores it and goes on writing is
 * left after this long. */
#define PIPE_PATIENCE (2 * NS_PER_S)
/* Taken before keys and signals get their turn: an agent may send faster than it is ever empty. */
#define PUMP_MAX (1024 * 1024)

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

static bool
runs(const struct client_run *s)
{
	return s->state == RUN_OPENING || s->state == RUN_OPEN;
}

void
client_run_lost(struct client_run *s, const struct err *why)
{
	if (s->lost || !s->link.c)
		return;
	s->lost = true;
	s->lost_why = *why;
	loop_del(&s->net);
}

int
client_run_send(struct client_run *s, enum frame_type type, const void *p, size_t n)
{
	struct err e;

	/* Nobody keeps it for who comes back as a newcomer. */
	if (s->away.since && !s->link.s.keeps)
		return 0;
	if (client_link_send(&s->link, type, p, n, &e) == 0)
		return 0;
	if (e.code == ERR_TRANSPORT) {
		client_run_lost(s, &e);
		return 0;
	}
	*s->e = e;
	return -1;
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
	struct err why;

	(void)revents;
	if (tp_client_turn(s->link.c, &why) < 0 || client_link_push(&s->link, &why) < 0)
		client_run_lost(s, &why);
	client_run_pump(s);
}

int
client_run_listen(struct client_run *s)
{
	s->net = loop_add(s->loop, tp_client_fd(s->link.c), net_interest, on_net, s);
	return s->net ? 0 : err_set(s->e, ERR_INTERNAL, errno, "cannot start the session's loop");
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
	client_run_heard(o->run);
	client_run_pump(o->run);
}

static void
tell(struct client_run *s)
{
	struct err why;

	if (s->link.c && !s->link.asked && !s->lost && s->link.s.owes &&
	    client_link_tell(&s->link, &why) < 0)
		client_run_lost(s, &why);
}

static void
on_tell(void *arg)
{
	struct client_run *s = arg;

	tell(s);
	client_run_pump(s);
}

/* The connection is over, and everything that came by it is delivered. */
static void
gone(struct client_run *s)
{
	if (!s->lost) {
		err_set(&s->lost_why, ERR_TRANSPORT, 0,
		    "the agent hung up before the exit status arrived");
		err_why(&s->lost_why, "%llu bytes of output were delivered until then",
		    (unsigned long long)(s->out.sink.count + s->err.sink.count));
		err_hint(
		    &s->lost_why, "coral sessions; the recording tells how far the command came");
	}
	s->lost = false;
	if (client_run_returns(s)) {
		client_run_go_away(s, &s->lost_why);
		return;
	}
	*s->e = s->lost_why;
	client_run_fail(s);
}

/* Whole frames.  false: stop, for now or for good. */
static bool
take_frames(struct client_run *s)
{
	struct frame f;
	int rc;

	while (runs(s) && (rc = client_link_next(&s->link, &f, s->e)) != 0) {
		if (rc < 0 || client_run_frame(s, &f) < 0) {
			client_run_fail(s);
			return false;
		}
		if (s->blocked)
			return false;
		stream_heard(&s->link.s, &f);
		frame_drop(&s->link.in, &f);
	}
	return runs(s);
}

static void
on_more(void *arg)
{
	client_run_pump(arg);
}

/* Frames that are whole, then what the connection has buffered, until there is no more or a reader
 * is slow: then nothing more is read from the agent, and SSH's window holds it back. */
void
client_run_pump(struct client_run *s)
{
	size_t taken = 0;
	ssize_t got;

	s->blocked = NULL;
	do {
		if (s->link.asked && client_run_answer(s) < 0) {
			client_run_fail(s);
			return;
		}
		if (!s->link.c || !take_frames(s))
			return;
		/* Before we look: to write is to read as well. */
		if (stream_should_tell(&s->link.s))
			tell(s);
		got = client_link_pull(&s->link);
		if (got > 0)
			client_run_heard(s);
		taken += got > 0 ? (size_t)got : 0;
		if (taken >= PUMP_MAX) {
			loop_timer_set(s->loop, &s->more, 0, on_more, s);
			return;
		}
	} while (got > 0);
	if (s->link.s.keeps && s->link.s.owes && !s->tell.at)
		loop_timer_set(s->loop, &s->tell, STREAM_ACK_NS, on_tell, s);
	if (s->lost || got < 0 || tp_client_ended(s->link.c))
		gone(s);
}

/* Output, from where the last short write stopped. */
int
client_run_deliver(struct client_run *s, struct client_run_out *o, const struct frame *f)
{
	struct client_sink *k = &o->sink;
	bool was_broken = k->broken;
	uint64_t before = k->count;
	ssize_t n = o->veil ? client_veil_write(o->veil, k, f->data + s->part, f->len - s->part)
			    : client_sink_write(k, f->data + s->part, f->len - s->part);

	if (n < 0) {
		err_set(s->e, ERR_SHORT_OUTPUT, errno, "cannot write %s", o->name);
		err_hint(
		    s->e, "free some space, or write the output elsewhere; the command was ended");
		return -1;
	}
	if (f->type == FR_SCREEN)
		o->painted += k->count - before;
	s->part += (size_t)n;
	if (s->part < f->len) {
		s->blocked = k;
		return 0;
	}
	s->part = 0;
	if (!k->broken)
		return 0;
	/* That our terminal went away we may see before we are told, or alone. */
	if (k->tty && s->tty) {
		client_run_leave(s, SIGHUP);
		return 0;
	}
	if (s->looks) {
		client_run_leave(s, SIGPIPE);
		return 0;
	}
	if (!was_broken)
		return client_run_send(s, FR_SIGNAL, "PIPE", 4);
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
	if (s->looks && isatty(fd) && !(o->veil = client_veil_new()))
		return -1;
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
	    out_open(s, &s->err, "standard error", s->io->err, keep ? &s->res->err : NULL) < 0 ||
	    client_run_input(s) < 0)
		return err_set(s->e, ERR_INTERNAL, errno, "cannot start the session's loop");
	if (client_run_listen(s) < 0)
		return -1;
	return client_link_send_open(&s->link, s->req, s->e);
}

static void
stop(struct client_run *s)
{
	client_run_away_end(s);
	term_restore();
	/* Only a program that was cut off can have left the terminal in its own modes. */
	if (s->raw && s->opened && s->state != RUN_ENDED)
		term_reset_modes(s->io->out);
	client_run_pulse_end(s);
	client_run_signals_end(s);
	loop_del(&s->net);
	loop_del(&s->in);
	loop_del(&s->out.src);
	loop_del(&s->err.src);
	loop_free(s->loop);
	s->res->out_bytes = s->out.sink.count - s->out.painted;
	s->res->err_bytes = s->err.sink.count;
	client_sink_close(&s->out.sink);
	client_sink_close(&s->err.sink);
	client_veil_free(s->out.veil);
	client_veil_free(s->err.veil);
	tp_client_free(s->link.c);
	client_link_fini(&s->link);
	json_decref(s->opened);
	explicit_bzero(s->token, sizeof(s->token));
}

int
client_session(struct tp_client *c, const struct request *r, const struct client_io *io,
    struct client_result *res, struct err *e)
{
	struct client_run s = {.req = r,
	    .io = io,
	    .res = res,
	    .e = e,
	    .tty = r->tty,
	    .looks = r->verb == REQ_WATCH,
	    .rows = r->rows,
	    .cols = r->cols,
	    .credit = FRAME_CREDIT,
	    .sigfd = -1,
	    .alive_fd = -1};
	int rc = -1;

	memset(res, 0, sizeof(*res));
	buf_init(&res->out, CLIENT_KEEP_MAX);
	buf_init(&res->err, CLIENT_KEEP_MAX);
	client_link_init(&s.link, c);
	if (start(&s) == 0) {
		client_run_pump(&s);
		if (runs(&s))
			loop_run(s.loop);
		rc = client_run_verdict(&s);
	}
	stop(&s);
	return rc;
}
