/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mute_fuse PID DIR: mount a file system over DIR in PID's mount namespace that answers nothing
 * but the first greeting.  Prints "mounted", then "asked" when somebody waits for it.
 * mute_fuse PID DIR page: whatever is looked up in it is a file of a page that is not delivered:
 * the first read fails, and the next is made with the map of the reader's memory locked. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READS 1

static void
answer(int fd, const struct fuse_in_header *in, int error, const void *body, size_t n)
{
	unsigned char out[512];
	struct fuse_out_header head = {
	    .len = (uint32_t)(sizeof(head) + n), .error = error, .unique = in->unique};

	memcpy(out, &head, sizeof(head));
	if (n)
		memcpy(out + sizeof(head), body, n);
	if (write(fd, out, head.len) < 0)
		perror("answer");
}

/* True when it was answered. */
static int
serve(int fd, const struct fuse_in_header *in)
{
	static int reads;
	struct fuse_attr attr = {.ino = 2, .size = 4096, .mode = 0100444, .nlink = 1};
	struct fuse_entry_out entry = {.nodeid = 2, .entry_valid = 60, .attr_valid = 60};
	struct fuse_attr_out attrs = {.attr_valid = 60};
	struct fuse_open_out opened = {.fh = 1};

	if (in->nodeid == 1) {
		attr.ino = 1;
		attr.mode = 040555;
	}
	attrs.attr = attr;
	attr.ino = 2;
	attr.mode = 0100444;
	entry.attr = attr;
	switch (in->opcode) {
	case FUSE_LOOKUP:
		answer(fd, in, 0, &entry, sizeof(entry));
		return 1;
	case FUSE_GETATTR:
		answer(fd, in, 0, &attrs, sizeof(attrs));
		return 1;
	case FUSE_OPEN:
		answer(fd, in, 0, &opened, sizeof(opened));
		return 1;
	case FUSE_READ:
		if (reads++ >= READS)
			return 0;
		answer(fd, in, -EIO, NULL, 0);
		return 1;
	default:
		return 0;
	}
}

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

	if (argc < 3 || argc > 4 || fd < 0)
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
		} else if (argc == 4 && serve(fd, h)) {
			continue;
		} else if (h->opcode != FUSE_INTERRUPT && h->opcode != FUSE_FORGET) {
			printf("asked\n");
			fflush(stdout);
		}
	}
	return 0;
}
