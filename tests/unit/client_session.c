/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The user's side of a session against scripted agents: a forked process at the other end of a
 * socket, with the connection itself (tp_client_*) replaced by plain bytes. */
#include "client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "fake_client.h"
#include "tap.h"
#include "transport/client.h"
#include "transport/frame.h"

static void
agent_plain(int fd)
{
	open_it(fd);
	tell_text(fd, FR_STDOUT, "hello\n");
	tell_text(fd, FR_STDERR, "oh\n");
	result(fd, "\"exit_code\":7,\"signal\":null,\"cause\":\"exit\"", 6, 3);
	for (int t = hear(fd, &heard); t && t != FR_BYE; t = hear(fd, &heard))
		;
}

static void
agent_echo(int fd)
{
	uint64_t total = 0, credit = FRAME_CREDIT;
	size_t n = 0;

	open_it(fd);
	for (int t = hear(fd, &heard); t != FR_STDIN_EOF; t = hear(fd, &heard)) {
		unsigned char c[8];

		if (t != FR_STDIN)
			_exit(100 + t);
		n = heard.len;
		total += n;
		if (total > credit)
			_exit(11);
		tell(fd, FR_STDOUT, buf_head(&heard), n);
		/* Late, so that the client has to stop and wait for it. */
		if (total == credit) {
			credit += FRAME_CREDIT / 2;
			for (int i = 0; i < 8; i++)
				c[i] = (unsigned char)(credit >> (56 - 8 * i));
			tell(fd, FR_CREDIT, c, 8);
		}
	}
	result(fd, "\"exit_code\":0,\"cause\":\"exit\"", total, 0);
}

static void
agent_signal(int fd)
{
	open_it(fd);
	result(fd, "\"exit_code\":null,\"signal\":\"KILL\",\"cause\":\"signal\"", 0, 0);
}

static void
agent_timeout(int fd)
{
	open_it(fd);
	result(fd, "\"exit_code\":124,\"signal\":\"TERM\",\"cause\":\"timeout\"", 0, 0);
}

static void
agent_lost(int fd)
{
	open_it(fd);
	tell_text(fd, FR_STDOUT, "part");
}

static void
agent_short(int fd)
{
	open_it(fd);
	tell_text(fd, FR_STDOUT, "part");
	result(fd, "\"exit_code\":0,\"cause\":\"exit\"", 5, 0);
}

static void
agent_no_counts(int fd)
{
	open_it(fd);
	tell_text(fd, FR_RESULT, "{\"exit_code\":0}");
}

static void
agent_rubbish(int fd)
{
	open_it(fd);
	fd_write_all(fd, "\377\377\377\377\377", 5);
}

static void
agent_refuses(int fd)
{
	unsigned char wire[ERR_WIRE_MAX];
	struct err e;

	expect(fd, FR_OPEN);
	err_set(&e, ERR_NO_TARGET, 0, "no such target");
	err_why(&e, "there are: a, b");
	tell(fd, FR_ERROR, wire, err_encode(&e, wire));
}

static void
agent_failed_later(int fd)
{
	open_it(fd);
	tell_text(fd, FR_RESULT,
	    "{\"exit_code\":125,\"cause\":\"exit\",\"stdout_bytes\":0,\"stderr_bytes\":0,"
	    "\"error\":{\"code\":\"RECORDING\",\"what\":\"disk "
	    "full\",\"why\":\"w\",\"hint\":\"h\"}}");
}

static void
agent_pipe(int fd)
{
	open_it(fd);
	tell_text(fd, FR_STDOUT, "to nobody");
	expect(fd, FR_SIGNAL);
	if (heard.len != 4 || memcmp(buf_head(&heard), "PIPE", 4) != 0)
		_exit(12);
	result(fd, "\"exit_code\":null,\"signal\":\"PIPE\",\"cause\":\"signal\"", 9, 0);
}

static void
agent_finished_before_pipe(int fd)
{
	open_it(fd);
	tell_text(fd, FR_STDOUT, "to nobody");
	result(fd, "\"exit_code\":0,\"cause\":\"exit\"", 9, 0);
}

static void
agent_expects_eof(int fd)
{
	open_it(fd);
	expect(fd, FR_STDIN_EOF);
	result(fd, "\"exit_code\":0,\"cause\":\"exit\"", 0, 0);
}

