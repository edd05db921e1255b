/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mute_fuse PID DIR: mount a file system over DIR in PID's mount namespace that answers nothing
 * but the first greeting.  Prints "mounted", then "asked" when somebody waits for it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
greet(int fd, const struct fuse_in_header *in)
{
	struct {
		struct fuse_out_header head;
		struct fuse_init_out init;
	} out;

	memset(&out, 0, sizeof(out));
	out.head.len = sizeof(out);
	out.head.unique = in->unique;
	out.init.major = FUSE_KERNEL_VERSION;
	out.init.minor = FUSE_KERNEL_MINOR_VERSION;
	out.init.max_write = 4096;
	if (write(fd, &out, sizeof(out)) < 0)
		perror("greeting");
}

int
main(int argc, char **argv)
{
	static unsigned char in[1 << 17] __attribute__((aligned(8)));
	int fd = open("/dev/fuse", O_RDWR), ns;
	char text[128];

	if (argc != 3 || fd < 0)
		return 1;
	snprintf(text, sizeof(text), "/proc/%s/ns/mnt", argv[1]);
	ns = open(text, O_RDONLY);
	snprintf(text, sizeof(text), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
	if (ns < 0 || setns(ns, CLONE_NEWNS) < 0 || mount("mute", argv[2], "fuse", 0, text) < 0) {
		perror("mount");
		return 1;
	}
	printf("mounted\n");
	fflush(stdout);
	while (read(fd, in, sizeof(in)) > 0) {
		const struct fuse_in_header *h = (const void *)in;

		if (h->opcode == FUSE_INIT) {
			greet(fd, h);
		} else if (h->opcode != FUSE_INTERRUPT && h->opcode != FUSE_FORGET) {
			printf("asked\n");
			fflush(stdout);
		}
	}
	return 0;
}
