/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/conf.h"
#include "base/clock.h"
#include "tap.h"

#define NOBODY 65534

static char dir[] = "/tmp/coral-conf.XXXXXX";
static char file[64];
static struct conf c;
static struct err e;

static void
clean_environment(void)
{
	clearenv();
	setenv("PATH", "/usr/bin:/bin", 1);
	setenv("CORAL_CONFIG", dir, 1);
}

static void
put_file(const char *text)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
		fchmod(fd, 0644) == 0,
	    "a file");
	close(fd);
}

static int
load(void)
{
	memset(&e, 0, sizeof(e));
	return conf_load(&c, &e);
}

static void
refused(const char *what, const char *why, const char *hint)
{
	ok(load() < 0 && e.code == ERR_CONFIG, "refused");
	ok(e.why[0] && e.hint[0] && strstr(e.what, what) && strstr(e.why, why) &&
		strstr(e.hint, hint),
	    "what: %s, why: %s, hint: %s", e.what, e.why, e.hint);
}

static void
refused_file(const char *text, const char *what, const char *hint)
{
	put_file(text);
	refused(what, file, hint);
}

static void
test_defaults(void)
{
	unsetenv("CORAL_CONFIG");
	if (geteuid() == 0 && access("/etc/coral/config.yaml", F_OK) < 0) {
		is_int(load(), 0, "root's defaults");
		is_str(c.config_dir, "/etc/coral", "config_dir");
		is_str(c.state_dir, "/var/lib/coral", "state_dir");
		is_str(c.runtime_dir, "/run/coral", "runtime_dir");
		is_str(c.socket, "/run/coral/agent.sock", "socket");
	}
	setenv("CORAL_CONFIG", dir, 1);
	is_int(load(), 0, "a directory without a file");
	is_str(c.config_dir, dir, "config_dir");
	is_str(c.proc_root, "/proc", "proc_root");
	is_str(c.color, "auto", "color");
	is_str(c.audit_stdout, "auto", "audit.stdout");
	is_int(c.share_ns, 60 * NS_PER_S, "share");
	is_str(c.heads, "", "audit.heads");
	is_int(c.heads_ns, 300 * NS_PER_S, "audit.heads_every");
	is_int(c.compress_after_ns, 3600 * NS_PER_S, "archive.compress_after");
	is_str(c.service, "", "service");
	is_str(c.warning, "", "no warning");
}

static void
test_order(void)
{
	put_file("service: from-file\nstate_dir: /file/state\nruntime_dir: /file/run\n"
		 "color: never\nshare: no\naudit: {stdout: true, heads: syslog, heads_every: 90}\n"
		 "archive: {compress_after: never}\n"
		 "agent:\n  address: file:1\n  listen: 127.0.0.1:7022\n  environment: 7\n");
	is_int(load(), 0, "the file");
	is_str(c.service, "from-file", "service");
	is_str(c.state_dir, "/file/state", "state_dir");
	is_str(c.socket, "/file/run/agent.sock", "the socket follows");
	is_str(c.agent, "file:1", "agent.address");
	is_str(c.listen, "127.0.0.1:7022", "agent.listen");
	is_str(c.environment, "7", "a number is text");
	is_int(c.share_ns, 0, "share: no");
	is_str(c.heads, "syslog", "audit.heads");
	is_int(c.heads_ns, 90 * NS_PER_S, "audit.heads_every");
	is_int(c.compress_after_ns, -1, "archive.compress_after: never");
	is_str(c.audit_stdout, "true", "audit.stdout");
	setenv("CORAL_SHARE", "10m", 1);
	setenv("SERVICE_NAME", "sidecar", 1);
	setenv("CORAL_STATE_DIR", "/env/state", 1);
	setenv("CORAL_RUNTIME_DIR", "/env/run", 1);
	setenv("CORAL_AGENT", "env:2", 1);
	is_int(load(), 0, "the environment");
	is_int(c.share_ns, 600 * NS_PER_S, "CORAL_SHARE");
	unsetenv("CORAL_SHARE");
	is_str(c.service, "from-file", "SERVICE_NAME only fills a gap");
	is_str(c.state_dir, "/env/state", "CORAL_STATE_DIR");
	is_str(c.socket, "/env/run/agent.sock", "CORAL_RUNTIME_DIR");
	is_str(c.agent, "env:2", "CORAL_AGENT");
	setenv("CORAL_SERVICE", "from-env", 1);
	setenv("CORAL_AGENT", "", 1);
	is_int(load(), 0, "again");
	is_str(c.service, "from-env", "CORAL_SERVICE");
	is_str(c.agent, "file:1", "an empty variable is none");
	put_file("agent:\n");
	unsetenv("CORAL_SERVICE");
	is_int(load(), 0, "an empty section");
	is_str(c.service, "sidecar", "SERVICE_NAME");
	put_file("agent: {socket: /x/y.sock}\n");
	is_int(load(), 0, "agent.socket");
	is_str(c.socket, "/x/y.sock", "is it");
	clean_environment();
}

