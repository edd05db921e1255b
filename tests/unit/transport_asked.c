/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an agent asks of its client is forgotten, and not kept until memory runs out. */
#include <libssh/callbacks.h>
#include <libssh/server.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "transport/client_int.h"
#include "tap.h"

#define QUESTIONS 50
#define LATE_NS (20 * NS_PER_S)

static ssh_channel served;
static bool named;

static int
let_in(ssh_session s, const char *user, void *arg)
{
	(void)s;
	(void)user;
	(void)arg;
	return SSH_AUTH_SUCCESS;
}

static int
take_name(ssh_session s, ssh_channel c, const char *name, void *arg)
{
	(void)s;
	(void)c;
	(void)name;
	(void)arg;
	named = true;
	return 0;
}

static struct ssh_channel_callbacks_struct channel_calls = {
    .channel_subsystem_request_function = take_name};

static ssh_channel
take_channel(ssh_session s, void *arg)
{
	(void)arg;
	served = ssh_channel_new(s);
	ssh_callbacks_init(&channel_calls);
	ssh_set_channel_callbacks(served, &channel_calls);
	return served;
}

static struct ssh_server_callbacks_struct server_calls = {
    .auth_none_function = let_in, .channel_open_request_session_function = take_channel};

/* Questions of each kind that libssh knows, then a byte. */
static _Noreturn void
ask(int sock)
{
	ssh_bind b = ssh_bind_new();
	ssh_session s = ssh_new();
	ssh_event ev = ssh_event_new();
	ssh_key key = NULL;

	if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK ||
	    ssh_bind_options_set(b, SSH_BIND_OPTIONS_IMPORT_KEY, key) != SSH_OK ||
	    ssh_bind_accept_fd(b, s, sock) != SSH_OK)
		_exit(1);
	ssh_callbacks_init(&server_calls);
	ssh_set_server_callbacks(s, &server_calls);
	ssh_set_auth_methods(s, SSH_AUTH_METHOD_NONE);
	if (ssh_handle_key_exchange(s) != SSH_OK || ssh_event_add_session(ev, s) != SSH_OK)
		_exit(2);
	while (!named)
		if (ssh_event_dopoll(ev, -1) == SSH_ERROR)
			_exit(3);
	ssh_set_blocking(s, 0);
	for (int i = 0; i < QUESTIONS; i++) {
		ssh_channel c = ssh_channel_new(s);

		ssh_channel_open_x11(c, "here", 1);
		ssh_channel_request_pty(served);
	}
	ssh_channel_write(served, "x", 1);
	while (ssh_event_dopoll(ev, -1) != SSH_ERROR)
		;
	_exit(0);
}

static bool
gets_a_byte(struct tp_client *c)
{
	int64_t until = clock_mono() + LATE_NS;
	struct err e = {0};
	char got;

	while (clock_mono() < until && tp_client_turn(c, &e) == 0) {
		struct pollfd p = {.fd = tp_client_fd(c), .events = tp_client_interest(c)};

		if (tp_client_read(c, &got, 1) == 1)
			return got == 'x';
		poll(&p, 1, 100);
	}
	return false;
}

static size_t
kept(struct tp_client *c)
{
	ssh_message m;
	size_t n = 0;

	while ((m = ssh_message_get(c->ssh))) {
		ssh_message_free(m);
		n++;
	}
	return n;
}

int
main(void)
{
	struct tp_client *c;
	struct err e = {0};
	int pair[2];
	pid_t pid;

	if (fd_socketpair(SOCK_STREAM, 1 << 20, pair) < 0)
		return 1;
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		ask(pair[1]);
	}
	close(pair[1]);
	c = tp_client_open(&(struct tp_client_opts){.sock = pair[0], .local = true}, &e);
	ok(c != NULL, "a connection to an agent that asks");
	ok(c && gets_a_byte(c), "its channel works");
	ok(c && kept(c) == 0, "no question is kept");
	tp_client_free(c);
	waitpid(pid, NULL, 0);
	return done_testing();
}
