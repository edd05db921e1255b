/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Filters of real processes: compared with runc's own, copied, installed, and tried. */
#include "container.h"
#include <linux/audit.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "enter_kit.h"
#include "target/seccomp.h"

#define X32 0x40000000

/* A bit of everything that a profile can say. */
static const char profile[] =
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86_64\","
    "\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"],\"syscalls\":[{\"names\":[%s],"
    "\"action\":\"SCMP_ACT_ALLOW\"},"
    "{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38},"
    "{\"names\":[\"sync\",\"no_such_call\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"},"
    "{\"names\":[\"syncfs\"],\"action\":\"SCMP_ACT_TRAP\"},"
    "{\"names\":[\"vhangup\"],\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":5},"
    "{\"names\":[\"reboot\"],\"action\":\"SCMP_ACT_LOG\"},"
    "{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
    "\"value\":4294967295,\"op\":\"SCMP_CMP_EQ\"}]},"
    "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
    "\"value\":2114060288,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
    "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
    "\"value\":40,\"op\":\"SCMP_CMP_NE\"},{\"index\":1,\"value\":5,\"op\":\"SCMP_CMP_LT\"}]},"
    "{\"names\":[\"mincore\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7,\"args\":["
    "{\"index\":0,\"value\":3,\"op\":\"SCMP_CMP_GE\"},"
    "{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_LE\"}]},"
    "{\"names\":[\"msync\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,"
    "\"value\":4294967296,\"op\":\"SCMP_CMP_GT\"}]}]}";

/* Enough for runc, a shell and this test (restart_syscall: a sleep that ptrace(2) interrupted);
 * more than the 32 from which on the library builds a tree. */
static const char allowed[] =
    "accept4 access arch_prctl bind brk capget capset chdir chmod chown close connect dup dup2 "
    "dup3 "
    "epoll_create1 epoll_ctl epoll_pwait execve execveat exit exit_group faccessat faccessat2 "
    "fchdir fchmod fchown fcntl fork fstat fstatfs futex getcwd getdents64 getegid geteuid getgid "
    "getgroups getpgrp getpid getppid getrandom getrlimit getsid gettid getuid ioctl kill lseek "
    "lstat madvise mmap mprotect mremap munmap nanosleep newfstatat open openat openat2 pipe pipe2 "
    "poll ppoll prctl pread64 prlimit64 pselect6 pwrite64 read readlink readlinkat readv rseq "
    "rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield select sendmsg recvmsg "
    "set_robust_list set_tid_address setgid setgroups setpgid setresgid setresuid setsid setuid "
    "sigaltstack stat statfs statx tgkill time umask uname unlink vfork wait4 waitid write writev "
    "restart_syscall clock_nanosleep clock_gettime close_range seccomp waitpid stat64 fcntl64 "
    "mmap2";

static void
put_profile(json_t *config)
{
	char names[4096] = "", text[sizeof(profile) + sizeof(names)], word[64];
	const char *at = allowed;

	while (sscanf(at, "%63s", word) == 1) {
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s\"%s\"",
		    *names ? "," : "", word);
		at = strstr(at, word) + strlen(word);
	}
	snprintf(text, sizeof(text), profile, names);
	json_object_set_new(json_object_get(config, "linux"), "seccomp", json_loads(text, 0, NULL));
	json_object_set_new(json_object_get(config, "process"), "noNewPrivileges", json_false());
}

static void
put_profile_nnp(json_t *config)
{
	put_profile(config);
	json_object_set_new(json_object_get(config, "process"), "noNewPrivileges", json_true());
}

static void
put_nothing(json_t *config)
{
	json_object_set_new(json_object_get(config, "process"), "noNewPrivileges", json_false());
}

