/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/broker_int.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

static void
unlink_conn(struct conn *c)
{
	struct conn **at = &c->b->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->b->conn_count--;
	if (c->state == CONN_PREAUTH)
		c->b->unauthed--;
	for (struct worker *w = c->b->workers; w; w = w->next)
		if (w->conn == c)
			w->conn = NULL;
}

static void
transport_exited(void *arg, short revents)
{
	struct conn *c = arg;

	(void)revents;
	loop_del(&c->pid_src);
	loop_del(&c->monitor_src);
	loop_timer_clear(c->b->loop, &c->t_login);
	loop_timer_clear(c->b->loop, &c->t_silence);
	waitpid(c->pid, NULL, 0);
	broker_audit_conn(c);
	broker_stir(c->b);
	fd_close(&c->pidfd);
	fd_close(&c->monitor);
	unlink_conn(c);
	free(c->key);
	free(c);
}

/* The process ends at once; the rest follows when its pidfd says so. */
void
broker_conn_end(struct conn *c, const char *why)
{
	if (why)
		log_warn("ending the connection of %s: %s", c->peer, why);
	loop_del(&c->monitor_src);
	pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
}

static void
login_late(void *arg)
{
	broker_conn_end(arg, "not authenticated in time");
}

static void
gone_silent(void *arg)
{
	broker_conn_end(arg, "its transport hangs");
}

static void
monitor_ready(void *arg, short revents)
{
	static unsigned char msg[PM_MAX];
	struct conn *c = arg;
	ssize_t n = recv(c->monitor, msg, sizeof msg, MSG_DONTWAIT | MSG_TRUNC);

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* it closed its end, and will exit */
		loop_del(&c->monitor_src);
		return;
	}
	if ((size_t)n > sizeof msg) {
		broker_conn_end(c, "its transport sent too much");
		return;
	}
	loop_timer_set(c->b->loop, &c->t_silence, BROKER_SILENCE_NS, gone_silent, c);
	broker_answer(c, msg, (size_t)n);
	/* The next transport is a copy of this process: no business of its. */
	explicit_bzero(msg, (size_t)n);
}

static _Noreturn void
become_transport(struct broker *b, int sock, int monitor, const struct policy_who *who)
{
	struct tp_server s = {.sock = sock,
	    .monitor = monitor,
	    .user = who ? who->user : NULL,
	    .hostkey = b->hostkey.mask,
	    .sandbox = &b->sandbox,
	    .login_deadline = BROKER_LOGIN_NS,
	    .max_tries = BROKER_TRIES,
	    .max_channels = BROKER_CHANNELS};
	int keep[] = {sock, monitor};

	fd_close_from(3, keep, COUNT_OF(keep));
	tp_server_main(&s);
}

static void
watch(struct conn *c)
{
	struct loop *l = c->b->loop;

	c->monitor_src = loop_add_in(l, c->monitor, monitor_ready, c);
	c->pid_src = loop_add_in(l, c->pidfd, transport_exited, c);
	loop_timer_set(l, &c->t_silence, BROKER_SILENCE_NS, gone_silent, c);
	if (c->state == CONN_PREAUTH)
		loop_timer_set(l, &c->t_login, BROKER_LOGIN_NS, login_late, c);
}

struct conn *
broker_conn_start(struct broker *b, int sock, const struct policy_who *who, const char *peer)
{
	struct conn *c = calloc(1, sizeof *c);
	int pair[2] = {-1, -1};

	if (!c || fd_socketpair(SOCK_SEQPACKET, 2 * PM_MAX, pair) < 0)
		goto fail;
	/* A transport that asks and never reads must not hold us up. */
	fd_nonblock(pair[0], true);
	c->b = b;
	c->pid = fork();
	if (c->pid == 0)
		become_transport(b, sock, pair[1], who);
	if (c->pid < 0 || (c->pidfd = broker_hold_child(c->pid)) < 0)
		goto fail;
	close(pair[1]);
	close(sock);
	c->monitor = pair[0];
	c->state = who ? CONN_AUTHED : CONN_PREAUTH;
	if (who)
		c->who = *who;
	str_copy(c->peer, peer, sizeof c->peer);
	c->next = b->conns;
	b->conns = c;
	b->conn_count++;
	if (!who)
		b->unauthed++;
	broker_stir(b);
	watch(c);
	return c;
fail:
	log_err("cannot serve %s: %s", peer, strerror(errno));
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	close(sock);
	free(c);
	return NULL;
}
