/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_AUTHKEYS_LINE_H
#define CORAL_TRANSPORT_AUTHKEYS_LINE_H

/* One line of authorized_keys, taken apart but not decoded. */
#include <stddef.h>

struct authkeys_line {
	char type[64];
	const char *blob; /* base64, into the line */
	size_t blob_len;
	char user[64];
	char roles[256];
};
/* 1 a key, 0 blank or comment, -1 refused: *why says so. */
int authkeys_line_parse(struct authkeys_line *l, const char *p, size_t n, const char **why);

#endif
