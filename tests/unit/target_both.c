/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cgroup trees and the whole of /proc give the same containers, in layouts made at random. */
#include "standin.h"
#include "tap.h"
#include "target/scan.h"

#define H1 "aaaa456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define H2 "bbbb456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID_ "1b4e28ba_2fa1_11d2_883f_0016d3cca427"
#define SLICE "/kubepods.slice/kubepods-pod" UID_ ".slice"
#define LAYOUTS 60
#define PROCS 30

static const char *const paths[] = {
    "/",
    "/init.scope",
    "/system.slice/nginx.service",
    "/system.slice/nginx.service/worker",
    "/docker/" H1,
    "/docker/" H1 "/coral-5",
    "/docker/" H1 "/docker/" H2,
    "/system.slice/docker-" H2 ".scope",
    SLICE "/cri-containerd-" H1 ".scope",
    SLICE "/crio-conmon-" H2 ".scope",
    SLICE "/crio-" H2 ".scope",
    "/libpod_parent/conmon",
    "/machine.slice/libpod-" H1 ".scope/container",
    "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" H2 ".scope",
    "/lxc.payload.web/system.slice/x.service",
    "/lxc.monitor.web",
    "/machine.slice/systemd-nspawn@deb.service/payload",
    "/box",
    "/box/sub",
    "/box/coral-7/x",
    "/own",
    "/own/inner",
    "/own/docker/" H1,
    "/system.slice/box",
};

static const struct {
	const char *title;
	const char *controllers[4]; /* NULL ends; "" is the v2 tree */
} hosts[] = {
    {"v2 alone", {"", NULL}},
    {"hybrid", {"", "freezer", "name=systemd", NULL}},
    {"v1 alone", {"freezer", "cpu,cpuacct", "name=systemd", NULL}},
};

static unsigned long long seed = 88172645463325252ULL;

static unsigned
below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

static void
tree_path(size_t host, size_t line, const char *path, char *dst, size_t size)
{
	const char *name = hosts[host].controllers[line];

	if (!*name)
		name = hosts[host].controllers[1] ? "unified" : ".";
	else if (strncmp(name, "name=", 5) == 0)
		name += 5;
	snprintf(
	    dst, size, "host/sys/fs/cgroup/%s%s%scgroup.procs", name, path, path[1] ? "/" : "");
}

static void
append(const char *path, int pid)
{
	char full[1400];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", standin, path);
	if (access(full, F_OK) < 0)
		standin_file(path, "");
	f = fopen(full, "ae");
	if (!f || (pid && fprintf(f, "%d\n", pid) < 0) || fclose(f) != 0)
		standin_die(full);
}

/* In `same` of the lines the same path, as runtimes do; in the others any. */
static void
add_process(size_t host, int pid, const char *const *pool, size_t npool)
{
	static const char *const nspids[] = {"1", "1\t1", "1\t7", "1\t9\t1"};
	struct standin_proc p = {.pid = pid, .ppid = 1, .comm = below(12) ? "app" : "pause"};
	const char *mostly = pool[below((unsigned)npool)];
	char lines[1024] = "", path[1200], nspid[64];

	for (size_t i = 0; hosts[host].controllers[i]; i++) {
		const char *c = hosts[host].controllers[i];
		const char *in = below(4) ? mostly : pool[below((unsigned)npool)];

		snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines), "%zu:%s:%s\n",
		    *c ? 9 - i : 0, c, in);
		tree_path(host, i, in, path, sizeof(path));
		append(path, pid);
	}
	snprintf(nspid, sizeof(nspid), "%d%s", pid, nspids[below(4)] + 1);
	p.nspid = nspid;
	p.cgroup = lines;
	p.start = 100 + (unsigned)pid;
	if (below(3)) {
		p.ns_pid = 6000 + below(3);
		p.ns_mnt = 7000 + below(3);
	}
	standin_add(&p);
}

static void
make_layout(size_t host)
{
	char own[300] = "", path[1200];
	const char *pool[6];

	for (size_t i = 0; hosts[host].controllers[i]; i++)
		snprintf(own + strlen(own), sizeof(own) - strlen(own), "%zu:%s:%s\n",
		    *hosts[host].controllers[i] ? 9 - i : 0, hosts[host].controllers[i],
		    below(2) ? "/own" : "/");
	standin_host(own);
	for (size_t i = 0; hosts[host].controllers[i]; i++) {
		tree_path(host, i, "/", path, sizeof(path));
		append(path, 0);
	}
	for (size_t i = 0; i < 6; i++)
		pool[i] = paths[below(sizeof(paths) / sizeof(paths[0]))];
	for (int i = 0; i < PROCS; i++)
		add_process(host, 100 + i, pool, 6);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What a scan found, as sorted lines. */
static char *
found(bool by_cgroups)
{
	static struct scan sc;
	struct tgt_sys sys;
	struct err e = {0};
	char root[300], *lines[PROCS + 2], *all = calloc(1, 64 * 1024);
	size_t n = 0;

	snprintf(root, sizeof(root), "%s/proc", standin);
	if (!all || tgt_sys_open(&sys, root, NULL, &e) < 0 || scan_begin(&sys, &sc, &e) < 0)
		exit(99);
	if (by_cgroups ? !scan_by_cgroups(&sc) : scan_by_proc(&sc, &e) < 0)
		snprintf(all, 64 * 1024, "failed");
	else if (scan_settle(&sc, NULL, &e) < 0)
		exit(99);
	for (size_t i = 0; i < sc.ng && n < PROCS; i++) {
		const struct scan_group *g = &sc.g[i];
		const struct tgt *t = &g->t;

		if (t->processes > 0 &&
		    asprintf(&lines[n], "%s %s %s %s pid %d of %u%s%s%s\n", t->cgroup, t->runtime,
			t->id, t->pod_uid, (int)t->pid, t->processes, g->learnt ? " learnt" : "",
			g->infra ? " infra" : "", g->merged ? " merged" : "") > 0)
			n++;
	}
	qsort(lines, n, sizeof(lines[0]), by_text);
	for (size_t i = 0; i < n; i++) {
		strcat(all, lines[i]);
		free(lines[i]);
	}
	scan_fini(&sc);
	tgt_sys_close(&sys);
	return all;
}

int
main(void)
{
	size_t something = 0;
	char *last;

	for (int i = 0; i < LAYOUTS; i++) {
		size_t host = (size_t)i % 3;
		char *a, *b, title[64];

		make_layout(host);
		a = found(false);
		b = found(true);
		snprintf(title, sizeof(title), "%s, layout %d", hosts[host].title, i);
		is_str(b, a, title);
		something += strstr(a, "learnt") != NULL;
		free(a);
		free(b);
		standin_gone();
	}
	ok(something > LAYOUTS / 2, "most had a container");
	/* Where a hierarchy is not to be seen, nothing is guessed from the others. */
	make_layout(1);
	standin_remove("host/sys/fs/cgroup/freezer");
	last = found(true);
	is_str(last, "failed", "a hierarchy that is not mounted");
	free(last);
	return done_testing();
}
