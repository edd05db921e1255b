/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A profile says nothing of system calls that are newer than itself.  With its
 * default action EPERM, C libraries take that for an answer where ENOSYS would
 * make them try the older call; runc therefore puts a test before its filter,
 * and so do we: what is above the newest call that the profile names in any
 * rule gives ENOSYS, in the architectures that it lists.
 */
#include "target/seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>

#include "base/attr.h"

#define X32_BIT 0x40000000U
#define NONE UINT32_MAX

/* By the number that the kernel puts into struct seccomp_data. */
struct newest {
	uint32_t audit, plain, x32;
};

/* SCMP_ARCH_* is the kernel's number but for x32, which shares x86-64's. */
static uint32_t
audit_arch(uint32_t scmp)
{
	return scmp == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : scmp;
}

static uint32_t
newest_named(const struct sc_profile *p, uint32_t arch)
{
	int most = 0;

	for (size_t i = 0; i < p->n; i++) {
		int nr = seccomp_syscall_resolve_name_arch(arch, p->rule[i].name);

		if (nr > most)
			most = nr;
	}
	return most ? (uint32_t)most : NONE;
}

static size_t
find_newest(const struct sc_profile *p, struct newest out[SC_ARCHS_MAX])
{
	size_t n = 0, k;

	for (size_t i = 0; i < p->narchs; i++) {
		uint32_t audit = audit_arch(p->arch[i]), most = newest_named(p, p->arch[i]);

		for (k = 0; k < n && out[k].audit != audit; k++)
			;
		if (k == n)
			out[n++] = (struct newest){audit, NONE, NONE};
		if (p->arch[i] == SCMP_ARCH_X32)
			out[k].x32 = most;
		else
			out[k].plain = most;
	}
	return n;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define JUMP(what, value, yes, no) BPF_JUMP(BPF_JMP | (what) | BPF_K, value, yes, no)

static size_t
one_arch(const struct newest *of, struct sock_filter *out)
{
	const struct sock_filter plain[] = {
	    LOAD(arch),
	    JUMP(BPF_JEQ, of->audit, 0, 3),
	    LOAD(nr),
	    JUMP(BPF_JGT, of->plain, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	const struct sock_filter both[] = {
	    LOAD(arch),
	    JUMP(BPF_JEQ, of->audit, 0, 5),
	    LOAD(nr),
	    JUMP(BPF_JSET, X32_BIT, 1, 0),
	    JUMP(BPF_JGT, of->plain, 1, 2),
	    JUMP(BPF_JGT, of->x32, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	bool x86 = of->audit == SCMP_ARCH_X86_64;
	const struct sock_filter *from = x86 ? both : plain;
	size_t n = x86 ? COUNT_OF(both) : COUNT_OF(plain);

	for (size_t i = 0; i < n; i++)
		out[i] = from[i];
	return n;
}

size_t
sc_stub(const struct sc_profile *p, struct sock_filter out[SC_STUB_MAX])
{
	struct newest of[SC_ARCHS_MAX];
	uint32_t what = p->action & SECCOMP_RET_ACTION_FULL;
	size_t n = 0, archs;

	if (what == SECCOMP_RET_ALLOW || what == SECCOMP_RET_LOG || what == SECCOMP_RET_TRACE)
		return 0;
	archs = find_newest(p, of);
	for (size_t i = 0; i < archs; i++) {
		if (of[i].plain == NONE && of[i].x32 == NONE)
			continue;
		n += one_arch(&of[i], out + n);
	}
	return n;
}
