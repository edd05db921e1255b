/* SPDX-License-Identifier: GPL-3.0-or-later */
/* coral's own client over TCP: host keys, its own keys, and what it says when it fails. */
#include "transport_fake.h"

#include "tap.h"
#include "transport/client.h"

static struct fake fake;
static int port, asked;
static bool answer;

static bool
trust(void *arg, const char *host, const char *fingerprint)
{
	(void)arg;
	asked += strstr(host, "127.0.0.1:") && strncmp(fingerprint, "SHA256:", 7) == 0;
	return answer;
}

static int
passphrase(void *arg, const char *prompt, char *out, size_t size)
{
	(void)arg;
	(void)prompt;
	str_copy(out, "sesame", size);
	return 0;
}

static const char *
in_dir(const char *name)
{
	static char path[4][128];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[0]), "%s/%s", fake.dir, name);
	return path[turn];
}

/* Connect with one key; true when let in. */
static bool
enter(const char *key, bool ask_trust, struct err *e)
{
	const char *ids[] = {in_dir(key), NULL};
	char address[64];
	struct tp_client_opts o = {.host = address,
	    .known_hosts = in_dir("conf/known_hosts"),
	    .identities = ids,
	    .trust_new = ask_trust ? trust : NULL,
	    .passphrase = passphrase};
	struct tp_client *c;

	memset(e, 0, sizeof(*e));
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	o.sock = tp_dial(address, e);
	if (o.sock < 0)
		return false;
	c = tp_client_open(&o, e);
	tp_client_free(c);
	return c != NULL;
}

static bool
make_keys(void)
{
	char cmd[512];
	struct err e;

	snprintf(cmd, sizeof(cmd),
	    "cd %s && ssh-keygen -q -t ed25519 -N '' -C alice@a -f id && "
	    "ssh-keygen -q -t ed25519 -N sesame -C bob@b -f locked && "
	    "ssh-keygen -q -t ecdsa -N '' -C carol@c -f ec && "
	    "ssh-keygen -q -t rsa -b 2048 -N '' -C dave@d -f rsa && "
	    "ssh-keygen -q -t ed25519 -N '' -C mallory@x -f other && "
	    "cat id.pub locked.pub ec.pub rsa.pub >authorized_keys",
	    fake.dir);
	return system(cmd) == 0 && authkeys_load(&fake.keys, in_dir("authorized_keys"), &e) == 0;
}

static void
test_host_key(void)
{
	struct err e;
	struct stat st;

	ok(!enter("id", false, &e), "an unknown host");
	is_int(e.code, ERR_TRANSPORT, "is refused");
	ok(strstr(e.why, "SHA256:") && strstr(e.why, "known_hosts"), "with its fingerprint");
	answer = false;
	ok(!enter("id", true, &e) && asked == 1, "asked, and answered no");
	ok(stat(in_dir("conf/known_hosts"), &st) < 0, "nothing is stored");
	answer = true;
	ok(enter("id", true, &e) && asked == 2, "answered yes");
	ok(stat(in_dir("conf/known_hosts"), &st) == 0, "it is stored");
	ok(enter("id", true, &e) && asked == 2, "and known the next time");
}

static void
test_keys(void)
{
	struct err e;

	ok(enter("ec", true, &e), "an ECDSA key");
	ok(enter("rsa", true, &e), "an RSA key");
	ok(enter("locked", true, &e), "a key with a passphrase");
	ok(!enter("other", true, &e), "a wrong key");
	is_int(e.code, ERR_AUTH, "is refused");
	ok(strstr(e.why, "SHA256:") && strstr(e.why, "/other"), "and listed");
	ok(!enter("absent", true, &e) && strstr(e.why, "absent: No such file"),
	    "a key that is not there is named");
}

static void
test_agent(void)
{
	char cmd[512];
	struct err e;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (!freopen("/dev/null", "we", stdout))
			_exit(127);
		execlp("ssh-agent", "ssh-agent", "-D", "-a", in_dir("agent"), NULL);
		_exit(127);
	}
	setenv("SSH_AUTH_SOCK", in_dir("agent"), 1);
	/* 2: the agent does not listen yet. */
	snprintf(cmd, sizeof(cmd),
	    "cd %s; while ssh-add -l >/dev/null 2>&1; test $? = 2; do :; done; "
	    "ssh-add -q other 2>/dev/null",
	    fake.dir);
	is_int(system(cmd), 0, "an ssh-agent with a wrong key");
	ok(!enter("absent", true, &e) && strstr(e.why, "mallory@x (ssh-agent)"), "which is listed");
	snprintf(cmd, sizeof(cmd), "cd %s; ssh-add -q id 2>/dev/null", fake.dir);
	is_int(system(cmd), 0, "and with the right one");
	ok(enter("absent", true, &e), "lets us in, before any file is looked at");
	unsetenv("SSH_AUTH_SOCK");
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

static void
test_changed(void)
{
	struct err e;
	pid_t pid;
	char cmd[256], line[64];

	snprintf(line, sizeof(line), "known_hosts line 2 ");
	fake_new_key(&fake);
	snprintf(cmd, sizeof(cmd),
	    "cd %s/conf && p=%d && sed 's/.*/# mine/' known_hosts >n && "
	    "cat known_hosts >>n && mv n known_hosts",
	    fake.dir, port);
	if (!ok(system(cmd) == 0, "a comment before the host's line"))
		return;
	pid = fake_listen(&fake, &port);
	snprintf(cmd, sizeof(cmd), "sed -i 's/]:[0-9]*/]:%d/' %s/conf/known_hosts", port, fake.dir);
	ok(system(cmd) == 0 && !enter("id", true, &e), "a changed host key");
	ok(strstr(e.what, "changed") && strstr(e.why, line) && strstr(e.hint, "sed -i 2d"),
	    "is refused, with file and line");
	is_int(asked, 2, "nobody is asked");
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

static void
test_dial(void)
{
	char address[64];
	struct err e;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t n = sizeof(sin);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(fd, (struct sockaddr *)&sin, sizeof(sin));
	getsockname(fd, (struct sockaddr *)&sin, &n);
	snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(sin.sin_port));
	is_int(tp_dial(address, &e), -1, "a closed port");
	ok(strstr(e.why, "refused") && strstr(e.hint, "agent start"), "is a refused connection");
	fd_close(&fd);
	is_int(tp_dial("[::1", &e), -1, "a malformed address");
	is_int(e.code, ERR_USAGE, "is the caller's error");
	is_int(tp_dial("host:99999", &e), -1, "a port out of range");
	is_int(e.code, ERR_USAGE, "too");
	is_int(tp_dial(in_dir("no.sock"), &e), -1, "a socket that is not there");
	ok(strstr(e.hint, "coral agent start --socket") != NULL, "names the remedy");
}

int
main(void)
{
	pid_t pid;

	unsetenv("SSH_AUTH_SOCK");
	fake_init(&fake);
	if (!make_keys() || (pid = fake_listen(&fake, &port)) < 0) {
		printf("Bail out! no keys or no port\n");
		fake_fini(&fake);
		return 1;
	}
	test_host_key();
	test_keys();
	test_agent();
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	test_changed();
	test_dial();
	fake_fini(&fake);
	return done_testing();
}
