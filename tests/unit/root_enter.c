/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Entering a real container: the session is what the container's own process is. */
#include "container.h"
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "base/str.h"
#include "enter_kit.h"
#include "target/cgroup.h"
#include "target/context.h"

static void
like_target(pid_t pid, const char *what)
{
	static const char *const same[] = {"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff",
	    "CapBnd", "CapAmb", "NoNewPrivs", "Umask", "Cpus_allowed_list"};
	static const char *const ns[] = {"mnt", "pid", "net", "ipc", "uts", "cgroup", "user"};
	struct run r;
	char path[64], theirs[256], text[65536];
	ssize_t n;

	is_int(kit_sh(pid, &r, "exec cat /proc/self/status"), 0, "cat ran");
	snprintf(path, sizeof(path), "/proc/1/status");
	{
		struct run one;

		kit_sh(pid, &one, "exec cat /proc/1/status");
		memcpy(text, one.out, sizeof(text));
	}
	for (size_t i = 0; i < COUNT_OF(same); i++)
		is_str(kit_line(r.out, same[i]), kit_line(text, same[i]), same[i]);
	is_str(kit_line(r.out, "SigBlk"), "\t0000000000000000", "no signal is blocked");
	is_str(kit_line(r.out, "SigIgn"), "\t0000000000000000", "no signal is ignored");
	is_int(kit_sh(pid, &r,
		   "cd /proc/self/ns; for n in mnt pid net ipc uts cgroup user; do "
		   "ls -l $n; done"),
	    0, "ls ran");
	for (size_t i = 0; i < COUNT_OF(ns); i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, ns[i]);
		n = readlink(path, theirs, sizeof(theirs) - 1);
		theirs[n > 0 ? n : 0] = '\0';
		ok(n > 0 && strstr(r.out, theirs) != NULL, "%s: %s namespace is the target's", what,
		    ns[i]);
	}
}

static void
test_context(pid_t pid)
{
	struct run r;
	char text[4096], path[64];
	int fd;
	ssize_t n;

	is_int(kit_sh(pid, &r, "ls /proc/self/fd | grep -v '^3$'; ls -l /proc/self/fd"), 0, "fds");
	ok(strncmp(r.out, "0\n1\n2\n", 6) == 0, "descriptors are 0, 1, 2 (and ls's own)");
	is_int(kit_sh(pid, &r, "cat /proc/self/limits"), 0, "limits");
	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	is_str(r.out, text, "limits are the target's");
	is_int(kit_sh(pid, &r,
		   "cat /proc/self/oom_score_adj; pwd; echo $PATH; cat /proc/self/loginuid"),
	    0, "oom");
	is_str(r.out, "500\n/\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n0",
	    "oom_score_adj, cwd, PATH, loginuid");
	is_int(kit_sh(pid, &r, "cat /proc/self/cgroup"), 0, "cgroup");
	ok(strstr(r.out, "coral-t") != NULL, "a cgroup of the session's own");
	ok(strstr(r.out, ":/\n") == NULL || strstr(r.out, "..") == NULL, "inside the target's");
	is_int(kit_sh(pid, &r, "env"), 0, "env");
	ok(strstr(r.out, "TERM=xterm\n") != NULL, "environment is the target's");
	for (int code = 0; code < 256; code += 51) {
		char script[32];

		snprintf(script, sizeof(script), "exit %d", code);
		is_int(kit_sh(pid, &r, script), code, "exit code");
	}
	kit_sh(pid, &r, "kill -9 $$");
	ok(WIFSIGNALED(r.status) && WTERMSIG(r.status) == SIGKILL, "killed by a signal");
}

