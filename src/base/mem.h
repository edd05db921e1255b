/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_MEM_H
#define CORAL_BASE_MEM_H

/*
 * Memory given back by a process that will wait for long.  What it needs again
 * comes by itself, a page fault at a time: not for the time between a request
 * and its answer.
 */
#include <stddef.h>

/* Learn which pages of the constant data are those of the file still.  Once, in the process that
 * the others are forked from: they need no /proc for it. */
void mem_learn(void);
/* Free memory, the program's code and constants, the stack below the caller's caller. */
void mem_trim(void);
/* What malloc(3) has given out. */
size_t mem_in_use(void);
/* The whole pages of a buffer whose contents nobody wants; they read as zeros after it. */
void mem_forget(void *p, size_t n);

#endif
