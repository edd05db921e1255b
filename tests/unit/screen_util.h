/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_SCREEN_UTIL_H
#define CORAL_TESTS_SCREEN_UTIL_H

#include "base/buf.h"
#include "screen/screen.h"

/* Good until the next one. */
static const char *
row_text(const struct screen *s, int row)
{
	static struct buf out;

	buf_fini(&out);
	buf_init(&out, 65536);
	screen_row_text(s, row, &out, NULL);
	return buf_cstr(&out);
}

#endif
