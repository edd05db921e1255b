/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parsers of proc(5) texts: what the kernel writes, and what an enemy would. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "standin.h"
#include "tap.h"
#include "target/proc.h"

#define T(s) s, sizeof(s) - 1

#define STAT_TAIL " S 7 1 1 34816 5 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654321 0 0\n"

static void
stat_lines(void)
{
	struct proc_stat st;

	is_int(proc_parse_stat(T("42 (a) b) (c))" STAT_TAIL), &st), 0, "stat with parentheses");
	is_str(st.comm, "a) b) (c)", "comm ends at the last parenthesis");
	is_int(st.pid, 42, "pid");
	is_int(st.ppid, 7, "ppid");
	is_int(st.tty, 34816, "tty");
	ok(st.start == 987654321 && !st.kthread && proc_alive(&st), "start, kind, state");
	is_int(proc_parse_stat(T("42 (a\nb S 9 9)" STAT_TAIL), &st), 0, "comm with a newline");
	is_int(proc_parse_stat(T("42 ()" STAT_TAIL), &st), 0, "empty comm");
	ok(proc_parse_stat(T("42 (a" STAT_TAIL), &st) < 0 && errno == EINVAL, "no parenthesis");
	ok(proc_parse_stat(T("42 (a) S 7 1 1 0"), &st) < 0, "cut line");
	ok(proc_parse_stat(T("-1 (a)" STAT_TAIL), &st) < 0, "negative pid");
	ok(proc_parse_stat(T("0 (a)" STAT_TAIL), &st) < 0, "pid 0");
	ok(proc_parse_stat(T("99999999999 (a)" STAT_TAIL), &st) < 0, "huge pid");
	ok(proc_parse_stat("", 0, &st) < 0, "nothing");
	is_int(
	    proc_parse_stat(T("9 (z) Z 7 1 1 0 -1 2097152 1 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n"), &st),
	    0, "zombie line");
	ok(!proc_alive(&st) && st.kthread, "zombie and kernel thread seen");
}

#define STATUS_REST                                                                                \
	"Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 11 \nNSpid:\t120\t1\n"                  \
	"CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t0000000000000001\n"        \
	"CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000002\nNoNewPrivs:\t1\nSeccomp:\t2\n"      \
	"Seccomp_filters:\t3\n"

static void
status_texts(void)
{
	struct proc_status st;

	is_int(proc_parse_status(T("Name:\tx\nUmask:\t0027\nState:\tS (sleeping)\nTgid:\t120\n"
				   "PPid:\t1\nTracerPid:\t0\n" STATUS_REST),
		   &st),
	    0, "status");
	ok(st.uid[0] == 1 && st.uid[3] == 4 && st.gid[1] == 6, "four ids each");
	ok(st.ngroups == 3 && st.groups[2] == 11, "groups");
	ok(st.nnspid == 2 && st.nspid[0] == 120 && st.nspid[1] == 1, "NSpid");
	ok(st.caps[PROC_CAP_BND] == 0x1ffffffffffULL && st.caps[PROC_CAP_AMB] == 2, "capabilities");
	ok(st.has_umask && st.umask == 027 && st.no_new_privs, "umask, no_new_privs");
	ok(st.seccomp == 2 && st.seccomp_filters == 3, "seccomp");
	proc_status_fini(&st);
	is_int(proc_parse_status(T("Name:\tUid:\\n0\n" STATUS_REST), &st), 0, "a name like a key");
	is_int(st.uid[0], 1, "and it is not believed");
	proc_status_fini(&st);
	ok(proc_parse_status(T(STATUS_REST), &st) < 0, "the first line must be the name");
	ok(proc_parse_status(T("Name:\tx\nUid:\t1\t2\t3\n"), &st) < 0, "three ids");
	ok(proc_parse_status(T("Name:\tx\nUid:\t1\t2\t3\t4294967296\n"), &st) < 0, "id too large");
	ok(proc_parse_status(T("Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t1\t1\t1\t1\nGroups:\t\n"), &st) <
		0,
	    "no capability sets");
	ok(proc_parse_status(T("Name:\tx\nUid:\t0\t0\t0\t0\n" STATUS_REST), &st) < 0 && !st.groups,
	    "a key that decides comes once");
	ok(proc_parse_status(T("Name:\tx\nNoNewPrivs:\t7\n" STATUS_REST), &st) < 0,
	    "a flag that is neither 0 nor 1");
}

