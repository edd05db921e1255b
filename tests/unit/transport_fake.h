/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_TRANSPORT_FAKE_H
#define CORAL_TESTS_TRANSPORT_FAKE_H

/*
 * A real transport process with a scripted broker and keepers around it.  The
 * broker is a process of its own, so that a test may block in the client.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "transport/authkeys.h"
#include "transport/frame.h"
#include "transport/hostkey.h"
#include "transport/privmsg.h"
#include "transport/request.h"
#include "transport/server.h"
#include "transport/userauth.h"

#define FAKE_UNUSED __attribute__((unused))
#define FAKE_STDIN (2 * FRAME_CREDIT)

/* Seen by all processes of the test. */
struct fake_shared {
	pid_t server;
	int failed, keys, opens, beats;
};

struct fake {
	char dir[64];	   /* scratch, removed at the end */
	char hostkey[128]; /* its file: the secret does not pass a fork */
	char mask[HOSTKEY_TEXT], pub[512];
	struct tp_sandbox sandbox;
	struct authkeys keys;
	struct fake_shared *shared;
	int64_t login_ns;
	int max_tries, max_channels;
	uint64_t rekey;
};

static int
fake_new_key(struct fake *f)
{
	struct hostkey k;
	struct err e;

	snprintf(f->hostkey, sizeof(f->hostkey), "%s/host_key", f->dir);
	unlink(f->hostkey);
	if (hostkey_load(&k, f->hostkey, &e) < 0)
		return -1;
	str_copy(f->mask, k.mask, sizeof(f->mask));
	str_copy(f->pub, k.key.line, sizeof(f->pub));
	hostkey_fini(&k);
	return 0;
}

