/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any file: reading ends in bounded memory, and seeking shows what reading in order did. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/sealed_file.h"
#include "record/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define MOST (4u << 20) /* a few bytes can be very many */
#define PIECE 3000

/* In order.  The length, or -1: not to the end. */
static ssize_t
read_all(struct source *s, unsigned char *out)
{
	size_t have = 0;
	ssize_t n;

	while ((n = source_read(s, out + have, MOST - have, NULL)) > 0)
		have += (size_t)n;
	return n < 0 || have == MOST ? -1 : (ssize_t)have;
}

static void
check(struct source *s, uint64_t at, const unsigned char *all, size_t len)
{
	unsigned char got[PIECE];
	size_t want = at >= len ? 0 : len - at < PIECE ? len - at : PIECE;

	if (source_read_at(s, at, got, PIECE, NULL) != (ssize_t)want ||
	    memcmp(got, all + (want ? at : 0), want) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	/* Encrypted ones of the corpus are of the key that is all zeros. */
	static const struct sealed_file own;
	static unsigned char all[MOST];
	int fd = memfd_create("source", MFD_CLOEXEC);
	struct source *s;
	ssize_t len;

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	source_unlock_own(&own);
	s = source_open_fd(fd, "fuzz", NULL);
	len = s ? read_all(s, all) : -1;
	if (s && len >= 0) {
		if (source_size(s) >= 0 && source_size(s) != len)
			abort();
		for (size_t i = 0; i < 8; i++)
			check(s, i * 2654435761u % ((size_t)len + 9), all, (size_t)len);
	} else if (s) {
		for (uint64_t at = 1; at < INT64_MAX / 2 && at < 1u << 30; at *= 33)
			source_read_at(s, at, all, PIECE, NULL);
	}
	source_close(s);
	return 0;
}
