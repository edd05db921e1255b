/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What runs inside of the containers of test_seccomp.py, and beside them:
 *   probe calls          one line a system call: its name and errno
 *   probe sti            ioctl(2) with TIOCSTI, plain and not, by two ways in
 *   probe filter         give syncfs(2) errno 72, then wait
 *   probe euid           the effective uid
 *   probe eintr          keep in /eintr how often epoll_wait(2) gave EINTR
 *   probe parent ...     wait, and a child as well
 *   probe trace PID      trace it until the input ends
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each with arguments that do no harm where it is allowed. */
static const struct {
	const char *name;
	long nr, a, b, c;
} calls[] = {
    {"mount", SYS_mount, 0, 0, 0},
    {"umount2", SYS_umount2, 0, 0, 0},
    {"unshare", SYS_unshare, CLONE_NEWUSER, 0, 0},
    {"setns", SYS_setns, -1, 0, 0},
    {"keyctl", SYS_keyctl, 0, -3, 0},
    {"add_key", SYS_add_key, 0, 0, 0},
    {"request_key", SYS_request_key, 0, 0, 0},
    {"bpf", SYS_bpf, 0, 0, 0},
    {"ptrace", SYS_ptrace, PTRACE_TRACEME, 0, 0},
    {"perf_event_open", SYS_perf_event_open, 0, 0, -1},
    {"userfaultfd", SYS_userfaultfd, 1, 0, 0},
    {"io_uring_setup", SYS_io_uring_setup, 0, 0, 0},
    {"personality", SYS_personality, 0x40000, 0, 0},
    {"personality?", SYS_personality, 0xffffffff, 0, 0},
    {"clone3", SYS_clone3, 0, 0, 0},
    {"clone", SYS_clone, CLONE_NEWNS | 17, -1, 0},
    {"kcmp", SYS_kcmp, 0, 0, 0},
    {"process_vm_readv", SYS_process_vm_readv, -1, 0, 0},
    {"pidfd_getfd", SYS_pidfd_getfd, -1, 0, 0},
    {"open_by_handle_at", SYS_open_by_handle_at, -1, 0, 0},
    {"name_to_handle_at", SYS_name_to_handle_at, -1, 0, 0},
    {"get_mempolicy", SYS_get_mempolicy, 0, 0, 0},
    {"mbind", SYS_mbind, 0, 0, 0},
    {"move_pages", SYS_move_pages, 0, 0, 0},
    {"sysfs", SYS_sysfs, 3, 0, 0},
    {"ustat", SYS_ustat, 0, 0, 0},
    {"swapoff", SYS_swapoff, 0, 0, 0},
    {"pivot_root", SYS_pivot_root, 0, 0, 0},
    {"chroot", SYS_chroot, 0, 0, 0},
    {"syslog", SYS_syslog, 10, 0, 0},
    {"vmsplice", SYS_vmsplice, -1, 0, 0},
    {"open_tree", SYS_open_tree, -1, 0, 0},
    {"fsopen", SYS_fsopen, 0, 0, 0},
    {"quotactl", SYS_quotactl, 0, 0, 0},
    {"syncfs", SYS_syncfs, 0, 0, 0},
    {"landlock", 444, 0, 0, 1},
    {"set_mempolicy_home_node", 450, 0, 0, 0},
    {"cachestat", 451, -1, 0, 0},
    {"statmount", 457, 0, 0, 0},
    {"mseal", 462, 1, 0, 0},
    {"nonsense", 900, 0, 0, 0},
    {"x32 mount", 0x40000000 | SYS_mount, 0, 0, 0},
};

static void
each_call(void)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			long rc = syscall(calls[i].nr, calls[i].a, calls[i].b, calls[i].c, 0, 0);

			_exit(rc < 0 ? errno : 0);
		} else {
			int status = 0;

			waitpid(pid, &status, 0);
			printf("%s %d\n", calls[i].name,
			    WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
		}
	}
}

static int
gate32(int fd, unsigned cmd)
{
	static char c = '\n';
	int rc;

	/* The kernel takes the low halves only: the pointer is good in a program below 4 GiB. */
	__asm__ volatile("int $0x80"
			 : "=a"(rc)
			 : "a"(54), "b"(fd), "c"(cmd), "d"((unsigned)(unsigned long)&c)
			 : "memory", "r8", "r9", "r10", "r11");
	return rc < 0 ? -rc : 0;
}

static void
sti(void)
{
	static const unsigned long cmds[] = {
	    0x5412, 0xdead000000005412, 0x541c, 0xdead00000000541c};
	char c = '\n';

	for (size_t i = 0; i < 4; i++)
		printf("%lx %d\n", cmds[i], syscall(SYS_ioctl, 0, cmds[i], &c) < 0 ? errno : 0);
	printf("32-bit %d\n", gate32(0, 0x5412));
}

static int
filter(void)
{
	struct sock_filter prog[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_syncfs, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 72),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog fprog = {.len = 4, .filter = prog};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) < 0)
		return 1;
	for (;;)
		pause();
}

static int
eintr(void)
{
	struct epoll_event ev;
	int ep = epoll_create1(0);

	for (int seen = 0;; seen++) {
		FILE *f = fopen("/eintr.new", "w");

		if (!f || fprintf(f, "%d\n", seen) < 0 || fclose(f) != 0 ||
		    rename("/eintr.new", "/eintr") < 0)
			return 1;
		if (epoll_wait(ep, &ev, 1, -1) >= 0 || errno != EINTR)
			return 1;
	}
}

static int
trace(pid_t pid)
{
	char c;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return 1;
	puts("tracing");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	if (strcmp(what, "calls") == 0)
		each_call();
	else if (strcmp(what, "sti") == 0)
		sti();
	else if (strcmp(what, "filter") == 0)
		return filter();
	else if (strcmp(what, "euid") == 0)
		printf("%u\n", (unsigned)geteuid());
	else if (strcmp(what, "eintr") == 0)
		return eintr();
	else if (strcmp(what, "parent") == 0)
		for (fork();;)
			pause();
	else if (strcmp(what, "trace") == 0 && argc > 2)
		return trace((pid_t)atol(argv[2]));
	else
		return 2;
	return 0;
}
