/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection that several clients share: the master, its guests, and who is none. */
#include "transport_fake.h"

#include <sys/un.h>
#include "tap.h"
#include "transport/client.h"
#include "transport/mux.h"

#define IDLE_NS (60 * NS_PER_S)
#define PATIENCE_MS 10000

static struct fake fake;
static struct mux_key key;
static char dir[64];

static void
make_key(struct mux_key *k, const char *what)
{
	mux_key_begin(k);
	mux_key_add(k, what);
	mux_key_end(k);
}

static struct tp_client *
connect_local(pid_t *broker)
{
	struct tp_client_opts o = {.local = true};
	struct err e;
	int pair[2];

	if (fd_socketpair(SOCK_STREAM, 0, pair) < 0)
		return NULL;
	*broker = fake_serve(&fake, pair[1], "root");
	o.sock = pair[0];
	return tp_client_open(&o, &e);
}

static struct tp_client *
join(bool *alone)
{
	struct mux m;
	struct tp_client *c = mux_join(&m, dir, &key, false);

	if (alone)
		*alone = m.alone;
	mux_close(&m);
	return c;
}

/* A connection, and a master that has it; the first of its clients. */
static struct tp_client *
first_client(pid_t *broker, int64_t idle_ns)
{
	struct tp_client *c = connect_local(broker);
	struct mux m;

	if (!c)
		return NULL;
	mux_join(&m, dir, &key, true);
	mux_offer(&m, c, idle_ns);
	mux_close(&m);
	return c;
}

static void
send_all(struct tp_client *c, const void *p, size_t n)
{
	const unsigned char *at = p;
	struct err e;

	while (n > 0) {
		struct pollfd w = {.fd = tp_client_fd(c)};
		ssize_t put = tp_client_write(c, at, n);

		at += put;
		n -= (size_t)put;
		/* As who queues: a turn after each write, then no try before poll(2) says so. */
		tp_client_turn(c, &e);
		if (n == 0)
			continue;
		w.events = tp_client_interest(c);
		if (poll(&w, 1, PATIENCE_MS) <= 0)
			return;
		tp_client_turn(c, &e);
	}
}

static void
send_request(struct tp_client *c, enum request_verb verb, const char *id)
{
	struct request r;
	struct buf b, f;
	struct err e;

	request_init(&r);
	r.verb = verb;
	str_copy(r.id, id, sizeof(r.id));
	buf_init(&b, FRAME_MAX);
	buf_init(&f, FRAME_MAX + FRAME_HEAD);
	request_encode(&r, &b, &e);
	frame_put(&f, FR_OPEN, buf_head(&b), b.len);
	send_all(c, buf_head(&f), f.len);
	buf_fini(&b);
	buf_fini(&f);
	request_fini(&r);
}

/* n bytes, or fewer at the end of all. */
static size_t
receive(struct tp_client *c, void *p, size_t n)
{
	size_t got = 0;
	struct err e;

	while (got < n && !tp_client_ended(c)) {
		ssize_t more = tp_client_read(c, (unsigned char *)p + got, n - got);
		struct pollfd w = {.fd = tp_client_fd(c), .events = tp_client_interest(c)};

		got += (size_t)more;
		if (more == 0 && !tp_client_ended(c) && poll(&w, 1, PATIENCE_MS) <= 0)
			break;
		tp_client_turn(c, &e);
	}
	return got;
}

static bool
echoes(struct tp_client *c, const char *word)
{
	char back[64] = "";
	size_t n = strlen(word);

	send_all(c, word, n);
	return receive(c, back, n) == n && memcmp(back, word, n) == 0;
}

static int
raw_dial(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", dir, key.name);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		fd_close(&fd);
	return fd;
}

/* What the master says to bytes: its byte, 0 when it hangs up, -1 when it is silent. */
static int
said_to(int fd, const void *p, size_t n)
{
	struct pollfd w = {.fd = fd, .events = POLLIN};
	unsigned char c = 0;

	if (n && send(fd, p, n, MSG_NOSIGNAL) < 0)
		return 0;
	if (poll(&w, 1, PATIENCE_MS) <= 0)
		return -1;
	return recv(fd, &c, 1, 0) == 1 ? c : 0;
}

