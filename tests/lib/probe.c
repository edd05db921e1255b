/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a process can tell about itself, as "KEY: VALUE" lines: run by a container as its first
 * process, by its engine's exec and by coral exec, so that the three can be compared.
 *   probe         print
 *   probe stay    keep the text in a memfd called "probe", and wait
 *   probe batch   the same, as a batch process
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;
static FILE *out;

static void
text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < 32 || c == 127 || c == '\\')
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
}

static void __attribute__((format(printf, 2, 3))) say(const char *key, const char *fmt, ...)
{
	char value[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	text(key, strlen(key));
	fputs(": ", out);
	text(value, strlen(value));
	fputc('\n', out);
}

/* A number, or the error's name. */
static void
number(const char *key, long v)
{
	if (v < 0 && errno)
		say(key, "%s", strerrorname_np(errno));
	else
		say(key, "%ld", v);
}

static size_t
slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got = -1;

	errno = 0;
	while (fd >= 0 && n + 1 < size && (got = read(fd, buf + n, size - 1 - n)) > 0)
		n += (size_t)got;
	buf[n] = '\0';
	if (fd < 0 || got < 0)
		snprintf(buf, size, "%s", strerrorname_np(errno));
	if (fd >= 0)
		close(fd);
	return n;
}

/* Each line of a file, under its number or under what stands before `sep`. */
static void
lines(const char *path, const char *name, const char *sep)
{
	static char buf[1 << 20];
	char *save = NULL, key[300];
	int i = 0;

	slurp(path, buf, sizeof(buf));
	for (char *l = strtok_r(buf, "\n", &save); l; l = strtok_r(NULL, "\n", &save), i++) {
		char *at = sep ? strstr(l, sep) : NULL;
		size_t n = at ? (size_t)(at - l) : 0;

		if (at)
			snprintf(key, sizeof(key), "%s.%.*s", name, (int)n, l);
		else
			snprintf(key, sizeof(key), "%s.%d", name, i);
		l = at ? at + strlen(sep) : l;
		say(key, "%s", l + strspn(l, " \t"));
	}
}

static void
file(const char *name)
{
	char path[64], buf[4096];

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	slurp(path, buf, sizeof(buf));
	buf[strcspn(buf, "\n")] = '\0';
	say(name, "%s", buf);
}

static void
link_of(const char *key, const char *path)
{
	char to[4096];
	ssize_t n = readlink(path, to, sizeof(to) - 1);

	to[n > 0 ? n : 0] = '\0';
	say(key, "%s", n > 0 ? to : strerrorname_np(errno));
}

static void
environment(void)
{
	static char buf[1 << 20];
	size_t n = slurp("/proc/self/environ", buf, sizeof(buf)), i = 0;
	char key[32];

	for (char *s = buf; s < buf + n; s += strlen(s) + 1, i++) {
		snprintf(key, sizeof(key), "order.%zu", i);
		say(key, "%.*s", (int)strcspn(s, "="), s);
		fputs("env.", out);
		text(s, strcspn(s, "="));
		fputs(": ", out);
		text(s + strcspn(s, "="), strlen(s + strcspn(s, "=")));
		fputc('\n', out);
	}
}

static void
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	struct stat st;
	char key[32];

	while (d && (e = readdir(d)) != NULL) {
		int fd = atoi(e->d_name);

		if (e->d_name[0] == '.' || fd == dirfd(d) || fstat(fd, &st) < 0)
			continue;
		snprintf(key, sizeof(key), "fd.%d", fd);
		say(key, "type %o mode %o uid %u gid %u flags %o cloexec %d", st.st_mode & S_IFMT,
		    st.st_mode & 07777, st.st_uid, st.st_gid, fcntl(fd, F_GETFL),
		    fcntl(fd, F_GETFD));
	}
	if (d)
		closedir(d);
}

static void
scheduling(void)
{
	static const struct {
		const char *name;
		int res;
	} res[] = {{"cpu", RLIMIT_CPU}, {"core", RLIMIT_CORE}, {"nofile", RLIMIT_NOFILE},
	    {"nproc", RLIMIT_NPROC}, {"stack", RLIMIT_STACK}};
	char hex[2 * sizeof(cpu_set_t) + 1] = "";
	cpu_set_t cpus;
	struct sched_param sp = {0};
	char key[32];

	errno = 0;
	number("sched.policy", sched_getscheduler(0));
	sched_getparam(0, &sp);
	number("sched.priority", sp.sched_priority);
	errno = 0;
	say("sched.nice", "%d", getpriority(PRIO_PROCESS, 0));
	number("sched.ioprio", syscall(SYS_ioprio_get, 1, 0));
	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	for (size_t i = 0; i < sizeof(cpus); i++)
		sprintf(hex + 2 * i, "%02x", ((unsigned char *)&cpus)[i]);
	say("sched.affinity", "%s", hex);
	for (size_t i = 0; i < sizeof(res) / sizeof(*res); i++) {
		struct rlimit v;

		getrlimit(res[i].res, &v);
		snprintf(key, sizeof(key), "rlimit.%s", res[i].name);
		say(key, "%llu %llu", (unsigned long long)v.rlim_cur,
		    (unsigned long long)v.rlim_max);
	}
}

