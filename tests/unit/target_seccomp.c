/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Profiles to filters, and what the filters say, without a kernel. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/json.h"
#include "base/str.h"
#include "target/caps.h"
#include "target/seccomp.h"
#include "tap.h"

#define ALLOW SECCOMP_RET_ALLOW
#define ERR(n) (SECCOMP_RET_ERRNO | (n))
#define X32 0x40000000
#define SIGCHLD_FLAGS 17 /* of fork(2) */

static uint32_t
ask(const struct sc_set *s, uint32_t arch, int nr, uint64_t a0, uint64_t a1)
{
	struct seccomp_data d = {.arch = arch, .nr = nr, .args = {a0, a1}};

	return sc_set_eval(s, &d);
}

static uint32_t
ask64(const struct sc_set *s, int nr, uint64_t a0, uint64_t a1)
{
	return ask(s, AUDIT_ARCH_X86_64, nr, a0, a1);
}

static int
compile(const char *text, bool runc, struct sc_set *out, struct sc_profile *keep, struct err *e)
{
	json_t *j = json_parse(text, strlen(text), NULL);
	struct sc_profile p;
	int rc;

	memset(out, 0, sizeof(*out));
	memset(e, 0, sizeof(*e));
	rc = runc ? sc_profile_runc(j, &p, e) : sc_profile_oci(j, &p, e);
	if (rc == 0) {
		rc = sc_compile(&p, out, e);
		if (keep)
			*keep = p;
		sc_profile_fini(&p);
	}
	json_decref(j);
	return rc;
}

static const char both_oci[] =
    "{\"defaultAction\":\"SCMP_ACT_ERRNO\","
    "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\",\"SCMP_ARCH_X\"],"
    "\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_TSYNC\"],\"syscalls\":["
    "{\"names\":[\"read\",\"write\",\"no_such_call\"],\"action\":\"SCMP_ACT_ALLOW\"},"
    "{\"names\":[\"close_range\"],\"action\":\"SCMP_ACT_ERRNO\"},"
    "{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38},"
    "{\"names\":[\"fsync\"],\"action\":\"SCMP_ACT_NOTIFY\"},"
    "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
    "\"value\":2114060288,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
    "{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_TRAP\",\"args\":["
    "{\"index\":1,\"value\":9,\"op\":\"SCMP_CMP_EQ\"},"
    "{\"index\":1,\"value\":30,\"op\":\"SCMP_CMP_GT\"}]},"
    "{\"names\":[\"dup2\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
    "{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_NE\"},"
    "{\"index\":1,\"value\":2,\"op\":\"SCMP_CMP_LE\"}]}]}";

/* The same as runc writes it into its state. */
static const char both_runc[] =
    "{\"default_action\":2,\"default_errno_ret\":null,"
    "\"architectures\":[\"amd64\",\"x86\",\"x32\"],"
    "\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],\"syscalls\":["
    "{\"name\":\"read\",\"action\":4,\"errnoRet\":null,\"args\":[]},"
    "{\"name\":\"write\",\"action\":4,\"args\":null},{\"name\":\"no_such_call\",\"action\":4},"
    "{\"name\":\"close_range\",\"action\":2},"
    "{\"name\":\"clone3\",\"action\":2,\"errnoRet\":38,\"args\":[]},"
    "{\"name\":\"fsync\",\"action\":7},"
    "{\"name\":\"clone\",\"action\":4,\"args\":[{\"index\":0,\"value\":2114060288,"
    "\"value_two\":0,\"op\":7}]},"
    "{\"name\":\"kill\",\"action\":3,\"args\":[{\"index\":1,\"value\":9,\"op\":1},"
    "{\"index\":1,\"value\":30,\"op\":3}]},"
    "{\"name\":\"dup2\",\"action\":4,\"args\":[{\"index\":0,\"value\":1,\"op\":2},"
    "{\"index\":1,\"value\":2,\"op\":6}]}]}";