static void
cgroup_texts(void)
{
	static struct proc_cgroups c;

	is_int(proc_parse_cgroups(
		   T("6:freezer:/a\n3:cpu,cpuacct:/b\n1:name=systemd:/c\n0::/d:e\n"), &c),
	    0, "hybrid cgroup");
	is_int(c.n, 4, "four lines");
	is_str(proc_cgroup_v2(&c), "/d:e", "v2 path, with a colon");
	is_str(proc_cgroup_v1(&c, "cpuacct"), "/b", "one of two controllers");
	is_str(proc_cgroup_v1(&c, "name=systemd"), "/c", "named hierarchy");
	is_str(proc_cgroup_v1(&c, "pu"), NULL, "no part of a name");
	ok(proc_parse_cgroups(T("0::relative\n"), &c) < 0 && c.n == 0, "relative path");
	ok(proc_parse_cgroups(T("0:/x\n"), &c) < 0, "a field is missing");
	ok(proc_parse_cgroups(T("0::/x\0y\n"), &c) < 0, "a NUL inside");
}

static void
maps(void)
{
	static struct proc_idmap m;

	is_int(
	    proc_parse_idmap(T("         0     100000      65536\n     70000       5    1\n"), &m),
	    0, "uid_map");
	is_int(proc_idmap_inside(&m, 101000), 1000, "to the inside");
	is_int(proc_idmap_inside(&m, 5), 70000, "second range");
	ok(proc_idmap_inside(&m, 99999) == PROC_ID_NONE, "unmapped below");
	ok(proc_idmap_inside(&m, 165536) == PROC_ID_NONE, "unmapped above");
	is_int(proc_idmap_outside(&m, 65535), 165535, "to the outside");
	ok(proc_idmap_outside(&m, 65536) == PROC_ID_NONE, "unmapped inside");
	is_int(proc_parse_idmap(T("0 0 4294967295\n"), &m), 0, "the initial namespace");
	is_int(proc_idmap_inside(&m, 1000), 1000, "maps to itself");
	is_int(proc_parse_idmap(T("0 4294967295 10\n"), &m), 0, "a range that we cannot see");
	ok(proc_idmap_outside(&m, 3) == PROC_ID_NONE, "and it maps nothing");
	ok(proc_parse_idmap(T("0 0 0\n"), &m) < 0, "empty range");
	ok(proc_parse_idmap(T("4294967290 0 100\n"), &m) < 0, "range over the end");
	ok(proc_parse_idmap(T("1 0 4294967295\n"), &m) < 0, "-1 is never mapped");
	is_int(proc_parse_idmap(T("0 1 4294967295\n"), &m), 0, "nor from the outside");
	ok(proc_idmap_inside(&m, UINT32_MAX) == PROC_ID_NONE &&
		proc_idmap_outside(&m, UINT32_MAX - 1) == PROC_ID_NONE,
	    "  where it stands for none");
	ok(proc_parse_idmap(T("0 0\n"), &m) < 0 && proc_parse_idmap(T("0 0 1 1\n"), &m) < 0,
	    "fields");
	is_int(proc_parse_idmap("", 0, &m), 0, "not written yet");
}

static void
limits(void)
{
	struct proc_limits l;

	is_int(
	    proc_parse_limits(
		T("Limit                     Soft Limit           Hard Limit           Units     \n"
		  "Max cpu time              unlimited            unlimited            seconds   \n"
		  "Max open files            1024                 524288               files     \n"
		  "Max nice priority         0                    0                    \n"
		  "Max of the future         1                    2                    \n"),
		&l),
	    0, "limits");
	ok(l.has[RLIMIT_CPU] && l.v[RLIMIT_CPU].rlim_cur == RLIM_INFINITY, "unlimited");
	ok(l.v[RLIMIT_NOFILE].rlim_cur == 1024 && l.v[RLIMIT_NOFILE].rlim_max == 524288, "numbers");
	ok(l.has[RLIMIT_NICE] && !l.has[RLIMIT_STACK], "what is said and what is not");
	ok(proc_parse_limits(T("Limit x\nMax open files            5  4  files\n"), &l) < 0,
	    "soft above hard");
	ok(proc_parse_limits(T("Limit x\nMax open files            5\n"), &l) < 0, "one number");
}

