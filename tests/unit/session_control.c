/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "record/store.h"
#include "session/control_int.h"
#include "session/live.h"
#include "tap.h"

static struct conf conf;

static struct control_ask
question(enum request_verb verb, int stream)
{
	struct control_ask a = {.stream = stream};

	snprintf(a.who.user, sizeof a.who.user, "alice");
	snprintf(a.who.roles, sizeof a.who.roles, "sre,dev");
	snprintf(a.peer, sizeof a.peer, "203.0.113.9:4022");
	a.who.uid = 1000;
	request_init(&a.req);
	a.req.verb = verb;
	return a;
}

/* What a keeper would do with one question: yes with what it understood, or no. */
static void
answer_one(int door)
{
	struct pollfd p = {.fd = door, .events = POLLIN};
	struct control_ask a;
	struct err e = {0};
	json_t *j = NULL;
	int fd;

	if (poll(&p, 1, 5000) <= 0 || (fd = control_accept(door, &a)) < 0)
		return;
	if (a.req.verb == REQ_KILL)
		err_set(&e, ERR_DENIED, 0, "not this one");
	else
		j = json_pack("{s:s, s:s, s:s, s:i, s:b, s:s}", "user", a.who.user, "roles",
		    a.who.roles, "peer", a.peer, "uid", (int)a.who.uid, "root", a.who.root, "verb",
		    request_verb_name(a.req.verb));
	if (a.stream >= 0 && fd_write_all(a.stream, "hello", 5) < 0)
		_exit(1);
	control_answer(fd, j, &e);
	json_decref(j);
	control_ask_fini(&a);
}

static pid_t
start_keeper(const char *id, int answers)
{
	struct err e = {0};
	int door = control_listen(&conf, id, &e);
	pid_t pid = door >= 0 ? fork() : -1;

	if (pid == 0) {
		while (answers-- > 0)
			answer_one(door);
		/* Open, and never answered: as a keeper that hangs. */
		for (;;)
			pause();
	}
	fd_close(&door);
	return pid;
}

static void
stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
test_call(void)
{
	char id[STORE_ID_LEN + 1], got[8] = "";
	struct control_ask a = question(REQ_ATTACH, -1);
	struct err e = {0};
	int pair[2];
	json_t *j;
	pid_t pid;

	store_new_id(id);
	ok(!control_call(&conf, id, &a, &e) && e.code == ERR_NO_SESSION && e.hint[0], "no door: %s",
	    e.what);
	pid = start_keeper(id, 2);
	ok(pid > 0 && fd_socketpair(SOCK_STREAM, 0, pair) == 0, "a keeper, and a stream");
	a.stream = pair[1];
	j = control_call(&conf, id, &a, &e);
	is_str(json_str(j, "user"), "alice", "who asks");
	is_str(json_str(j, "roles"), "sre,dev", "with which roles");
	is_str(json_str(j, "peer"), "203.0.113.9:4022", "from where");
	is_int(json_int(j, "uid", 0), 1000, "and which uid");
	ok(json_is_false(json_object_get(j, "root")), "not root");
	is_str(json_str(j, "verb"), "attach", "and what");
	json_decref(j);
	close(pair[1]);
	ok(fd_read_full(pair[0], got, 5) == 5 && strcmp(got, "hello") == 0,
	    "the stream went along");
	ok(fd_read_full(pair[0], got, 1) == 0, "and is closed with its taker's");
	close(pair[0]);
	a = question(REQ_KILL, -1);
	ok(!control_call(&conf, id, &a, &e) && e.code == ERR_DENIED &&
		strcmp(e.what, "not this one") == 0,
	    "a refusal comes through");
	stop(pid);
	ok(!control_call(&conf, id, &a, &e) && e.code == ERR_NO_SESSION, "a dead one's door: %s",
	    e.why);
	session_live_shut(&conf, id);
}

/* A stream that is missing, one too many, and verbs that no keeper has. */
static void
test_wrong_questions(void)
{
	static const struct {
		enum request_verb verb;
		bool stream;
	} wrong[] = {{REQ_ATTACH, false}, {REQ_WATCH, false}, {REQ_KILL, true},
	    {REQ_SESSIONS, true}, {REQ_PS, true}, {REQ_READ, false}, {REQ_REMOVE, false}};
	char id[STORE_ID_LEN + 1];
	pid_t pid;

	store_new_id(id);
	pid = start_keeper(id, (int)COUNT_OF(wrong));
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		int fd = wrong[i].stream ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
		struct control_ask a = question(wrong[i].verb, fd);
		struct err e = {0};
		json_t *j = control_call(&conf, id, &a, &e);

		ok(!j && e.code == ERR_NO_SESSION, "no answer to %s %s stream: %s, %s",
		    request_verb_name(wrong[i].verb), wrong[i].stream ? "with a" : "without a",
		    e.what, e.why);
		json_decref(j);
		fd_close(&fd);
	}
	stop(pid);
	session_live_shut(&conf, id);
}

