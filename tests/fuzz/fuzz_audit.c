/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "audit/record.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A line that is believed has the one hash that its bytes have, and a record that is taken becomes
 * a line that is believed. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char prev[AUDIT_HASH_SIZE], hash[AUDIT_HASH_SIZE], again[AUDIT_HASH_SIZE];
	auto_free char *other = malloc(n + 1);
	json_t *rec = n < AUDIT_LINE_MAX ? json_parse((const char *)p, n, NULL) : NULL;
	struct err e = {0};
	struct buf b;

	if (audit_line_check((const char *)p, n, prev, hash)) {
		memcpy(other, p, n);
		other[n / 2] ^= 1;
		if (strlen(hash) != AUDIT_HASH_SIZE - 1 || audit_line_check(other, n, prev, again))
			abort();
	}
	buf_init(&b, 2 * AUDIT_LINE_MAX);
	if (json_is_object(rec) && audit_line(rec, 1, AUDIT_GENESIS, &b, hash, &e) == 0) {
		if (!audit_line_check((const char *)buf_head(&b), b.len, prev, again) ||
		    strcmp(prev, AUDIT_GENESIS) != 0 || strcmp(hash, again) != 0 ||
		    memchr(buf_head(&b), '\n', b.len - 1))
			abort();
	}
	buf_fini(&b);
	json_decref(rec);
	return 0;
}