static void
test_schema(const char *text, bool runc)
{
	struct sc_set s;
	struct sc_profile p;
	struct err e;

	ok(compile(text, runc, &s, &p, &e) == 0, "%s: compiles", runc ? "runc" : "OCI");
	ok(p.notifies, "it asked for a supervisor");
	is_int(s.v[0].flags, SECCOMP_FILTER_FLAG_LOG, "flags: LOG stays, TSYNC does not");
	is_int(ask64(&s, SYS_read, 0, 0), ALLOW, "read");
	is_int(ask64(&s, SYS_mount, 0, 0), ERR(EPERM), "mount: by default");
	is_int(ask64(&s, SYS_fsync, 0, 0), ERR(ENOSYS), "notify becomes ENOSYS");
	is_int(ask64(&s, SYS_clone3, 0, 0), ERR(ENOSYS), "its own errno");
	is_int(ask64(&s, 437, 0, 0), ERR(ENOSYS), "newer than the profile names");
	is_int(ask64(&s, SYS_close_range, 0, 0), ERR(EPERM), "the newest that it names");
	is_int(ask64(&s, SYS_clone, SIGCHLD_FLAGS, 0), ALLOW, "clone of a process");
	is_int(ask64(&s, SYS_clone, CLONE_NEWUSER, 0), ERR(EPERM), "clone of a namespace");
	is_int(ask64(&s, SYS_kill, 1, 9), SECCOMP_RET_TRAP, "one argument twice: either");
	is_int(ask64(&s, SYS_kill, 1, 31), SECCOMP_RET_TRAP, "one argument twice: or");
	is_int(ask64(&s, SYS_kill, 1, 15), ERR(EPERM), "neither");
	is_int(ask64(&s, SYS_dup2, 0, 2), ALLOW, "two arguments: both");
	is_int(ask64(&s, SYS_dup2, 1, 2), ERR(EPERM), "only the second");
	is_int(ask64(&s, SYS_dup2, 0, 3), ERR(EPERM), "only the first");
	is_int(ask(&s, AUDIT_ARCH_I386, 3, 0, 0), ALLOW, "read of i386");
	is_int(ask(&s, AUDIT_ARCH_I386, 21, 0, 0), ERR(EPERM), "mount of i386");
	is_int(ask64(&s, X32 | 0, 0, 0), ALLOW, "read of x32");
	is_int(ask64(&s, X32 | 600, 0, 0), ERR(ENOSYS), "above x32's newest");
	is_int(ask(&s, AUDIT_ARCH_ARM, 3, 0, 0), SECCOMP_RET_KILL_THREAD, "another machine's");
	sc_set_fini(&s);
}

static void
test_refused(void)
{
	static const char *const bad[] = {
	    "{}",
	    "[]",
	    "{\"defaultAction\":\"SCMP_ACT_NONE\"}",
	    "{\"defaultAction\":4}",
	    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":65536}",
	    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":\"1\"}",
	    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":{}}",
	    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{}]}",
	    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"SCMP_ACT_KILL\"}]}",
	    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"SCMP_ACT_KILL\","
	    "\"names\":[\"\"]}]}",
	    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"SCMP_ACT_KILL\","
	    "\"names\":[\"read\"],\"args\":[{\"index\":6,\"op\":\"SCMP_CMP_EQ\"}]}]}",
	    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"SCMP_ACT_KILL\","
	    "\"names\":[\"read\"],\"args\":[{\"index\":0,\"op\":1}]}]}",
	    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[1]}",
	};
	struct sc_set s;
	struct err e;

	for (size_t i = 0; i < COUNT_OF(bad); i++)
		ok(compile(bad[i], false, &s, NULL, &e) < 0 && e.why[0], "refused: %s", e.why);
	ok(compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}", false, &s, NULL, &e) == 0, "no rule");
	is_int(ask64(&s, 5000, 0, 0), ALLOW, "an allowing default says nothing of newer calls");
	sc_set_fini(&s);
}

static void
test_tty(void)
{
	const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const uint64_t high = 0xdeadbeefULL << 32;
	const struct {
		uint32_t arch;
		int nr;
	} ways[] = {{AUDIT_ARCH_X86_64, 16}, {AUDIT_ARCH_X86_64, X32 | 514},
	    {AUDIT_ARCH_X86_64, X32 | 16}, {AUDIT_ARCH_X86_64, 514}, {AUDIT_ARCH_I386, 54}};
	struct sc_set s = {.n = 0};

	ok(sc_set_add(&s, &allow, 1, 0) == 0 && sc_prepend(&s.v[0], sc_tty, sc_tty_len) == 0,
	    "a filter of its own");
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		const uint32_t a = ways[i].arch;
		const int nr = ways[i].nr;

		is_int(ask(&s, a, nr, 0, 0x5412), ERR(EPERM), "TIOCSTI");
		is_int(ask(&s, a, nr, 0, high | 0x5412), ERR(EPERM), "TIOCSTI, high bits");
		is_int(ask(&s, a, nr, 0, 0x541c), ERR(EPERM), "TIOCLINUX");
		is_int(ask(&s, a, nr, 0, high | 0x541c), ERR(EPERM), "TIOCLINUX, high bits");
		is_int(ask(&s, a, nr, 0, 0x5413), ALLOW, "TIOCGWINSZ");
		is_int(ask(&s, a, nr, 0x5412, 0x5401), ALLOW, "another argument");
	}
	is_int(ask(&s, AUDIT_ARCH_X86_64, 54, 0, 0x5412), ALLOW, "setsockopt");
	is_int(ask(&s, AUDIT_ARCH_I386, 16, 0, 0x5412), ALLOW, "lchown of i386");
	sc_set_fini(&s);
}

