/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "audit/log.h"
#include "audit/record.h"
#include "audit/serve_int.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define BACKLOG 1024
#define CALLERS_MAX 40
#define SAY_NS (2 * NS_PER_S)
#define SYNC_NS (NS_PER_S / 5)
#define IDLE_NS (2 * NS_PER_S)

static char said[4 * AUDIT_LINE_MAX];

struct server {
	struct loop *loop;
	struct audit_log *log;
	int listener;
	size_t callers;
	struct audit_out out;
	struct loop_timer t_sync, t_idle;
};

struct caller {
	struct server *s;
	int fd;
	struct loop_src *src;
	struct loop_timer t_say;
};

void
audit_sock_name(int dir, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/%s", dir, AUDIT_SOCK);
}

int
audit_listen(const char *dir, struct err *e)
{
	auto_close int at = -1, fd = -1;
	struct sockaddr_un a;
	mode_t mask;
	int rc;

	if (fd_make_dir(dir, 0700, e) < 0)
		return -1;
	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (at >= 0)
		unlinkat(at, AUDIT_SOCK, 0);
	audit_sock_name(at, &a);
	mask = umask(0177);
	rc = at < 0 || fd < 0 ? -1 : bind(fd, (struct sockaddr *)&a, sizeof a);
	umask(mask);
	if (rc < 0 || listen(fd, BACKLOG) < 0)
		return err_set(e, ERR_IO, errno, "cannot listen on %s/%s", dir, AUDIT_SOCK);
	return steal_fd(&fd);
}

const int *
audit_calls(size_t *n)
{
	static const int calls[] = {SYS_accept4, SYS_brk, SYS_clock_gettime, SYS_close, SYS_exit,
	    SYS_exit_group, SYS_fallocate, SYS_fcntl, SYS_fdatasync, SYS_flock, SYS_fstat,
	    SYS_fsync, SYS_ftruncate, SYS_futex, SYS_getdents64, SYS_geteuid, SYS_getpid,
	    SYS_getrandom, SYS_getsockopt, SYS_gettid, SYS_lseek, SYS_madvise, SYS_mkdir,
	    SYS_mremap, SYS_munmap, SYS_newfstatat, SYS_openat, SYS_poll, SYS_ppoll, SYS_pread64,
	    SYS_pwrite64, SYS_read, SYS_recvfrom, SYS_recvmsg, SYS_renameat2, SYS_restart_syscall,
	    SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sendmsg, SYS_sendto, SYS_uname, SYS_unlinkat,
	    SYS_write, SYS_writev};

	*n = COUNT_OF(calls);
	return calls;
}

static void
sync_now(void *arg)
{
	struct server *s = arg;
	struct err e = {0};

	if (audit_log_sync(s->log, &e) < 0)
		log_error_of(&e, "writing the audit log");
}

/* It waits for most of its life. */
static void
idle(void *arg)
{
	(void)arg;
	mem_forget(said, sizeof said);
	mem_trim();
}

static void
caller_free(struct caller *c)
{
	loop_del(&c->src);
	loop_timer_clear(c->s->loop, &c->t_say);
	fd_close(&c->fd);
	c->s->callers--;
	free(c);
}

static void
answer(int fd, const struct err *e)
{
	unsigned char out[ERR_WIRE_MAX + 1] = {e->code != ERR_NONE};
	size_t n = 1;

	if (out[0])
		n += err_encode(e, out + 1);
	/* Who has gone meanwhile has its record all the same. */
	(void)!send(fd, out, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int
put(struct server *s, const char *p, size_t n, struct err *e)
{
	bool known = p[0] == AUDIT_SAY || p[0] == AUDIT_SAY_RESERVE || p[0] == AUDIT_SAY_SYNCED;
	json_t *rec = n > 1 && known ? json_parse(p + 1, n - 1, e) : NULL;
	int rc = -1;

	if (rec && json_is_object(rec)) {
		rc = audit_log_put(s->log, rec, p[0] != AUDIT_SAY, e);
	} else if (e->code == ERR_NONE) {
		err_set(e, ERR_PROTOCOL, 0, "coral-audit was sent what is no record");
		err_why(e, "it is of no kind that it knows, or has no JSON object");
	}
	json_decref(rec);
	if (rc == 0)
		audit_out_put(&s->out, audit_log_last(s->log));
	if (rc == 0 && p[0] == AUDIT_SAY_SYNCED)
		rc = audit_log_sync(s->log, e);
	else if (rc == 0 && s->t_sync.at == 0)
		loop_timer_set(s->loop, &s->t_sync, SYNC_NS, sync_now, s);
	loop_timer_set(s->loop, &s->t_idle, IDLE_NS, idle, s);
	return rc;
}

static int
too_much(size_t n, struct err *e)
{
	err_set(e, ERR_LIMIT, 0, "coral-audit was sent too much");
	err_why(e, "a message of %zu bytes, of %zu at most", n, sizeof said);
	return err_hint(e, "say less: a shorter command, or reason");
}

/* false: it has said nothing yet. */
static bool
hear(struct server *s, int fd)
{
	struct err e = {0};
	ssize_t n = recv(fd, said, sizeof said, MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0)
		return true;
	if ((size_t)n > sizeof said)
		too_much((size_t)n, &e);
	else if (put(s, said, (size_t)n, &e) < 0)
		log_error_of(&e, "writing the audit log");
	answer(fd, &e);
	return true;
}

static void
caller_says(void *arg, short revents)
{
	struct caller *c = arg;

	(void)revents;
	if (hear(c->s, c->fd))
		caller_free(c);
}

static void
caller_silent(void *arg)
{
	caller_free(arg);
}

static bool
is_ours(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.uid == geteuid();
}

static short
has_room(void *arg)
{
	const struct server *s = arg;

	return s->callers < CALLERS_MAX ? POLLIN : 0;
}

static void
accept_caller(void *arg, short revents)
{
	struct server *s = arg;
	auto_close int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	struct caller *c;

	(void)revents;
	/* Mostly it has said it by now. */
	if (fd < 0 || !is_ours(fd) || hear(s, fd))
		return;
	c = calloc(1, sizeof *c);
	if (!c)
		return;
	c->s = s;
	c->fd = steal_fd(&fd);
	c->src = loop_add_in(s->loop, c->fd, caller_says, c);
	loop_timer_set(s->loop, &c->t_say, SAY_NS, caller_silent, c);
	s->callers++;
}

int
audit_serve(int listener, int out, const char *dir, struct err *e)
{
	static struct server s;

	s = (struct server){.listener = listener, .loop = loop_new()};
	if (!s.loop)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot write the audit log");
	s.log = audit_log_open(dir, e);
	if (!s.log)
		return -1;
	audit_out_init(&s.out, s.loop, out);
	loop_add(s.loop, listener, has_room, accept_caller, &s);
	loop_run(s.loop);
	return 0;
}