static void
test_tty(pid_t pid)
{
	static const char *const argv[] = {
	    "/bin/sh", "-c", "stty size; tty; cat /proc/self/stat; echo $TERM; ls -l $(tty)", NULL};
	struct run r = {.want = {.argv = argv, .tty = true, .term = "screen-256color"}};
	char want[64];
	int dev = 0, pgrp = 0, session = 0, tpgid = 0;
	const char *at;

	is_int(kit_run(pid, &r), 0, "a run on a terminal");
	snprintf(want, sizeof(want), "33 111\r\n/dev/pts/%u\r\n", r.pty_number);
	ok(strncmp(r.out, want, strlen(want)) == 0, "stty size and tty");
	at = strrchr(r.out, ')');
	if (at)
		sscanf(at, ") %*c %*d %d %d %d %d", &pgrp, &session, &dev, &tpgid);
	ok(session > 0 && dev != 0 && (dev >> 8 & 0xfff) == 136, "it is the controlling terminal");
	ok(strstr(r.out, "screen-256color") != NULL, "TERM");
	ok(strstr(r.out, "crw-------") != NULL, "mode 0600");
	ok(!r.foreign, "in the container's own devpts");
}

static void
expect(pid_t pid, const char *const *argv, enum err_code code, const char *part)
{
	struct run r = {.want = {.argv = argv}};
	int rc = kit_run(pid, &r);

	is_int(rc, -1, argv[0]);
	is_str(err_name(r.e.code), err_name(code), argv[0]);
	ok(strstr(r.e.why, part) || strstr(r.e.what, part), "says \"%s\": %s / %s", part, r.e.what,
	    r.e.why);
}

static void
test_errors(pid_t pid)
{
	struct run r = {.want = {.namespaces = "mnt,pidd"}};

	expect(pid, (const char *[]){"nosuch", NULL}, ERR_NOT_FOUND, "/usr/local/bin");
	expect(pid, (const char *[]){"/no/such", NULL}, ERR_NOT_FOUND, "/no/such");
	expect(pid, (const char *[]){"/etc/passwd", NULL}, ERR_NOT_EXECUTABLE, "/etc/passwd");
	expect(pid, (const char *[]){"/etc", NULL}, ERR_NOT_EXECUTABLE, "/etc");
	expect(pid, (const char *[]){"/bin/broken", NULL}, ERR_NOT_EXECUTABLE, "interpreter");
	expect(pid, (const char *[]){"/bin/garbage", NULL}, ERR_NOT_EXECUTABLE, "neither");
	expect(pid, (const char *[]){"", NULL}, ERR_NOT_FOUND, "empty");
	is_int(kit_run(pid, &r), -1, "unknown namespace");
	is_int(r.e.code, ERR_USAGE, "is a usage error");
	ok(strstr(r.e.why, "cgroup") && strstr(r.e.hint, "pid"), "names the known: %s", r.e.why);
	r = (struct run){.want = {.user = "nobody-here"}};
	is_int(kit_run(pid, &r), -1, "unknown user");
	ok(r.e.code == ERR_USAGE && strstr(r.e.why, "/etc/passwd"), "%s: %s", r.e.what, r.e.why);
	r = (struct run){.want = {.workdir = "/nowhere"}};
	is_int(kit_run(pid, &r), -1, "no such working directory");
	ok(strstr(r.e.what, "/nowhere") != NULL, "%s: %s", r.e.what, r.e.why);
	r = (struct run){.want = {.workdir = "/proc/self/fd/5"}};
	is_int(kit_run(pid, &r), -1, "a working directory by a descriptor");
	is_int(box_sh("ls -d /sys/fs/cgroup/unified/coral-test-%d-*/coral-* "
		      "/sys/fs/cgroup/*/coral-test-%d-*/coral-* 2>/dev/null",
		   (int)getpid(), (int)getpid()) != 0,
	    1, "nothing is left of what failed");
}

static void
test_user(pid_t pid)
{
	const char *argv[] = {"/bin/sh", "-c",
	    "id -u; id -g; id -G; echo $HOME; grep -E 'CapPrm|CapBnd' /proc/self/status; pwd; "
	    "echo x >/dev/stderr",
	    NULL};
	struct run r = {.want = {.argv = argv, .user = "ana", .workdir = "/work"}};

	is_int(kit_run(pid, &r), 0, "-u ana -w /work");
	ok(strncmp(r.out, "1234\n1235\n1235 4000\n/work\nCapPrm:\t0000000000000000\n", 50) == 0,
	    "ids and groups by the container's files");
	ok(strstr(r.out, "\n/work\nx\n") != NULL, "cwd, and /dev/stderr opens again");
	r = (struct run){.want = {.argv = argv, .user = "77:ops"}};
	is_int(kit_run(pid, &r), 0, "-u 77:ops");
	ok(strncmp(r.out, "77\n4000\n4000\n", 13) == 0, "a bare uid and a named group");
	r = (struct run){.want = {.argv = argv, .privileged = true}};
	is_int(kit_run(pid, &r), 0, "--privileged");
	ok(strstr(r.out, "CapPrm:\t000001fffeffffff") || !strstr(r.out, "00000000"),
	    "keeps the agent's capabilities");
}

