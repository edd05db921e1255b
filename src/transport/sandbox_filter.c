/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

/* What the loop, libssh and libcrypto do after the sandbox is entered. */
static const int allowed[] = {
    SCMP_SYS(brk),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(close),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(getpeername),
    SCMP_SYS(getpid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(gettid),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(madvise),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(shutdown),
    SCMP_SYS(time),
    SCMP_SYS(write),
    SCMP_SYS(writev),
};

/* Of the sanitizers. */
static const int instrumented[] = {
    SCMP_SYS(prctl),
    SCMP_SYS(readlink),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(getrandom),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
};

/* Tried by the libraries and not needed: an error, not death. */
static const int refused[] = {
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(access),
    SCMP_SYS(stat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(fstat),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(ioctl),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
};

static int
add_list(scmp_filter_ctx ctx, uint32_t action, const int *v, size_t n)
{
	int rc = 0;

	/* -EDOM: this architecture has no such call. */
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = seccomp_rule_add(ctx, action, v[i], 0);
		if (rc == -EDOM)
			rc = 0;
	}
	return rc;
}

static int
add_memory(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp not_exec = {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0};
	int rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &not_exec);

	if (rc == 0)
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &not_exec);
	return rc;
}

/* Calls that are harmless with some arguments only. */
static int
add_bounded(scmp_filter_ctx ctx)
{
	static const int fcntls[] = {F_GETFL, F_SETFL, F_GETFD, F_SETFD};
	const struct scmp_arg_cmp nodelay[] = {
	    {1, SCMP_CMP_EQ, IPPROTO_TCP, 0}, {2, SCMP_CMP_EQ, TCP_NODELAY, 0}};
	int rc = 0;

	for (size_t i = 0; i < COUNT_OF(fcntls) && rc == 0; i++) {
		const struct scmp_arg_cmp cmd = {1, SCMP_CMP_EQ, (scmp_datum_t)fcntls[i], 0};

		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &cmd);
	}
	/* libssh sets it itself.  Others, as TCP_ULP, are whole parts of the kernel. */
	if (rc == 0)
		rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2, nodelay);
	return rc;
}

static int
fill_transport(scmp_filter_ctx ctx)
{
	int rc = add_list(ctx, SCMP_ACT_ALLOW, allowed, COUNT_OF(allowed));

	if (rc == 0)
		rc = add_list(ctx, SCMP_ACT_ERRNO(EACCES), refused, COUNT_OF(refused));
	if (rc == 0)
		rc = add_bounded(ctx);
	return rc;
}

static int
fill(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	int rc;

	/* A binary tree, a step per bit: some of these calls are made per packet. */
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = calls ? add_list(ctx, SCMP_ACT_ALLOW, calls, n) : fill_transport(ctx);
	if (rc == 0)
		rc = add_memory(ctx);
	if (rc == 0 && SANDBOX_ASAN)
		rc = add_list(ctx, SCMP_ACT_ALLOW, instrumented, COUNT_OF(instrumented));
	return rc;
}

/* libseccomp 2.5 writes programs to descriptors only. */
static int
take_program(scmp_filter_ctx ctx, struct tp_sandbox *sb)
{
	auto_close int fd = memfd_create("filter", MFD_CLOEXEC);
	off_t size;
	int rc;

	if (fd < 0)
		return -errno;
	rc = seccomp_export_bpf(ctx, fd);
	if (rc < 0)
		return rc;
	size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || size % (off_t)sizeof(struct sock_filter) ||
	    size / (off_t)sizeof(struct sock_filter) > BPF_MAXINSNS)
		return -EIO;
	sb->filter = malloc((size_t)size);
	if (!sb->filter)
		return -ENOMEM;
	if (pread(fd, sb->filter, (size_t)size, 0) != size)
		return -EIO;
	sb->filter_len = (unsigned short)((size_t)size / sizeof(struct sock_filter));
	return 0;
}

int
sandbox_filter_make(struct tp_sandbox *sb, const int *calls, size_t n, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc;

	if (!ctx)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot make the sandbox's filter");
	rc = fill(ctx, calls, n);
	if (rc == 0)
		rc = take_program(ctx, sb);
	seccomp_release(ctx);
	if (rc < 0)
		return err_set(e, ERR_INTERNAL, -rc, "cannot make the sandbox's filter");
	return 0;
}
