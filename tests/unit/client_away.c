/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session that loses its connection, against agents that keep it, let go of it, or lie. */
#include "client/client.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "fake_client.h"
#include "session/stream.h"
#include "tap.h"
#include "transport/request.h"

#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "abcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcd"
#define OPENED "{\"session_id\":\"s1\",\"tty\":true,\"resume\":\"" TOKEN "\"}"

#define OVERTAKEN "{\"exit_code\":0,\"cause\":\"exit\",\"stdout_bytes\":131064,\"stderr_bytes\":0}"
#define FLAPS 12

/* --- the agents' side: one connection after the other from `listener` --- */

static int listener, master;
static unsigned seed;

/* The agent's end of the session: what it sends is kept, what comes is counted. */
struct end {
	int fd;
	struct stream s;
	struct buf in;
};

static void
end_init(struct end *d, int fd)
{
	d->fd = fd;
	stream_init(&d->s, 4 << 20);
	buf_init(&d->in, 4 << 20);
}

/* Everything that waits, but for the last `keep` bytes: those are lost on the way. */
static void
flush(struct end *d, size_t keep)
{
	const unsigned char *p;
	size_t n;

	while ((p = stream_unsent(&d->s, &n)) && n > 0) {
		size_t now = keep < n ? n - keep : 0;

		if (now && fd_write_all(d->fd, p, now) < 0)
			_exit(20);
		stream_sent(&d->s, n);
	}
}

static void
say(struct end *d, enum frame_type type, const void *p, size_t n)
{
	if (stream_put(&d->s, type, p, n) < 0)
		_exit(21);
}

/* What came, at most n bytes; false at the end. */
static bool
take(struct end *d, size_t n)
{
	ssize_t got = buf_read_fd(&d->in, d->fd, n);

	if (got > 0)
		stream_came(&d->s, (size_t)got);
	return got > 0;
}

/* The next frame of the stream, waited for; its payload is in `heard`. */
static int
next(struct end *d)
{
	struct frame f;
	int rc;

	while ((rc = frame_peek(&d->in, &f)) == 0) {
		if (!take(d, 4096))
			return 0;
	}
	if (rc < 0)
		_exit(22);
	buf_clear(&heard);
	buf_put(&heard, f.data, f.len);
	frame_drop(&d->in, &f);
	if (f.type == FR_RECEIVED &&
	    stream_acknowledged(&d->s, &(struct frame){FR_RECEIVED, 8, buf_head(&heard)}) < 0)
		_exit(23);
	return f.type;
}

static void
want(struct end *d, int type, const char *text)
{
	int got;

	do
		got = next(d);
	while (got == FR_RECEIVED || (got == FR_WINCH && type != FR_WINCH));
	if (got != type)
		_exit(100 + got);
	if (text && (heard.len != strlen(text) || memcmp(buf_head(&heard), text, heard.len) != 0))
		_exit(24);
}

static void
opened(struct end *d, int fd)
{
	end_init(d, fd);
	expect(fd, FR_OPEN);
	tell_text(fd, FR_OPENED, OPENED);
	stream_keep(&d->s, 0);
}

/* A new connection: what is asked on it is in `r`. */
static void
accepted(struct end *d, struct request *r)
{
	struct err e;

	close(d->fd);
	d->fd = accept(listener, NULL, NULL);
	if (d->fd < 0)
		_exit(25);
	expect(d->fd, FR_OPEN);
	request_init(r);
	if (request_decode(r, buf_head(&heard), heard.len, &e) < 0 || r->verb != REQ_ATTACH ||
	    strcmp(r->id, "s1") != 0 || !r->resumable)
		_exit(26);
}

static void
tell_count(int fd, enum frame_type type, uint64_t n)
{
	unsigned char p[8];

	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(n >> (56 - 8 * i));
	tell(fd, type, p, sizeof(p));
}

static void
again(struct end *d)
{
	struct request r;

	accepted(d, &r);
	if (strcmp(r.token, TOKEN) != 0 || stream_resume(&d->s, r.received) < 0)
		_exit(27);
	tell_count(d->fd, FR_RESUMED, d->s.arrived);
	request_fini(&r);
}

