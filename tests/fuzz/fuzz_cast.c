/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/cast.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Reads must not be optimised away. */
static volatile unsigned sum;

/* A recording of an enemy: read it, then again from an event in its middle. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int fd = memfd_create("cast", MFD_CLOEXEC);
	struct cast_reader *r;
	struct cast_event ev;
	uint64_t offset = 0, line = 0, events = 0;
	int64_t t = 0;

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	r = cast_open_fd(fd, "fuzz", NULL);
	if (!r)
		return 0;
	for (int again = 0; again < 2; again++) {
		while (cast_next(r, &ev, NULL) > 0) {
			/* Times never go back, and what is given out can be read. */
			if (!again && ev.t < t)
				abort();
			t = ev.t;
			for (size_t i = 0; i < ev.len; i++)
				sum += ev.data[i];
			if (ev.name)
				sum += (unsigned)strlen(ev.name);
			if (events++ % 3 == 0) {
				offset = ev.offset;
				line = ev.line;
			}
		}
		if (again || events == 0 || cast_seek(r, offset, line, 0, NULL) < 0)
			break;
	}
	cast_close(r);
	return 0;
}
