/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A signed recording of a long session on a terminal, for reading back:
 * big_cast DIR MIB PIECE.  DIR/big.cast is then at least so large, of events of
 * about PIECE bytes, and a needle in the middle; DIR/key.pub is the key to trust.  Prints the MB/s
 * of writing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "record/cast.h"

#define ID "01jd0z5s8w7k3mtq4v9x2c6b1n"
#define BLOCK (64 * 1024)

static int
make_key(const char *dir, struct evidence *ev)
{
	char path[512];
	struct keyfile k;
	struct err e;
	FILE *f;
	int rc;

	snprintf(path, sizeof(path), "%s/key", dir);
	if (keyfile_load(&k, path, "key", &e) < 0) {
		err_print(2, &e);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/key.pub", dir);
	f = fopen(path, "we");
	rc = f && fprintf(f, "%s\n", k.line) > 0 ? 0 : -1;
	if (f)
		fclose(f);
	return rc < 0 ? -1 : evidence_issue(ev, &k, ID, clock_real());
}

int
main(int argc, char **argv)
{
	static const char line[] =
	    "\x1b[32m-rw-r--r--\x1b[0m 1 root root  4096 Nov 22 05:41 some-file-name.txt\r\n";
	size_t piece = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	uint64_t want = piece ? strtoull(argv[2], NULL, 10) << 20 : 0;
	static char block[BLOCK];
	struct evidence ev;
	struct err e = {0};
	struct cast_start s = {.name = "big.cast",
	    .cols = 80,
	    .rows = 24,
	    .real_ns = clock_real(),
	    .mono_ns = clock_mono(),
	    .coral = json_pack("{ss}", "session_id", ID),
	    .tty = true,
	    .evidence = &ev};
	struct cast_writer *w;
	static const char needle[] = "a needle\r\n";
	bool has = false;
	int64_t from;

	if (!want || piece > BLOCK || make_key(argv[1], &ev) < 0)
		return 2;
	for (size_t i = 0; i < BLOCK; i++)
		block[i] = line[i % (sizeof(line) - 1)];
	s.dirfd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w = cast_create(&s, &e);
	from = clock_mono();
	while (w && cast_offset(w) < want) {
		bool now = !has && cast_offset(w) > want / 2;

		if (cast_data(w, CAST_STDOUT, clock_mono(), now ? needle : block,
			now ? sizeof(needle) - 1 : piece, &e) < 0)
			break;
		has |= now;
	}
	if (!w || e.code != ERR_NONE || cast_end(w, clock_mono(), NULL, &e) < 0) {
		err_print(2, &e);
		return 1;
	}
	printf("%.0f\n", (double)cast_offset(w) * 1000 / (double)(clock_mono() - from));
	cast_free(w);
	json_decref(s.coral);
	return 0;
}
