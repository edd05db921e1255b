/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_ATTR_H
#define CORAL_BASE_ATTR_H

/*
 * Ownership by attribute.  A variable marked auto_* owns what it holds; hand it
 * over with steal_ptr() or steal_fd() and the clean-up finds nothing to do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static inline void
attr_free_(void *p)
{
	free(*(void **)p);
}

static inline void
attr_close_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void
attr_fclose_(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define auto_free __attribute__((cleanup(attr_free_)))
#define auto_close __attribute__((cleanup(attr_close_)))
#define auto_file __attribute__((cleanup(attr_fclose_)))

static inline int
steal_fd(int *fd)
{
	int got = *fd;

	*fd = -1;
	return got;
}

#define steal_ptr(p)                                                                               \
	({                                                                                         \
		__typeof__(*(p)) got_ = *(p);                                                      \
		*(p) = NULL;                                                                       \
		got_;                                                                              \
	})

#endif