/* What comes before a filter must not change what it decides. */
static void
test_prepend(void)
{
	const struct sock_filter counts_on_zero[] = {
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	struct sock_filter big[SC_INSNS_MAX];
	struct sc_set s = {.n = 0};

	sc_set_add(&s, counts_on_zero, COUNT_OF(counts_on_zero), 0);
	is_int(ask64(&s, SYS_ioctl, 0, 0), ALLOW, "alone");
	ok(sc_prepend(&s.v[0], sc_tty, sc_tty_len) == 0, "put before it");
	is_int(ask64(&s, SYS_ioctl, 0, 0), ALLOW, "the same behind another");
	is_int(ask64(&s, SYS_ioctl, 0, 0x5412), ERR(EPERM), "the other decides its own");
	for (size_t i = 0; i < SC_INSNS_MAX; i++)
		big[i] = counts_on_zero[1];
	ok(sc_set_add(&s, big, SC_INSNS_MAX, 0) == 0, "as long as the kernel takes");
	ok(sc_prepend(&s.v[1], sc_tty, sc_tty_len) < 0, "nothing goes before that");
	ok(sc_set_add(&s, big, SC_INSNS_MAX + 1, 0) < 0, "longer");
	ok(sc_set_add(&s, big, 0, 0) < 0, "empty");
	sc_set_fini(&s);
}

static void
test_eval(void)
{
	const struct sock_filter runs_off[] = {BPF_STMT(BPF_LD | BPF_IMM, 1)};
	const struct sock_filter out_of_data[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	const struct sock_filter notify[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)};
	const struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sc_set s = {.n = 0};

	is_int(ask64(&s, SYS_read, 0, 0), ALLOW, "no filter");
	sc_set_add(&s, runs_off, 1, 0);
	is_int(ask64(&s, SYS_read, 0, 0), SECCOMP_RET_KILL_PROCESS, "runs off its end");
	sc_set_fini(&s);
	sc_set_add(&s, out_of_data, 2, 0);
	is_int(ask64(&s, SYS_read, 0, 0), SECCOMP_RET_KILL_PROCESS, "reads beyond the data");
	sc_set_fini(&s);
	sc_set_add(&s, allow, 1, 0);
	ok(!sc_set_notifies(&s) && sc_set_permits(&s, SYS_execve), "an allowing one");
	sc_set_add(&s, notify, 1, 0);
	sc_set_add(&s, allow, 1, 0);
	ok(sc_set_notifies(&s) && !sc_set_permits(&s, SYS_execve), "one that asks, between");
	sc_set_fini(&s);
}

static void
test_builtin(void)
{
	static const int never[] = {SYS_kexec_load, SYS_keyctl, SYS_add_key, SYS_userfaultfd,
	    SYS_pivot_root, SYS_swapon, SYS_io_uring_setup};
	static const int admins[] = {SYS_mount, SYS_unshare, SYS_setns, SYS_bpf, SYS_umount2,
	    SYS_sethostname, SYS_move_mount};
	static const int always[] = {SYS_read, SYS_openat, SYS_execve, SYS_capset, SYS_ptrace,
	    SYS_seccomp, SYS_prctl, SYS_socket, SYS_chmod, SYS_futex, SYS_landlock_create_ruleset};
	struct sc_profile p;
	struct sc_set none = {.n = 0}, admin = {.n = 0};
	struct err e;

	ok(sc_profile_builtin(0, &p) == 0 && sc_compile(&p, &none, &e) == 0, "for nobody");
	sc_profile_fini(&p);
	ok(sc_profile_builtin(CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_CHROOT), &p) == 0 &&
		sc_compile(&p, &admin, &e) == 0,
	    "for CAP_SYS_ADMIN");
	sc_profile_fini(&p);
	for (size_t i = 0; i < COUNT_OF(never); i++)
		ok(ask64(&none, never[i], 0, 0) == ERR(EPERM) &&
			ask64(&admin, never[i], 0, 0) == ERR(EPERM),
		    "call %d is nobody's", never[i]);
	for (size_t i = 0; i < COUNT_OF(admins); i++)
		ok(ask64(&none, admins[i], 0, 0) == ERR(EPERM) &&
			ask64(&admin, admins[i], 0, 0) == ALLOW,
		    "call %d is the administrator's", admins[i]);
	for (size_t i = 0; i < COUNT_OF(always); i++)
		is_int(ask64(&none, always[i], 0, 0), ALLOW, "everybody's");
	is_int(ask64(&none, SYS_chroot, 0, 0), ERR(EPERM), "chroot");
	is_int(ask64(&admin, SYS_chroot, 0, 0), ALLOW, "chroot with its capability");
	is_int(ask64(&none, SYS_clone, CLONE_NEWNET | SIGCHLD_FLAGS, 0), ERR(EPERM), "new net");
	is_int(ask64(&none, SYS_clone, SIGCHLD_FLAGS, 0), ALLOW, "fork");
	is_int(ask64(&admin, SYS_clone, CLONE_NEWNET, 0), ALLOW, "new net, allowed");
	is_int(ask64(&none, SYS_clone3, 0, 0), ERR(ENOSYS), "clone3 makes libc fall back");
	is_int(ask64(&none, SYS_personality, 0xffffffff, 0), ALLOW, "personality: which is it");
	is_int(ask64(&none, SYS_personality, 0x40000, 0), ERR(EPERM), "no ASLR");
	is_int(ask64(&none, 451, 0, 0), ERR(ENOSYS), "newer than the table");
	is_int(ask(&none, AUDIT_ARCH_I386, 21, 0, 0), ERR(EPERM), "mount of i386");
	is_int(ask(&none, AUDIT_ARCH_I386, 7, 0, 0), ALLOW, "waitpid of i386");
	is_int(ask64(&none, X32 | 165, 0, 0), ERR(EPERM), "mount of x32");
	is_int(ask64(&none, X32 | 520, 0, 0), ALLOW, "execve of x32");
	sc_set_fini(&none);
	sc_set_fini(&admin);
}

