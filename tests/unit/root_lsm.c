/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Security labels, in a directory that looks like /proc: this kernel has no module that gives any.
 */
#include "standin.h"
#include <errno.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "base/str.h"
#include "tap.h"
#include "target/plan.h"

static void
parse(const char *text, bool apparmor, int kind, const char *want)
{
	struct lsm_label l;

	ok(lsm_parse(text, strlen(text), apparmor, &l) == 0, "\"%s\" is a label", text);
	is_int(l.kind, kind, "of its module");
	is_str(l.text, want, "without what is not its name");
}

static void
refused(const char *text, size_t n, bool apparmor, int sys)
{
	struct lsm_label l;

	errno = 0;
	is_int(lsm_parse(text, n, apparmor, &l), -1, "refused");
	is_int(errno, sys, "with its errno");
	is_str(l.text, "", "and nothing is half taken");
}

static void
test_parse(void)
{
	static const char context[] = "system_u:system_r:container_t:s0:c1,c2";
	static char long_text[LSM_LABEL_MAX + 1];
	struct lsm_label l;

	parse("unconfined\n", false, LSM_APPARMOR, "");
	parse("docker-default (enforce)\n", false, LSM_APPARMOR, "docker-default");
	parse("docker-default (complain)", true, LSM_APPARMOR, "docker-default");
	parse("a profile with blanks (enforce)\n", true, LSM_APPARMOR, "a profile with blanks");
	parse("plain-without-mode\n", true, LSM_APPARMOR, "plain-without-mode");
	parse("odd (not a mode) (kill)\n", false, LSM_APPARMOR, "odd (not a mode)");
	parse("lxd-x//&:lxd-x:docker-default (mixed)\n", false, LSM_APPARMOR,
	    "lxd-x//&:lxd-x:docker-default");
	parse(context, false, LSM_SELINUX, context);
	parse("u:r:t", false, LSM_SELINUX, "u:r:t");
	parse("_", false, LSM_OTHER, "_");
	parse("a:b", false, LSM_OTHER, "a:b");
	parse("a::b", false, LSM_OTHER, "a::b");
	parse("", false, LSM_NONE, "");
	parse("\n", true, LSM_NONE, "");
	is_int(lsm_parse(context, sizeof(context), false, &l), 0, "SELinux ends it in a NUL");
	is_str(l.text, context, "which is not of it");
	refused("a\nb (enforce)\n", 14, true, EBADMSG);
	refused("a\0b:c:d", 7, false, EBADMSG);
	refused("a\033[m:b:c", 8, false, EBADMSG);
	refused("\303\244:b:c", 6, false, EBADMSG);
	refused(" a (enforce)", 12, true, EBADMSG);
	refused("a  (enforce)", 12, true, EBADMSG);
	memset(long_text, 'a', sizeof(long_text));
	refused(long_text, LSM_LABEL_MAX, true, EFBIG);
}

