/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/mem.h"

#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/attr.h"

/* Less than the gap that the kernel keeps free below a stack (1 MiB). */
#define STACK_BYTES (128 * 1024)
#define STACK_NEAR 8192 /* of the callers of madvise(2), and then some */
#define PAGES_MAX 1024
/* proc_pid_pagemap(5) */
#define PAGE_THERE (3ULL << 62)
#define PAGE_OF_FILE (1ULL << 61)

/* After relocation the kernel lets nobody write there: what is the file's stays so. */
static struct {
	uintptr_t start;
	size_t pages;
	bool is_file[PAGES_MAX];
} relro;

static uintptr_t
page_size(void)
{
	return getauxval(AT_PAGESZ);
}

static void
drop(uintptr_t from, uintptr_t to)
{
	uintptr_t page = page_size();

	from = (from + page - 1) & ~(page - 1);
	to &= ~(page - 1);
	if (from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

static int
find_relro(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = page_size();

	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type != PT_GNU_RELRO)
			continue;
		relro.start = (from + page - 1) & ~(page - 1);
		relro.pages = (from + ph->p_memsz - relro.start) / page;
	}
	return 1; /* the program itself is the first */
}

void
mem_learn(void)
{
	auto_close int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	static uint64_t entry[PAGES_MAX];
	ssize_t n;

	dl_iterate_phdr(find_relro, NULL);
	if (relro.pages > PAGES_MAX)
		relro.pages = PAGES_MAX;
	n = fd < 0 ? 0
		   : pread(fd, entry, relro.pages * sizeof(entry[0]),
			 (off_t)(relro.start / page_size() * sizeof(entry[0])));
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(entry[0]); i++)
		relro.is_file[i] = !(entry[i] & PAGE_THERE) || (entry[i] & PAGE_OF_FILE);
}

/* Code and constants come from the file again; what may be written does not. */
static int
drop_constant(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && !(ph->p_flags & PF_W))
			drop(from, from + ph->p_filesz);
	}
	return 1;
}

static void
drop_relro(void)
{
	uintptr_t page = page_size();
	size_t from = 0;

	for (size_t i = 0; i <= relro.pages; i++) {
		if (i < relro.pages && relro.is_file[i])
			continue;
		drop(relro.start + from * page, relro.start + i * page);
		from = i + 1;
	}
}

size_t
mem_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

__attribute__((noinline)) void
mem_trim(void)
{
	uintptr_t top = (uintptr_t)__builtin_frame_address(0) - STACK_NEAR;

	malloc_trim(0);
	drop(top - STACK_BYTES, top);
	drop_relro();
	dl_iterate_phdr(drop_constant, NULL);
}

void
mem_forget(void *p, size_t n)
{
	drop((uintptr_t)p, (uintptr_t)p + n);
}
