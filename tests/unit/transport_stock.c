/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stock ssh against a sandboxed transport with a scripted broker. */
#include "transport_fake.h"

#include <arpa/inet.h>
#include "tap.h"

static struct fake fake;
static int port;

static int shell(const char *fmt, ...) PRINTF_LIKE(1, 2);
static int
shell(const char *fmt, ...)
{
	char cmd[8192];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	fflush(stdout);
	status = system(cmd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Run with $S as ssh with its options and $D as the scratch directory; stdout
 * and stderr go to files there. */
static int
ssh(const char *script)
{
	return shell(
	    "cd %s; D=%s; S='timeout --foreground 60 ssh -F none -p %d -i %s/id -o "
	    "IdentitiesOnly=yes "
	    "-o IdentityAgent=none -o StrictHostKeyChecking=no "
	    "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR'; (%s) >out 2>err </dev/null",
	    fake.dir, fake.dir, port, fake.dir, script);
}

static const char *
text_of(const char *name)
{
	static char text[2][8192];
	static int turn;
	char path[128], *t = text[turn ^= 1];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", fake.dir, name);
	f = fopen(path, "re");
	n = f ? fread(t, 1, sizeof(text[0]) - 1, f) : 0;
	t[n] = '\0';
	if (f)
		fclose(f);
	return t;
}

static bool
make_keys(void)
{
	struct err e;
	char path[128];

	if (shell("cd %s && ssh-keygen -q -t ed25519 -N '' -C alice@laptop -f id && "
		  "ssh-keygen -q -t ed25519 -N '' -C mallory@x -f other && "
		  "ssh-keygen -q -t ed25519 -N '' -C ca -f ca && cp other cert && "
		  "cp other.pub cert.pub && ssh-keygen -q -s ca -I x -n web cert.pub && "
		  "cp id.pub authorized_keys",
		fake.dir) != 0)
		return false;
	snprintf(path, sizeof(path), "%s/authorized_keys", fake.dir);
	return authkeys_load(&fake.keys, path, &e) == 0;
}

static void
test_exec(void)
{
	is_int(ssh("$S web@127.0.0.1 'echo hi; echo err >&2; exit 7'"), 7, "exit status");
	is_str(text_of("out"), "hi\n", "stdout");
	is_str(text_of("err"), "err\n", "stderr");
	is_int(ssh("$S web@127.0.0.1 true"), 0, "exit status 0");
	is_int(ssh("$S web@127.0.0.1 'kill -9 $$'"), 137, "128 + signal");
	is_int(ssh("printf abc | $S web@127.0.0.1 'cat; echo end'"), 0, "half-close");
	is_str(text_of("out"), "abcend\n", "stdin, its end, and what follows");
	is_int(ssh("echo 'echo in $0' | $S web@127.0.0.1"), 0, "a shell without a terminal");
	is_str(text_of("out"), "in sh\n", "reads its script");
	is_int(ssh("LC_TIME=C.UTF-8 FOO=bar $S -o 'SendEnv=LC_* FOO' web@127.0.0.1 "
		   "'echo $LC_TIME $FOO.'"),
	    0, "environment");
	is_str(text_of("out"), "C.UTF-8 .\n", "the locale, and nothing else");
}

/* Read from a terminal until the word comes; false at its end. */
static bool
until(int fd, const char *word)
{
	char text[8192] = "";
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(text) - 1 && (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0) {
		n += (size_t)got;
		text[n] = '\0';
		if (strstr(text, word))
			return true;
	}
	return false;
}

static void
test_winch(void)
{
	struct winsize ws = {.ws_row = 41, .ws_col = 133};
	int master, status;
	pid_t pid;

	fflush(stdout);
	pid = forkpty(&master, NULL, NULL, &ws);
	if (pid == 0) {
		ssh("exec >/dev/tty </dev/tty; $S -t web@127.0.0.1 'trap \"stty size; exit\" "
		    "WINCH; "
		    "echo ready; while :; do read x; done'");
		_exit(0);
	}
	ok(until(master, "ready"), "a terminal of our own");
	ws.ws_row = 42;
	ws.ws_col = 134;
	ioctl(master, TIOCSWINSZ, &ws);
	ok(until(master, "42 134"), "changes its size on the far side too");
	close(master);
	waitpid(pid, &status, 0);
}

static void
test_pty(void)
{
	is_int(ssh("$S -tt web@127.0.0.1 'tty; echo $TERM; exit 3'"), 3, "with a pty");
	ok(strstr(text_of("out"), "/dev/pts/") != NULL, "it is one");
	/* The window of a terminal of script(1), from the first command on. */
	ssh("script -qec \"stty rows 41 cols 133; $S -t web@127.0.0.1 'stty size'\" /dev/null");
	ok(strstr(text_of("out"), "41 133") != NULL, "with the client's size");
	test_winch();
}

static void
test_rekey(void)
{
	is_int(shell("dd if=/dev/urandom of=%s/big bs=1M count=48 status=none", fake.dir), 0,
	    "48 MiB to send");
	is_int(ssh("$S -o RekeyLimit=1M web@127.0.0.1 \"cat $D/big\" | cmp - big"), 0,
	    "down, keys anew every MiB");
	is_int(ssh("$S -o RekeyLimit=1M web@127.0.0.1 'cat >/dev/null; echo whole' <big"), 0, "up");
	is_str(text_of("out"), "whole\n", "to the end");
	is_int(ssh("$S -o RekeyLimit=1M web@127.0.0.1 cat <big | cmp - big"), 0, "both ways");
	is_int(ssh("$S web@127.0.0.1 'cat; sleep 0' <big | (read x <big; cmp - big)"), 0,
	    "both ways with one set of keys");
}

static void
test_target(void)
{
	ssh("$S web-1.a@127.0.0.1 @request");
	ok(strncmp(text_of("out"), "word=web-1.a pod= ns= container= pid=0 client=ssh OpenSSH_",
	       58) == 0,
	    "a service");
	ssh("$S pid.42@127.0.0.1 @request");
	ok(strncmp(text_of("out"), "word= pod= ns= container= pid=42 ", 33) == 0, "a pid");
	ssh("$S 'web-0%prod%app@127.0.0.1' @request");
	ok(strncmp(text_of("out"), "word= pod=web-0 ns=prod container=app pid=0 ", 44) == 0,
	    "a pod");
	is_int(ssh("$S web+ro@127.0.0.1 true"), 125, "+ro is refused");
	ok(strstr(text_of("err"), "observe mode is not available yet") != NULL, "and named");
	is_int(ssh("$S pid.0x1@127.0.0.1 true"), 125, "a bad pid is refused");
	is_int(ssh("$S nowhere@127.0.0.1 true"), 125, "an unknown target");
	is_str(text_of("err"),
	    "coral: no target \"nowhere\"\n  why: candidates:\n       web\n       db\n"
	    "  try: coral ps\n",
	    "is a three-part error");
}

static void
test_refusals(void)
{
	int before;

	ok(ssh("$S -s web@127.0.0.1 sftp") != 0, "sftp is refused");
	ok(ssh("$S -o ExitOnForwardFailure=yes -R 0:127.0.0.1:1 web@127.0.0.1 true") != 0,
	    "remote forwarding is refused");
	ok(ssh("$S -W 127.0.0.1:1 web@127.0.0.1") != 0, "direct-tcpip is refused");
	before = fake.shared->opens;
	ok(ssh("$S -i $D/other -o IdentityFile=$D/other web@127.0.0.1 true") == 0,
	    "a wrong key before the right one");
	is_int(ssh("$(echo $S | sed 's,/id ,/other ,') web@127.0.0.1 true"), 255, "a wrong key");
	is_int(ssh("$(echo $S | sed 's,/id ,/cert ,') -o CertificateFile=$D/cert-cert.pub "
		   "web@127.0.0.1 true"),
	    255, "a certificate");
	is_int(fake.shared->opens, before + 1, "neither got to the broker");
	is_int(ssh("for c in aes128-ctr aes256-cbc; do "
		   "$S -c $c web@127.0.0.1 true && exit 1; done; exit 0"),
	    0, "other ciphers are not spoken");
}

static void
test_many(void)
{
	is_int(
	    ssh("$S -M -S $D/mux -N -f web@127.0.0.1 >/dev/null 2>&1; p=; i=0; "
		"while test $i -lt 8; do $S -S $D/mux web@127.0.0.1 'head -c 3000000 /dev/zero | "
		"md5sum' & p=\"$p $!\"; i=$((i+1)); done; for q in $p; do wait $q || exit 9; "
		"done"),
	    0, "eight channels of one connection at once");
	ok(strlen(text_of("out")) == (size_t)8 * 36, "each whole");
	/* Each of the eight says that it is there, and stays until its stdin ends. */
	ok(ssh("mkfifo ff up; sleep 1000 >ff & hold=$!; i=0; while test $i -lt 8; do "
	       "$S -S $D/mux web@127.0.0.1 'echo up; read x' <ff >up & i=$((i+1)); done; "
	       "n=0; exec 4<up; while test $n -lt 8; do read x <&4 && n=$((n+1)); done; "
	       "$S -o ControlMaster=no -S $D/mux web@127.0.0.1 true 2>ninth; kill $hold; wait; "
	       "grep -q refused ninth") == 0,
	    "a ninth is refused");
	ssh("$S -S $D/mux -O exit web@127.0.0.1");
}

static void
test_keeper_gone(void)
{
	is_int(ssh("$S web@127.0.0.1 'kill -9 $PPID'"), 255, "a keeper that dies");
	ok(strstr(text_of("err"), "ended without a result") != NULL, "is told as such");
}

static void
test_login_deadline(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t since = clock_mono(), took;
	char p[256];

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!ok(connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0, "connected"))
		return;
	while (read(fd, p, sizeof(p)) > 0)
		;
	took = (clock_mono() - since) / NS_PER_MS;
	ok(took >= 2900 && took < 8000, "who says nothing is cut off after 3 s: %" PRId64 " ms",
	    took);
	close(fd);
}

int
main(void)
{
	pid_t pid;

	fake_init(&fake);
	fake.login_ns = 3 * NS_PER_S;
	if (!make_keys() || (pid = fake_listen(&fake, &port)) < 0) {
		printf("Bail out! no keys or no port\n");
		fake_fini(&fake);
		return 1;
	}
	test_exec();
	test_pty();
	test_rekey();
	test_target();
	test_refusals();
	test_many();
	test_keeper_gone();
	test_login_deadline();
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	fake_fini(&fake);
	return done_testing();
}