static void
environs(void)
{
	auto_free char **env = NULL;
	size_t n;

	is_int(proc_parse_environ(T("A=1\0junk\0=x\0B=\0A=2"), &env, &n), 0, "environ");
	is_int(n, 3, "entries with a name");
	is_str(env[2], "A=2", "the last needs no NUL");
	ok(env[3] == NULL, "ends with NULL");
	is_str(proc_environ_get(env, "A"), "1", "the first counts");
	is_str(proc_environ_get(env, "B"), "", "empty value");
	is_str(proc_environ_get(env, "j"), NULL, "no such name");
	free(steal_ptr(&env));
	is_int(proc_parse_environ("", 0, &env, &n), 0, "empty environ");
	is_int(n, 0, "has nothing");
}

static int
note(void *arg, const struct proc_mount *m)
{
	snprintf(arg, 256, "%u:%u %s %s %s%s", m->major, m->minor, m->root, m->point, m->fstype,
	    m->read_only ? " ro" : "");
	return strcmp(m->point, "/stop") == 0 ? 7 : 0;
}

static void
mounts(void)
{
	char got[256] = "";

	is_int(proc_parse_mountinfo(T("36 35 98:0 /a\\040b /etc/x\\134y rw,noatime master:1 "
				      "shared:2 - ext3 /dev/r rw\n"),
		   note, got),
	    0, "mountinfo");
	is_str(got, "98:0 /a b /etc/x\\y ext3", "escapes decoded, tags passed over");
	is_int(proc_parse_mountinfo(T("1 1 0:1 / /a ro - cgroup2 t rw\n"), note, got), 0, "one");
	is_str(got, "0:1 / /a cgroup2 ro", "that is read-only");
	is_int(
	    proc_parse_mountinfo(T("1 1 0:1 / /a ro,nosuid - cgroup2 t rw\n"), note, got), 0, "or");
	is_str(got, "0:1 / /a cgroup2 ro", "with more options");
	is_int(proc_parse_mountinfo(T("1 1 0:1 / /a rw,ro - cgroup2 t ro\n"), note, got), 0,
	    "the first word says it");
	is_str(got, "0:1 / /a cgroup2", "of the mount");
	is_int(proc_parse_mountinfo(T("1 1 0:1 / /stop rw - tmpfs t rw\n1 1 broken\n"), note, got),
	    7, "the callback ends it");
	ok(proc_parse_mountinfo(T("36 35 98:0 / /x rw master:1 ext3 /dev/r rw\n"), note, got) < 0,
	    "no separator");
	ok(proc_parse_mountinfo(T("36 35 98:0 /\\777 /x rw - ext3 d rw\n"), note, got) < 0,
	    "escape out of range");
	ok(proc_parse_mountinfo(T("36 35 98:0 /\\000 /x rw - ext3 d rw\n"), note, got) < 0,
	    "escape of a NUL");
}

/* The same on the real /proc: a child of ours, alive and then a zombie. */
static void
real(void)
{
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int pd = -1;
	static struct proc_cgroups cg;
	static struct proc_idmap map;
	struct proc_limits lim;
	struct proc_status status;
	struct proc_stat st;
	auto_free char **env = NULL;
	siginfo_t info;
	size_t n;
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	pd = proc_open(proc, child);
	ok(pd >= 0 && proc_read_stat(pd, &st) == 0 && st.pid == child && st.ppid == getpid(),
	    "stat");
	ok(proc_read_status(pd, &status) == 0 && status.uid[1] == geteuid(), "status");
	is_int(status.tgid, child, "tgid");
	proc_status_fini(&status);
	ok(proc_read_cgroups(pd, &cg) == 0 && cg.n > 0, "cgroup");
	ok(proc_read_idmap(pd, "uid_map", &map) == 0 && map.n > 0, "uid_map");
	ok(proc_read_limits(pd, &lim) == 0 && lim.has[RLIMIT_NOFILE], "limits");
	ok(proc_read_environ(pd, &env, &n) == 0, "environ");
	ok(proc_ns(pd, "mnt") != 0 && proc_ns(pd, "nonsense") == 0, "namespaces");
	kill(child, SIGKILL);
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	ok(proc_read_stat(pd, &st) == 0 && !proc_alive(&st), "a zombie is seen");
	waitpid(child, NULL, 0);
	ok(proc_read_stat(pd, &st) < 0 && errno == ESRCH, "gone is ESRCH");
}

