/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/log_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/str.h"

#define BEFORE "audit-"
#define AFTER ".jsonl"
#define DIGITS 8

uint32_t
audit_file_number(const char *name)
{
	char digits[DIGITS + 1];
	int64_t n;

	if (strlen(name) != sizeof(BEFORE) - 1 + DIGITS + sizeof(AFTER) - 1 ||
	    strncmp(name, BEFORE, sizeof(BEFORE) - 1) != 0 ||
	    strcmp(name + sizeof(BEFORE) - 1 + DIGITS, AFTER) != 0)
		return 0;
	memcpy(digits, name + sizeof(BEFORE) - 1, DIGITS);
	digits[DIGITS] = '\0';
	if (strspn(digits, "0123456789") != DIGITS || str_to_i64(digits, 1, 99999999, &n) < 0)
		return 0;
	return (uint32_t)n;
}

void
audit_file_name(uint32_t number, char out[AUDIT_NAME_SIZE])
{
	if (number == 0)
		str_copy(out, AUDIT_FILE, AUDIT_NAME_SIZE);
	else
		snprintf(out, AUDIT_NAME_SIZE, BEFORE "%08u" AFTER, number % 100000000);
}

int64_t
audit_last_number(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	int64_t last = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((d = readdir(dir))) {
		uint32_t n = audit_file_number(d->d_name);

		if (n > last)
			last = n;
	}
	closedir(dir);
	return last;
}
