/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What stands in for a profile that cannot be had.  Docker's and podman's
 * defaults list what is allowed; this is the other side: of all system calls up
 * to NEWEST those in the table are refused, which comes to the same.
 */
#include "target/seccomp.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "target/caps.h"

/* Later ones give ENOSYS. */
#define NEWEST "set_mempolicy_home_node"
#define NUMBERS 1024
#define NAMES_MAX 1024

#define B(cap) CAP_BIT(CAP_##cap)

/* Refused, but to who has one of `caps`. */
static const struct {
	const char *name;
	uint64_t caps;
} table[] = {
    /* of all of the machine */
    {"acct", B(SYS_PACCT)},
    {"bpf", B(SYS_ADMIN) | B(BPF)},
    {"clock_settime", B(SYS_TIME)},
    {"clock_settime64", B(SYS_TIME)},
    {"create_module", 0},
    {"delete_module", B(SYS_MODULE)},
    {"finit_module", B(SYS_MODULE)},
    {"get_kernel_syms", 0},
    {"init_module", B(SYS_MODULE)},
    {"ioperm", B(SYS_RAWIO)},
    {"iopl", B(SYS_RAWIO)},
    {"kexec_file_load", 0},
    {"kexec_load", 0},
    {"lookup_dcookie", B(SYS_ADMIN)},
    {"nfsservctl", 0},
    {"pciconfig_iobase", 0},
    {"pciconfig_read", 0},
    {"pciconfig_write", 0},
    {"perf_event_open", B(SYS_ADMIN) | B(PERFMON)},
    {"query_module", 0},
    {"reboot", B(SYS_BOOT)},
    {"rtas", 0},
    {"s390_pci_mmio_read", 0},
    {"s390_pci_mmio_write", 0},
    {"s390_runtime_instr", 0},
    {"setdomainname", B(SYS_ADMIN)},
    {"sethostname", B(SYS_ADMIN)},
    {"settimeofday", B(SYS_TIME)},
    {"stime", B(SYS_TIME)},
    {"swapoff", 0},
    {"swapon", 0},
    {"syslog", B(SYS_ADMIN) | B(SYSLOG)},
    {"vhangup", B(SYS_TTY_CONFIG)},
    /* file systems and namespaces */
    {"chroot", B(SYS_CHROOT)},
    {"fanotify_init", B(SYS_ADMIN)},
    {"fsconfig", B(SYS_ADMIN)},
    {"fsmount", B(SYS_ADMIN)},
    {"fsopen", B(SYS_ADMIN)},
    {"fspick", B(SYS_ADMIN)},
    {"mount", B(SYS_ADMIN)},
    {"mount_setattr", B(SYS_ADMIN)},
    {"move_mount", B(SYS_ADMIN)},
    {"open_by_handle_at", B(DAC_READ_SEARCH)},
    {"open_tree", B(SYS_ADMIN)},
    {"pivot_root", 0},
    {"quotactl", B(SYS_ADMIN)},
    {"quotactl_fd", B(SYS_ADMIN)},
    {"setns", B(SYS_ADMIN)},
    {"umount", B(SYS_ADMIN)},
    {"umount2", B(SYS_ADMIN)},
    {"unshare", B(SYS_ADMIN)},
    /* other processes, keys, memory */
    {"add_key", 0},
    {"get_mempolicy", B(SYS_NICE)},
    {"kcmp", B(SYS_PTRACE)},
    {"keyctl", 0},
    {"mbind", B(SYS_NICE)},
    {"migrate_pages", 0},
    {"move_pages", 0},
    {"pidfd_getfd", B(SYS_PTRACE)},
    {"process_madvise", B(SYS_PTRACE)},
    {"process_vm_readv", B(SYS_PTRACE)},
    {"process_vm_writev", B(SYS_PTRACE)},
    {"request_key", 0},
    {"set_mempolicy", B(SYS_NICE)},
    {"set_mempolicy_home_node", B(SYS_NICE)},
    {"userfaultfd", 0},
    /* wide, and of little use to a container */
    {"io_uring_enter", 0},
    {"io_uring_register", 0},
    {"io_uring_setup", 0},
    /* what nothing needs any more */
    {"_sysctl", 0},
    {"afs_syscall", 0},
    {"bdflush", 0},
    {"break", 0},
    {"ftime", 0},
    {"getpmsg", 0},
    {"gtty", 0},
    {"idle", 0},
    {"lock", 0},
    {"mpx", 0},
    {"oldfstat", 0},
    {"oldlstat", 0},
    {"oldolduname", 0},
    {"oldstat", 0},
    {"olduname", 0},
    {"prof", 0},
    {"profil", 0},
    {"putpmsg", 0},
    {"security", 0},
    {"sgetmask", 0},
    {"ssetmask", 0},
    {"stty", 0},
    {"sysfs", 0},
    {"tuxcall", 0},
    {"ulimit", 0},
    {"uselib", 0},
    {"ustat", 0},
    {"vm86", 0},
    {"vm86old", 0},
    {"vserver", 0},
};

