/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <jansson.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "session/painter_int.h"

#define CPU_SECONDS 3600
#define STOP_WAIT_MS 1000

/* What it needs to read a file, think, and talk on one socket. */
static const int calls[] = {
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(lseek),
    SCMP_SYS(madvise),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(pread64),
    SCMP_SYS(read),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(write),
};

static bool
may_change_priority(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct own[2] = {{0}};

	return syscall(SYS_capget, &head, own) == 0 && own[0].effective >> CAP_SYS_NICE & 1;
}

_Noreturn static void
child(const struct painter *p, int sock)
{
	struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS};
	struct err e = {0};
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "coral-painter");
	if (p->forget)
		p->forget(p->forget_arg);
	setrlimit(RLIMIT_CPU, &cpu);
	if (tp_sandbox_enter(&p->sandbox, sock, p->cast, 8, &e) < 0)
		_exit(1);
	p->run(sock, p->cast);
	_exit(0);
}

static short
wants(void *arg)
{
	return painter_has_room(arg) ? POLLIN : 0;
}

static int
progress(struct painter *p, uint64_t offset)
{
	uint64_t most = p->active && p->waiting->o.upto > p->asked ? p->waiting->o.upto : p->asked;

	if (offset < p->reached || offset > most)
		return -1;
	p->reached = offset;
	if (offset - p->step_offset < PAINTER_STEP_OFFSET)
		return 0;
	painter_watch(p);
	return 0;
}

static int
piece(struct painter *p, const unsigned char *data, size_t n)
{
	const struct painter_wait *w = p->waiting;

	p->total += n;
	p->step_bytes += n;
	if (n == 0 || p->total > PAINTER_TOTAL_MAX)
		return -1;
	if (p->step_bytes >= PAINTER_STEP_BYTES)
		painter_watch(p);
	if (!w->cancelled)
		w->o.piece(w->o.arg, data, n);
	return 0;
}

/* One answer: 0, or -1 when it is none. */
static int
take(struct painter *p, int kind, uint32_t serial, const unsigned char *data, size_t n)
{
	struct rd r = {.p = data, .n = n};
	uint64_t offset;
	bool ok;

	if (kind == PAINTER_OFFSET && n == 8) {
		offset = rd_u64(&r);
		if (!p->active && offset >= p->asked)
			loop_timer_clear(p->loop, &p->t_deadline);
		return progress(p, offset);
	}
	if (!p->active || serial != p->serial)
		return -1;
	if (kind == PAINTER_PIECE)
		return piece(p, data, n);
	if (kind != PAINTER_DONE || n != 1 || data[0] > 1)
		return -1;
	ok = data[0];
	if (p->waiting->o.upto > p->asked)
		p->asked = p->waiting->o.upto;
	loop_timer_clear(p->loop, &p->t_deadline);
	painter_finish(p, ok);
	return 0;
}

/* 1: one was taken, 0: none is whole, -1: broken. */
static int
take_next(struct painter *p)
{
	struct rd r = {.p = buf_head(&p->in), .n = p->in.len};
	int kind = rd_u8(&r);
	uint32_t serial = rd_u32(&r), n = rd_u32(&r);
	const unsigned char *data;
	int rc;

	if (r.bad)
		return 0;
	if (n > PAINTER_PIECE_MAX)
		return -1;
	data = rd_bytes(&r, n);
	if (r.bad)
		return 0;
	rc = take(p, kind, serial, data, n);
	buf_consume(&p->in, PAINTER_HEAD_SIZE + n);
	return rc < 0 ? -1 : 1;
}

static void
ready(void *arg, short revents)
{
	struct painter *p = arg;
	ssize_t got = buf_read_fd(&p->in, p->sock, PAINTER_PIECE_MAX + PAINTER_HEAD_SIZE);
	int rc = 1;

	(void)revents;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		painter_lost(p);
		return;
	}
	while (rc > 0 && p->pid)
		rc = take_next(p);
	if (rc < 0)
		painter_lost(p);
}