/* Fills everything between us and a reader that reads nothing; then signals must still get through.
 */
static void
agent_stuck(int fd)
{
	static unsigned char block[FRAME_HEAD + 32768] = {FR_STDOUT, 0, 0x80, 0};
	size_t at = 0;

	open_it(fd);
	fd_nonblock(fd, true);
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		ssize_t n = write(fd, block + at, sizeof(block) - at);

		if (n >= 0)
			at = (at + (size_t)n) % sizeof(block);
		else if (poll(&p, 1, 200) == 0)
			break;
	}
	fd_nonblock(fd, false);
	kill(getppid(), SIGTERM);
	expect(fd, FR_SIGNAL);
	kill(getppid(), SIGTERM);
	expect(fd, 0);
}

static int master;

static void
wait_mode(bool raw)
{
	struct termios t;

	for (int i = 0; i < 20000; i++) {
		if (tcgetattr(master, &t) == 0 && !(t.c_lflag & ICANON) == raw)
			return;
		poll(NULL, 0, 1);
	}
	_exit(13);
}

static void
agent_raw(int fd)
{
	open_it(fd);
	wait_mode(true);
	if (write(master, "\003", 1) != 1)
		_exit(14);
	expect(fd, FR_STDIN);
	if (heard.len != 1 || *buf_head(&heard) != 3)
		_exit(15);
	result(fd, "\"exit_code\":0,\"cause\":\"exit\"", 0, 0);
}

static void
agent_raw_lost(int fd)
{
	open_it(fd);
	wait_mode(true);
}

/* A frame after the terminal at the other end was closed, and nothing is asked of the command. */
static void
agent_hung_up(int fd)
{
	open_it(fd);
	close(master);
	for (int t = hear(fd, &heard); t && t != FR_BYE; t = hear(fd, &heard))
		if (t != FR_STDIN_EOF)
			_exit(100 + t);
		else
			tell_text(fd, FR_STDOUT, "to nobody");
}

/* --- the user's side --- */

static struct client_result res;
static struct err err;
static int in = -1, out = -1, errfd = -1;
static bool tty, closes;

static void
close_terminal(void *arg, const json_t *opened)
{
	(void)arg;
	(void)opened;
	close(master);
}