static void FAKE_UNUSED
fake_init(struct fake *f)
{
	struct err e;

	memset(f, 0, sizeof(*f));
	str_copy(f->dir, "/tmp/coral-transport.XXXXXX", sizeof(f->dir));
	if (!mkdtemp(f->dir) || chmod(f->dir, 0755) < 0 ||
	    tp_sandbox_init(&f->sandbox, f->dir, &e) < 0 || fake_new_key(f) < 0) {
		printf("Bail out! no scratch directory, sandbox or host key\n");
		exit(1);
	}
	f->shared = mmap(
	    NULL, sizeof(*f->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	f->login_ns = 20 * NS_PER_S;
	f->max_tries = 4;
	f->max_channels = 8;
}

static void FAKE_UNUSED
fake_fini(struct fake *f)
{
	char cmd[128];

	tp_sandbox_fini(&f->sandbox);
	authkeys_fini(&f->keys);
	munmap(f->shared, sizeof(*f->shared));
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	if (system(cmd) != 0)
		printf("# %s is left behind\n", f->dir);
}

/* Everything that arrives goes back, until the end of it. */
static void
fake_echo(int fd)
{
	static unsigned char p[65536];
	ssize_t n;

	while ((n = read(fd, p, sizeof(p))) > 0) {
		if (fd_write_all(fd, p, (size_t)n) < 0)
			return;
	}
}

static void
fake_source(int fd, const char *bytes)
{
	static unsigned char p[65536];
	int64_t left = 0;

	str_to_i64(bytes, 0, INT64_MAX, &left);
	for (; left > 0; left -= (int64_t)sizeof(p)) {
		if (fd_write_all(fd, p, sizeof(p)) < 0)
			return;
	}
}

static void
fake_sink(int fd, const char *bytes)
{
	static unsigned char p[65536];
	int64_t left = 0;
	ssize_t n;

	str_to_i64(bytes, 0, INT64_MAX, &left);
	while (left > 0 && (n = read(fd, p, sizeof(p))) > 0)
		left -= n;
	fd_write_all(fd, "k", 1);
}

/* A keeper in small: the command with pipes or a pty, as frames. */
struct fake_keeper {
	int fd, in, out[2];
	struct buf from, to, stdin_left;
	uint64_t fed;
	bool eof, bye;
	pid_t pid;
};

static void
fake_spawn(struct fake_keeper *k, const struct request *r)
{
	struct winsize ws = {.ws_row = r->rows, .ws_col = r->cols};
	int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, master = -1;

	if (r->tty) {
		k->pid = forkpty(&master, NULL, NULL, &ws);
	} else {
		if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
		    pipe2(err, O_CLOEXEC) < 0)
			_exit(1);
		k->pid = fork();
	}
	if (k->pid == 0) {
		char *shell[] = {(char *)"sh", NULL};

		if (!r->tty) {
			dup2(in[0], 0);
			dup2(out[1], 1);
			dup2(err[1], 2);
		}
		signal(SIGPIPE, SIG_DFL);
		setenv("TERM", r->term, 1);
		for (size_t i = 0; i < r->envc; i++)
			putenv(r->env[i]);
		execvp("sh", r->verb == REQ_SHELL ? shell : r->argv);
		_exit(127);
	}
	k->in = r->tty ? master : in[1];
	k->out[0] = r->tty ? dup(master) : out[0];
	k->out[1] = r->tty ? -1 : err[0];
	if (!r->tty) {
		close(in[0]);
		close(out[1]);
		close(err[1]);
	}
	fd_nonblock(k->in, true);
	fd_nonblock(k->fd, true);
}

static void
fake_take_frame(struct fake_keeper *k, const struct frame *f)
{
	struct winsize ws;
	struct rd r = {.p = f->data, .n = f->len};

	switch (f->type) {
	case FR_STDIN:
		if (buf_put(&k->stdin_left, f->data, f->len) < 0)
			_exit(3); /* over its credit */
		break;
	case FR_STDIN_EOF:
		k->eof = true;
		break;
	case FR_WINCH:
		ws.ws_row = rd_u16(&r);
		ws.ws_col = rd_u16(&r);
		ws.ws_xpixel = ws.ws_ypixel = 0;
		ioctl(k->in, TIOCSWINSZ, &ws);
		break;
	case FR_BYE:
		k->bye = true;
		break;
	default:
		_exit(4);
	}
}

static void
fake_stdin(struct fake_keeper *k)
{
	unsigned char be[8];
	uint64_t credit;
	ssize_t n;

	if (k->in >= 0 && k->stdin_left.len) {
		n = buf_write_fd(&k->stdin_left, k->in);
		if (n < 0 && errno != EAGAIN)
			buf_clear(&k->stdin_left);
		else if (n > 0)
			k->fed += (uint64_t)n;
		credit = k->fed + FRAME_CREDIT;
		for (int i = 0; i < 8; i++)
			be[i] = (unsigned char)(credit >> (8 * (7 - i)));
		if (n > 0)
			frame_put(&k->to, FR_CREDIT, be, 8);
	}
	if (k->eof && !k->stdin_left.len && k->in >= 0 && k->out[1] >= 0)
		fd_close(&k->in);
}

static void
fake_output(struct fake_keeper *k, int i)
{
	static unsigned char p[32768];
	ssize_t n = read(k->out[i], p, sizeof(p));

	if (n > 0)
		frame_put(&k->to, i ? FR_STDERR : FR_STDOUT, p, (size_t)n);
	else
		fd_close(&k->out[i]);
}

static void
fake_turn(struct fake_keeper *k)
{
	bool room = buf_room(&k->to) > 200000;
	struct pollfd p[4] = {{.fd = k->fd, .events = (short)(POLLIN | (k->to.len ? POLLOUT : 0))},
	    {.fd = room ? k->out[0] : -1, .events = POLLIN},
	    {.fd = room ? k->out[1] : -1, .events = POLLIN},
	    {.fd = k->stdin_left.len ? k->in : -1, .events = POLLOUT}};
	struct frame f;

	poll(p, 4, 100);
	if (p[0].revents & (POLLIN | POLLHUP)) {
		ssize_t n = buf_read_fd(&k->from, k->fd, 65536);

		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			kill(k->pid, SIGKILL);
			_exit(0);
		}
	}
	while (frame_peek(&k->from, &f) == 1) {
		fake_take_frame(k, &f);
		frame_drop(&k->from, &f);
	}
	fake_stdin(k);
	for (int i = 0; i < 2; i++) {
		if (p[1 + i].fd >= 0 && p[1 + i].revents)
			fake_output(k, i);
	}
	if (k->to.len)
		buf_write_fd(&k->to, k->fd);
}

