/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/self_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"

#define SELF "/proc/self/exe"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* since Linux 6.3 */
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020 /* since Linux 6.3 */
#endif
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

bool
self_is_sealed(void)
{
	auto_close int fd = open(SELF, O_RDONLY | O_CLOEXEC);
	struct statvfs fs;
	char path[4096];
	ssize_t n;
	int seals;

	if (fd < 0)
		return false;
	seals = fcntl(fd, F_GET_SEALS);
	/* An ordinary file of a tmpfs answers too, with F_SEAL_SEAL alone: its mount counts. */
	if (seals >= 0 && (seals & SEALS) == SEALS)
		return true;
	/* Read-only alone is not enough: others may reach the file by another mount.  That holds
	 * for our clone as well; but there /proc/PID/exe leads to this mount, which is nobody's. */
	n = readlink(SELF, path, sizeof(path) - 1);
	if (n < 0 || fstatvfs(fd, &fs) < 0 || !(fs.f_flag & ST_RDONLY))
		return false;
	path[n] = '\0';
	/* A mount that is in no namespace has the file itself as its root. */
	return strcmp(path, "/") == 0;
}

/* A mount of just this file, in no namespace, read-only; -1 with errno. */
static int
clone_mount(void)
{
	struct mount_attr attr = {
	    .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV,
	};
	auto_close int exe = open(SELF, O_PATH | O_CLOEXEC);
	auto_close int tree = -1;

	if (exe < 0)
		return -1;
	tree = (int)syscall(
	    SYS_open_tree, exe, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0 ||
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -1;
	return steal_fd(&tree);
}

static int
copy_bytes(int to, int from)
{
	struct stat st;
	off_t at = 0;

	if (fstat(from, &st) < 0)
		return -1;
	while (at < st.st_size) {
		ssize_t n = sendfile(to, from, &at, (size_t)(st.st_size - at));

		if (n == 0)
			errno = EIO;
		if (n == 0 || (n < 0 && errno != EINTR))
			return -1;
	}
	return 0;
}

int
self_seal_copy(struct err *e)
{
	auto_close int from = open(SELF, O_RDONLY | O_CLOEXEC);
	auto_close int mem = -1;
	char name[40];
	int fd;

	if (from < 0) {
		err_set(e, ERR_IO, errno, "cannot open the own program, %s", SELF);
		return err_hint(e, "mount a procfs at /proc");
	}
	mem = memfd_create("coral", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (mem < 0 && errno == EINVAL)
		mem = memfd_create("coral", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (mem < 0 || copy_bytes(mem, from) < 0 || fchmod(mem, 0555) < 0)
		return err_set(e, ERR_IO, errno, "cannot copy the program into memory");
	if (fcntl(mem, F_ADD_SEALS, SEALS | F_SEAL_EXEC) < 0 && fcntl(mem, F_ADD_SEALS, SEALS) < 0)
		return err_set(e, ERR_IO, errno, "cannot seal the program's copy");
	/* A file that is open for writing cannot be executed: ETXTBSY. */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", mem);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(e, ERR_IO, errno, "cannot open the program's copy") : fd;
}

int
self_seal_open(struct err *e)
{
	int fd = clone_mount();

	return fd >= 0 ? fd : self_seal_copy(e);
}

int
self_seal_exec(char *const argv[], bool in_memory, struct err *e)
{
	auto_close int copy = in_memory ? self_seal_copy(e) : -1;
	auto_close int fd = -1;

	if (copy >= 0)
		syscall(SYS_execveat, copy, "", argv, environ, AT_EMPTY_PATH);
	fd = self_seal_open(e);
	if (fd < 0)
		return -1;
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	err_set(e, ERR_PRIVILEGE, errno, "cannot execute the program from a sealed file");
	return err_hint(e, "is vm.memfd_noexec set, or /proc mounted noexec?");
}