/* One session against `agent`; its process must be content too. */
static int
session(void (*agent)(int fd), bool capture)
{
	struct client_io io = {.in = in,
	    .out = out,
	    .err = errfd,
	    .raw = tty,
	    .capture = capture,
	    .quiet = true,
	    .opened = closes ? close_terminal : NULL,
	    .escape = -1};
	struct request r;
	int pair[2], rc, status;
	pid_t pid;

	fflush(stdout);
	if (fd_socketpair(SOCK_STREAM, 0, pair) < 0)
		exit(99);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		agent(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	request_init(&r);
	r.verb = REQ_EXEC;
	r.tty = tty || closes;
	request_add_arg(&r, "true");
	client_result_fini(&res);
	memset(&err, 0, sizeof(err));
	rc = client_session(fake_new(pair[0]), &r, &io, &res, &err);
	request_fini(&r);
	waitpid(pid, &status, 0);
	is_int(status, 0, "the agent saw what it should");
	return rc;
}

static int
memory(const char *text)
{
	int fd = memfd_create("t", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		exit(99);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static const char *
content(int fd)
{
	static char text[256];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void
test_streams(void)
{
	out = memory("");
	errfd = memory("");
	in = memory("");
	is_int(session(agent_plain, false), 0, "a session");
	is_int(res.exit_code, 7, "its exit status");
	is_str(content(out), "hello\n", "standard output");
	is_str(content(errfd), "oh\n", "standard error");
	is_str(json_string_value(json_object_get(res.result, "session_id")), "s1",
	    "what FR_OPENED said is in the result");
	ok(json_is_array(json_object_get(res.result, "namespaces_entered")), "namespaces too");
	is_int(session(agent_plain, true), 0, "the same, kept");
	ok(res.out.len == 6 && memcmp(buf_head(&res.out), "hello\n", 6) == 0,
	    "output is in memory");
	fd_close(&in);
	is_int(session(agent_expects_eof, false), 0, "no standard input: its end is sent at once");
}

static void
test_echo(void)
{
	size_t n = 5 * 1024 * 1024 + 17;
	unsigned char *all = malloc(n), *back = malloc(n);

	for (size_t i = 0; all && i < n; i++)
		all[i] = (unsigned char)(i * 2654435761u >> 13);
	fd_close(&out);
	in = memory("");
	out = memory("");
	fd_write_all(in, all, n);
	lseek(in, 0, SEEK_SET);
	is_int(session(agent_echo, false), 0, "5 MiB there and back, on credit");
	is_int(res.exit_code, 0, "exit 0");
	ok(pread(out, back, n, 0) == (ssize_t)n && memcmp(all, back, n) == 0, "the same bytes");
	free(all);
	free(back);
	fd_close(&in);
}

static void
fails(void (*agent)(int), enum err_code code, const char *name)
{
	is_int(session(agent, false), -1, name);
	is_str(err_name(err.code), err_name(code), name);
}

static void
test_ends(void)
{
	fd_close(&out);
	out = memory("");
	is_int(session(agent_signal, false), 0, "killed");
	is_int(res.exit_code, 137, "128+n");
	is_int(session(agent_timeout, false), 0, "timed out");
	is_int(res.exit_code, 124, "124");
	fails(agent_lost, ERR_TRANSPORT, "no result");
	fails(agent_short, ERR_SHORT_OUTPUT, "a byte too few");
	fails(agent_no_counts, ERR_PROTOCOL, "a result without counts");
	fails(agent_rubbish, ERR_PROTOCOL, "not the protocol");
	fails(agent_refuses, ERR_NO_TARGET, "refused");
	is_str(err.why, "there are: a, b", "with its facts");
	fails(agent_failed_later, ERR_RECORDING, "failed on the way");
}

static void
test_pipes(void)
{
	int p[2];

	fd_close(&out);
	if (pipe2(p, O_CLOEXEC) < 0)
		exit(99);
	out = p[1];
	close(p[0]);
	is_int(session(agent_pipe, false), 0, "a reader that has gone");
	is_int(res.exit_code, 128 + SIGPIPE, "is told to the command");
	is_int(session(agent_finished_before_pipe, false), 0, "a command that was quicker");
	is_int(res.exit_code, 128 + SIGPIPE, "does not make it 0");
	fd_close(&out);
	if (pipe2(p, O_CLOEXEC) < 0)
		exit(99);
	out = p[1];
	is_int(session(agent_stuck, false), 0, "a reader that reads nothing");
	is_int(
	    res.exit_code, 128 + SIGTERM, "does not hold back signals; the second one is for us");
	ok(!(fcntl(p[1], F_GETFL) & O_NONBLOCK), "flags of the shared description are untouched");
	close(p[0]);
	fd_close(&out);
	out = open("/dev/full", O_WRONLY | O_CLOEXEC);
	is_int(session(agent_lost, false), -1, "a full disk");
	is_str(err_name(err.code), "SHORT_OUTPUT", "is an error at once");
	fd_close(&out);
}

static bool
same(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
	       a->c_lflag == b->c_lflag && a->c_cc[VMIN] == b->c_cc[VMIN] &&
	       a->c_cc[VTIME] == b->c_cc[VTIME];
}

static void
test_terminal(void)
{
	struct termios before, after;
	int slave;

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		exit(99);
	tcgetattr(slave, &before);
	in = slave;
	out = slave;
	tty = true;
	is_int(session(agent_raw, false), 0, "a terminal");
	tcgetattr(slave, &after);
	ok(same(&before, &after), "its modes are back");
	is_int(session(agent_raw_lost, false), -1, "the agent is lost");
	tcgetattr(slave, &after);
	ok(same(&before, &after), "the modes are back as well");
	in = -1;
	tty = false;
	closes = true;
	is_int(session(agent_hung_up, false), 0, "it is closed, and no signal comes");
	is_int(res.exit_code, 128 + SIGHUP, "as if one had");
	close(slave);
}

int
main(void)
{
	buf_init(&heard, FRAME_HEAD + FRAME_MAX);
	alarm(60);
	test_streams();
	test_echo();
	test_ends();
	test_pipes();
	test_terminal();
	client_result_fini(&res);
	buf_fini(&heard);
	return done_testing();
}