static void
test_named(void)
{
	char cwd[256];

	put_file("service: named\n");
	setenv("CORAL_CONFIG", file, 1);
	is_int(load(), 0, "CORAL_CONFIG names a file");
	is_str(c.service, "named", "which is read");
	is_str(c.config_dir, dir, "its directory holds the rest");
	if (getcwd(cwd, sizeof(cwd)) && chdir(dir) == 0) {
		setenv("CORAL_CONFIG", "config.yaml", 1);
		is_int(load(), 0, "a file here");
		is_str(c.config_dir, ".", "this directory");
		ok(chdir(cwd) == 0, "back");
	}
	setenv("CORAL_CONFIG", "/nonexistent.yaml", 1);
	refused("cannot read the configuration /nonexistent.yaml", "CORAL_CONFIG", "CORAL_CONFIG");
	is_str(c.config_dir, "/", "and its directory is the root");
	clean_environment();
}

static void
test_wrong(void)
{
	char large[400];

	refused_file("servcie: x\n", "unknown configuration key \"servcie\"", "\"service\"");
	refused_file("agent: {soket: x}\n", "\"agent.soket\"", "\"agent.socket\"");
	refused_file("listen: x\n", "\"listen\"", "\"agent.listen\"");
	refused_file("zzzzzzzzzz: x\n", "\"zzzzzzzzzz\"", "coral.yaml(5)");
	refused_file("agent: x\n", "agent is not a mapping", "coral.yaml(5)");
	refused_file("service: [x]\n", "service is not a text", "coral.yaml(5)");
	refused_file("service:\n", "service is not a text", "coral.yaml(5)");
	refused_file("- x\n", "the file is not a mapping", "coral.yaml(5)");
	refused_file("color: blue\n", "color is not auto, always or never", "coral.yaml(5)");
	refused_file(
	    "audit: {stdout: maybe}\n", "audit.stdout is not auto, true or false", "coral.yaml(5)");
	refused_file(
	    "audit: {stdin: no}\n", "unknown configuration key \"audit.stdin\"", "audit.stdout");
	refused_file("audit: {heads: ftp://x}\n",
	    "audit.heads is not syslog, or a URL of http or https", "coral.yaml(5)");
	refused_file("audit: {heads_every: 500ms}\n",
	    "audit.heads_every is not a duration such as 5m, a second at least", "coral.yaml(5)");
	refused_file("archive: {compress_after: soon}\n",
	    "archive.compress_after is not a duration such as 1h, or never", "coral.yaml(5)");
	refused_file("archiv: {}\n", "\"archiv\"", "\"archive\"");
	refused_file(
	    "share: often\n", "share is not a duration such as 60s, or no", "coral.yaml(5)");
	put_file("a: [\n");
	refused("not valid YAML", "", "");
	memset(large, 'x', sizeof(large));
	memcpy(large, "service: ", 9);
	large[sizeof(large) - 1] = '\0';
	refused_file(large, "service is too long", "shorter");
	ok(unlink(file) == 0, "no file");
	memset(large, 'x', sizeof(large) - 1);
	setenv("CORAL_STATE_DIR", large, 1);
	refused("state_dir is too long", "CORAL_STATE_DIR", "shorter");
	clean_environment();
	setenv("SERVICE_NAME", large, 1);
	refused("service is too long", "SERVICE_NAME", "shorter");
	clean_environment();
	setenv("CORAL_CONFIG", large, 1);
	refused("CORAL_CONFIG is too long", "the environment", "shorter");
	clean_environment();
	large[250] = '\0';
	setenv("CORAL_RUNTIME_DIR", large, 1);
	refused("runtime_dir is too long", "the environment", "shorter");
	clean_environment();
}

static void
test_large_file(void)
{
	char *text = malloc(256 * 1024 + 2);

	memset(text, '#', 256 * 1024 + 1);
	text[256 * 1024 + 1] = '\0';
	put_file(text);
	refused("cannot read", "too large", "262144 bytes");
	text[256 * 1024] = '\0';
	put_file(text);
	is_int(load(), 0, "as large as may be");
	free(text);
}

