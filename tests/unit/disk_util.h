/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_DISK_UTIL_H
#define CORAL_TESTS_DISK_UTIL_H

/* Disks that a test can take away: ext4 on loop devices, in a mount namespace of its own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IMAGE
#define IMAGE (4 * 1024 * 1024)
#endif

static void
bail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A file system in the file. */
static void
format_image(int fd, const char *kind)
{
	char path[64];
	int status;
	pid_t pid;

	if (fd < 0 || ftruncate(fd, IMAGE) < 0)
		bail("no image");
	snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), fd);
	pid = fork();
	if (pid == 0) {
		execlp("mkfs.ext4", "mkfs.ext4", "-q", "-F", "-b", "1024", "-O", kind, "-E",
		    "lazy_itable_init=0", path, NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		bail("no mkfs.ext4");
}

/* In memory, so that the disk can be made to fail for good: memfd_create(2), seals. */
static __attribute__((unused)) int
make_image(const char *kind)
{
	int fd = memfd_create("coral-test", MFD_ALLOW_SEALING);

	format_image(fd, kind);
	return fd;
}

/* Detaches itself with its last user: loop(4). */
static void
mount_image(int image, const char *dir, const char *options)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), dev = -1;
	char path[32];

	for (int i = 0; i < 50 && dev < 0; i++) {
		struct loop_config c = {.fd = (unsigned)image, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		snprintf(path, sizeof path, "/dev/loop%d", n);
		dev = n >= 0 ? open(path, O_RDWR | O_CLOEXEC) : -1;
		/* Somebody else may have taken it. */
		if (dev >= 0 && ioctl(dev, LOOP_CONFIGURE, &c) < 0) {
			close(dev);
			dev = -1;
		}
	}
	if (dev < 0 || mount(path, dir, "ext4", MS_NOSUID | MS_NODEV, options) < 0)
		bail("no loop device");
	close(dev);
	close(control);
}

static void
mounts_of_our_own(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		bail("no mount namespace");
}

#endif
