/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/seccomp.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "target/caps.h"

#define WAIT NS_PER_S

/* Before each filter, or in its place: n is 0 and why an errno, or both are 0 at the end. */
struct part {
	uint32_t n, flags, why, during;
};
enum during { SEIZE, STOP, COUNT, READ };

/* The kernel's, which libcs before 2.33 do not have. */
struct metadata {
	uint64_t off, flags;
};

static void
send_part(int fd, struct part part, const struct sock_filter *insn)
{
	if (fd_write_all(fd, &part, sizeof(part)) == 0 && part.n > 0)
		fd_write_all(fd, insn, part.n * sizeof(*insn));
}

static void
send_filters(int fd, pid_t pid)
{
	static struct sock_filter insn[SC_INSNS_MAX];
	size_t i;

	for (i = 0; i <= SC_FILTERS_MAX; i++) {
		struct metadata meta = {.off = i};
		long n = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)i, NULL);

		if (n < 0 && errno == ENOENT && i > 0)
			break;
		if (n <= 0 || n > SC_INSNS_MAX || i == SC_FILTERS_MAX) {
			send_part(fd,
			    (struct part){
				.why = (uint32_t)(n < 0 ? errno : EFBIG), .during = COUNT},
			    NULL);
			return;
		}
		if (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)i, insn) != n) {
			send_part(fd, (struct part){.why = EIO, .during = READ}, NULL);
			return;
		}
		/* Since 4.16; before, no flag had been invented that outlives the call. */
		if (ptrace(PTRACE_SECCOMP_GET_METADATA, pid, (void *)sizeof(meta), &meta) < 0)
			meta.flags = 0;
		send_part(fd, (struct part){.n = (uint32_t)n, .flags = (uint32_t)meta.flags}, insn);
	}
	send_part(fd, (struct part){0}, NULL);
}

/* Whatever becomes of this process, its end lets the other one go: ptrace(2). */
static _Noreturn void
helper(int fd, pid_t pid, pid_t parent)
{
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0) {
		send_part(fd, (struct part){.why = (uint32_t)errno, .during = SEIZE}, NULL);
	} else if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
		   waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) {
		send_part(fd, (struct part){.why = ESRCH, .during = STOP}, NULL);
	} else {
		/* It stopped by a signal of its own before ours came: that one is its to have. */
		bool event = status >> 16;

		send_filters(fd, pid);
		ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)(event ? 0 : WSTOPSIG(status)));
	}
	_exit(0);
}

static int
tracer_of(int proc, pid_t pid, struct err *e)
{
	auto_close int pd = proc_open(proc, pid), other = -1;
	struct proc_status st;
	struct proc_stat who;
	char comm[128];

	if (pd < 0 || proc_read_status(pd, &st) < 0)
		return 0;
	proc_status_fini(&st);
	if (st.tracer <= 0)
		return 0;
	err_set(e, ERR_DENIED, 0, "cannot copy the seccomp filter of process %d", (int)pid);
	other = proc_open(proc, st.tracer);
	if (other >= 0 && proc_read_stat(other, &who) == 0)
		err_why(e, "process %d (%s) traces it, and only one can at a time", (int)st.tracer,
		    (str_vis(comm, sizeof(comm), who.comm), comm));
	else
		err_why(e, "process %d traces it, and only one can at a time", (int)st.tracer);
	return err_hint(e, "end the tracer first, or leave --seccomp=copy out");
}

bool
sc_may_copy(void)
{
	return (caps_effective() & CAP_BIT(CAP_SYS_ADMIN)) && prctl(PR_GET_SECCOMP) == 0;
}

static int
may_not(pid_t pid, struct err *e)
{
	err_set(e, ERR_PRIVILEGE, 0, "cannot copy the seccomp filter of process %d", (int)pid);
	err_why(e, "the kernel tells it only to who has CAP_SYS_ADMIN outside of every container "
		   "and no filter himself");
	return err_hint(e, "leave --seccomp=copy out, or run the agent on the host");
}