static void
fake_print_request(struct fake_keeper *k, const struct request *r)
{
	char text[2048];
	int n = snprintf(text, sizeof(text), "word=%s pod=%s ns=%s container=%s pid=%u client=%s\n",
	    r->word, r->pod, r->ns, r->container, r->pid, r->client);

	frame_put(&k->to, FR_STDOUT, text, (size_t)n);
}

static void
fake_exec(int fd, const struct request *r)
{
	struct fake_keeper k = {.fd = fd, .in = -1, .out = {-1, -1}};
	int status = 0, code;
	char json[128];

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	buf_init(&k.from, 300000);
	buf_init(&k.to, 600000);
	buf_init(&k.stdin_left, FAKE_STDIN);
	frame_put(&k.to, FR_OPENED, "{}", 2);
	if (r->argc == 3 && strcmp(r->argv[2], "@request") == 0) {
		fake_print_request(&k, r);
	} else {
		fake_spawn(&k, r);
		while (k.out[0] >= 0 || k.out[1] >= 0)
			fake_turn(&k);
		waitpid(k.pid, &status, 0);
	}
	code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	snprintf(json, sizeof(json), "{\"exit_code\":%d}", code);
	frame_put(&k.to, FR_RESULT, json, strlen(json));
	while (!k.bye || k.to.len)
		fake_turn(&k);
}

static _Noreturn void
fake_keeper_main(int fd, const struct request *r)
{
	if (r->verb == REQ_PS)
		fake_echo(fd);
	else if (r->verb == REQ_READ)
		fake_source(fd, r->id);
	else if (r->verb == REQ_SHOW)
		fake_sink(fd, r->id);
	else
		fake_exec(fd, r);
	_exit(0);
}

static void
fake_reply(int mon, uint8_t type)
{
	fd_send_msg(mon, &type, 1, NULL, 0);
}

static void
fake_open(struct fake *f, int mon, struct rd *r)
{
	uint32_t id = rd_u32(r);
	unsigned char wire[ERR_WIRE_MAX];
	struct request req;
	struct err e;
	struct buf b;
	int pair[2];

	f->shared->opens++;
	request_init(&req);
	buf_init(&b, 8192);
	if (request_decode(&req, r->p, r->n, &e) < 0 || strcmp(req.word, "nowhere") == 0) {
		err_set(&e, ERR_NO_TARGET, 0, "no target \"%s\"", req.word);
		err_why(&e, "candidates:\nweb\ndb");
		err_hint(&e, "coral ps");
		buf_put_u8(&b, PM_REFUSED);
		buf_put_u32(&b, id);
		buf_put(&b, wire, err_encode(&e, wire));
		fd_send_msg(mon, buf_head(&b), b.len, NULL, 0);
	} else if (fd_socketpair(SOCK_STREAM, 1 << 20, pair) == 0) {
		if (fork() == 0) {
			fd_close_from(3, &pair[1], 1);
			fake_keeper_main(pair[1], &req);
		}
		close(pair[1]);
		buf_put_u8(&b, PM_STREAM);
		buf_put_u32(&b, id);
		fd_send_msg(mon, buf_head(&b), b.len, pair, 1);
		close(pair[0]);
	}
	buf_fini(&b);
	request_fini(&req);
}

