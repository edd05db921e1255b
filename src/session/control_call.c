/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The side of who asks at a session's door: a fork of the broker. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "session/control_int.h"
#include "session/live.h"

#define CALL_NS (5 * NS_PER_S)
#define ALL_NS (2 * NS_PER_S)
/* So many sessions are asked at a time, and one that is silent holds its place for so long. */
#define AT_ONCE 128
#define EACH_NS (NS_PER_S / 2)
#define KNOCK_MS 50

static int
left_ms(int64_t until)
{
	int64_t left = until - clock_mono();

	return left > 0 ? (int)(left / NS_PER_MS) + 1 : 0;
}

/* A connected socket, -1 with errno: EAGAIN when a keeper has not taken those before us, which a
 * socket that does not block is told at once. */
static int
knock(int dir, const char *id)
{
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at;

	control_address(dir, id, &at);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
		return -1;
	if (control_is_ours(fd, NULL))
		return steal_fd(&fd);
	errno = EPERM;
	return -1;
}

static int
knock_until(int dir, const char *id, int64_t until)
{
	int fd;

	while ((fd = knock(dir, id)) < 0 && errno == EAGAIN && left_ms(until) > 0)
		poll(NULL, 0, KNOCK_MS);
	return fd;
}

static int
no_door(const char *id, struct err *e)
{
	int sys = errno;

	if (sys != ENOENT && sys != ECONNREFUSED && sys != EAGAIN)
		return err_set(e, ERR_IO, sys, "cannot reach session %s", id);
	err_set(e, sys == EAGAIN ? ERR_TIMEOUT : ERR_NO_SESSION, 0, "cannot reach session %s", id);
	if (sys != EAGAIN) {
		err_why(e, "it has ended, or has only just begun");
		return err_hint(e, "coral sessions show %s", id);
	}
	err_why(e, "its keeper takes no questions: it is stopped, or waits for a disk");
	return err_hint(e, "try again; on the agent's host, look for a stopped coral-keeper");
}

static int
silent(int fd, const char *id, struct err *e)
{
	int pid = 0;

	control_is_ours(fd, &pid);
	err_set(e, ERR_TIMEOUT, 0, "session %s does not answer", id);
	err_why(e,
	    "its keeper, process %d, was silent for %d s: it is stopped, or waits for a disk", pid,
	    (int)(CALL_NS / NS_PER_S));
	return err_hint(e, "try again; on the agent's host, look at /proc/%d/stack", pid);
}

/* The answer that stands ready on fd. */
static json_t *
take_answer(int fd, const char *id, struct err *e)
{
	auto_free unsigned char *text = malloc(CONTROL_ANSWER_MAX);
	ssize_t n = text ? fd_recv_msg(fd, text, CONTROL_ANSWER_MAX, NULL, NULL) : -1;

	if (n > 1 && text[0] == CONTROL_YES)
		return json_parse((const char *)text + 1, (size_t)n - 1, e);
	if (n > 1 && text[0] == CONTROL_NO) {
		struct err ignored;

		err_decode(e ? e : &ignored, text + 1, (size_t)n - 1);
		return NULL;
	}
	err_set(e, ERR_NO_SESSION, 0, "session %s has gone", id);
	err_why(e, "its keeper ended before it answered, or does not know the question");
	err_hint(e, "coral sessions show %s", id);
	return NULL;
}

json_t *
control_call(const struct conf *c, const char *id, const struct control_ask *a, struct err *e)
{
	int64_t until = clock_mono() + CALL_NS;
	auto_close int dir = session_live_dir(c, e);
	auto_close int fd = -1;
	struct pollfd p = {.events = POLLIN};
	struct buf b;
	int rc;

	if (dir < 0)
		return NULL;
	fd = knock_until(dir, id, until);
	if (fd < 0) {
		if (errno == ECONNREFUSED) {
			control_remove_dead(c, id);
			errno = ECONNREFUSED;
		}
		no_door(id, e);
		return NULL;
	}
	buf_init(&b, CONTROL_ASK_MAX);
	rc = control_encode(a, &b, e);
	if (rc == 0 && fd_send_msg(fd, buf_head(&b), b.len, &a->stream, a->stream >= 0) < 0)
		rc = err_set(e, ERR_IO, errno, "cannot ask session %s", id);
	buf_fini(&b);
	if (rc < 0)
		return NULL;
	p.fd = fd;
	while ((rc = poll(&p, 1, left_ms(until))) < 0 && errno == EINTR)
		;
	if (rc > 0)
		return take_answer(fd, id, e);
	silent(fd, id, e);
	return NULL;
}

bool
control_there(const struct conf *c, const char *id)
{
	auto_close int dir = session_live_dir(c, NULL);
	auto_close int fd = dir >= 0 ? knock(dir, id) : -1;

	return fd >= 0 || (dir >= 0 && errno == EAGAIN);
}

struct asked {
	struct pollfd p[AT_ONCE];
	int64_t until[AT_ONCE];
	size_t which[AT_ONCE];
	size_t n;
};

static void
ask_next(struct asked *q, int dir, const struct buf *text, const char *id, size_t which)
{
	int fd = knock(dir, id);

	if (fd < 0)
		return;
	if (fd_send_msg(fd, buf_head(text), text->len, NULL, 0) < 0) {
		close(fd);
		return;
	}
	q->p[q->n] = (struct pollfd){.fd = fd, .events = POLLIN};
	q->until[q->n] = clock_mono() + EACH_NS;
	q->which[q->n++] = which;
}

static void
hear_all(struct asked *q, const char *const *ids, json_t **out, int64_t now)
{
	for (size_t i = 0; i < q->n;) {
		if (q->p[i].revents)
			out[q->which[i]] = take_answer(q->p[i].fd, ids[q->which[i]], NULL);
		else if (now < q->until[i]) {
			i++;
			continue;
		}
		close(q->p[i].fd);
		q->n--;
		q->p[i] = q->p[q->n];
		q->until[i] = q->until[q->n];
		q->which[i] = q->which[q->n];
	}
}

void
control_call_all(const struct conf *c, const char *const *ids, size_t n,
    const struct control_ask *a, json_t **out)
{
	int64_t until = clock_mono() + ALL_NS;
	auto_close int dir = session_live_dir(c, NULL);
	auto_free struct asked *q = calloc(1, sizeof *q);
	size_t next = 0;
	struct buf b;

	memset(out, 0, n * sizeof *out);
	buf_init(&b, CONTROL_ASK_MAX);
	if (dir < 0 || !q || control_encode(a, &b, NULL) < 0)
		n = 0;
	while ((next < n || (q && q->n > 0)) && left_ms(until) > 0) {
		int64_t soonest = until;

		for (; next < n && q->n < AT_ONCE; next++)
			ask_next(q, dir, &b, ids[next], next);
		for (size_t i = 0; i < q->n; i++)
			soonest = q->until[i] < soonest ? q->until[i] : soonest;
		if (q->n > 0 && poll(q->p, q->n, left_ms(soonest)) < 0)
			break;
		hear_all(q, ids, out, clock_mono());
	}
	for (size_t i = 0; q && i < q->n; i++)
		close(q->p[i].fd);
	buf_fini(&b);
}
