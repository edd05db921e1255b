/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "transport/frame.h"
#include "transport/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is accepted has one form: encoding it twice gives the same bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct request r, again;
	struct buf a, b;
	struct err e;

	request_init(&r);
	request_init(&again);
	if (request_decode(&r, p, n, &e) < 0) {
		if (r.argv || r.env || r.verb)
			abort();
		return 0;
	}
	buf_init(&a, 2 * FRAME_MAX);
	buf_init(&b, 2 * FRAME_MAX);
	if (request_encode(&r, &a, &e) == 0) {
		if (request_decode(&again, buf_head(&a), a.len, &e) < 0 ||
		    request_encode(&again, &b, &e) < 0 || a.len != b.len ||
		    memcmp(buf_head(&a), buf_head(&b), a.len) != 0)
			abort();
	}
	buf_fini(&a);
	buf_fini(&b);
	request_fini(&r);
	request_fini(&again);
	return 0;
}