static int
disagreements(const struct sc_set *a, const struct sc_set *b)
{
	static const uint32_t archs[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_ARM};
	static const uint64_t values[] = {0, 1, 2, 3, 4, 5, 40, 0x11, CLONE_NEWNS | 0x11,
	    CLONE_NEWNET, 0xffffffff, 0x100000000, 0x100000001, 0x100000005, UINT64_MAX};
	int bad = 0;

	for (size_t k = 0; k < COUNT_OF(archs); k++)
		for (int nr = 0; nr < 1200; nr++)
			for (size_t i = 0; i < COUNT_OF(values); i++)
				for (size_t l = 0; l < COUNT_OF(values); l++) {
					struct seccomp_data d = {.arch = archs[k],
					    .nr = nr < 600 ? nr : X32 | (nr - 600),
					    .args = {values[i], values[l]}};
					uint32_t x = sc_set_eval(a, &d), y = sc_set_eval(b, &d);

					if (x != y && bad++ < 5)
						printf("# arch %x nr %x (%llx, %llx): %x and %x\n",
						    d.arch, (unsigned)d.nr,
						    (unsigned long long)d.args[0],
						    (unsigned long long)d.args[1], x, y);
				}
	return bad;
}

static void
compile_file(const char *path, const char *section, bool runc, struct sc_set *out)
{
	json_t *j = json_load_file(path, 0, NULL);
	const json_t *in = json_object_get(json_object_get(j, section), "seccomp");
	struct sc_profile p;
	struct err e = {0};

	if ((runc ? sc_profile_runc(in, &p, &e) : sc_profile_oci(in, &p, &e)) < 0 ||
	    sc_compile(&p, out, &e) < 0)
		printf("# %s: %s %s\n", path, e.what, e.why);
	else
		sc_profile_fini(&p);
	json_decref(j);
}

/* What the kernel runs for runc's container, call by call. */
static void
test_as_runc(pid_t pid)
{
	struct sc_set real = {.n = 0}, oci = {.n = 0}, state = {.n = 0};
	struct err e = {0};
	char path[PATH_MAX];

	is_int(sc_copy(kit_sys.proc, pid, &real, &e), 0, "copied from the process");
	is_int(real.n, 1, "one filter");
	snprintf(path, sizeof(path), "%s/filtered/config.json", box_dir);
	compile_file(path, "linux", false, &oci);
	snprintf(path, sizeof(path), "%s/state/t%d-filtered/state.json", box_dir, (int)getpid());
	compile_file(path, "config", true, &state);
	is_int(disagreements(&real, &oci), 0, "from the bundle: as runc's, for every call");
	is_int(disagreements(&real, &state), 0, "from runc's state: as runc's, for every call");
	sc_set_fini(&real);
	sc_set_fini(&oci);
	sc_set_fini(&state);
}

static char
state_of_process(pid_t pid, int *tracer)
{
	auto_close int pd = proc_open(kit_sys.proc, pid);
	struct proc_status st;

	*tracer = -1;
	if (pd < 0 || proc_read_status(pd, &st) < 0)
		return '?';
	*tracer = st.tracer;
	proc_status_fini(&st);
	return st.state;
}

/* Let go, and after a moment as stopped or not as it was before. */
static bool
is_let_go(pid_t pid, bool stopped)
{
	int64_t end = clock_mono() + 5 * NS_PER_S;
	int tracer;
	char s;

	do {
		s = state_of_process(pid, &tracer);
		if (tracer == 0 && s != 't' && (s == 'T') == stopped)
			return true;
		sched_yield();
	} while (clock_mono() < end);
	printf("# state %c tracer %d\n", s, tracer);
	return false;
}

