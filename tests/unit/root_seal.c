/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a container can reach of us while it is entered: not the binary, not the descriptors. */
#include "container.h"
#include <dirent.h>
#include <sys/syscall.h>
#include "base/clock.h"
#include "base/str.h"
#include "enter_kit.h"
#include "target/self_seal.h"

/* "hold": say how we run, then wait to be killed. */
static int
hold(void)
{
	char c;

	printf("%d\n", self_is_sealed());
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

static int
reexec(const char *how, char *self)
{
	char *argv[] = {self, (char *)"hold", NULL};
	struct err e = {0};

	if (strcmp(how, "mount") == 0)
		self_seal_exec(argv, false, &e);
	else
		syscall(SYS_execveat, self_seal_copy(&e), "", argv, environ, AT_EMPTY_PATH);
	err_print(2, &e);
	return 1;
}

/* Inside the container: look at every new process until told to stop. */
static int
spy(void)
{
	int64_t until = clock_mono() + 20 * NS_PER_S;
	char path[64], link[4096];
	unsigned long looks = 0;

	printf("spying\n");
	fflush(stdout);
	while (clock_mono() < until && access("/tmp/stop", F_OK) < 0) {
		DIR *d = opendir("/proc");
		struct dirent *ent;

		while (d && (ent = readdir(d)) != NULL) {
			static const char *const what[] = {"exe", "cwd", "root", "fd/3", "fd/27"};

			if (ent->d_name[0] < '1' || ent->d_name[0] > '9')
				continue;
			for (size_t i = 0; i < COUNT_OF(what); i++) {
				ssize_t n;

				looks++;
				snprintf(
				    path, sizeof(path), "/proc/%.16s/%s", ent->d_name, what[i]);
				n = readlink(path, link, sizeof(link) - 1);
				if (n <= 0)
					continue;
				link[n] = '\0';
				if (i == 0 && strcmp(link, "/bin/busybox") != 0 &&
				    strcmp(link, "/bin/spy") != 0)
					printf("SAW %s %s\n", path, link);
				if (i >= 3 && strncmp(link, "pipe:", 5) != 0 &&
				    strncmp(link, "/proc", 5) != 0)
					printf("SAW %s %s\n", path, link);
			}
		}
		if (d)
			closedir(d);
	}
	printf("looked %lu times\n", looks);
	return 0;
}

static pid_t
start(const char *file, const char *mode, int *in, int *out)
{
	int a[2], b[2];
	pid_t pid;

	if (pipe2(a, O_CLOEXEC) < 0 || pipe2(b, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(a[0], 0);
		dup2(b[1], 1);
		execl(file, file, mode, (char *)NULL);
		_exit(1);
	}
	close(a[0]);
	close(b[1]);
	*in = a[1];
	*out = b[0];
	return pid;
}

/* As CVE-2019-5736 did: hold the file by /proc/PID/exe, and write when nobody runs it. */
static int
attack(pid_t pid, int (*end)(pid_t pid))
{
	char path[64];
	int exe, fd, sys = 0;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	exe = open(path, O_PATH | O_CLOEXEC);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ok(exe >= 0 && fd < 0, "while it runs: %s", strerror(errno));
	if (end(pid) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		sys = errno;
	else if (write(fd, "overwritten", 11) < 0)
		sys = errno;
	if (fd >= 0)
		close(fd);
	close(exe);
	return sys;
}

static int
end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static bool
unchanged(const char *a, const char *b)
{
	return box_sh("cmp -s %s %s", a, b) == 0;
}

static int
attack_mode(const char *victim, const char *mode, const char *sealed)
{
	char said[8] = "";
	int in = -1, out = -1, sys;
	pid_t pid = start(victim, mode, &in, &out);

	if (read(out, said, sizeof(said) - 1) < 0)
		said[0] = '\0';
	is_str(said, sealed, mode);
	sys = attack(pid, end_child);
	close(in);
	close(out);
	return sys;
}

static void
test_modes(void)
{
	char victim[128], copy[128], shm[64];

	snprintf(victim, sizeof(victim), "%s/victim", box_dir);
	snprintf(copy, sizeof(copy), "%s/copy", box_dir);
	box_sh("cp /proc/%d/exe %s && cp %s %s", (int)getpid(), victim, victim, copy);
	is_int(attack_mode(victim, "mount", "1\n"), EROFS,
	    "a read-only mount of its own is not writable");
	ok(unchanged(victim, copy), "the binary is unchanged");
	snprintf(shm, sizeof(shm), "/dev/shm/coral-test-%d", (int)getpid());
	box_sh("cp %s %s", copy, shm);
	is_int(attack_mode(shm, "mount", "1\n"), EROFS, "nor that of a binary on a tmpfs");
	unlink(shm);
	is_int(attack_mode(victim, "copy", "1\n"), EPERM, "a sealed copy is not writable");
	ok(unchanged(victim, copy), "the binary is unchanged");
	is_int(attack_mode(victim, "hold", "0\n"), 0, "without either, the attack works");
	ok(!unchanged(victim, copy), "and the binary is overwritten");
}

static struct run evil;

static int
end_evil(pid_t pid)
{
	int rc = enter_tree_end(&kit_sys, &evil.child.tree, NULL, &evil.e);

	return waitpid(pid, &evil.status, 0) == pid ? rc : -1;
}

/* A command of the container that is "#!/proc/self/exe" runs our own binary there. */
static void
test_evil_script(pid_t target)
{
	static const char *const argv[] = {"/bin/evil", NULL};
	char said[16] = "", before[128];
	int from = -1, sys;

	box_sh(
	    "printf '#!/proc/self/exe hold\\n' >%s/rootfs/bin/evil; chmod 755 %s/rootfs/bin/evil; "
	    "cp /proc/%d/exe %s/before",
	    box_dir, box_dir, (int)getpid(), box_dir);
	snprintf(before, sizeof(before), "%s/before", box_dir);
	evil.want = (struct enter_want){.argv = argv, .tty = true};
	is_int(kit_spawn(target, &evil, &from), 0, "#!/proc/self/exe is entered");
	fd_nonblock(from, false);
	for (size_t n = 0; n < sizeof(said) - 1 && !strchr(said, '\n'); n = strlen(said)) {
		if (read(from, said + n, sizeof(said) - 1 - n) <= 0)
			break;
	}
	ok(said[0], "and runs");
	is_str(said, "1\r\n", "our binary, from the sealed file");
	/* This program runs from the same file, so the kernel may say that first. */
	sys = attack(evil.child.pid, end_evil);
	ok(sys == EROFS || sys == ETXTBSY, "which the container cannot write: %s", strerror(sys));
	ok(box_sh("cmp -s /proc/%d/exe %s", (int)getpid(), before) == 0, "hash unchanged");
	close(from);
	fd_close(&evil.child.pidfd);
}

static void
test_spy(pid_t target)
{
	static const char *const argv[] = {"/bin/spy", "spy", NULL};
	static const char *const quick[] = {"true", NULL};
	struct run s = {.want = {.argv = argv}}, r;
	int from = -1;
	char line[16] = "";

	box_sh("cp /proc/%d/exe %s/rootfs/bin/spy; chmod 755 %s/rootfs/bin/spy; rm -f "
	       "%s/rootfs/tmp/stop",
	    (int)getpid(), box_dir, box_dir, box_dir);
	is_int(kit_spawn(target, &s, &from), 0, "a spy in the container");
	ok(read(from, line, 7) == 7, "looks around");
	for (int i = 0; i < 200; i++) {
		r = (struct run){.want = {.argv = quick}};
		if (kit_run(target, &r) < 0 || r.status != 0)
			break;
	}
	is_int(r.status, 0, "200 entries meanwhile");
	box_sh("touch %s/rootfs/tmp/stop", box_dir);
	kit_drain(from, s.out, sizeof(s.out));
	waitpid(s.child.pid, &s.status, 0);
	ok(strstr(s.out, "looked") != NULL, "it looked often");
	ok(strstr(s.out, "SAW") == NULL, "and saw nothing of the agent");
	enter_tree_end(&kit_sys, &s.child.tree, NULL, &s.e);
	if (strstr(s.out, "SAW"))
		printf("# %.200s\n", strstr(s.out, "SAW"));
	close(from);
	fd_close(&s.child.pidfd);
}

int
main(int argc, char **argv)
{
	struct err e = {0};
	pid_t pid;

	if (argc > 1 && strcmp(argv[1], "hold") == 0)
		return hold();
	if (argc > 1 && strcmp(argv[1], "spy") == 0)
		return spy();
	if (argc > 1)
		return reexec(argv[1], argv[0]);
	if (!self_is_sealed()) {
		self_seal_exec(argv, false, &e);
		err_print(2, &e);
		return 1;
	}
	kit_start();
	pid = box_run("seal", NULL);
	ok(pid > 0, "a container");
	test_modes();
#ifndef __SANITIZE_ADDRESS__
	/* These run this very program in the container: it must be static. */
	test_evil_script(pid);
	test_spy(pid);
#else
	(void)test_evil_script;
	(void)test_spy;
#endif
	return done_testing();
}
