/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/caps.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"

static const char *const names[] = {"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID",
    "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST",
    "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME",
    "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE",
    "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE"};

static void
own(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

	data[0] = data[1] = (struct __user_cap_data_struct){0};
	syscall(SYS_capget, &head, data);
}

uint64_t
caps_permitted(void)
{
	struct __user_cap_data_struct d[2];

	own(d);
	return d[0].permitted | (uint64_t)d[1].permitted << 32;
}

uint64_t
caps_effective(void)
{
	struct __user_cap_data_struct d[2];

	own(d);
	return d[0].effective | (uint64_t)d[1].effective << 32;
}

uint64_t
caps_all(void)
{
	uint64_t set = 0;

	for (int c = 0; c < 64 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		set |= CAP_BIT(c);
	return set;
}

static char *
list(char *dst, size_t size, uint64_t set, const char *prefix)
{
	size_t at = 0;

	if (size)
		dst[0] = '\0';
	for (unsigned c = 0; c < 64 && at < size; c++) {
		if (!(set & CAP_BIT(c)))
			continue;
		if (c < COUNT_OF(names))
			at += (size_t)snprintf(
			    dst + at, size - at, "%s%s%s", at ? ", " : "", prefix, names[c]);
		else
			at += (size_t)snprintf(
			    dst + at, size - at, "%scapability %u", at ? ", " : "", c);
	}
	return dst;
}

char *
caps_names(char *dst, size_t size, uint64_t set)
{
	return list(dst, size, set, "CAP_");
}

char *
caps_yaml(char *dst, size_t size, uint64_t set)
{
	char text[1024];

	snprintf(dst, size, "capabilities: {add: [%s]}", list(text, sizeof(text), set, ""));
	return dst;
}

int
caps_why(struct err *e, uint64_t need)
{
	uint64_t lack = need & ~caps_effective();
	char text[1024], yaml[1100];

	if (!lack) {
		err_why(e, "every capability for it is here: a seccomp filter, a security module "
			   "or the kernel's configuration forbids it");
		return err_hint(e, "run the agent where nothing confines it: on the host, or with "
				   "seccomp and AppArmor unconfined");
	}
	err_why(e, "missing: %s", caps_names(text, sizeof(text), lack));
	return err_hint(e, "run it as root, or give the agent %s, in its securityContext: %s", text,
	    caps_yaml(yaml, sizeof(yaml), lack));
}