static void
test_shell_choice(pid_t pid)
{
	struct run r = {.want = {.tty = false}};

	is_int(kit_run(pid, &r), 0, "a shell when no command is given");
	ok(r.status == 0, "which ends at the end of its input");
}

static const char *
state_of(const json_t *context, const char *item)
{
	const json_t *items = json_object_get(context, "items"), *one;
	size_t i;

	json_array_foreach(items, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "item"));

		if (name && strcmp(name, item) == 0)
			return json_string_value(json_object_get(one, "state"));
	}
	return NULL;
}

/* runc gives a cgroup namespace only where there is no v1 hierarchy. */
static int
namespaces_that_differ(pid_t pid)
{
	char path[64], ours[64], theirs[64];
	int n = 0;

	for (size_t i = 0; i < CTX_NS_COUNT; i++) {
		ssize_t a, b;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", ctx_namespaces[i].name);
		a = readlink(path, ours, sizeof(ours));
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, ctx_namespaces[i].name);
		b = readlink(path, theirs, sizeof(theirs));
		n += a != b || memcmp(ours, theirs, (size_t)a) != 0;
	}
	return n;
}

static void
test_explain(pid_t pid)
{
	const char *const argv[] = {"true", NULL};
	struct run r = {.want = {.argv = argv}, .want_context = true};

	is_int(kit_run(pid, &r), 0, "explained");
	is_int(json_array_size(json_object_get(r.context, "namespaces_entered")),
	    namespaces_that_differ(pid), "namespaces");
	is_str(json_string_value(json_object_get(r.context, "capabilities")), "0000000020000420",
	    "effective capabilities");
	is_str(state_of(r.context, "capabilities"), "cloned", "capabilities");
	is_str(state_of(r.context, "cgroup"), "cloned", "cgroup");
	is_str(state_of(r.context, "oom_score_adj"), "defaulted", "oom_score_adj");
	is_str(state_of(r.context, "securebits"), "defaulted", "securebits");
	is_str(state_of(r.context, "seccomp"), "cloned", "no filter to clone");
	is_str(state_of(r.context, "rlimits"), "cloned", "rlimits");
	json_decref(r.context);
	r = (struct run){.want = {.argv = argv, .namespaces = "mnt"}, .want_context = true};
	is_int(kit_run(pid, &r), 0, "only the mnt namespace");
	is_str(state_of(r.context, "namespaces"), "defaulted", "is said");
	is_str(
	    json_string_value(json_array_get(json_object_get(r.context, "namespaces_entered"), 0)),
	    "mnt", "and which");
	json_decref(r.context);
}