static void
test_all_at_once(void)
{
	char id[5][STORE_ID_LEN + 1];
	const char *ids[5];
	struct control_ask a = question(REQ_SESSIONS, -1);
	json_t *out[5];
	pid_t pid[5];
	int64_t began;

	for (int i = 0; i < 5; i++) {
		store_new_id(id[i]);
		ids[i] = id[i];
		/* The second never answers, the fourth has no door. */
		pid[i] = i == 3 ? 0 : start_keeper(id[i], i == 1 ? 0 : 1);
	}
	began = clock_mono();
	control_call_all(&conf, ids, 5, &a, out);
	ok(clock_mono() - began < 2500 * NS_PER_MS, "in time");
	for (int i = 0; i < 5; i++) {
		ok((out[i] != NULL) == (i != 1 && i != 3), "%d: %s", i,
		    out[i] ? "answered" : "did not");
		json_decref(out[i]);
		if (pid[i] > 0)
			stop(pid[i]);
		session_live_shut(&conf, id[i]);
	}
}

/* Whoever is served must still be there. */
static void
test_gave_up(void)
{
	char id[STORE_ID_LEN + 1];
	struct control_ask a = question(REQ_KILL, -1), got;
	struct err e = {0};
	int door, fd, dir = session_live_dir(&conf, &e);
	struct sockaddr_un at;
	struct buf b;

	store_new_id(id);
	door = control_listen(&conf, id, &e);
	control_address(dir, id, &at);
	buf_init(&b, CONTROL_ASK_MAX);
	ok(control_encode(&a, &b, &e) == 0, "a question");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ok(connect(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
		fd_send_msg(fd, buf_head(&b), b.len, NULL, 0) > 0,
	    "is asked");
	close(fd);
	ok(control_accept(door, &got) < 0, "and not heard: its asker has gone");
	ok(control_accept(door, &got) < 0, "nobody is there");
	buf_fini(&b);
	control_close(&conf, id, &door);
	ok(faccessat(dir, at.sun_path, F_OK, 0) < 0 && door == -1, "the door is taken away");
	fd_close(&dir);
}

static void
test_decode(void)
{
	struct control_ask a = question(REQ_WATCH, -1), got;
	struct err e = {0};
	unsigned char bad[CONTROL_ASK_MAX];
	struct buf b;

	snprintf(a.req.id, sizeof a.req.id, "x");
	buf_init(&b, CONTROL_ASK_MAX);
	ok(control_encode(&a, &b, &e) == 0 && control_decode(&got, buf_head(&b), b.len) == 0,
	    "there and back");
	control_ask_fini(&got);
	/* Before its last field it is whole, too. */
	for (size_t n = 0; n < b.len; n++)
		if (control_decode(&got, buf_head(&b), n) == 0) {
			ok(n == b.len - 6 && !got.req.id[0], "cut at %zu", n);
			control_ask_fini(&got);
		}
	memcpy(bad, buf_head(&b), b.len);
	bad[0]++;
	ok(control_decode(&got, bad, b.len) < 0, "another version");
	bad[0]--;
	bad[5] = 2;
	ok(control_decode(&got, bad, b.len) < 0, "half a root");
	bad[5] = 1;
	ok(control_decode(&got, bad, b.len) == 0 && got.who.root, "a root");
	control_ask_fini(&got);
	bad[8] = 0;
	ok(control_decode(&got, bad, b.len) < 0, "a NUL in a name");
	buf_fini(&b);
}

int
main(void)
{
	char dir[] = "/tmp/coral-control.XXXXXX", live[64];

	log_open("test", LOG_LV_ERR);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return 1;
	snprintf(conf.runtime_dir, sizeof conf.runtime_dir, "%s", dir);
	snprintf(live, sizeof live, "%s/live", dir);
	test_call();
	test_wrong_questions();
	test_all_at_once();
	test_gave_up();
	test_decode();
	ok(rmdir(live) == 0 && rmdir(dir) == 0, "nothing is left");
	return done_testing();
}
