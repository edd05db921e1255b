/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/send.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit/log.h"
#include "audit/serve.h"
#include "base/fd.h"
#include "base/log.h"

#define ANSWER_MS 5000
#define SYNCED_MS 60000 /* the disk may have much to do */

int
audit_dir(const char *state_dir, char *out, size_t size, struct err *e)
{
	if ((size_t)snprintf(out, size, "%s/audit", state_dir) < size)
		return 0;
	return err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot keep an audit log in %s", state_dir);
}

/* -1 with errno: ENOENT or ECONNREFUSED where nobody listens. */
static int
reach(const char *dir, int flags)
{
	struct sockaddr_un a;
	auto_close int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = -1;

	if (at < 0)
		return -1;
	audit_sock_name(at, &a);
	/* Who has no /proc has a short path. */
	if (strlen(dir) + sizeof "/" AUDIT_SOCK <= sizeof a.sun_path)
		snprintf(a.sun_path, sizeof a.sun_path, "%s/" AUDIT_SOCK, dir);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
		return -1;
	return steal_fd(&fd);
}

/* What it says when it writes no more is of no use to who wants the first word of it. */
static int
send_record(int fd, const json_t *rec, char kind)
{
	auto_free char *text = json_dumps(rec, JSON_COMPACT);
	size_t n = text ? strlen(text) : 0;
	struct iovec v[2] = {{&kind, 1}, {text, n}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

	if (!text) {
		errno = ENOMEM;
		return -1;
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)(n + 1) ? 0 : -1;
}

static int
write_here(struct audit_call *c, const char *dir, const json_t *rec, char kind, struct err *e)
{
	c->log = audit_log_open(dir, e);
	if (!c->log)
		return -1;
	if (audit_log_put(c->log, rec, kind != AUDIT_SAY, e) == 0)
		return 0;
	audit_log_close(c->log);
	c->log = NULL;
	return -1;
}

static int
no_writer(int sys, struct err *e)
{
	err_set(e, ERR_RECORDING, sys, "the audit log cannot go on");
	err_why(e, "the process coral-audit does not answer: %s", strerror(sys));
	return err_hint(e, "see the agent's messages, or start it anew");
}

static int
begin(struct audit_call *c, const char *state_dir, const json_t *rec, char kind, struct err *e)
{
	char dir[512];

	*c = (struct audit_call){.fd = -1};
	if (audit_dir(state_dir, dir, sizeof dir, e) < 0)
		return -1;
	c->fd = reach(dir, 0);
	if (c->fd < 0 && errno != ENOENT && errno != ECONNREFUSED)
		return no_writer(errno, e);
	if (c->fd >= 0 && send_record(c->fd, rec, kind) < 0) {
		no_writer(errno, e);
		fd_close(&c->fd);
		return -1;
	}
	if (c->fd < 0 && write_here(c, dir, rec, kind, e) < 0)
		return -1;
	c->sent = true;
	return 0;
}

int
audit_call_begin(
    struct audit_call *c, const char *state_dir, const json_t *rec, bool reserve, struct err *e)
{
	return begin(c, state_dir, rec, reserve ? AUDIT_SAY_RESERVE : AUDIT_SAY, e);
}

static int
wait_for(struct audit_call *c, int ms, struct err *e)
{
	unsigned char answer[ERR_WIRE_MAX + 1];
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	ssize_t n;
	int rc;

	if (c->fd < 0)
		return 0;
	do
		rc = poll(&p, 1, ms);
	while (rc < 0 && errno == EINTR);
	n = rc > 0 ? recv(c->fd, answer, sizeof answer, 0) : -1;
	if (n == 0)
		errno = ECONNRESET;
	if (rc == 0)
		errno = ETIMEDOUT;
	if (n <= 0)
		rc = no_writer(errno, e);
	else if (n == 1)
		rc = 0;
	else if (err_decode(e, answer + 1, (size_t)n - 1))
		rc = -1;
	else
		rc = no_writer(EPROTO, e);
	fd_close(&c->fd);
	return rc;
}

int
audit_call_wait(struct audit_call *c, struct err *e)
{
	return wait_for(c, ANSWER_MS, e);
}

static int
end(struct audit_call *c, struct err *e)
{
	int rc = 0;

	if (!c->sent)
		return 0;
	fd_close(&c->fd);
	if (c->log)
		rc = audit_log_sync(c->log, e);
	audit_log_close(c->log);
	*c = (struct audit_call){.fd = -1};
	return rc;
}

void
audit_call_end(struct audit_call *c)
{
	struct err e = {0};

	if (end(c, &e) < 0)
		log_error_of(&e, "writing the audit log");
}

int
audit_put(const char *state_dir, const json_t *rec, bool reserve, struct err *e)
{
	struct audit_call c;
	int rc;

	if (audit_call_begin(&c, state_dir, rec, reserve, e) < 0)
		return -1;
	rc = audit_call_wait(&c, e);
	audit_call_end(&c);
	return rc;
}

int
audit_put_synced(const char *state_dir, const json_t *rec, struct err *e)
{
	struct audit_call c;
	int rc;

	if (begin(&c, state_dir, rec, AUDIT_SAY_SYNCED, e) < 0)
		return -1;
	rc = wait_for(&c, SYNCED_MS, e);
	return end(&c, rc < 0 ? NULL : e) < 0 ? -1 : rc;
}

int
audit_tell(const char *state_dir, const json_t *rec)
{
	char dir[512];
	auto_close int fd = -1;

	if (audit_dir(state_dir, dir, sizeof dir, NULL) < 0)
		return -1;
	fd = reach(dir, SOCK_NONBLOCK);
	return fd < 0 ? -1 : send_record(fd, rec, AUDIT_SAY);
}