static void
finish(struct end *d, size_t out)
{
	char text[200];

	snprintf(text, sizeof(text),
	    "{\"exit_code\":0,\"cause\":\"exit\",\"stdout_bytes\":%zu,\"stderr_bytes\":0}", out);
	say(d, FR_RESULT, text, strlen(text));
	flush(d, 0);
	while (next(d) > 0)
		;
}

/* What is typed is echoed, over connections that are cut anywhere, with what was under way. */
static void
agent_cuts(int fd)
{
	struct end d;
	size_t echoed = 0;
	int cuts = 0;

	opened(&d, fd);
	for (;;) {
		struct frame f;
		int rc;

		while ((rc = frame_peek(&d.in, &f)) > 0) {
			if (f.type == FR_STDIN_EOF) {
				finish(&d, echoed);
				return;
			}
			if (f.type == FR_RECEIVED && stream_acknowledged(&d.s, &f) < 0)
				_exit(28);
			if (f.type == FR_STDIN) {
				echoed += f.len;
				say(&d, FR_STDOUT, f.data, f.len);
			}
			frame_drop(&d.in, &f);
		}
		if (rc < 0)
			_exit(29);
		stream_tell(&d.s);
		seed = seed * 1103515245u + 12345u;
		if (cuts < 10 && (seed >> 16) % 4 == 0) {
			flush(&d, (seed >> 20) % 3000);
			cuts++;
			again(&d);
		}
		flush(&d, 0);
		if (!take(&d, 1 + (seed >> 18) % 9000))
			_exit(30);
	}
}

static void
agent_gap(int fd)
{
	struct end d;
	struct request r;

	opened(&d, fd);
	say(&d, FR_STDOUT, "before", 6);
	flush(&d, 0);
	want(&d, FR_STDIN, "typed\n");
	/* Its acknowledgement of these counts what will be forgotten. */
	for (int i = 0; i < 3; i++) {
		static unsigned char much[30000];

		memset(much, '#', sizeof(much));
		say(&d, FR_STDOUT, much, sizeof(much));
	}
	flush(&d, 0);
	want(&d, FR_STDIN, "more\n");
	accepted(&d, &r);
	request_fini(&r);
	tell_text(d.fd, FR_OPENED,
	    "{\"id\":\"s1\",\"tty\":true,\"resume\":\"" OTHER "\",\"received\":10}");
	/* FR_STDIN "typed\n" were its first 10 bytes: the rest comes again, and ours begins anew.
	 */
	buf_clear(&d.in);
	stream_fini(&d.s);
	stream_init(&d.s, 4 << 20);
	stream_keep(&d.s, 0);
	say(&d, FR_SCREEN, "painted", 7);
	flush(&d, 0);
	want(&d, FR_STDIN, "more\n");
	accepted(&d, &r);
	if (strcmp(r.token, OTHER) != 0 || r.received != 11 || stream_resume(&d.s, 11) < 0)
		_exit(31);
	request_fini(&r);
	tell_count(d.fd, FR_RESUMED, d.s.arrived);
	say(&d, FR_STDOUT, "after", 5);
	finish(&d, 999999);
}

/* Back each time, and lost at once again. */
static void
agent_flaps(int fd)
{
	struct end d;

	opened(&d, fd);
	for (int i = 0; i < FLAPS; i++)
		again(&d);
	finish(&d, 0);
}

static void
stop_client(void)
{
	char path[32], text[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)getppid());
	kill(getppid(), SIGSTOP);
	while (!strstr(text, ") T ") && !strstr(text, ") t ")) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
			_exit(37);
		close(fd);
	}
}

