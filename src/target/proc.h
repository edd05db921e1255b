/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_PROC_H
#define CORAL_TARGET_PROC_H

/*
 * What proc(5) says of one process.  Every parser is a pure function over
 * (text, len) that believes nothing: bounded, strict, no locale.  The readers
 * take a descriptor of /proc/PID (proc_open), never a path again.
 *
 * Unless said otherwise: 0, or -1 with errno.  EINVAL: not what the kernel
 * writes; EFBIG: over the cap; ESRCH: the process is gone.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define PROC_SMALL_MAX (16 * 1024)    /* stat, limits, cgroup, uid_map */
#define PROC_STATUS_MAX (1024 * 1024) /* Groups: may hold 65536 ids */
#define PROC_ENVIRON_MAX (1024 * 1024)
#define PROC_MOUNTINFO_MAX (4 * 1024 * 1024)

/* O_PATH of /proc/PID below `proc`; -1 with errno. */
int proc_open(int proc, pid_t pid);
/* A whole file below dirfd into out[0..size); its length, or -1 (EFBIG when it does not fit). */
ssize_t proc_read(int dirfd, const char *path, char *out, size_t size);
/* The same for environ and cmdline, which a process can keep from being read: ETIMEDOUT after
 * 250 ms.  What was not read then holds a thread and a descriptor for as long as we live. */
ssize_t proc_read_memory(int pd, const char *path, char *out, size_t size);
/* What a process was told that it is called: the first of each name in its environ, cut; "" when
 * there is none. */
enum proc_name { PROC_SERVICE_NAME, PROC_CORAL_SERVICE, PROC_HOSTNAME, PROC_NAMES };
#define PROC_NAMED_MAX 264
struct proc_named {
	char value[PROC_NAMES][PROC_NAMED_MAX];
};
void proc_take_named(const char *p, size_t n, struct proc_named *out);
/* Of n processes at once.  Whose environ cannot be read has none; one that is held up costs what
 * proc_read_memory() says, and no other its names. */
void proc_read_named(const int *pd, struct proc_named *v, size_t n);
/* The number in the link ns/NAME, or 0 when it cannot be read. */
uint64_t proc_ns(int pd, const char *name);

struct proc_stat {
	pid_t pid, ppid;
	char state;	/* R S D Z T t X I ... */
	char comm[64];	/* as it is: up to the LAST ')' of the line */
	int tty;	/* device number of the controlling terminal */
	bool kthread;	/* a thread of the kernel's own */
	bool forked;	/* and has not executed a program since */
	uint64_t start; /* field 22, clock ticks since boot */
};
int proc_parse_stat(const char *p, size_t n, struct proc_stat *out);
int proc_read_stat(int pd, struct proc_stat *out);
/* Still running: neither zombie nor dead. */
bool proc_alive(const struct proc_stat *st);

#define PROC_NSPID_MAX 33 /* MAX_PID_NS_LEVEL + 1 */
enum proc_cap_set {
	PROC_CAP_INH,
	PROC_CAP_PRM,
	PROC_CAP_EFF,
	PROC_CAP_BND,
	PROC_CAP_AMB,
	PROC_CAPS
};

struct proc_status {
	char state;
	pid_t tgid, ppid, tracer;
	uid_t uid[4]; /* real, effective, saved, filesystem; in the reader's numbering */
	gid_t gid[4];
	gid_t *groups; /* owned */
	size_t ngroups;
	pid_t nspid[PROC_NSPID_MAX]; /* from the procfs' pid namespace down to the innermost */
	size_t nnspid;		     /* 0: the kernel does not say */
	uint64_t caps[PROC_CAPS];
	mode_t umask;
	bool has_umask;
	bool no_new_privs;
	int seccomp;	     /* 0 none, 1 strict, 2 filter */
	int seccomp_filters; /* how many; -1: the kernel does not say */
};
/* Uid, Gid, Groups and the capability sets must be there.  out is set in full;
 * on -1 it owns nothing. */
int proc_parse_status(const char *p, size_t n, struct proc_status *out);
int proc_read_status(int pd, struct proc_status *out);
void proc_status_fini(struct proc_status *st);

#define PROC_CGROUP_LINES 32
struct proc_cgroup {
	unsigned id;		 /* 0 is the v2 tree */
	const char *controllers; /* "" for v2; "freezer", "cpu,cpuacct", "name=systemd" */
	const char *path; /* starts with '/'; "/../x" when it lies outside our cgroup namespace */
};
/* Not copyable: the strings point into text. */
struct proc_cgroups {
	struct proc_cgroup v[PROC_CGROUP_LINES];
	size_t n;
	char text[PROC_SMALL_MAX];
};
int proc_parse_cgroups(const char *p, size_t n, struct proc_cgroups *out);
int proc_read_cgroups(int pd, struct proc_cgroups *out);
/* The path in the v2 tree, or NULL. */
const char *proc_cgroup_v2(const struct proc_cgroups *c);
/* The path in the v1 hierarchy that carries `controller`, or NULL. */
const char *proc_cgroup_v1(const struct proc_cgroups *c, const char *controller);

#define PROC_IDMAP_MAX 340 /* user_namespaces(7) */
#define PROC_ID_NONE UINT32_MAX
struct proc_idmap {
	struct {
		uint32_t inside, outside, count;
	} v[PROC_IDMAP_MAX];
	size_t n;
};
int proc_parse_idmap(const char *p, size_t n, struct proc_idmap *out);
/* name: "uid_map" or "gid_map" */
int proc_read_idmap(int pd, const char *name, struct proc_idmap *out);
/* Our id to the one inside, and back; PROC_ID_NONE when it is not mapped. */
uint32_t proc_idmap_inside(const struct proc_idmap *m, uint32_t outside);
uint32_t proc_idmap_outside(const struct proc_idmap *m, uint32_t inside);

struct proc_limits {
	struct rlimit v[RLIM_NLIMITS]; /* by RLIMIT_* */
	bool has[RLIM_NLIMITS];
};
int proc_parse_limits(const char *p, size_t n, struct proc_limits *out);
int proc_read_limits(int pd, struct proc_limits *out);

/*
 * "K=V" entries, NULL-terminated, in one allocation (free() it).  What has no
 * name before a '=' is left out: a program may have written over its environ.
 */
int proc_parse_environ(const char *p, size_t n, char ***out, size_t *count);
int proc_read_environ(int pd, char ***out, size_t *count);
/* Value of the first entry called `name`, or NULL. */
const char *proc_environ_get(char *const *env, const char *name);

struct proc_mount {
	unsigned major, minor; /* of the file system */
	const char *root;      /* what of the file system is mounted */
	const char *point;     /* where, as the process sees it */
	const char *fstype;
	bool read_only; /* this mount of it */
};
/* `fn` sees each mount, with \040 and the like decoded; not 0 ends the walk and is returned. */
typedef int (*proc_mount_fn)(void *arg, const struct proc_mount *m);
int proc_parse_mountinfo(const char *p, size_t n, proc_mount_fn fn, void *arg);
int proc_read_mountinfo(int pd, proc_mount_fn fn, void *arg);

#endif
