/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CANDIDATES_MAX 64

static int
copy_fd(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int
take_session_id(struct enter_plan *p, const char *id, struct err *e)
{
	size_t n =
	    id ? strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") : 0;

	if (n == 0 || n >= sizeof(p->session_id) || id[n])
		return err_set(e, ERR_INTERNAL, EINVAL, "bad session id");
	str_copy(p->session_id, id, sizeof(p->session_id));
	return 0;
}

static int
open_in_root(const struct enter_plan *p, const char *path)
{
	struct open_how how = {
	    .flags = O_PATH | O_CLOEXEC,
	    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, p->root, path, &how, sizeof(how));
}

bool
plan_is_program(const struct enter_plan *p, const char *path)
{
	auto_close int fd = open_in_root(p, path);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

static int
choose_shell(struct enter_plan *p, struct err *e)
{
	static const char *const shells[] = {"/bin/bash", "/bin/sh"};

	for (size_t i = 0; i < COUNT_OF(shells); i++) {
		if (plan_is_program(p, shells[i]))
			return strv_add(&p->argv, shells[i]);
	}
	err_set(e, ERR_NOT_FOUND, 0, "no shell in the container");
	err_why(e, "neither /bin/bash nor /bin/sh is a program there");
	return err_hint(e, "run a program of the container: coral exec TARGET -- /path/to/program");
}

/* As execvp(3) would try them, with the PATH that the command will see. */
static int
search_path(struct enter_plan *p, const char *name)
{
	const char *path = proc_environ_get(p->env.v, "PATH");

	if (!path || !*path)
		path = PATH_DEFAULT;
	for (;;) {
		size_t n = strcspn(path, ":");
		char full[4096];

		/* An empty entry is the working directory. */
		snprintf(full, sizeof(full), "%.*s%s%s", (int)(n < 4000 ? n : 4000), path,
		    n ? "/" : "./", name);
		if (n + strlen(name) + 3 < sizeof(full) && strv_add(&p->candidates, full) < 0)
			return -1;
		if (!path[n] || p->candidates.n == CANDIDATES_MAX)
			return 0;
		path += n + 1;
	}
}

int
plan_command(struct enter_plan *p, const struct enter_want *w, struct err *e)
{
	int rc = 0;

	if (!w->argv || !w->argv[0]) {
		if (choose_shell(p, e) < 0)
			return -1;
	}
	for (size_t i = 0; rc == 0 && w->argv && w->argv[i]; i++)
		rc = strv_add(&p->argv, w->argv[i]);
	if (rc == 0 && strchr(p->argv.v[0], '/'))
		rc = strv_add(&p->candidates, p->argv.v[0]);
	else if (rc == 0 && p->argv.v[0][0])
		rc = search_path(p, p->argv.v[0]);
	if (rc < 0)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot plan the command");
	if (!p->candidates.n) {
		err_set(e, ERR_NOT_FOUND, 0, "command not found in the container: \"%.64s\"",
		    p->argv.v[0]);
		err_why(
		    e, "%s", p->argv.v[0][0] ? "its PATH names no directory" : "its name is empty");
		return err_hint(e, "name a program that the container has, by its full path");
	}
	if (!w->workdir)
		return 0;
	if (w->workdir[0] != '/') {
		err_set(e, ERR_USAGE, 0, "bad working directory \"%.256s\"", w->workdir);
		err_why(e, "it is not an absolute path");
		return err_hint(e, "-w /path/in/the/container");
	}
	p->workdir = strdup(w->workdir);
	return p->workdir ? 0 : err_set(e, ERR_INTERNAL, ENOMEM, "cannot plan the command");
}

static int
refuse_paused(const struct enter_plan *p, struct err *e)
{
	if (!cg_is_frozen(&p->cg))
		return 0;
	err_set(e, ERR_DENIED, 0, "the container of process %d is paused", (int)p->hold.pid);
	err_why(e, "its cgroup is frozen: whoever enters it stops");
	return err_hint(e, "docker unpause, podman unpause or runc resume it first");
}

static int
make(struct enter_plan *p, const struct enter_want *w, struct err *e)
{
	struct cg_fs fs;

	if (take_session_id(p, w->session_id, e) < 0 || ctx_read(&p->sys, &p->hold, &p->ctx, e) < 0)
		return -1;
	cg_fs_find(CG_ROOT, &fs);
	cg_open(&fs, &p->ctx.cgroups, &p->ctx.own_cgroups, &p->cg);
	if (refuse_paused(p, e) < 0 || plan_namespaces(p, w, e) < 0 || plan_label(p, w, e) < 0 ||
	    plan_identity(p, w, e) < 0)
		return -1;
	plan_limits(p);
	if (plan_seccomp(p, w, e) < 0)
		return -1;
	if (plan_environment(p, w, e) < 0 || plan_command(p, w, e) < 0)
		return -1;
	p->job.pidfd = p->hold.pidfd;
	p->job.proc = p->sys.proc;
	p->job.standin = p->sys.standin;
	p->job.target = p->hold.proc;
	p->job.tty = w->tty;
	p->job.workdir = p->workdir;
	p->job.candidates = p->candidates.v;
	p->job.argv = p->argv.v;
	p->job.envp = p->env.v;
	return 0;
}

struct enter_plan *
enter_plan_new(
    const struct tgt_sys *s, const struct tgt_hold *h, const struct enter_want *w, struct err *e)
{
	struct enter_plan *p = calloc(1, sizeof(*p));

	if (!p) {
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot plan the entry");
		return NULL;
	}
	p->sys = *s;
	p->root = p->ctx.cwd = -1;
	p->cg.target2 = p->cg.own2 = p->cg.procs2 = -1;
	p->hold = *h;
	p->hold.pidfd = copy_fd(h->pidfd);
	p->hold.proc = copy_fd(h->proc);
	p->hold.root = copy_fd(h->root);
	if (p->hold.pidfd < 0 || p->hold.proc < 0 || p->hold.root < 0)
		err_set(e, ERR_LIMIT, errno, "cannot plan the entry");
	else if (make(p, w, e) == 0)
		return p;
	enter_plan_free(p);
	return NULL;
}

void
enter_plan_free(struct enter_plan *p)
{
	if (!p)
		return;
	ctx_fini(&p->ctx);
	cg_close(&p->cg);
	strv_fini(&p->argv);
	strv_fini(&p->env);
	strv_fini(&p->candidates);
	sc_set_fini(&p->filters);
	free(p->groups);
	free(p->workdir);
	fd_close(&p->root);
	tgt_hold_close(&p->hold);
	free(p);
}

void
enter_plan_forget(struct enter_plan *p)
{
	const struct strv *const all[] = {&p->env, &p->argv, &p->candidates};

	for (size_t i = 0; i < COUNT_OF(all); i++)
		for (size_t j = 0; j < all[i]->n; j++)
			explicit_bzero(all[i]->v[j], strlen(all[i]->v[j]));
}

uid_t
enter_plan_uid(const struct enter_plan *p)
{
	return p->uid;
}

const char *const *
enter_plan_env(const struct enter_plan *p)
{
	return (const char *const *)p->env.v;
}

const char *const *
enter_plan_argv(const struct enter_plan *p)
{
	return (const char *const *)p->argv.v;
}

const char *
enter_plan_notice(const struct enter_plan *p)
{
	return p->notice;
}
