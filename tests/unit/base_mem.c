/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/mem.h"
#include "tap.h"

#define SOME (1 << 20)

/* Part of the program's file.  With the page that is read next to it the kernel maps others of the
 * same folio, 2 MiB at most on either side. */
static const char constants[5 * 1024 * 1024] = {1};
static const char *const words[] = {"one", "two", "three"};

/* How many of the pages of `constants` are there: proc_pid_pagemap(5). */
static int
resident(void)
{
	auto_close int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	static uint64_t entry[sizeof(constants) / 4096];
	int n = 0;

	if (fd < 0 || pread(fd, entry, sizeof(entry), (off_t)((uintptr_t)constants / 4096 * 8)) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(entry); i++)
		n += (int)(entry[i] >> 63);
	return n;
}

static void
test_forget(void)
{
	char *p = mmap(NULL, SOME, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 'x', SOME);
	mem_forget(p + 1, SOME - 2);
	ok(p[0] == 'x' && p[4095] == 'x', "the page that the buffer begins in stays");
	ok(p[4096] == 0 && p[SOME - 4097] == 0, "the pages between are zeros");
	ok(p[SOME - 1] == 'x', "the page that it ends in stays");
	mem_forget(p + 1, 100);
	ok(p[50] == 'x', "no whole page, nothing is forgotten");
	munmap(p, SOME);
}

static void
test_trim(void)
{
	char here[3 * 8192], *kept[64], *freed[64];
	bool same = true;
	int before, after, sum = 0;

	memset(here, 'h', sizeof(here));
	for (size_t i = 0; i < COUNT_OF(kept); i++) {
		freed[i] = malloc(20000);
		memset(freed[i], 'f', 20000);
		kept[i] = malloc(100);
		memset(kept[i], 'k', 100);
	}
	for (size_t i = 0; i < COUNT_OF(kept); i++)
		free(freed[i]);
	for (size_t i = 0; i < sizeof(constants); i += 4096)
		sum += ((const volatile char *)constants)[i];
	before = resident();
	mem_trim();
	after = resident();
	ok(sum == 1 && after >= 0 && after < before, "constants are given back");
	for (size_t i = 0; i < COUNT_OF(kept); i++) {
		same = same && kept[i][0] == 'k' && kept[i][99] == 'k';
		free(kept[i]);
	}
	ok(same, "what is allocated stays");
	ok(here[0] == 'h' && here[sizeof(here) - 1] == 'h', "so does the caller's stack");
	is_str(words[2], "three", "and come again");
}

/* What the loader and the C library wrote into constant data is not the file's. */
static void
test_relocated(void)
{
	extern char **environ;
	auto_close int fd = -1;

	mem_learn();
	mem_trim();
	mem_trim();
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ok(fd >= 0 && getenv("PATH"), "the C library works on");
	is_str(words[0], "one", "a relocated pointer leads where it did");
	ok(memchr("a string of some length, to look in", 'k', 36) && getpagesize() > 0,
	    "so do functions that the processor chose");
}

int
main(void)
{
	test_forget();
	test_trim();
	test_relocated();
	return done_testing();
}
