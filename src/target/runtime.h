/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_RUNTIME_H
#define CORAL_TARGET_RUNTIME_H

/*
 * What a container is called, from what its runtime left on disk, its mounts
 * and its environment; no runtime is asked.  Names are claims: a container's
 * environment is its own.  Files are read through the host's root.
 */
#include <jansson.h>
#include <stdbool.h>
#include "target/proc.h"
#include "target/target.h"

struct rt_ctx {
	int proc;	      /* as tgt_sys.proc; not owned */
	int host;	      /* O_PATH of the host's root, or -1 */
	int host_pd;	      /* /proc/PID of a process with that root, for its mounts, or -1 */
	uint64_t host_ns_pid; /* of pid 1; 0 unreadable */
	uint64_t host_ns_mnt;
	json_t *storage; /* podman's list of containers, kept while it is the same file */
	char storage_path[1024];
};
int rt_open(const struct tgt_sys *s, struct rt_ctx *c);
void rt_close(struct rt_ctx *c);

struct rt_facts {
	struct tgt *t;
	bool infra;	      /* a pod's pause process */
	char compose[254];    /* compose service */
	char kube_name[254];  /* name of the container in its pod's spec */
	char preferred[254];  /* the pod's kubectl.kubernetes.io/default-container */
	char sandbox[72];     /* id of the pod's infra container */
	char files_dir[1024]; /* on the host: where /etc/hostname of the container comes from */
};

/* t->pid, runtime, id and cgroup are known; fills container, service, pod, ns, pod_uid, image,
 * project, as far as they can be learnt; `named` is what the process was told.  `infra`: it only
 * holds a pod together. */
void rt_learn(struct rt_ctx *c, int pd, const struct proc_stat *st, const struct proc_named *named,
    struct tgt *t, bool *infra);

/*
 * The file that the container of `t` was started from, when it is surely its own: a hostile
 * container must not pick another's.  `pd` is /proc/PID of a process in it, `cg` its cgroups.
 * New reference, or NULL; `path` names the file.
 */
enum rt_schema { RT_OCI, RT_RUNC };
#define RT_PATH_MAX 1100
json_t *rt_config(struct rt_ctx *c, int pd, const struct proc_cgroups *cg, const struct tgt *t,
    enum rt_schema *schema, char path[RT_PATH_MAX]);

/* Between the runtime_*.c files. */
json_t *rt_bundle_config(
    const struct rt_ctx *c, int pd, const struct tgt *t, char path[RT_PATH_MAX]);
json_t *rt_runc_state(const struct rt_ctx *c, int pd, const struct tgt *t, char path[RT_PATH_MAX]);
void rt_text(char *dst, size_t size, const char *src); /* harmless, cut */
json_t *rt_json(const struct rt_ctx *c, const char *path, size_t max);
/* Known keys of an object of strings; what is set already stays. */
void rt_labels(const json_t *labels, struct rt_facts *f);
void rt_label(const char *key, const char *value, struct rt_facts *f);
/* Which container the pod's annotations prefer. */
void rt_preferred(const json_t *labels, struct rt_facts *f);
void rt_hints(const struct rt_ctx *c, int pd, struct rt_facts *f);
/* True: the runtime's own file was read. */
bool rt_docker(const struct rt_ctx *c, struct rt_facts *f);
bool rt_docker_moved(const struct rt_ctx *c, struct rt_facts *f); /* after rt_hints() */
bool rt_runc(const struct rt_ctx *c, struct rt_facts *f);
void rt_bundle(struct rt_ctx *c, const struct proc_stat *st, struct rt_facts *f);
/* What the mounts of a container tell; a proc_mount_fn, its argument a struct rt_mounts. */
struct rt_mounts {
	struct rt_facts *f;
	unsigned major, minor; /* what of which file system is at /etc/hostname */
	char hostname[1024];
};
int rt_take_mount(void *mounts, const struct proc_mount *m);
/* Parsers of runtime files, for the fuzzer as well. */
void rt_take_docker(const json_t *config, struct rt_facts *f);
void rt_take_bundle(const json_t *config, struct rt_facts *f);
void rt_take_runc(const json_t *state, struct rt_facts *f);
/* containers.json of podman's storage. */
void rt_take_storage(json_t *all, struct rt_facts *f);
/* The command line of a conmon: whose bundle it watches, and its name. */
struct rt_monitor {
	char bundle[1024];
	char name[254];
};
void rt_take_conmon(const char *p, size_t n, struct rt_monitor *m);

#endif
