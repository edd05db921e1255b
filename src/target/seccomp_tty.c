/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>

#include "base/attr.h"

/* As linux/tiocl.h and asm-generic/ioctls.h have them; on these architectures alike. */
#define STI 0x5412
#define LINUX_CONSOLE 0x541c

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)

/*
 * The kernel takes the command as an unsigned int whatever is in the upper half of the register:
 * the lower half alone is looked at.  x86-64 has a second number for x32 programs, which kernels
 * before 5.4 took without the x32 bit as well.
 */
#if defined(__x86_64__)
#define X32_BIT 0x40000000U
const struct sock_filter sc_tty[] = {
    LOAD(arch),
    IS(AUDIT_ARCH_X86_64, 2, 0),
    IS(AUDIT_ARCH_I386, 0, 11),
    BPF_JUMP(BPF_JMP | BPF_JA, 4, 0, 0),
    LOAD(nr),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT),
    IS(16, 3, 0),
    IS(514, 2, 6),
    LOAD(nr),
    IS(54, 0, 4),
    LOAD(args[1]),
    IS(STI, 1, 0),
    IS(LINUX_CONSOLE, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
};
#elif defined(__aarch64__)
const struct sock_filter sc_tty[] = {
    LOAD(arch),
    IS(AUDIT_ARCH_AARCH64, 2, 0),
    IS(AUDIT_ARCH_ARM, 0, 9),
    BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0),
    LOAD(nr),
    IS(29, 2, 6),
    LOAD(nr),
    IS(54, 0, 4),
    LOAD(args[1]),
    IS(STI, 1, 0),
    IS(LINUX_CONSOLE, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
};
#else
#error "ioctl(2) of this architecture is not known to the filter against TIOCSTI"
#endif
const size_t sc_tty_len = COUNT_OF(sc_tty);
