/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How fast the recorder is: cast_write [DIR [MIB]].  DIR is best a tmpfs.  Each
 * line: what, MB/s of stream bytes, and bytes in the file per stream byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "record/cast.h"

#define BLOCK (64 * 1024)
#define NAME "bench.cast"

static void
fill_ascii(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(32 + i % 64 + (i % 64 == 2 || i % 64 == 60));
}

/* Like a listing with colours: a line of 72 every now and then two escapes. */
static void
fill_terminal(unsigned char *p, size_t n)
{
	static const char line[] =
	    "\x1b[32m-rw-r--r--\x1b[0m 1 root root  4096 Nov 22 05:41 some-file-name.txt\r\n";

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)line[i % (sizeof(line) - 1)];
}

static void
fill_utf8(unsigned char *p, size_t n)
{
	static const char line[] = "\xe6\xbc\xa2\xe5\xad\x97\xc3\xa9 ";
	size_t len = sizeof(line) - 1;

	/* The block is repeated: it must end with a whole character. */
	memset(p, ' ', n);
	for (size_t i = 0; i < n - n % len; i++)
		p[i] = (unsigned char)line[i % len];
}

static void
fill_random(unsigned char *p, size_t n)
{
	uint64_t s = 88172645463325252ULL;

	for (size_t i = 0; i < n; i++) {
		s ^= s << 13;
		s ^= s >> 7;
		s ^= s << 17;
		p[i] = (unsigned char)(s >> 32);
	}
}

static int
run(const char *what, int dir, const unsigned char *p, size_t piece, size_t total)
{
	struct cast_start s = {.dirfd = dir,
	    .name = NAME,
	    .cols = 80,
	    .rows = 24,
	    .real_ns = clock_real(),
	    .mono_ns = clock_mono(),
	    .tty = true};
	struct err e = {0};
	struct cast_writer *w = cast_create(&s, &e);
	struct stat st = {0};
	int64_t from = clock_mono(), took;
	int rc = w ? 0 : -1;

	for (size_t done = 0; rc == 0 && done < total; done += piece)
		rc = cast_data(w, CAST_STDOUT, clock_mono(), p + done % BLOCK, piece, &e);
	took = clock_mono() - from;
	if (rc == 0)
		rc = cast_end(w, clock_mono(), NULL, &e);
	cast_free(w);
	fstatat(dir, NAME, &st, 0);
	unlinkat(dir, NAME, 0);
	if (rc < 0) {
		err_print(2, &e);
		return -1;
	}
	printf("%-10s %6zu a call  %6.0f MB/s  %.2f\n", what, piece,
	    (double)total * 1000 / (double)took, (double)st.st_size / (double)total);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *what;
		void (*fill)(unsigned char *, size_t);
	} kinds[] = {{"ascii", fill_ascii}, {"terminal", fill_terminal}, {"utf-8", fill_utf8},
	    {"random", fill_random}};
	static unsigned char block[BLOCK];
	const char *where = argc > 1 ? argv[1] : "/dev/shm";
	size_t total = (argc > 2 ? strtoul(argv[2], NULL, 10) : 512) << 20;
	int dir = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (dir < 0) {
		fprintf(stderr, "cast_write: %s: %s\n", where, strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		kinds[i].fill(block, BLOCK);
		rc |= run(kinds[i].what, dir, block, BLOCK, total);
		rc |= run(kinds[i].what, dir, block, 4096, total);
	}
	return rc < 0;
}
