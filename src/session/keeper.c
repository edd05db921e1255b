/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/keeper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "session/keeper_int.h"
#include "session/query.h"

/* After the notices that would have followed FR_OPENED. */
static void
send_error_blocking(const struct keeper *k, const struct err *e)
{
	unsigned char wire[ERR_WIRE_MAX];
	const struct buf *said = k->owner ? &k->owner->s.out : NULL;
	struct buf b;

	buf_init(&b, FRAME_HEAD + ERR_WIRE_MAX);
	if (said && said->len > 0 && fd_write_all(k->start->stream, buf_head(said), said->len) < 0)
		return;
	if (frame_put(&b, FR_ERROR, wire, err_encode(e, wire)) == 0)
		fd_write_all(k->start->stream, buf_head(&b), b.len);
	buf_fini(&b);
}

/* SIGTERM from whoever stops the agent's container: people are warned first. */
static void
told_to_end(void *arg, short revents)
{
	struct keeper *k = arg;
	struct signalfd_siginfo si;

	(void)revents;
	if (read(k->signal_fd, &si, sizeof si) != (ssize_t)sizeof si)
		return;
	keeper_tell_all(k, "the agent is being stopped: this session ends now");
	keeper_agent_stops(k);
}

static int
open_signals(struct keeper *k, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A limit on file sizes is an error to tell, as a full disk is. */
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	k->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (k->signal_fd < 0)
		return err_set(e, ERR_INTERNAL, errno, "cannot watch for signals");
	k->signal_src = loop_add_in(k->loop, k->signal_fd, told_to_end, k);
	return 0;
}

static void
keeper_init(struct keeper *k, const struct keeper_start *s)
{
	*k = (struct keeper){.start = s,
	    .req = s->req,
	    .master = -1,
	    .input = -1,
	    .store_dir = -1,
	    .store_lock = -1,
	    .signal_fd = -1,
	    .door.fd = -1,
	    .cause = "exit",
	    .started = clock_mono()};
	buf_init(&k->spare, FRAME_HEAD + FRAME_DATA_MAX);
	buf_init(&k->input_q, FRAME_CREDIT);
	k->output[0] =
	    (struct keeper_source){.k = k, .fd = -1, .stream = CAST_STDOUT, .frame = FR_STDOUT};
	k->output[1] =
	    (struct keeper_source){.k = k, .fd = -1, .stream = CAST_STDERR, .frame = FR_STDERR};
	k->hold = (struct tgt_hold){.pidfd = -1, .proc = -1, .root = -1};
	k->child.pidfd = -1;
}

static int
first_client(struct keeper *k, struct err *e)
{
	const struct request *r = k->req;
	struct keeper_client *c;

	k->loop = loop_new();
	c = k->loop ? keeper_client_new(k, k->start->stream, KEEPER_OUT_MAX) : NULL;
	if (!c)
		return err_set(e, ERR_LIMIT, ENOMEM, "cannot start a session");
	str_copy(c->user, k->start->who.user, sizeof c->user);
	str_copy(c->peer, k->start->peer, sizeof c->peer);
	if (r->rows > 0 && r->cols > 0)
		c->size = (struct winsize){r->rows, r->cols, r->xpixel, r->ypixel};
	k->owner = k->keyboard = c;
	return 0;
}

static int
keeper_session(const struct keeper_start *s)
{
	static struct keeper k;
	struct err e = {0};

	keeper_init(&k, s);
	if (first_client(&k, &e) < 0 || open_signals(&k, &e) < 0 || keeper_begin(&k, &e) < 0 ||
	    keeper_relay_init(&k, &e) < 0) {
		send_error_blocking(&k, &e);
		return k.exit_code;
	}
	while (k.phase != KEEPER_DONE) {
		loop_turn(k.loop, -1);
		keeper_clients_bury(&k);
	}
	keeper_door_close(&k);
	keeper_audit_fini(&k);
	return k.exit_code;
}

_Noreturn void
keeper_main(const struct keeper_start *s)
{
	prctl(PR_SET_NAME, "coral-keeper");
	prctl(PR_SET_DUMPABLE, 0);
	log_open("keeper", LOG_LV_WARN);
	log_context(s->id);
	if (s->req->verb == REQ_EXEC || s->req->verb == REQ_SHELL)
		_exit(keeper_session(s));
	_exit(query_serve(s));
}