/* What the client's acknowledgement finds on its way is here before anybody looks for it. */
static void
agent_overtakes(int fd)
{
	static unsigned char much[FRAME_DATA_MAX];
	struct end d;

	opened(&d, fd);
	/* Nothing is left for it to acknowledge, and no timer runs for that. */
	while (next(&d) != FR_RECEIVED)
		;
	stop_client();
	/* One turn of the connection takes 64 KiB: two of them, and then the result. */
	say(&d, FR_STDOUT, much, sizeof(much));
	say(&d, FR_STDOUT, much, sizeof(much) - 2 * FRAME_HEAD);
	flush(&d, 0);
	say(&d, FR_RESULT, OVERTAKEN, strlen(OVERTAKEN));
	flush(&d, 0);
	kill(getppid(), SIGCONT);
	while (next(&d) > 0)
		;
}

static void
refuse(struct end *d, enum err_code code, const char *what)
{
	unsigned char wire[ERR_WIRE_MAX];
	struct request r;
	struct err e;

	accepted(d, &r);
	request_fini(&r);
	err_set(&e, code, 0, "%s", what);
	tell(d->fd, FR_ERROR, wire, err_encode(&e, wire));
}

static void
agent_taken_over(int fd)
{
	struct end d;

	opened(&d, fd);
	/* Too many at once: that passes. */
	refuse(&d, ERR_LIMIT, "busy");
	refuse(&d, ERR_DENIED, "another terminal has taken this session over");
}

static void
agent_resumes_too_much(int fd)
{
	struct end d;
	struct request r;

	opened(&d, fd);
	accepted(&d, &r);
	request_fini(&r);
	tell_count(d.fd, FR_RESUMED, 1u << 20);
	next(&d);
}

static void
agent_acknowledges_too_much(int fd)
{
	struct end d;

	opened(&d, fd);
	tell_count(fd, FR_RECEIVED, 1u << 20);
	next(&d);
}

static void
agent_answers_nonsense(int fd)
{
	struct end d;
	struct request r;

	opened(&d, fd);
	accepted(&d, &r);
	request_fini(&r);
	tell_text(d.fd, FR_OPENED, "{\"resume\":\"" TOKEN "\",\"received\":-1}");
	next(&d);
}

static void
agent_bad_token(int fd)
{
	expect(fd, FR_OPEN);
	tell_text(fd, FR_OPENED, "{\"session_id\":\"s1\",\"resume\":\"../../etc/passwd\"}");
	hear(fd, &heard);
}

static void
agent_screen_without_terminal(int fd)
{
	expect(fd, FR_OPEN);
	tell_text(fd, FR_OPENED, "{\"session_id\":\"s1\",\"tty\":false}");
	tell_text(fd, FR_SCREEN, "x");
	while (hear(fd, &heard))
		;
}

static void
agent_leaves(int fd)
{
	struct end d;

	opened(&d, fd);
	want(&d, FR_DETACH, NULL);
	tell_text(fd, FR_LEFT, "{\"why\":\"detached\",\"id\":\"\\u001b[2Jevil\"}");
	next(&d);
}

static void
agent_taken(int fd)
{
	struct end d;

	opened(&d, fd);
	tell_text(fd, FR_LEFT, "{\"why\":\"taken_over\",\"by\":\"bob\"}");
	next(&d);
}

/* Keys that were typed while nobody listened, and a resize by nobody. */
static void
agent_returns_late(int fd)
{
	struct end d;

	opened(&d, fd);
	want(&d, FR_STDIN, "a");
	close(d.fd);
	d.fd = -1;
	/* The status line is there: then keys, and only then a way back. */
	for (char seen[8192] = "", *at = seen; !strstr(seen, "trying again");) {
		ssize_t n = read(master, at, 1);

		if (n != 1 || ++at == seen + sizeof(seen) - 1)
			_exit(32);
	}
	if (write(master, "bcd", 3) != 3)
		_exit(33);
	again(&d);
	for (size_t got = 0; got < 3; got += heard.len) {
		want(&d, FR_STDIN, NULL);
		if (memcmp(buf_head(&heard), "bcd" + got, heard.len) != 0)
			_exit(34);
	}
	want(&d, FR_REPAINT, NULL);
	finish(&d, 0);
}