static int
open_standin(const char *path)
{
	char full[400];

	snprintf(full, sizeof(full), "%s/%s", standin, path);
	return open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void
test_read(void)
{
	int pd = open_standin("proc/120");
	struct lsm_label l;

	is_int(lsm_read(pd, &l), 0, "no attr at all");
	is_int(l.kind, LSM_NONE, "is no label");
	standin_file("proc/120/attr/current", "docker-default (enforce)\n");
	is_int(lsm_read(pd, &l), 0, "an older kernel's AppArmor");
	is_str(l.text, "docker-default", "is read where it is");
	standin_file("proc/120/attr/apparmor/current", "other (enforce)\n");
	is_int(lsm_read(pd, &l), 0, "a newer one's");
	is_str(l.text, "other", "in its own directory first");
	standin_remove("proc/120/attr/apparmor/current");
	standin_link("current-2", "proc/120/attr/current");
	is_int(lsm_read(pd, &l), -1, "a link is not followed: procfs has none there");
	standin_remove("proc/120/attr");
	close(pd);
}

/* Its words, and what it wrote to the attribute. */
static struct enter_report
run_child(const struct enter_plan *p, bool standin_ok)
{
	static char *const argv[] = {(char *)"true", NULL}, *const envp[] = {NULL};
	static char *const candidates[] = {(char *)"/bin/true", (char *)"/usr/bin/true", NULL};
	struct enter_report r = {-1, 0, 0};
	struct enter_job job = p->job;
	int ends[2], status = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return r;
	job.proc = open_standin("proc");
	job.standin = standin_ok;
	job.report = fcntl(ends[1], F_DUPFD_CLOEXEC, 20);
	job.root = job.cwd = job.pidfd = -1;
	for (int i = 0; i < 3; i++)
		job.stdio[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
	job.keep[job.nkeep++] = job.proc;
	for (int i = 0; i < 3; i++)
		job.keep[job.nkeep++] = job.inside[job.ninside++] = job.stdio[i];
	job.keep[job.nkeep++] = job.inside[job.ninside++] = job.report;
	getresuid(&job.uid[0], &job.uid[1], &job.uid[2]);
	getresgid(&job.gid[0], &job.gid[1], &job.gid[2]);
	job.candidates = candidates;
	job.argv = argv;
	job.envp = envp;
	pid = fork();
	if (pid == 0)
		enter_child(&job);
	close(ends[1]);
	close(job.report);
	if (read(ends[0], &r, sizeof(r)) != sizeof(r))
		r.stage = 0;
	waitpid(pid, &status, 0);
	ok(r.stage != 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0), "the child ended");
	close(ends[0]);
	close(job.proc);
	for (int i = 0; i < 3; i++)
		close(job.stdio[i]);
	return r;
}

static const char *
written(const char *path)
{
	static char text[2048];
	char full[400];
	ssize_t n;
	int fd;

	snprintf(full, sizeof(full), "%s/proc/50/attr/%s", standin, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n < 0 ? "(no file)" : text;
}

static void
plan(struct enter_plan *p, const char *theirs, const char *ours, bool privileged, int want)
{
	struct enter_want w = {.privileged = privileged};
	struct err e = {0};

	memset(p, 0, sizeof(*p));
	p->hold.pid = 120;
	lsm_parse(theirs, strlen(theirs), false, &p->ctx.label);
	lsm_parse(ours, strlen(ours), false, &p->ctx.own_label);
	ok(plan_label(p, &w, &e) == want, "\"%s\" for an agent that is \"%s\"", theirs, ours);
	if (want < 0) {
		ok(e.code == ERR_PRIVILEGE, "is refused: %s (%s)", e.what, e.why);
		ok(strstr(e.hint, "--privileged") != NULL, "with the way round it");
	}
}

static void
test_set(void)
{
	static struct enter_plan p;
	struct enter_report r;
	struct err e = {0};

	plan(&p, "docker-default (enforce)", "unconfined", false, 0);
	is_str(p.label_state, "cloned", "is taken over");
	r = run_child(&p, true);
	is_int(r.stage, ENTER_LSM, "where there is no attribute, the entry fails");
	is_int(plan_failure(&p, &r, &e), -1, "and says so");
	ok(e.code == ERR_PRIVILEGE, "%s", e.what);
	ok(strstr(e.what, "docker-default") && *e.why && strstr(e.hint, "change_profile"), "%s; %s",
	    e.why, e.hint);
	standin_file("proc/50/attr/exec", "");
	is_int(run_child(&p, true).stage, 0, "an older kernel");
	is_str(written("exec"), "exec docker-default", "gets AppArmor's words in the common file");
	standin_file("proc/50/attr/exec", "");
	standin_file("proc/50/attr/apparmor/exec", "");
	is_int(run_child(&p, true).stage, 0, "a newer one");
	is_str(written("apparmor/exec"), "exec docker-default", "in its own");
	is_str(written("exec"), "", "and nowhere else");
	standin_file("proc/50/attr/apparmor/exec", "");
	r = run_child(&p, false);
	is_int(r.stage, ENTER_LSM, "what is not procfs");
	is_str(written("apparmor/exec"), "", "is not written to");
	plan(&p, "u:r:container_t:s0:c1,c2", "u:r:agent_t:s0", false, 0);
	is_int(run_child(&p, true).stage, 0, "SELinux");
	is_str(written("exec"), "u:r:container_t:s0:c1,c2", "gets the context as it is");
	is_str(written("apparmor/exec"), "", "in the common file alone");
	standin_remove("proc/50/attr");
}

static void
test_plan(void)
{
	static struct enter_plan p;

	plan(&p, "unconfined", "unconfined", false, 0);
	is_int(p.job.label_len, 0, "nothing to write");
	is_str(p.label_state, "cloned", "and nothing lost");
	plan(&p, "x (enforce)", "x (enforce)", false, 0);
	is_int(p.job.label_len, 0, "the same needs no writing: a domain may not be allowed to");
	plan(&p, "unconfined", "x (enforce)", false, 0);
	is_str(p.label_state, "defaulted", "less than the target has is said");
	ok(strstr(p.why_label, "x") != NULL, "%s", p.why_label);
	plan(&p, "x (enforce)", "unconfined", true, 0);
	is_int(p.job.label_len, 0, "--privileged goes without");
	ok(strcmp(p.label_state, "defaulted") == 0 && strstr(p.why_label, "--privileged"), "%s",
	    p.why_label);
	plan(&p, "_", "floor", false, -1);
	plan(&p, "_", "_", false, 0);
}

int
main(void)
{
	standin_host("0::/\n");
	standin_add(&(struct standin_proc){.pid = 120, .comm = "app", .cgroup = "0::/x\n"});
	test_parse();
	test_read();
	test_plan();
	test_set();
	return done_testing();
}
