/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/sandbox_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"

/* In Debian's globally allocated range (60000-64999) and given to nobody. */
#define FALLBACK_ID 64722
#define ADDRESS_SPACE (512UL << 20)
#define LAST_CAP 63

/* The user "_coral" where an administrator made one.  Not getpwnam(3): NSS
 * does not work in a static binary. */
static void
find_ids(struct tp_sandbox *sb)
{
	auto_file FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw;

	sb->uid = FALLBACK_ID;
	sb->gid = FALLBACK_ID;
	while (f && (pw = fgetpwent(f))) {
		if (strcmp(pw->pw_name, "_coral") == 0 && pw->pw_uid != 0 && pw->pw_gid != 0) {
			sb->uid = pw->pw_uid;
			sb->gid = pw->pw_gid;
			return;
		}
	}
}

static bool
is_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *de;
	bool empty = d != NULL;

	while (d && empty && (de = readdir(d)))
		empty = strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0;
	if (d)
		closedir(d);
	return empty;
}

static int
make_root(struct tp_sandbox *sb, const char *runtime_dir, struct err *e)
{
	struct stat st;
	int n = snprintf(sb->root, sizeof(sb->root), "%s/empty", runtime_dir);

	if (n < 0 || (size_t)n >= sizeof(sb->root))
		return err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot use %s", runtime_dir);
	if (mkdir(sb->root, 0555) < 0 && errno != EEXIST)
		return err_set(e, ERR_CONFIG, errno, "cannot make %s", sb->root);
	if (lstat(sb->root, &st) < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot look at %s", sb->root);
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) || !is_empty(sb->root)) {
		err_set(e, ERR_CONFIG, 0, "%s cannot be a sandbox's root", sb->root);
		err_why(e, "it is not an empty directory of root's that nobody else may write");
		return err_hint(e, "remove it: the agent makes it anew");
	}
	return 0;
}

/* Giving everything up takes rights too. */
static int
check_rights(struct err *e)
{
	static const struct {
		int cap;
		const char *name;
	} needs[] = {{CAP_SETGID, "SETGID"}, {CAP_SETUID, "SETUID"}, {CAP_SETPCAP, "SETPCAP"},
	    {CAP_SYS_CHROOT, "SYS_CHROOT"}};
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct own[2] = {{0}};
	char lack[96] = "", yaml[64] = "";

	if (syscall(SYS_capget, &head, own) < 0)
		return err_set(e, ERR_INTERNAL, errno, "cannot read the own capabilities");
	for (size_t i = 0; i < COUNT_OF(needs); i++) {
		const char *sep = lack[0] ? ", " : "";

		if (own[0].effective >> needs[i].cap & 1)
			continue;
		snprintf(lack + strlen(lack), sizeof(lack) - strlen(lack), "%sCAP_%s", sep,
		    needs[i].name);
		snprintf(
		    yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "%s%s", sep, needs[i].name);
	}
	if (!lack[0])
		return 0;
	err_set(e, ERR_PRIVILEGE, EPERM, "connections cannot be served safely");
	err_why(
	    e, "missing: %s, with which the process that reads the network gives up root", lack);
	return err_hint(e, "in the agent's securityContext: capabilities: {add: [%s]}", yaml);
}

int
tp_sandbox_init(struct tp_sandbox *sb, const char *runtime_dir, struct err *e)
{
	return tp_sandbox_init_calls(sb, runtime_dir, NULL, 0, e);
}

int
tp_sandbox_init_calls(
    struct tp_sandbox *sb, const char *runtime_dir, const int *calls, size_t n, struct err *e)
{
	memset(sb, 0, sizeof(*sb));
	sb->enabled = geteuid() == 0;
	sb->uid = geteuid();
	sb->gid = getegid();
	if (sb->enabled) {
		find_ids(sb);
		if (check_rights(e) < 0 || make_root(sb, runtime_dir, e) < 0)
			return -1;
	}
	if (sandbox_filter_make(sb, calls, n, e) < 0) {
		tp_sandbox_fini(sb);
		return -1;
	}
	return 0;
}

void
tp_sandbox_fini(struct tp_sandbox *sb)
{
	free(sb->filter);
	memset(sb, 0, sizeof(*sb));
}

/* 0 and 1 may be the agent's terminal. */
static int
shut_fds(int a, int b, bool silent)
{
	int keep[2] = {a, b}, null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;

	for (fd = 0; fd < (silent ? 3 : 2); fd++) {
		if (null >= 0 ? null != fd && dup2(null, fd) < 0 : close(fd) < 0 && errno != EBADF)
			return -1;
	}
	fd_close_from(3, keep, 2);
	return 0;
}

static int
drop_ids(const struct tp_sandbox *sb)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};
	int cap;

	if (chroot(sb->root) < 0 || chdir("/") < 0)
		return -1;
	/* EINVAL: past the last capability that this kernel knows. */
	for (cap = 0; cap <= LAST_CAP; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return -1;
	}
	if (setgroups(0, NULL) < 0 || setresgid(sb->gid, sb->gid, sb->gid) < 0 ||
	    setresuid(sb->uid, sb->uid, sb->uid) < 0)
		return -1;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_capset, &head, none);
}

static int
limit(int what, rlim_t value)
{
	struct rlimit rl = {value, value}, now;

	/* Never more than there is already: that would need CAP_SYS_RESOURCE. */
	if (getrlimit(what, &now) == 0 && now.rlim_max < value)
		rl.rlim_cur = rl.rlim_max = now.rlim_max;
	return setrlimit(what, &rl);
}

static int
set_limits(int max_fds)
{
	if (limit(RLIMIT_CORE, 0) < 0 || limit(RLIMIT_NPROC, 0) < 0 ||
	    limit(RLIMIT_MEMLOCK, 0) < 0 || limit(RLIMIT_NOFILE, (rlim_t)max_fds) < 0)
		return -1;
	/* ASan's shadow alone is terabytes of address space. */
	return SANDBOX_ASAN ? 0 : limit(RLIMIT_AS, ADDRESS_SPACE);
}

static int
set_filter(const struct tp_sandbox *sb)
{
	struct sock_fprog prog = {.len = sb->filter_len, .filter = sb->filter};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

int
tp_sandbox_enter(const struct tp_sandbox *sb, int a, int b, int max_fds, struct err *e)
{
	const char *step = "close descriptors";
	int rc = shut_fds(a, b, sb->silent);

	if (rc == 0 && sb->enabled) {
		step = "give up root";
		rc = drop_ids(sb);
	}
	if (rc == 0) {
		step = "set limits";
		rc = set_limits(max_fds);
	}
	/* After the change of uid, which resets it (prctl(2)). */
	if (rc == 0) {
		step = "forbid tracing and new privileges";
		rc = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	}
	/* The change of uid takes that away too. */
	if (rc == 0 && sb->with_parent)
		rc = prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (rc == 0)
		rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (rc == 0) {
		step = "set the seccomp filter";
		rc = set_filter(sb);
	}
	if (rc < 0)
		return err_set(e, ERR_PRIVILEGE, errno, "the sandbox cannot be entered: %s", step);
	return 0;
}