static void
agent_never_returns(int fd)
{
	struct end d;

	opened(&d, fd);
	close(fd);
	close(listener);
	for (char seen[8192] = "", *at = seen; !strstr(seen, "^C gives up");) {
		if (read(master, at++, 1) != 1 || at == seen + sizeof(seen) - 1)
			_exit(35);
	}
	if (write(master, "\003", 1) != 1)
		_exit(36);
}

/* --- the user's side --- */

static struct client_result res;
static struct err err;
static struct sockaddr_un name;
static socklen_t name_len;
static int in = -1, out = -1;
static bool raw, hangs;
static int64_t took;

static struct tp_client *
redial(void *arg, struct err *e)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)arg;
	if (hangs)
		poll(NULL, 0, 60000);
	if (connect(fd, (struct sockaddr *)&name, name_len) == 0)
		return fake_new(fd);
	err_set(e, ERR_TRANSPORT, errno, "cannot reach it");
	close(fd);
	return NULL;
}

static int
session(void (*agent)(int fd))
{
	struct client_io io = {.in = in,
	    .out = out,
	    .err = -1,
	    .raw = raw,
	    .quiet = true,
	    .again = redial,
	    .escape = '~'};
	struct request r;
	int pair[2], rc, status;
	pid_t pid;

	fflush(stdout);
	name = (struct sockaddr_un){.sun_family = AF_UNIX};
	name_len = sizeof(name);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)) < 0 ||
	    listen(listener, 1) < 0 || fd_socketpair(SOCK_STREAM, 0, pair) < 0)
		exit(99);
	/* The kernel's choice of an abstract name: unix(7), autobind. */
	getsockname(listener, (struct sockaddr *)&name, &name_len);
	pid = fork();
	if (pid == 0) {
		alarm(30);
		close(pair[0]);
		agent(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	close(listener);
	request_init(&r);
	r.verb = REQ_SHELL;
	r.tty = true;
	r.resumable = true;
	client_result_fini(&res);
	memset(&err, 0, sizeof(err));
	took = clock_mono();
	rc = client_session(fake_new(pair[0]), &r, &io, &res, &err);
	took = clock_mono() - took;
	request_fini(&r);
	waitpid(pid, &status, 0);
	is_int(status, 0, "the agent saw what it should");
	return rc;
}

static int
memory(const void *p, size_t n)
{
	int fd = memfd_create("t", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, p, n) < 0)
		exit(99);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void
test_cuts(void)
{
	size_t n = 300000;
	unsigned char *all = malloc(n), *back = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		all[i] = (unsigned char)(i * 2654435761u >> 11);
	for (unsigned round = 1; round <= 6; round++) {
		seed = round;
		in = memory(all, n);
		out = memory("", 0);
		is_int(session(agent_cuts), 0, "10 cuts");
		is_int(res.exit_code, 0, "the command's own exit status");
		ok(pread(out, back, n + 1, 0) == (ssize_t)n && memcmp(all, back, n) == 0,
		    "no byte is lost or doubled");
		fd_close(&in);
		fd_close(&out);
	}
	free(all);
	free(back);
}

/* A pipe with what comes in two reads. */
static void
test_gap(void)
{
	char text[128] = "";
	pid_t typist;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		exit(99);
	in = p[0];
	out = memory("", 0);
	typist = fork();
	if (typist == 0) {
		ssize_t ignored = write(p[1], "typed\n", 6);

		alarm(30);

		for (int left = 1; left > 0; poll(NULL, 0, 1))
			ioctl(p[0], FIONREAD, &left);
		ignored = write(p[1], "more\n", 5);
		pause();
		_exit(ignored < 0);
	}
	is_int(session(agent_gap), 0, "away for too long");
	ok(pread(out, text, 6, 0) == 6 && memcmp(text, "before", 6) == 0, "what came before");
	ok(pread(out, text, sizeof(text), 6 + 90000) == 12 && memcmp(text, "paintedafter", 12) == 0,
	    "a repaint, then what came after, whatever the count says");
	kill(typist, SIGKILL);
	waitpid(typist, NULL, 0);
	fd_close(&in);
	fd_close(&out);
	close(p[1]);
}

static void
test_overtaken(void)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		exit(99);
	in = p[0];
	out = memory("", 0);
	is_int(session(agent_overtakes), 0, "a result behind much output");
	ok(took < 8 * NS_PER_S, "is seen before anybody has to ask for it");
	fd_close(&in);
	fd_close(&out);
	close(p[1]);
}