/* Decided by their arguments: by_argument(). */
static const char *const special[] = {"clone", "clone3", "personality"};

static const uint32_t archs[] = {
#if defined(__x86_64__)
    SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32
#elif defined(__aarch64__)
    SCMP_ARCH_AARCH64, SCMP_ARCH_ARM
#endif
};

static bool
is_special(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(special); i++)
		if (strcmp(special[i], name) == 0)
			return true;
	return false;
}

static bool
is_refused(const char *name, uint64_t caps)
{
	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (strcmp(table[i].name, name) == 0)
			return !(table[i].caps & caps);
	return false;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every call of the architectures up to NEWEST, each once: the names are the profile's. */
static int
list_names(struct sc_profile *p)
{
	size_t n = 0, kept = 0;

	p->names = calloc(NAMES_MAX, sizeof(*p->names));
	if (!p->names)
		return -1;
	for (size_t a = 0; a < COUNT_OF(archs); a++) {
		int last = seccomp_syscall_resolve_name_arch(archs[a], NEWEST);
		int base = archs[a] == SCMP_ARCH_X32 ? 0x40000000 : 0;

		for (int nr = base; nr <= last && nr < base + NUMBERS && n < NAMES_MAX; nr++) {
			char *name = seccomp_syscall_resolve_num_arch(archs[a], nr);

			if (name)
				p->names[n++] = name;
		}
	}
	qsort(p->names, n, sizeof(*p->names), by_name);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && strcmp(p->names[kept - 1], p->names[i]) == 0)
			free(p->names[i]);
		else
			p->names[kept++] = p->names[i];
	}
	p->nnames = kept;
	return 0;
}

static int
allow_if(struct sc_profile *p, const char *name, struct sc_arg arg)
{
	struct sc_rule *r = sc_profile_add(p, name, SCMP_ACT_ALLOW);

	return r ? sc_rule_arg(r, arg) : -1;
}

static int
by_argument(struct sc_profile *p, uint64_t caps)
{
	/* PER_LINUX, PER_LINUX32, each with UNAME26, and the question which it is. */
	static const uint64_t personalities[] = {0, 8, 0x20000, 0x20008, UINT32_MAX};
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	bool admin = caps & CAP_BIT(CAP_SYS_ADMIN);

	for (size_t i = 0; i < COUNT_OF(personalities); i++)
		if (allow_if(p, "personality",
			(struct sc_arg){.op = SCMP_CMP_EQ, .value = personalities[i]}) < 0)
			return -1;
	if (admin)
		return sc_profile_add(p, "clone", SCMP_ACT_ALLOW) &&
			       sc_profile_add(p, "clone3", SCMP_ACT_ALLOW)
			   ? 0
			   : -1;
	/* clone3's flags lie in memory: C libraries fall back to clone. */
	return allow_if(p, "clone",
		   (struct sc_arg){.op = SCMP_CMP_MASKED_EQ, .value = namespaces}) < 0 ||
		       !sc_profile_add(p, "clone3", SCMP_ACT_ERRNO(ENOSYS))
		   ? -1
		   : 0;
}

int
sc_profile_builtin(uint64_t caps, struct sc_profile *out)
{
	int rc;

	memset(out, 0, sizeof(*out));
	out->action = SCMP_ACT_ERRNO(EPERM);
	memcpy(out->arch, archs, sizeof(archs));
	out->narchs = COUNT_OF(archs);
	rc = list_names(out);
	for (size_t i = 0; rc == 0 && i < out->nnames; i++) {
		const char *name = out->names[i];

		if (is_special(name))
			continue;
		/* Refused ones are named as well: they are known, not newer. */
		if (!sc_profile_add(
			out, name, is_refused(name, caps) ? out->action : SCMP_ACT_ALLOW))
			rc = -1;
	}
	if (rc == 0)
		rc = by_argument(out, caps);
	if (rc < 0)
		sc_profile_fini(out);
	return rc;
}