static void
test_hostile_guests(void)
{
	static const unsigned char huge[] = {0xff, 0xff, 0xff, 0xff, 'x'};
	unsigned char hello[4 + sizeof(key.blob)] = {
	    0, 0, (unsigned char)(key.n >> 8), (unsigned char)key.n};
	int fds[200];
	int fd = raw_dial();

	ok(fd >= 0, "the socket takes anybody of ours");
	is_int(said_to(fd, huge, sizeof(huge)), 'N', "a length out of all bounds is refused");
	fd_close(&fd);
	fd = raw_dial();
	memcpy(hello + 4, key.blob, key.n);
	hello[4 + key.n - 2] ^= 1;
	is_int(said_to(fd, hello, 4 + key.n), 'N', "so is another place");
	fd_close(&fd);
	fd = raw_dial();
	is_int(said_to(fd, hello, 3), 0, "who begins and says no more is hung up on");
	fd_close(&fd);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		fds[i] = i < 100 ? raw_dial() : -1;
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		fd_close(&fds[i]);
}

static void
test_other_user(void)
{
	int status = 0;
	pid_t pid;

	if (geteuid() != 0) {
		ok(true, "not root: there is no other user to be");
		return;
	}
	chmod(dir, 0755);
	chmod(fake.dir, 0755);
	pid = fork();
	if (pid == 0) {
		char path[160];
		int fd;

		snprintf(path, sizeof(path), "%s/%s", dir, key.name);
		chmod(path, 0666);
		if (setuid(65534) < 0)
			_exit(9);
		fd = raw_dial();
		_exit(fd < 0 ? 8 : said_to(fd, "", 0) != 0);
	}
	waitpid(pid, &status, 0);
	is_int(status, 0, "another user is hung up on, without a word");
	chmod(dir, 0700);
}

static void
test_share(void)
{
	struct tp_client *a, *b;
	pid_t broker;
	int opens;

	a = first_client(&broker, IDLE_NS);
	if (!ok(a && tp_client_shared(a), "the first client is its master's first"))
		return;
	send_request(a, REQ_PS, "");
	ok(echoes(a, "one"), "and has the channel that it opened");
	test_hostile_guests();
	test_other_user();
	b = join(NULL);
	if (ok(b != NULL, "a second one joins")) {
		send_request(b, REQ_PS, "");
		ok(echoes(b, "two") && echoes(a, "three"), "both talk");
		opens = fake.shared->opens;
		is_int(opens, 2, "over one connection");
		shutdown(tp_client_fd(b), SHUT_WR);
		send_all(b, "", 0);
		is_int((intmax_t)receive(b, (char[4]){0}, 4), 0,
		    "a half-close passes, and the end comes back");
		ok(tp_client_ended(b), "as an end");
		tp_client_free(b);
	}
	ok(echoes(a, "four"), "the first is untouched");
	tp_client_free(a);
	kill(broker, SIGKILL);
	waitpid(broker, NULL, 0);
}

/* 50 MB to a reader that is slow, while another channel talks. */
static void
test_slow_reader(void)
{
	static unsigned char p[65536];
	struct tp_client *a, *b;
	size_t got = 0, n;
	pid_t broker;

	a = first_client(&broker, IDLE_NS);
	b = a ? join(NULL) : NULL;
	if (!ok(a && b, "two clients"))
		return;
	send_request(a, REQ_READ, "52428800");
	send_request(b, REQ_PS, "");
	got = receive(a, p, 10);
	for (int i = 0; i < 50; i++)
		if (!echoes(b, "quick"))
			break;
	ok(echoes(b, "quick"), "one that does not read holds up nobody");
	do {
		n = receive(a, p, sizeof(p));
		got += n;
	} while (n > 0);
	is_int((intmax_t)got, 52428800, "and gets every byte when it does");
	tp_client_free(a);
	tp_client_free(b);
	kill(broker, SIGKILL);
	waitpid(broker, NULL, 0);
}