static void
test_cache(void)
{
	char dir[] = "/tmp/coral-sc-XXXXXX", cmd[300];
	struct sc_set first = {.n = 0}, again = {.n = 0};
	struct sc_profile p;
	struct err e;

	if (!mkdtemp(dir) || sc_profile_builtin(0, &p) < 0) {
		ok(false, "mkdtemp");
		return;
	}
	ok(sc_compile_kept(&p, dir, &first, &e) == 0, "compiled and kept");
	snprintf(cmd, sizeof(cmd), "[ $(ls %s/filter-* | wc -l) = 1 ]", dir);
	is_int(system(cmd), 0, "one file");
	ok(sc_compile_kept(&p, dir, &again, &e) == 0, "again");
	ok(first.v[0].n == again.v[0].n &&
		memcmp(first.v[0].insn, again.v[0].insn, first.v[0].n * 8) == 0,
	    "the same program");
	sc_set_fini(&again);
	/* One bit of the program: damaged, so it is not used and not believed. */
	snprintf(cmd, sizeof(cmd),
	    "printf '\\377' | dd of=%s/$(ls %s) bs=1 seek=200 conv=notrunc "
	    "2>/dev/null",
	    dir, dir);
	is_int(system(cmd), 0, "damaged");
	ok(sc_compile_kept(&p, dir, &again, &e) == 0, "compiled anew");
	ok(first.v[0].n == again.v[0].n &&
		memcmp(first.v[0].insn, again.v[0].insn, first.v[0].n * 8) == 0,
	    "the same program still");
	sc_set_fini(&again);
	p.rule[0].action = 0;
	ok(sc_compile_kept(&p, dir, &again, &e) == 0, "another profile");
	ok(first.v[0].n != again.v[0].n ||
		memcmp(first.v[0].insn, again.v[0].insn, first.v[0].n * 8) != 0,
	    "another program");
	sc_set_fini(&again);
	chmod(dir, 0777);
	ok(sc_compile_kept(&p, dir, &again, &e) == 0, "where others may write: not used");
	sc_set_fini(&again);
	sc_set_fini(&first);
	sc_profile_fini(&p);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	is_int(system(cmd), 0, "clean");
}

int
main(void)
{
	test_schema(both_oci, false);
	test_schema(both_runc, true);
	test_refused();
	test_tty();
	test_prepend();
	test_eval();
	test_builtin();
	test_cache();
	return done_testing();
}