static void
test_variables(void)
{
	setenv("CORAL_SERVCIE", "x", 1);
	is_int(load(), 0, "an unknown variable is no error");
	is_str(c.warning, "unknown variable CORAL_SERVCIE: did you mean CORAL_SERVICE?", "warning");
	clean_environment();
	setenv("CORAL_\033[2J", "x", 1);
	is_int(load(), 0, "a hostile one");
	is_str(c.warning, "unknown variable CORAL_\\x1b[2J", "made harmless");
	clean_environment();
	setenv("CORAL_COLONY", "x", 1);
	setenv("CORAL_TEST_X", "x", 1);
	setenv("CORALS", "x", 1);
	is_int(load(), 0, "known ones");
	is_str(c.warning, "", "no warning");
	clean_environment();
}

static void
test_trust(void)
{
	put_file("service: x\n");
	is_int(chmod(file, 0664), 0, "the group may write");
	refused("is not trusted", "0664", "chmod go-w");
	is_int(chmod(file, 0646), 0, "others may write");
	refused("is not trusted", "0646", "chmod go-w");
	chmod(file, 0644);
	if (geteuid() == 0) {
		ok(chown(file, NOBODY, 0) == 0, "another's");
		refused("is not trusted", "65534", "chown 0");
	}
	unlink(file);
	ok(symlink("nowhere", file) == 0, "a link to nowhere");
	refused("cannot open", "No such file", "ls -lL");
	unlink(file);
	ok(mkfifo(file, 0600) == 0, "a FIFO");
	refused("cannot use", "not a regular file", "ls -lL");
	unlink(file);
}

static int
check_user(void)
{
	char text[256];
	int fd;

	unsetenv("CORAL_CONFIG");
	setenv("HOME", "/h", 1);
	if (load() < 0 || strcmp(c.config_dir, "/h/.config/coral") != 0 ||
	    strcmp(c.state_dir, "/h/.local/state/coral") != 0 ||
	    strcmp(c.runtime_dir, "/h/.local/run/coral") != 0 ||
	    strcmp(c.socket, "/run/coral/agent.sock") != 0)
		return 1;
	setenv("XDG_CONFIG_HOME", dir, 1);
	setenv("XDG_STATE_HOME", "/x/state", 1);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	snprintf(text, sizeof(text), "%s/coral", dir);
	if (load() < 0 || strcmp(c.config_dir, text) != 0 || strcmp(c.runtime_dir, text) != 0 ||
	    strcmp(c.state_dir, "/x/state/coral") != 0)
		return 2;
	/* A user's own agent comes first. */
	snprintf(text, sizeof(text), "%s/coral/agent.sock", dir);
	fd = open(text, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	if (fd < 0 || load() < 0 || strcmp(c.socket, text) != 0)
		return 3;
	unlink(text);
	setenv("XDG_STATE_HOME", "relative", 1);
	if (load() < 0 || strcmp(c.state_dir, "/h/.local/state/coral") != 0)
		return 4;
	setenv("CORAL_RUNTIME_DIR", "/mine", 1);
	return load() < 0 || strcmp(c.socket, "/mine/agent.sock") != 0 ? 5 : 0;
}

/* As a user: in a child, who cannot come back. */
static void
test_user(void)
{
	char own[64];
	int status = -1;
	pid_t pid;

	if (geteuid() != 0)
		return;
	snprintf(own, sizeof(own), "%s/coral", dir);
	ok(chmod(dir, 0755) == 0 && mkdir(own, 0700) == 0 && chown(own, NOBODY, NOBODY) == 0,
	    "a user's directory");
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ? 99 : check_user());
	ok(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status), "a user");
	is_int(WEXITSTATUS(status), 0, "XDG directories, and whose socket");
	snprintf(own, sizeof(own), "%s/coral/agent.sock", dir);
	unlink(own);
	snprintf(own, sizeof(own), "%s/coral", dir);
	rmdir(own);
}

static void
test_rows(void)
{
	for (const struct conf_key *k = conf_keys; k->name; k++)
		ok(k->doc && k->doc[0] && k->size > 0 && k->offset + k->size <= sizeof(struct conf),
		    "row %s", k->name);
}

int
main(void)
{
	if (!ok(mkdtemp(dir) != NULL, "a directory"))
		return done_testing();
	snprintf(file, sizeof(file), "%s/config.yaml", dir);
	clean_environment();
	test_defaults();
	test_order();
	test_named();
	test_wrong();
	test_large_file();
	test_variables();
	test_trust();
	test_user();
	test_rows();
	unlink(file);
	rmdir(dir);
	return done_testing();
}