static int
count_mount(void *arg, const struct proc_mount *m)
{
	(void)m;
	++*(size_t *)arg;
	return 0;
}

static void
huge(const char *path)
{
	char full[400];

	standin_remove(path);
	standin_file(path, "Name:\tx\n");
	snprintf(full, sizeof(full), "%s/%s", standin, path);
	if (truncate(full, 2LL << 30) < 0)
		standin_die(full);
}

/* A --proc-root that lies: nothing blocks, nothing is read without end. */
static void
hostile_files(void)
{
	static const char *const names[] = {
	    "stat", "status", "cgroup", "environ", "limits", "uid_map", "mountinfo"};
	static struct proc_cgroups cg;
	static struct proc_idmap map;
	char path[64], full[400];
	struct proc_status status;
	struct proc_limits lim;
	struct proc_stat st;
	char **env = NULL;
	size_t n, sum = 0;
	int proc, pd, way;

	standin_host("0::/\n");
	standin_add(&(struct standin_proc){.pid = 70, .comm = "x", .cgroup = "0::/x\n"});
	snprintf(full, sizeof(full), "%s/proc", standin);
	proc = open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
	pd = proc_open(proc, 70);
	for (way = 0; way < 4; way++) {
		static const char *const ways[] = {"2 GiB", "FIFO", "directory", "symbolic link"};

		for (size_t i = 0; i < COUNT_OF(names); i++) {
			snprintf(path, sizeof(path), "proc/70/%s", names[i]);
			snprintf(full, sizeof(full), "%s/%s", standin, path);
			standin_remove(path);
			if (way == 0)
				huge(path);
			else if (way == 1)
				mkfifo(full, 0644);
			else if (way == 2)
				mkdir(full, 0755);
			else
				standin_link("/etc/passwd", path);
		}
		ok(proc_read_stat(pd, &st) < 0 && proc_read_status(pd, &status) < 0 &&
			proc_read_limits(pd, &lim) < 0,
		    "%s: stat, status, limits", ways[way]);
		proc_status_fini(&status);
		/* An empty text, as a FIFO gives without a writer, has no line that is wrong. */
		ok(proc_read_cgroups(pd, &cg) < 0 || cg.n == 0, "  cgroup");
		ok(proc_read_idmap(pd, "uid_map", &map) < 0 || map.n == 0, "  uid_map");
		ok(proc_read_environ(pd, &env, &n) < 0 || n == 0, "  environ");
		free(env);
		env = NULL;
		ok(proc_read_mountinfo(pd, count_mount, &sum) < 0 || sum == 0, "  mountinfo");
	}
	close(pd);
	close(proc);
}

/* Another file each time it is read: what was read of one moment is whole or refused. */
static void
changing(void)
{
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int pd = -1;
	struct proc_stat st;
	pid_t child = fork();
	bool good = true;

	if (child == 0) {
		static const char *const names[] = {") S 1 (", "a\nUid:\t0", "x) Z 0 0", ""};

		for (unsigned i = 0;; i++)
			prctl(PR_SET_NAME, names[i % 4]);
	}
	pd = proc_open(proc, child);
	for (int i = 0; i < 2000 && good; i++) {
		struct proc_status status;

		good = proc_read_stat(pd, &st) == 0 && st.pid == child && st.ppid == getpid() &&
		       proc_alive(&st) && proc_read_status(pd, &status) == 0 &&
		       status.tgid == child && status.uid[0] == getuid();
		if (good)
			proc_status_fini(&status);
	}
	ok(good, "a name that changes and imitates deceives nobody");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int
main(void)
{
	hostile_files();
	changing();
	stat_lines();
	status_texts();
	cgroup_texts();
	maps();
	limits();
	environs();
	mounts();
	real();
	return done_testing();
}