static void
too_late(void *arg)
{
	struct painter *p = arg;

	/* Nobody takes its pieces: that is not its fault. */
	if (!painter_has_room(p))
		painter_watch(p);
	else
		painter_lost(p);
}

void
painter_watch(struct painter *p)
{
	p->step_offset = p->reached;
	p->step_bytes = 0;
	loop_timer_set(
	    p->loop, &p->t_deadline, p->active ? p->patience : p->patience_idle, too_late, p);
}

static int
make_sandbox(struct painter *p, struct err *e)
{
	if (p->sandboxed)
		return 0;
	if (tp_sandbox_init_calls(&p->sandbox, p->runtime_dir, calls, COUNT_OF(calls), e) < 0)
		return -1;
	p->sandbox.with_parent = p->sandbox.silent = true;
	p->sandboxed = true;
	return 0;
}

int
painter_start(struct painter *p, struct err *e)
{
	int pair[2];

	if (make_sandbox(p, e) < 0)
		return -1;
	if (fd_socketpair(SOCK_STREAM, 0, pair) < 0)
		return err_set(e, ERR_LIMIT, errno, "cannot talk to the process that paints");
	/* jansson opens a file for it, later. */
	json_object_seed(0);
	p->pid = fork();
	if (p->pid == 0)
		child(p, pair[1]);
	close(pair[1]);
	p->pidfd = p->pid > 0 ? pidfd_open(p->pid, 0) : -1;
	if (p->pidfd < 0 || fd_nonblock(pair[0], true) < 0) {
		err_set(e, ERR_LIMIT, errno, "cannot start the process that paints");
		close(pair[0]);
		if (p->pid > 0)
			waitpid(p->pid, NULL, 0); /* its socket is at its end: it goes by itself */
		fd_close(&p->pidfd);
		p->pid = 0;
		return -1;
	}
	p->sock = pair[0];
	p->may_lower = may_change_priority();
	p->lowered = false;
	p->asked = p->reached = p->step_offset = 0;
	buf_clear(&p->in);
	p->src = loop_add(p->loop, p->sock, wants, ready, p);
	return 0;
}

void
painter_stop(struct painter *p)
{
	struct pollfd pfd = {.fd = p->pidfd, .events = POLLIN};

	loop_timer_clear(p->loop, &p->t_deadline);
	if (!p->pid)
		return;
	loop_del(&p->src);
	fd_close(&p->sock);
	/* By pidfd: whoever waits for any child may have fetched it. */
	pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
	poll(&pfd, 1, STOP_WAIT_MS);
	waitid(P_PIDFD, (id_t)p->pidfd, &(siginfo_t){0}, WEXITED | WNOHANG);
	fd_close(&p->pidfd);
	p->pid = 0;
}

/* It cannot rise again by itself, and we only with CAP_SYS_NICE. */
static void
set_priority(struct painter *p, bool low)
{
	struct sched_param none = {0};

	if (p->may_lower && p->lowered != low &&
	    sched_setscheduler(p->pid, low ? SCHED_IDLE : SCHED_OTHER, &none) == 0)
		p->lowered = low;
}

int
painter_send(struct painter *p, enum painter_order_kind kind, const struct painter_order *o)
{
	unsigned char bytes[PAINTER_ORDER_SIZE + 4];
	struct buf b = {.data = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};

	set_priority(p, kind == PAINTER_CATCH_UP);
	buf_put_u32(&b, ++p->serial);
	buf_put_u8(&b, (uint8_t)kind);
	buf_put_u8(&b, (uint8_t)o->what);
	buf_put_u8(&b, !p->lowered);
	buf_put_u8(&b, 0);
	buf_put_u16(&b, (uint16_t)(o->rows < 0 ? 0 : o->rows > UINT16_MAX ? UINT16_MAX : o->rows));
	buf_put_u16(&b, (uint16_t)(o->cols < 0 ? 0 : o->cols > UINT16_MAX ? UINT16_MAX : o->cols));
	buf_put_u64(&b, o->upto);
	return send(p->sock, bytes, b.len, MSG_NOSIGNAL) == (ssize_t)b.len ? 0 : -1;
}