/* No container: the host's own process, in its own namespaces. */
static void
test_bare(void)
{
	pid_t pid = fork();
	struct run r;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	is_int(kit_sh(pid, &r, "echo here; readlink /proc/self/ns/mnt"), 0, "a bare process");
	ok(strncmp(r.out, "here\n", 5) == 0, "is entered too");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Root that gave capabilities up: exec would give them back. */
static void
test_less(void)
{
	struct run r;
	int ready[2];
	pid_t pid;
	char c;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct d[2] = {
		    {.permitted = 1 << CAP_KILL, .effective = 1 << CAP_KILL}};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		syscall(SYS_capset, &head, d);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	close(ready[1]);
	ok(read(ready[0], &c, 1) == 1, "a root without most capabilities");
	close(ready[0]);
	is_int(kit_sh(pid, &r, "cat /proc/self/status"), 0, "is entered");
	is_str(kit_line(r.out, "CapPrm"), "\t0000000000000020", "with no more permitted");
	is_str(kit_line(r.out, "CapEff"), "\t0000000000000020", "nor effective");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
test_mapped_users(pid_t pid)
{
	const char *argv[] = {"/bin/sh", "-c", "id -u; id -G; ls -ln $(tty)", NULL};
	struct run r = {.want = {.argv = argv, .user = "70000"}};

	is_int(kit_run(pid, &r), -1, "a uid that the container has not");
	is_int(r.e.code, ERR_DENIED, "is refused");
	ok(strstr(r.e.what, "70000") != NULL, "by its number");
	r = (struct run){.want = {.argv = argv, .user = "ana", .tty = true}};
	is_int(kit_run(pid, &r), 0, "-u ana in a user namespace");
	ok(strncmp(r.out, "1234\r\n1235 4000\r\n", 16) == 0, "is translated");
	ok(strstr(r.out, " 1234 ") != NULL, "and owns her terminal");
}

static void
plain_user(json_t *config)
{
	const char *bind = "CAP_NET_BIND_SERVICE";
	json_t *p = json_object_get(config, "process");

	json_object_set_new(p, "user",
	    json_pack("{s:i,s:i,s:i,s:[ii]}", "uid", 1000, "gid", 1001, "umask", 077,
		"additionalGids", 5, 6));
	json_object_set_new(p, "noNewPrivileges", json_false());
	json_object_set_new(p, "capabilities",
	    json_pack("{s:[ss],s:[s],s:[s],s:[s],s:[s]}", "bounding", "CAP_KILL", bind, "effective",
		bind, "permitted", bind, "inheritable", bind, "ambient", bind));
	json_object_set_new(p, "cwd", json_string("/work"));
}

static void
user_ns(json_t *config)
{
	json_t *l = json_object_get(config, "linux");

	json_array_append_new(json_object_get(l, "namespaces"), json_pack("{s:s}", "type", "user"));
	json_object_set_new(l, "uidMappings",
	    json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 200000, "size", 65536));
	json_object_set_new(l, "gidMappings",
	    json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 200000, "size", 65536));
}

/* In a child, for what is given up does not come back. */
static void
without(pid_t pid, int cap, const char *name)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct d[2];
		const char *const argv[] = {"true", NULL};
		struct run r = {.want = {.argv = argv}};

		syscall(SYS_capget, &head, d);
		d[cap / 32].effective &= ~(1U << (cap % 32));
		d[cap / 32].permitted &= ~(1U << (cap % 32));
		syscall(SYS_capset, &head, d);
		if (kit_run(pid, &r) == 0)
			_exit(1);
		_exit(r.e.code == ERR_PRIVILEGE && strstr(r.e.why, name) && strstr(r.e.hint, name)
			  ? 0
			  : 2);
	}
	waitpid(child, &status, 0);
	ok(status == 0, "without it the error names %s (%d)", name, status);
}

int
main(void)
{
	pid_t pid;

	kit_start();
	pid = box_run("root", NULL);
	if (pid < 0) {
		printf("Bail out! runc does not run\n");
		return 1;
	}
	box_sh("printf '#!/no/such/loader\\n' >%s/rootfs/bin/broken; printf 'nonsense' "
	       ">%s/rootfs/bin/garbage; chmod 755 %s/rootfs/bin/*",
	    box_dir, box_dir, box_dir);
	like_target(pid, "root");
	test_context(pid);
	test_tty(pid);
	test_errors(pid);
	test_user(pid);
	test_shell_choice(pid);
	test_explain(pid);
	test_bare();
	test_less();
	pid = box_run("plain", plain_user);
	ok(pid > 0, "a container of uid 1000");
	like_target(pid, "uid 1000");
	test_tty(pid);
	without(pid, CAP_SYS_ADMIN, "CAP_SYS_ADMIN");
	without(pid, CAP_SYS_CHROOT, "CAP_SYS_CHROOT");
	without(pid, CAP_SYS_PTRACE, "CAP_SYS_PTRACE");
	without(pid, CAP_SETUID, "CAP_SETUID");
	without(pid, CAP_SETPCAP, "CAP_SETPCAP");
	pid = box_run("userns", user_ns);
	ok(pid > 0, "a container in a user namespace");
	if (pid > 0) {
		like_target(pid, "userns");
		test_tty(pid);
		test_mapped_users(pid);
	}
	return done_testing();
}