static void
fake_key(struct fake *f, int mon, struct rd *r)
{
	char type[64] = "";
	const unsigned char *p;
	size_t n;

	n = rd_u16(r);
	p = rd_bytes(r, n);
	if (p && n < sizeof(type))
		memcpy(type, p, n);
	n = rd_u16(r);
	p = rd_bytes(r, n);
	f->shared->keys++;
	fake_reply(mon, p && authkeys_find(&f->keys, type, p, n) ? PM_YES : PM_NO);
}

static void
fake_sign(const struct hostkey *k, int mon, const struct rd *r)
{
	unsigned char answer[1 + HOSTKEY_SIGNATURE] = {PM_SIGNED};

	if (hostkey_sign(k, r->p, r->n, answer + 1) == 0)
		fd_send_msg(mon, answer, sizeof(answer), NULL, 0);
}

static void
fake_verify(struct fake *f, int mon, struct rd *r)
{
	size_t n = rd_u16(r);
	const unsigned char *sig = rd_bytes(r, n);
	struct userauth u;
	bool good = sig && userauth_parse(&u, r->p, r->n) == 0 &&
		    authkeys_find(&f->keys, u.key_type, u.blob, u.blob_len) &&
		    userauth_verify(&u, r->p, r->n, sig, n);

	f->shared->failed += !good;
	fake_reply(mon, good ? PM_YES : PM_NO);
}

static _Noreturn void
fake_broker(struct fake *f, int mon)
{
	static unsigned char msg[PM_MAX];
	struct hostkey key;
	struct err e;
	struct rd r;
	ssize_t n;

	if (hostkey_load(&key, f->hostkey, &e) < 0)
		_exit(1);
	/* Keepers are nobody's to wait for. */
	signal(SIGCHLD, SIG_IGN);
	while ((n = fd_recv_msg(mon, msg, sizeof(msg), NULL, NULL)) > 0) {
		r = (struct rd){.p = msg, .n = (size_t)n};
		switch (rd_u8(&r)) {
		case PM_HEARTBEAT:
			f->shared->beats++;
			break;
		case PM_SIGN:
			fake_sign(&key, mon, &r);
			break;
		case PM_KEY:
			fake_key(f, mon, &r);
			break;
		case PM_VERIFY:
			fake_verify(f, mon, &r);
			break;
		case PM_OPEN:
			fake_open(f, mon, &r);
			break;
		}
	}
	_exit(0);
}

/* Serve one connection in two new processes; takes sock.  The broker's pid. */
static pid_t FAKE_UNUSED
fake_serve(struct fake *f, int sock, const char *user)
{
	pid_t pid, server;
	int mon[2];

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (fd_socketpair(SOCK_SEQPACKET, 2 * PM_MAX, mon) < 0)
			_exit(1);
		server = fork();
		if (server == 0) {
			struct tp_server s = {.sock = sock,
			    .monitor = mon[1],
			    .user = user,
			    .hostkey = f->mask,
			    .sandbox = &f->sandbox,
			    .login_deadline = f->login_ns,
			    .max_tries = f->max_tries,
			    .max_channels = f->max_channels,
			    .rekey_bytes = f->rekey};

			tp_server_main(&s);
		}
		f->shared->server = server;
		close(mon[1]);
		close(sock);
		fd_close_from(3, mon, 1);
		fake_broker(f, mon[0]);
	}
	close(sock);
	return pid;
}

/* A process that serves each connection; its pid. */
static pid_t FAKE_UNUSED
fake_listen(struct fake *f, int *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t n = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), sock;
	pid_t pid;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &n) < 0)
		return -1;
	*port = ntohs(sin.sin_port);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		signal(SIGCHLD, SIG_IGN);
		while ((sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
			fake_serve(f, sock, NULL);
		_exit(0);
	}
	close(fd);
	return pid;
}

#endif
