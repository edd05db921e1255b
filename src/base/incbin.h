/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_INCBIN_H
#define CORAL_BASE_INCBIN_H

/*
 * A file taken in by the assembler: name[] with a NUL behind it, at which
 * name_end points.  Paths are from the top of the tree; whose object it is
 * depends on the file in the Makefile.
 */
#define INCBIN(name, path)                                                                         \
	__asm__(".section .rodata\n"                                                               \
		".global " #name "\n" #name ":\n"                                                  \
		".incbin \"" path "\"\n"                                                           \
		".global " #name "_end\n" #name "_end:\n"                                          \
		".byte 0\n"                                                                        \
		".text\n");                                                                        \
	extern const char name[] __attribute__((visibility("hidden")));                            \
	extern const char name##_end[] __attribute__((visibility("hidden")))

#endif