/* A process with two filters that waits in pause(2), or in vfork(2), where nothing stops it. */
static pid_t
start_filtered(bool in_vfork)
{
	static const struct sock_filter one[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_syncfs, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog first = {.len = COUNT_OF(one), .filter = (void *)(uintptr_t)one};
	const struct sock_fprog second = {.len = 1, .filter = (void *)(uintptr_t)&one[3]};
	int ready[2];
	char c;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &first);
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &second);
		if (in_vfork && vfork() == 0) {
			syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
			(void)!write(ready[1], "x", 1);
			for (;;)
				syscall(SYS_pause);
		}
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	(void)!read(ready[0], &c, 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void
end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
test_copy(void)
{
	struct sc_set s = {.n = 0};
	struct seccomp_data d = {.arch = AUDIT_ARCH_X86_64, .nr = SYS_syncfs};
	struct err e = {0};
	pid_t pid = start_filtered(false);

	is_int(sc_copy(kit_sys.proc, pid, &s, &e), 0, "copied");
	is_int(s.n, 2, "both");
	is_int(s.v[0].n, 4, "the oldest first");
	is_int(s.v[1].n, 1, "then the other");
	is_int(s.v[1].flags, SECCOMP_FILTER_FLAG_LOG, "and its flag");
	is_int(sc_set_eval(&s, &d), SECCOMP_RET_ERRNO | 77, "says what it said");
	ok(is_let_go(pid, false), "the process goes on");
	sc_set_fini(&s);
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	is_int(sc_copy(kit_sys.proc, pid, &s, &e), 0, "of a stopped one");
	ok(is_let_go(pid, true), "which stays stopped");
	sc_set_fini(&s);
	kill(pid, SIGCONT);
	is_int(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0, "traced by us");
	ok(sc_copy(kit_sys.proc, pid, &s, &e) < 0 && e.code == ERR_DENIED &&
		strstr(e.why, "traces it") && strstr(e.why, "root_seccomp"),
	    "a tracer is named: %s", e.why);
	end_process(pid);
	ok(sc_copy(kit_sys.proc, pid, &s, &e) < 0 && e.code == ERR_TARGET_GONE, "gone: %s", e.why);
}

static void
test_copy_stuck(void)
{
	struct sc_set s = {.n = 0};
	struct err e = {0};
	pid_t pid = start_filtered(true), keeper;
	int64_t before = clock_mono();
	int tracer = 0;

	ok(sc_copy(kit_sys.proc, pid, &s, &e) < 0 && strstr(e.why, "within a second"),
	    "one that cannot stop: %s", e.why);
	ok(clock_mono() - before < 3 * NS_PER_S, "is given up soon");
	ok(is_let_go(pid, false), "and let go");
	/* The keeper dies while its helper waits. */
	keeper = fork();
	if (keeper == 0)
		_exit(sc_copy(kit_sys.proc, pid, &s, &e) != 0);
	before = clock_mono();
	while (tracer == 0 && clock_mono() - before < NS_PER_S) {
		state_of_process(pid, &tracer);
		sched_yield();
	}
	ok(tracer > 0, "it is held");
	end_process(keeper);
	ok(is_let_go(pid, false), "a keeper's death lets it go");
	end_process(pid);
}

struct target {
	pid_t pid;
	const char *what;
};

static void
test_session(const struct target *t)
{
	struct run r;
	char theirs[65536];

	kit_sh(t->pid, &r, "exec cat /proc/1/status");
	memcpy(theirs, r.out, sizeof(theirs));
	for (int block = 0; block < 2; block++) {
		const char *argv[] = {"/bin/sh", "-c", "exec cat /proc/self/status", NULL};

		r = (struct run){
		    .want = {.argv = argv, .seccomp_copy = true, .block_tiocsti = block},
		    .want_context = true};
		is_int(kit_run(t->pid, &r), 0, t->what);
		is_str(kit_line(r.out, "Seccomp"), kit_line(theirs, "Seccomp"), "Seccomp");
		is_str(kit_line(r.out, "Seccomp_filters"), kit_line(theirs, "Seccomp_filters"),
		    "as many filters");
		for (size_t i = 0; i < 6; i++) {
			static const char *const same[] = {
			    "NoNewPrivs", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};

			is_str(kit_line(r.out, same[i]), kit_line(theirs, same[i]), same[i]);
		}
		json_decref(r.context);
	}
}

/* A session of a target without a filter: nothing of the borrowed capability stays. */
static void
test_tiocsti_alone(pid_t pid)
{
	const char *argv[] = {"/bin/cat", "/proc/self/status", NULL};
	struct run r, plain;

	plain = (struct run){.want = {.argv = argv}};
	is_int(kit_run(pid, &plain), 0, "without");
	is_str(kit_line(plain.out, "Seccomp"), "\t0", "no filter");
	r = (struct run){.want = {.argv = argv, .block_tiocsti = true}};
	is_int(kit_run(pid, &r), 0, "with");
	is_str(kit_line(r.out, "Seccomp"), "\t2", "a filter");
	is_str(kit_line(r.out, "NoNewPrivs"), "\t0", "no_new_privs is not set for it");
	is_str(kit_line(r.out, "CapPrm"), kit_line(plain.out, "CapPrm"), "CapPrm");
	is_str(kit_line(r.out, "CapEff"), kit_line(plain.out, "CapEff"), "CapEff");
	is_str(kit_line(r.out, "Speculation_Store_Bypass"),
	    kit_line(plain.out, "Speculation_Store_Bypass"), "mitigations are as they were");
}

/* ioctl(2) by each way into the kernel, on a terminal of our own; errno or 0. */
static int
way_sti(int way, int fd, unsigned long cmd)
{
	static char c = 'x';
	long rc;

	if (way == 0)
		return syscall(SYS_ioctl, fd, cmd, &c) < 0 ? errno : 0;
	if (way == 1)
		return syscall(X32 | 514, fd, cmd, &c) < 0 ? errno : 0;
#ifdef __x86_64__
	/* The gate of 32-bit programs; the pointer does not matter before the filter. */
	__asm__ volatile("int $0x80"
			 : "=a"(rc)
			 : "a"(54), "b"(fd), "c"(cmd), "d"(&c)
			 : "memory", "r8", "r9", "r10", "r11");
	return rc < 0 && rc > -4096 ? (int)-rc : 0;
#else
	return rc = EPERM;
#endif
}

static void
tty_child(int how, int out)
{
	/* What a first attempt would be: it compares all 64 bits. */
	static const struct sock_filter naive[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x5412, 0, 3),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + 4),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const unsigned long cmds[] = {
	    0x5412, 0xdead000000005412, 0x541c, 0xffffffff0000541c, 0x5413};
	struct sc_set s = {.n = 0};
	struct sock_fprog prog;
	int got[3][5], fd, master = posix_openpt(O_RDWR | O_NOCTTY);

	setsid();
	grantpt(master);
	unlockpt(master);
	fd = open(ptsname(master), O_RDWR);
	sc_set_add(&s, how == 2 ? naive : &allow, how == 2 ? COUNT_OF(naive) : 1, 0);
	if (how == 1)
		sc_prepend(&s.v[0], sc_tty, sc_tty_len);
	prog = (struct sock_fprog){.len = (unsigned short)s.v[0].n, .filter = s.v[0].insn};
	if (fd < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		_exit(1);
	for (int way = 0; way < 3; way++)
		for (size_t i = 0; i < COUNT_OF(cmds); i++)
			got[way][i] = way_sti(way, fd, cmds[i]);
	(void)!write(out, got, sizeof(got));
	_exit(0);
}

static bool
try_tty(int how, int got[3][5])
{
	int p[2], status = -1;
	bool all;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return false;
	pid = fork();
	if (pid == 0)
		tty_child(how, p[1]);
	close(p[1]);
	all = read(p[0], got, sizeof(int[3][5])) == sizeof(int[3][5]);
	close(p[0]);
	waitpid(pid, &status, 0);
	return all && status == 0;
}

static void
test_tty(void)
{
	int got[3][5];

	ok(try_tty(0, got), "without a filter");
	is_int(got[0][0], 0, "TIOCSTI works");
	is_int(got[0][1], 0, "and with high bits");
	ok(try_tty(2, got), "with one that compares 64 bits");
	is_int(got[0][0], EPERM, "which sees the plain one");
	is_int(got[0][1], 0, "but not the other");
	ok(try_tty(1, got), "with ours");
	for (int way = 0; way < 3; way++) {
		for (size_t i = 0; i < 4; i++)
			ok(got[way][i] == EPERM, "way %d, command %zu: errno %d", way, i,
			    got[way][i]);
		ok(got[way][4] != EPERM, "way %d: TIOCGWINSZ: errno %d", way, got[way][4]);
	}
}

/* An agent that lacks the capability pays with no_new_privs, and says so. */
static void
test_without_admin(void)
{
	const char *argv[] = {"/bin/cat", "/proc/self/status", NULL};
	pid_t target = fork(), pid;
	int status = -1;

	if (target == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	pid = fork();
	if (pid == 0) {
		struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct d[2];
		struct run r = {
		    .want = {.argv = argv, .block_tiocsti = true}, .want_context = true};
		char *said;

		syscall(SYS_capget, &head, d);
		d[0].effective &= ~(1U << CAP_SYS_ADMIN);
		d[0].permitted &= ~(1U << CAP_SYS_ADMIN);
		syscall(SYS_capset, &head, d);
		if (kit_run(target, &r) < 0)
			printf("# %s: %s\n", r.e.what, r.e.why);
		said = json_dumps(r.context, 0);
		_exit(strcmp(kit_line(r.out, "NoNewPrivs"), "\t1") != 0 ? 1
		      : strcmp(kit_line(r.out, "Seccomp"), "\t2") != 0	? 2
		      : !said || !strstr(said, "without CAP_SYS_ADMIN") ? 3
									: 0);
	}
	waitpid(pid, &status, 0);
	is_int(status, 0, "no_new_privs, the filter, and a word about it");
	end_process(target);
}

/* In clock ticks since boot, as field 22 of stat. */
static uint64_t
ticks_now(void)
{
	struct timespec ts;
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * hz + (uint64_t)ts.tv_nsec / (NS_PER_S / hz);
}

static uint64_t
start_of(pid_t pid)
{
	auto_close int pd = proc_open(kit_sys.proc, pid);
	struct proc_stat st = {.start = 0};

	proc_read_stat(pd, &st);
	return st.start;
}

/* A target whose own filter leaves nothing to start: said before anything is. */
static void
test_forbidden(void)
{
	static const struct sock_filter no_exec[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = {
	    .len = COUNT_OF(no_exec), .filter = (void *)(uintptr_t)no_exec};
	const char *argv[] = {"/bin/true", NULL};
	struct run r = {.want = {.argv = argv, .seccomp_copy = true}};
	int ready[2];
	char c;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	(void)!read(ready[0], &c, 1);
	/* What starts with a session or after it would be its orphan. */
	while (ticks_now() <= start_of(pid))
		usleep(1000);
	ok(kit_run(pid, &r) < 0 && r.e.code == ERR_DENIED && strstr(r.e.why, "execve"),
	    "execve is forbidden: %s", r.e.why);
	r = (struct run){.want = {.argv = argv, .seccomp_copy = true, .privileged = true}};
	ok(kit_run(pid, &r) < 0 && r.e.code == ERR_USAGE, "not both: %s", r.e.what);
	r = (struct run){.want = {.argv = argv, .privileged = true}};
	is_int(kit_run(pid, &r), 0, "--privileged leaves it out");
	is_int(r.status, 0, "and runs");
	close(ready[0]);
	close(ready[1]);
	end_process(pid);
}

int
main(void)
{
	struct target t[] = {{0, "without no_new_privs"}, {0, "with no_new_privs"}};
	pid_t plain;

	if (geteuid() != 0) {
		printf("ok 1 # skip needs root\n1..1\n");
		return 0;
	}
	kit_start();
	test_tty();
	test_copy();
	test_copy_stuck();
	test_forbidden();
	test_without_admin();
	plain = box_run("plain", put_nothing);
	t[0].pid = box_run("filtered", put_profile);
	t[1].pid = box_run("nnp", put_profile_nnp);
	ok(plain > 0 && t[0].pid > 0 && t[1].pid > 0, "containers run");
	if (plain > 0)
		test_tiocsti_alone(plain);
	if (t[0].pid > 0) {
		test_as_runc(t[0].pid);
		test_session(&t[0]);
	}
	if (t[1].pid > 0)
		test_session(&t[1]);
	return done_testing();
}
