/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "transport/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is read as a frame is written as the same bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct frame f;
	struct buf in, out;

	buf_init(&in, n);
	buf_init(&out, FRAME_MAX + FRAME_HEAD);
	if (buf_put(&in, p, n) == 0) {
		while (frame_peek(&in, &f) == 1) {
			if (frame_put(&out, (enum frame_type)f.type, f.data, f.len) < 0 ||
			    memcmp(buf_head(&out), f.data - FRAME_HEAD, out.len) != 0)
				abort();
			buf_clear(&out);
			frame_drop(&in, &f);
		}
	}
	buf_fini(&in);
	buf_fini(&out);
	return 0;
}
