/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_STANDIN_H
#define CORAL_TESTS_STANDIN_H

/* A directory that looks like /proc and the host's root, for machines we do not have. */
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char standin[256]; /* holds proc/, host/ and cache/ */

struct standin_proc {
	int pid, ppid;
	const char *comm;
	char state;
	unsigned long long start;
	const char *cgroup;
	const char *nspid; /* "120\t1" */
	unsigned long ns_pid, ns_mnt;
	const char *environ_text; /* NUL-separated, length below */
	size_t environ_len;
	const char *mountinfo;
	const char *cmdline; /* one NUL-terminated word after another */
	size_t cmdline_len;
	unsigned uid;
};

static void
standin_die(const char *what)
{
	perror(what);
	exit(99);
}

/* Makes what is missing of the directories above. */
static void
standin_bytes(const char *path, const void *p, size_t n)
{
	char full[1024];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", standin, path);
	for (char *s = full + strlen(standin) + 1; (s = strchr(s, '/')) != NULL; s++) {
		*s = '\0';
		mkdir(full, 0755);
		*s = '/';
	}
	f = fopen(full, "we");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0)
		standin_die(full);
}

static void
standin_file(const char *path, const char *text)
{
	standin_bytes(path, text, strlen(text));
}

static void
standin_link(const char *target, const char *path)
{
	char full[1024];

	snprintf(full, sizeof(full), "%s/%s", standin, path);
	unlink(full);
	if (symlink(target, full) < 0)
		standin_die(full);
}

static int
standin_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
standin_remove(const char *path)
{
	char full[1024];

	snprintf(full, sizeof(full), "%s%s%s", standin, *path ? "/" : "", path);
	nftw(full, standin_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static void
standin_gone(void)
{
	if (*standin)
		standin_remove("");
	standin[0] = '\0';
}

static void
standin_add(const struct standin_proc *p)
{
	char path[128], text[2048];

#define PUT(name, ...)                                                                             \
	do {                                                                                       \
		snprintf(path, sizeof(path), "proc/%d/" name, p->pid);                             \
		snprintf(text, sizeof(text), __VA_ARGS__);                                         \
		standin_file(path, text);                                                          \
	} while (0)
	PUT("stat", "%d (%s) %c %d 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 %llu 0 0\n", p->pid,
	    p->comm, p->state ? p->state : 'S', p->ppid, p->start ? p->start : 100);
	PUT("status",
	    "Name:\t%s\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n"
	    "Uid:\t%u\t%u\t%u\t%u\nGid:\t0\t0\t0\t0\nGroups:\t0 \nNSpid:\t%s\n"
	    "CapInh:\t0\nCapPrm:\t0\nCapEff:\t0\nCapBnd:\t0\nCapAmb:\t0\nNoNewPrivs:\t0\n",
	    p->comm, p->pid, p->pid, p->ppid, p->uid, p->uid, p->uid, p->uid,
	    p->nspid ? p->nspid : "1000");
	PUT("cgroup", "%s", p->cgroup);
	PUT("mountinfo", "%s", p->mountinfo ? p->mountinfo : "");
	PUT("ns/none", "%s", "");
#undef PUT
	snprintf(path, sizeof(path), "proc/%d/environ", p->pid);
	standin_bytes(path, p->environ_text ? p->environ_text : "", p->environ_len);
	snprintf(path, sizeof(path), "proc/%d/cmdline", p->pid);
	standin_bytes(path, p->cmdline ? p->cmdline : "", p->cmdline_len);
	snprintf(path, sizeof(path), "proc/%d/ns/pid", p->pid);
	snprintf(text, sizeof(text), "pid:[%lu]", p->ns_pid ? p->ns_pid : 4001);
	standin_link(text, path);
	snprintf(path, sizeof(path), "proc/%d/ns/mnt", p->pid);
	snprintf(text, sizeof(text), "mnt:[%lu]", p->ns_mnt ? p->ns_mnt : 5001);
	standin_link(text, path);
}

/* A host with an init (pid 1) and an agent (pid 50), which is "self". */
static void
standin_host(const char *own_cgroup)
{
	static const char template[] = "/tmp/coral-standin-XXXXXX";
	char dir[300];

	memcpy(standin, template, sizeof(template));
	if (!mkdtemp(standin))
		standin_die(standin);
	atexit(standin_gone);
	standin_file("host/etc/hostname", "host\n");
	standin_file("cache/.keep", "");
	snprintf(dir, sizeof(dir), "%s/cache", standin);
	chmod(dir, 0700);
	standin_add(&(struct standin_proc){.pid = 1,
	    .comm = "systemd",
	    .cgroup = "0::/init.scope\n",
	    .mountinfo = "27 1 254:0 / / rw - ext4 /dev/vda rw\n"});
	standin_add(
	    &(struct standin_proc){.pid = 50, .ppid = 1, .comm = "coral", .cgroup = own_cgroup});
	standin_link("../../host", "proc/1/root");
	standin_link("50", "proc/self");
}

#endif