static void
attributes(void)
{
	int v = 0;
	char desc[256];
	long n;

	errno = 0;
	number("prctl.securebits", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	number("prctl.dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	prctl(PR_GET_PDEATHSIG, &v, 0, 0, 0);
	number("prctl.pdeathsig", v);
	prctl(PR_GET_CHILD_SUBREAPER, &v, 0, 0, 0);
	number("prctl.subreaper", v);
	number("prctl.keepcaps", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	number("prctl.nnp", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	number("prctl.thp_disable", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	number("prctl.timerslack", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	number("prctl.mce_kill", prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
	number("prctl.io_flusher", prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0));
	number("prctl.speculation", prctl(PR_GET_SPECULATION_CTRL, 0, 0, 0, 0));
	number("prctl.indirect_branch", prctl(PR_GET_SPECULATION_CTRL, 1, 0, 0, 0));
	number("auxv.secure", (long)getauxval(AT_SECURE));
	n = syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, desc, sizeof(desc));
	say("keyring", "%s", n > 0 ? desc : strerrorname_np(errno));
	say("leads.group", "%d", getpgrp() == getpid());
	say("leads.session", "%d", getsid(0) == getpid());
	say("parent", "%d", getppid());
}

static void
terminal(void)
{
	struct termios t;
	struct winsize ws = {0};
	struct stat st = {0};
	char key[32];

	if (tcgetattr(0, &t) < 0)
		return;
	say("tty.modes", "i %o o %o c %o l %o", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
	for (int i = 0; i < 17; i++) {
		snprintf(key, sizeof(key), "tty.cc%d", i);
		say(key, "%u", t.c_cc[i]);
	}
	say("tty.speed", "%u %u", cfgetispeed(&t), cfgetospeed(&t));
	ioctl(0, TIOCGWINSZ, &ws);
	say("tty.size", "%u %u", ws.ws_row, ws.ws_col);
	link_of("tty.name", "/proc/self/fd/0");
	say("tty.found", "%s", ttyname(0) ? ttyname(0) : "no");
	fstat(0, &st);
	say("tty.owner", "%u:%u", st.st_uid, st.st_gid);
	say("tty.mode", "%o", st.st_mode & 07777);
	say("tty.foreground", "%d", tcgetpgrp(0) == getpgrp());
	say("tty.controlling", "%d", open("/dev/tty", O_RDONLY | O_CLOEXEC) >= 0);
	link_of("tty.console", "/dev/console");
}

static void
report(void)
{
	static const char *const ns[] = {
	    "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
	static const char *const files[] = {"uid_map", "gid_map", "setgroups", "loginuid",
	    "sessionid", "oom_score_adj", "personality", "coredump_filter", "timerslack_ns",
	    "attr/current", "autogroup", "comm"};
	struct stat st = {0};
	char key[32], path[64];

	descriptors();
	lines("/proc/self/status", "status", ":");
	lines("/proc/self/limits", "limits", "  ");
	lines("/proc/self/cgroup", "cgroup", ":");
	lines("/proc/self/mountinfo", "mount", NULL);
	environment();
	for (size_t i = 0; i < sizeof(ns) / sizeof(*ns); i++) {
		snprintf(key, sizeof(key), "ns.%s", ns[i]);
		snprintf(path, sizeof(path), "/proc/self/ns/%s", ns[i]);
		link_of(key, path);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		file(files[i]);
	link_of("cwd", "/proc/self/cwd");
	link_of("root", "/proc/self/root");
	stat("/", &st);
	say("root.inode", "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	scheduling();
	attributes();
	terminal();
	say("end", "1");
}

int
main(int argc, char **argv)
{
	char *buf = NULL;
	size_t n = 0;
	bool stay = argc > 1;
	struct sched_param none = {0};
	int fd = 1;

	if (stay && strcmp(argv[1], "batch") == 0)
		sched_setscheduler(0, SCHED_BATCH, &none);
	out = open_memstream(&buf, &n);
	if (!out)
		return 1;
	report();
	fclose(out);
	if (stay)
		fd = memfd_create("probe", MFD_CLOEXEC);
	for (size_t at = 0; at < n;) {
		ssize_t put = write(fd, buf + at, n - at);

		if (put <= 0)
			return 1;
		at += (size_t)put;
	}
	while (stay)
		pause();
	return 0;
}