/* As much the other way, to a reader that is slow; keys are exchanged anew on the way. */
static void
test_upload(void)
{
	static unsigned char p[65536];
	struct tp_client *a, *b;
	pid_t broker;
	char k = 0;

	fake.rekey = 8 << 20;
	a = first_client(&broker, IDLE_NS);
	fake.rekey = 0;
	b = a ? join(NULL) : NULL;
	if (!ok(a && b, "two clients"))
		return;
	send_request(a, REQ_SHOW, "52428800");
	send_request(b, REQ_SHOW, "52428800");
	for (int i = 0; i < 800; i++) {
		send_all(a, p, sizeof(p));
		send_all(b, p, sizeof(p));
	}
	ok(receive(a, &k, 1) == 1 && k == 'k', "50 MB up");
	ok(receive(b, &k, 1) == 1 && k == 'k', "on each of two channels");
	tp_client_free(a);
	tp_client_free(b);
	kill(broker, SIGKILL);
	waitpid(broker, NULL, 0);
}

static void
test_full(void)
{
	struct tp_client *c[17] = {NULL};
	bool alone = false;
	pid_t broker;
	int n = 0;

	c[0] = first_client(&broker, IDLE_NS);
	for (n = 1; n < 16 && (c[n] = join(NULL)); n++)
		send_request(c[n], REQ_PS, "");
	is_int(n, 16, "sixteen share");
	c[16] = join(&alone);
	ok(c[16] == NULL && alone,
	    "the seventeenth is told to dial, and to leave the others alone");
	ok(c[15] && echoes(c[15], "last"), "who has a channel keeps it");
	for (size_t i = 0; i < COUNT_OF(c); i++)
		tp_client_free(c[i]);
	kill(broker, SIGKILL);
	waitpid(broker, NULL, 0);
}

/* Whoever waits for it: a condition, for at most ten seconds. */
static bool
comes_true(bool (*test)(void))
{
	for (int i = 0; i < 500; i++) {
		if (test())
			return true;
		poll(NULL, 0, 20);
	}
	return false;
}

static bool
socket_is_gone(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, key.name);
	return access(path, F_OK) < 0;
}

static void
test_ends(void)
{
	struct tp_client *a, *b;
	pid_t broker;

	a = first_client(&broker, 50 * NS_PER_MS);
	tp_client_free(a);
	ok(comes_true(socket_is_gone), "an idle master ends, and takes its socket along");
	waitpid(broker, NULL, 0);

	a = first_client(&broker, IDLE_NS);
	send_request(a, REQ_PS, "");
	ok(a && echoes(a, "x"), "another one");
	kill(broker, SIGKILL);
	kill(fake.shared->server, SIGKILL);
	waitpid(broker, NULL, 0);
	ok(receive(a, (char[4]){0}, 4) == 0 && tp_client_ended(a), "a lost connection is an end");
	ok(comes_true(socket_is_gone), "and the end of the master");
	tp_client_free(a);
	b = join(NULL);
	ok(b == NULL, "nobody is there to be joined");
	tp_client_free(b);
}

static void
test_place(void)
{
	struct mux_key other;
	struct mux m;
	char away[140];

	make_key(&other, "elsewhere");
	ok(strcmp(other.name, key.name) != 0, "another place has another name");
	snprintf(away, sizeof(away), "%s.link", dir);
	if (symlink(dir, away) == 0) {
		mux_join(&m, away, &key, false);
		ok(m.alone && m.unsafe.code == ERR_CONFIG, "a symbolic link is not used");
		mux_close(&m);
		unlink(away);
	}
	chmod(dir, 0770);
	mux_join(&m, dir, &key, false);
	ok(m.alone && m.unsafe.code == ERR_CONFIG, "nor a directory that others may write");
	mux_close(&m);
	chmod(dir, 0700);
	mux_key_begin(&other);
	for (int i = 0; i < 100; i++)
		mux_key_add(&other,
		    "a name of one hundred and more letters, repeated until it does not "
		    "fit into what a master would be asked for any more");
	mux_key_end(&other);
	mux_join(&m, dir, &other, false);
	ok(m.alone, "what is too long is not shared");
	mux_close(&m);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	fake_init(&fake);
	fake.max_channels = 16;
	snprintf(dir, sizeof(dir), "%.50s/mux", fake.dir);
	mkdir(dir, 0700);
	make_key(&key, "here");
	test_share();
	test_slow_reader();
	test_upload();
	test_full();
	test_ends();
	test_place();
	fake_fini(&fake);
	return done_testing();
}
