/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "transport/conn.h"
#include "transport/readahead.h"
#include "transport/sandbox_int.h"
#include "transport/server_int.h"
#include "transport/sock.h"

#define REKEY_BYTES (1ULL << 30)
#define REKEY_SECONDS 3600
#define SPARE_FDS 48

/* Host key and algorithms go from the bind to the session as it accepts. */
static int
set_bind(ssh_bind b, const char *hostkey)
{
	bool off = false;
	ssh_key key = NULL;
	int rc = 0;

	rc |= ssh_bind_options_set(b, SSH_BIND_OPTIONS_PROCESS_CONFIG, &off);
	rc |= ssh_bind_options_set(b, SSH_BIND_OPTIONS_KEY_EXCHANGE, CONN_KEX);
	rc |= ssh_bind_options_set(b, SSH_BIND_OPTIONS_CIPHERS_C_S, CONN_CIPHERS);
	rc |= ssh_bind_options_set(b, SSH_BIND_OPTIONS_CIPHERS_S_C, CONN_CIPHERS);
	rc |= ssh_bind_options_set(b, SSH_BIND_OPTIONS_HMAC_C_S, CONN_MACS);
	rc |= ssh_bind_options_set(b, SSH_BIND_OPTIONS_HMAC_S_C, CONN_MACS);
	rc |= ssh_bind_options_set(b, SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, CONN_HOSTKEYS);
	rc |= ssh_bind_options_set(b, SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, CONN_KEYS);
	if (rc != 0 || ssh_pki_import_privkey_base64(hostkey, NULL, NULL, NULL, &key) != SSH_OK)
		return -1;
	/* Owned by the bind from here on. */
	return ssh_bind_options_set(b, SSH_BIND_OPTIONS_IMPORT_KEY, key);
}

static int
accept_session(struct srv *s)
{
	uint64_t bytes = s->conf->rekey_bytes ? s->conf->rekey_bytes : REKEY_BYTES;
	uint32_t seconds = REKEY_SECONDS;
	ssh_bind b = ssh_bind_new();
	int rc = -1;

	s->ssh = ssh_new();
	if (b && s->ssh && set_bind(b, s->conf->hostkey) == 0 &&
	    ssh_options_set(s->ssh, SSH_OPTIONS_REKEY_DATA, &bytes) == 0 &&
	    ssh_options_set(s->ssh, SSH_OPTIONS_REKEY_TIME, &seconds) == 0)
		rc = ssh_bind_accept_fd(b, s->ssh, s->conf->sock);
	ssh_bind_free(b);
	return rc == SSH_OK ? 0 : -1;
}

static int
start_session(struct srv *s)
{
	struct ssh_server_callbacks_struct *cb = &s->callbacks;
	int rc;

	cb->userdata = s;
	cb->auth_none_function = srv_on_none;
	cb->auth_pubkey_function = srv_on_pubkey;
	cb->channel_open_request_session_function = srv_on_open;
	ssh_callbacks_init(cb);
	ssh_set_blocking(s->ssh, 0);
	ssh_set_auth_methods(
	    s->ssh, s->conf->user ? SSH_AUTH_METHOD_NONE : SSH_AUTH_METHOD_PUBLICKEY);
	if (ssh_set_server_callbacks(s->ssh, cb) != SSH_OK)
		return -1;
	/* Once: it starts the exchange and makes the poll context that the event takes over. */
	rc = ssh_handle_key_exchange(s->ssh);
	if (rc != SSH_AGAIN && rc != SSH_OK)
		return -1;
	s->event = ssh_event_new();
	return s->event && ssh_event_add_session(s->event, s->ssh) == SSH_OK ? 0 : -1;
}

static short
net_interest(void *arg)
{
	return conn_interest(((struct srv *)arg)->ssh);
}

static void
on_net(void *arg, short revents)
{
	struct srv *s = arg;

	(void)revents;
	s->turns++;
	if (conn_turn(s->ssh, s->event) < 0)
		s->ending = true;
}

static void
settle(struct srv *s)
{
	struct chan **at = &s->chans, *c;

	for (c = s->chans; c; c = c->next)
		chan_settle(c);
	while ((c = *at)) {
		if (c->state == CH_SHUT && c->peer_closed) {
			*at = c->next;
			s->nchans--;
			chan_free(c);
		} else {
			at = &c->next;
		}
	}
}

static void
run(struct srv *s)
{
	while (!s->ending) {
		loop_turn(s->loop, -1);
		settle(s);
		/* Writing makes libssh read on: poll(2) does not know what it read ahead. */
		while (!s->ending && readahead_pending(s->conf->sock)) {
			on_net(s, 0);
			settle(s);
		}
		/* Without a broker nothing new can begin here. */
		if (s->mon_lost && s->nchans == 0)
			s->ending = true;
	}
}

static int
set_up(struct srv *s, struct err *e)
{
	struct tp_server *conf = s->conf;

	if (tp_sandbox_enter(
		conf->sandbox, conf->sock, conf->monitor, conf->max_channels + SPARE_FDS, e) < 0)
		return -1;
	readahead_start(conf->sock);
	s->loop = loop_new();
	if (!s->loop || accept_session(s) < 0 || start_session(s) < 0)
		return err_set(e, ERR_TRANSPORT, 0, "the connection cannot be served");
	s->net = loop_add(s->loop, conf->sock, net_interest, on_net, s);
	s->mon = loop_add_in(s->loop, conf->monitor, srv_on_monitor, s);
	if (!s->net || !s->mon)
		return err_set(e, ERR_LIMIT, ENOMEM, "the connection cannot be served");
	srv_beat(s);
	loop_timer_set(s->loop, &s->login, conf->login_deadline, srv_login_over, s);
	return 0;
}

/* Streams first, so that the keepers see the end even if the peer is slow to. */
static void
tear_down(struct srv *s)
{
	struct chan *c;

	while ((c = s->chans)) {
		s->chans = c->next;
		chan_free(c);
	}
	if (s->event) {
		srv_say_why(s);
		ssh_event_remove_session(s->event, s->ssh);
		ssh_event_free(s->event);
	}
	if (s->ssh)
		ssh_disconnect(s->ssh);
}

_Noreturn void
tp_server_main(struct tp_server *conf)
{
	struct srv *s = calloc(1, sizeof(*s));
	struct err e;

	prctl(PR_SET_NAME, "coral-transport");
	if (!s)
		_exit(1);
	s->conf = conf;
	s->pki = (struct remote_pki){.arg = s, .sign = srv_sign, .verify = srv_verify};
	remote_pki_set(&s->pki);
	signal(SIGPIPE, SIG_IGN);
	readahead_stop(-1);
	tp_sock_tune(conf->sock);
	fd_nonblock(conf->sock, true);
	ssh_init();
	if (set_up(s, &e) < 0) {
		log_error_of(&e, "serving a connection");
		_exit(1);
	}
	run(s);
	tear_down(s);
	_exit(0);
}
