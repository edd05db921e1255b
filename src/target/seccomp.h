/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TARGET_SECCOMP_H
#define CORAL_TARGET_SECCOMP_H

/*
 * Seccomp filters as classic BPF: where they come from, what they say, how they
 * are put together.  Nothing is installed here: enter_child.c does that.
 */
#include <jansson.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "target/proc.h"

#define SC_FILTERS_MAX 16 /* of a target */
#define SC_SET_MAX 17	  /* and one of ours */
#define SC_INSNS_MAX 4096 /* BPF_MAXINSNS */
#define SC_RULES_MAX 8192 /* names in a profile */
#define SC_ARGS_MAX 16	  /* comparisons of one rule */
#define SC_ARCHS_MAX 16

struct sc_filter {
	struct sock_filter *insn; /* owned */
	size_t n;
	unsigned flags; /* SECCOMP_FILTER_FLAG_* to install it with */
};
/* Oldest first. */
struct sc_set {
	struct sc_filter v[SC_SET_MAX];
	size_t n;
};
/* Copies; -1 when it is full, too long, empty, or memory is. */
int sc_set_add(struct sc_set *s, const struct sock_filter *insn, size_t n, unsigned flags);
void sc_set_fini(struct sc_set *s);
/* Put `head`, which falls off its end where it decides nothing, before a filter. */
int sc_prepend(struct sc_filter *f, const struct sock_filter *head, size_t n);

/* What a filter returns for a call, as the kernel would run it. */
uint32_t sc_eval(const struct sc_filter *f, const struct seccomp_data *d);
/* What all of them together do: SECCOMP_RET_ALLOW of none. */
uint32_t sc_set_eval(const struct sc_set *s, const struct seccomp_data *d);
/* Whether a call of our own architecture would go on, as far as its arguments do not matter. */
bool sc_set_permits(const struct sc_set *s, int nr);
/* The same with these arguments. */
bool sc_set_permits_call(const struct sc_set *s, int nr, const uint64_t args[6]);
/* It asks a supervisor, who will not be there: those calls give ENOSYS. */
bool sc_set_notifies(const struct sc_set *s);

/* A runtime's profile, before it is compiled. */
struct sc_arg {
	unsigned index;
	int op; /* enum scmp_compare */
	uint64_t value, two;
};
struct sc_rule {
	const char *name;   /* borrowed */
	uint32_t action;    /* SCMP_ACT_* */
	struct sc_arg *arg; /* owned */
	size_t nargs;
};
struct sc_profile {
	uint32_t action; /* of what no rule names */
	unsigned flags;
	uint32_t arch[SC_ARCHS_MAX]; /* SCMP_ARCH_* */
	size_t narchs;
	struct sc_rule *rule; /* owned */
	size_t n, room;
	char **names; /* owned, of a profile that was not read from JSON */
	size_t nnames;
	bool notifies; /* asked for a supervisor: ENOSYS instead */
};
/* linux.seccomp of a bundle's config.json; `j` must outlive the profile.  On -1 it is empty. */
int sc_profile_oci(const json_t *j, struct sc_profile *out, struct err *e);
/* config.seccomp of runc's state.json. */
int sc_profile_runc(const json_t *j, struct sc_profile *out, struct err *e);
/* In place of one that cannot be had: what the runtimes' defaults come to for these capabilities.
 */
int sc_profile_builtin(uint64_t caps, struct sc_profile *out);
struct sc_rule *sc_profile_add(struct sc_profile *p, const char *name, uint32_t action);
int sc_rule_arg(struct sc_rule *r, struct sc_arg arg);
void sc_profile_fini(struct sc_profile *p);

/* To BPF as runc compiles it, calls newer than the profile included. */
int sc_compile(const struct sc_profile *p, struct sc_set *out, struct err *e);
/* sc_compile() with a memory: files in `dir`, root's alone; NULL or "": none. */
int sc_compile_kept(const struct sc_profile *p, const char *dir, struct sc_set *out, struct err *e);
/* ENOSYS for what is above the newest call that the profile names, an architecture at a time. */
#define SC_STUB_MAX (8 * SC_ARCHS_MAX)
size_t sc_stub(const struct sc_profile *p, struct sock_filter out[SC_STUB_MAX]);

/*
 * Read the filters out of a process by ptrace(2), which interrupts it for the
 * time that takes: a system call that it sleeps in may give EINTR.  A helper
 * does it and is waited for for at most a second; however it ends, the kernel
 * lets the process go.
 */
/* Whether the kernel lets this process: only outside of containers, to root. */
bool sc_may_copy(void);
int sc_copy(int proc, pid_t pid, struct sc_set *out, struct err *e);

/* EPERM for TIOCSTI and TIOCLINUX in ioctl(2), by every way into the kernel. */
extern const struct sock_filter sc_tty[];
extern const size_t sc_tty_len;

#endif