static int
explain(int proc, pid_t pid, const struct part *part, struct err *e)
{
	int sys = (int)part->why;

	if (part->during == SEIZE && sys == EPERM && tracer_of(proc, pid, e) < 0)
		return -1;
	if (sys == ESRCH) {
		err_set(e, ERR_TARGET_GONE, 0, "process %d is gone", (int)pid);
		err_why(e, "it ended while its seccomp filter was read");
		return err_hint(e, "coral ps lists what can be entered now");
	}
	if (sys == EACCES && part->during != SEIZE)
		return may_not(pid, e);
	err_set(e, sys == EPERM || sys == EACCES ? ERR_PRIVILEGE : ERR_LIMIT, sys,
	    "cannot copy the seccomp filter of process %d", (int)pid);
	if (sys == EFBIG)
		err_why(e, "it has more than %d filters", SC_FILTERS_MAX);
	else if (part->during == SEIZE && (sys == EPERM || sys == EACCES))
		caps_why(e, CAP_BIT(CAP_SYS_PTRACE));
	else if (sys == EINVAL || sys == EIO)
		err_why(e, "this kernel does not tell: it lacks CONFIG_CHECKPOINT_RESTORE");
	return err_hint(e, "leave --seccomp=copy out: the container's own filter is applied then");
}

static int
read_full(int fd, void *into, size_t n, int64_t deadline)
{
	for (size_t got = 0; got < n;) {
		struct pollfd pf = {.fd = fd, .events = POLLIN};
		int64_t left = deadline - clock_mono();
		int rc = poll(&pf, 1, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0);
		ssize_t r;

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0)
			return -1;
		r = read(fd, (char *)into + got, n - got);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return -1;
		got += (size_t)r;
	}
	return 0;
}

static int
receive(int fd, int proc, pid_t pid, struct sc_set *out, struct err *e)
{
	auto_free struct sock_filter *insn = malloc(SC_INSNS_MAX * sizeof(*insn));
	int64_t deadline = clock_mono() + WAIT;
	struct part part;

	while (insn && read_full(fd, &part, sizeof(part), deadline) == 0) {
		if (part.why)
			return explain(proc, pid, &part, e);
		if (part.n == 0)
			return 0;
		if (part.n > SC_INSNS_MAX ||
		    read_full(fd, insn, part.n * sizeof(*insn), deadline) < 0 ||
		    sc_set_add(out, insn, part.n, part.flags) < 0)
			break;
	}
	err_set(e, ERR_LIMIT, 0, "cannot copy the seccomp filter of process %d", (int)pid);
	err_why(e, "it did not stop for a look within a second: it waits in the kernel for "
		   "something that does not come");
	return err_hint(e, "leave --seccomp=copy out: the container's own filter is applied then");
}

int
sc_copy(int proc, pid_t pid, struct sc_set *out, struct err *e)
{
	/* Its end sends us no signal: nobody here waits for a child yet. */
	int pidfd = -1, ends[2], rc;
	struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd};
	pid_t child, self = getpid();
	siginfo_t si;

	if (!sc_may_copy())
		return may_not(pid, e);
	if (tracer_of(proc, pid, e) < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, ERR_LIMIT, errno, "cannot make a pipe");
	child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (child == 0)
		helper(ends[1], pid, self);
	close(ends[1]);
	rc = child < 0 ? err_set(e, ERR_LIMIT, errno, "cannot start a process to read the filter")
		       : receive(ends[0], proc, pid, out, e);
	close(ends[0]);
	if (child > 0) {
		/* Done, or stuck: then its end is what lets the target go. */
		if (rc < 0)
			pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		while (waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | __WALL) < 0 && errno == EINTR)
			;
		close(pidfd);
	}
	if (rc < 0)
		sc_set_fini(out);
	return rc;
}