static void
fails(void (*agent)(int), enum err_code code, const char *what)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		exit(99);
	in = p[0];
	out = memory("", 0);
	is_int(session(agent), -1, what);
	is_str(err_name(err.code), err_name(code), what);
	fd_close(&in);
	fd_close(&out);
	close(p[1]);
}

static void
test_flaps(void)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		exit(99);
	in = p[0];
	out = memory("", 0);
	is_int(session(agent_flaps), 0, "a way that is lost as soon as it is back");
	/* 12 beginnings of the intervals take 1.2 s at most. */
	ok(took > 2 * NS_PER_S, "is tried at intervals that grow");
	fd_close(&in);
	fd_close(&out);
	close(p[1]);
}

static void
test_refusals(void)
{
	fails(agent_taken_over, ERR_TRANSPORT, "taken over");
	is_str(err.why, "another terminal has taken this session over", "it says so");
	is_int(err_exit_exec(err.code), 255, "and exits with 255");
	fails(agent_resumes_too_much, ERR_PROTOCOL, "has more than was sent");
	fails(agent_acknowledges_too_much, ERR_PROTOCOL, "acknowledges more than was sent");
	fails(agent_answers_nonsense, ERR_PROTOCOL, "a negative count");
	fails(agent_bad_token, ERR_PROTOCOL, "a token that is none");
	fails(agent_screen_without_terminal, ERR_PROTOCOL, "a repaint without a terminal");
}

static bool
cooked(int fd)
{
	struct termios t;

	return tcgetattr(fd, &t) == 0 && (t.c_lflag & ICANON);
}

/* As a person at a terminal of 24x80, who typed `keys` already. */
static int
at_terminal(void (*agent)(int), const char *keys)
{
	struct winsize ws = {.ws_row = 24, .ws_col = 80};
	struct termios t;
	int rc;

	if (openpty(&master, &in, NULL, NULL, &ws) < 0 || tcgetattr(in, &t) < 0)
		exit(99);
	/* Typed ahead, a line that is not finished would wait for its end. */
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(in, TCSANOW, &t);
	fd_write_all(master, keys, strlen(keys));
	t.c_lflag |= ICANON;
	tcsetattr(in, TCSANOW, &t);
	out = in;
	raw = true;
	rc = session(agent);
	ok(cooked(in), "the terminal is back in its modes");
	raw = false;
	fd_close(&in);
	out = -1;
	fd_close(&master);
	return rc;
}

static void
test_person(void)
{
	is_int(at_terminal(agent_leaves, "~d"), 0, "detached by an escape");
	is_int(res.exit_code, 255, "no exit status arrived");
	is_str(json_str(res.left, "why"), "detached", "why");
	is_str(json_str(res.left, "id"), "s1", "the id is the session's, whatever the agent says");
	is_int(at_terminal(agent_taken, ""), 0, "taken over");
	is_int(res.exit_code, 255, "no exit status either");
	is_str(json_str(res.left, "by"), "bob", "by whom");
	is_int(at_terminal(agent_returns_late, "a"), 0, "away for a while");
	is_int(at_terminal(agent_never_returns, ""), -1, "away for good");
	is_str(err.hint, "coral attach s1", "^C gives up, and says how to come back");
	ok(took < 4 * NS_PER_S, "at once");
	hangs = true;
	is_int(at_terminal(agent_never_returns, ""), -1, "also while a dial hangs");
	ok(took < 3 * NS_PER_S, "within a second of it");
	hangs = false;
}

int
main(void)
{
	buf_init(&heard, FRAME_HEAD + FRAME_MAX);
	alarm(100);
	test_cuts();
	test_gap();
	test_overtaken();
	test_flaps();
	test_refusals();
	test_person();
	client_result_fini(&res);
	buf_fini(&heard);
	return done_testing();
}
