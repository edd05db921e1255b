/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A recording of a log going by, compressed: archive DIR MIB.  Prints a line
 * "WHAT VALUE" for the ratio, the rates in MB/s of the recording, and the time of
 * going to any place in it in ms.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "record/compress.h"
#include "record/source.h"

#define ID "01jd0z5s8w7k3mtq4v9x2c6b1n"
#define BLOCK ((size_t)1 << 20)
#define SEEKS 500

static uint64_t
rnd(uint64_t n)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x % n;
}

static int
write_log(int fd, uint64_t want)
{
	char *block = malloc(BLOCK + 512);
	int64_t t = 0;

	for (uint64_t done = 0; block && done < want;) {
		size_t n = 0;

		if (done == 0)
			n = (size_t)snprintf(
			    block, 512, "{\"version\":2,\"width\":80,\"height\":24}\n");
		while (n < BLOCK) {
			t += (int64_t)rnd(9000);
			n += (size_t)snprintf(block + n, 512,
			    "[%lld.%06lld,\"o\",\"2026-11-22T19:%02d:%02dZ INFO id=%08x "
			    "path=/api/v1/item/%u user=%u took=%ums %s\\r\\n\"]\n",
			    (long long)(t / 1000000), (long long)(t % 1000000), (int)rnd(60),
			    (int)rnd(60), (unsigned)rnd(1u << 31), (unsigned)rnd(5000),
			    (unsigned)rnd(300), (unsigned)rnd(2000),
			    rnd(20) ? "status=200" : "status=404 reason=not-found");
		}
		if (fd_write_all(fd, block, n) < 0)
			break;
		done += n;
	}
	free(block);
	return block ? fsync(fd) : -1;
}

static double
rate(uint64_t bytes, int64_t since)
{
	return (double)bytes / 1e6 / ((double)(clock_mono() - since) / 1e9);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
seek_about(struct source *s, uint64_t size)
{
	static double took[SEEKS];
	static char page[4096];

	for (int i = 0; i < SEEKS; i++) {
		int64_t t0 = clock_mono();

		if (source_read_at(s, rnd(size), page, sizeof(page), NULL) < 0)
			exit(1);
		took[i] = (double)(clock_mono() - t0) / 1e6;
	}
	qsort(took, SEEKS, sizeof(*took), compare);
	printf("seek %.3f\nseek99 %.3f\n", took[SEEKS / 2], took[SEEKS * 99 / 100]);
}

int
main(int argc, char **argv)
{
	uint64_t want = argc == 3 ? strtoull(argv[2], NULL, 10) << 20 : 0;
	int dir = want ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, fd;
	struct stat plain, small;
	struct err e = {0};
	int64_t t0;

	fd = openat(dir, ID ".cast", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write_log(fd, want) < 0 || fstat(fd, &plain) < 0) {
		perror("archive DIR MIB");
		return 2;
	}
	close(fd);
	t0 = clock_mono();
	if (compress_recording(dir, ID, &e) != 1) {
		err_print(2, &e);
		return 1;
	}
	printf("compress %.0f\n", rate((uint64_t)plain.st_size, t0));
	fd = openat(dir, ID ".cast.zst", O_RDONLY | O_CLOEXEC);
	fstat(fd, &small);
	printf("ratio %.1f\n", (double)plain.st_size / (double)small.st_size);
	seek_about(source_open_fd(fd, "it", &e), (uint64_t)plain.st_size);
	return 0;
}
