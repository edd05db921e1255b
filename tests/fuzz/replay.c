/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A main() for the harnesses without libFuzzer: every file named, or in a directory named. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay_file(const char *path)
{
	FILE *f = fopen(path, "re");
	uint8_t *data;
	struct stat st;
	size_t n;

	if (!f || fstat(fileno(f), &st) < 0) {
		perror(path);
		return -1;
	}
	/* Exactly as large as the input, so that the sanitizer sees a read past its end. */
	data = malloc((size_t)st.st_size + (st.st_size == 0));
	if (!data)
		abort();
	n = fread(data, 1, (size_t)st.st_size, f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

static int
replay_dir(const char *path, int *count)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	char name[4096];
	int rc = 0;

	if (!d) {
		perror(path);
		return -1;
	}
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		rc |= replay_file(name);
		++*count;
	}
	closedir(d);
	return rc;
}

int
main(int argc, char **argv)
{
	int rc = 0, count = 0;
	struct stat st;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			rc |= replay_dir(argv[i], &count);
		else {
			rc |= replay_file(argv[i]);
			count++;
		}
	}
	if (argc > 1 && count == 0) {
		fprintf(stderr, "no input in %s\n", argv[1]);
		return 1;
	}
	printf("%d inputs\n", count);
	return rc ? 1 : 0;
}
