/* SPDX-License-Identifier: GPL-3.0-or-later */
/* locked FILE: a process whose memory nobody can read.  One thread waits for a page of FILE, with
 * the map of the memory locked; another wants to change the map, and keeps everybody else out. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile char *page;

static void *
touch(void *arg)
{
	(void)arg;
	return (void *)(long)page[0];
}

int
main(int argc, char **argv)
{
	pthread_t thread;
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0)
		return 1;
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	if (page == MAP_FAILED || pthread_create(&thread, NULL, touch, NULL) != 0)
		return 1;
	printf("up\n");
	fflush(stdout);
	for (;;) {
		usleep(10000);
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
}
