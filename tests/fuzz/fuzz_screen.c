/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes, in any pieces and sizes: the screen stays sound, and a restored state goes on the
 * same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "screen/screen.h"
#include "screen/screen_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
look(const struct screen *s)
{
	struct screen_cell c;
	int row, col, i;

	for (row = 0; row < screen_rows(s); row++) {
		for (col = 0; col < screen_cols(s); col++) {
			screen_cell(s, row, col, &c);
			for (i = 0; i < 3 && c.ch[i]; i++) {
				if (!screen_cp_safe(c.ch[i]) ||
				    screen_cp_combines(c.ch[i]) != (i > 0))
					abort();
			}
		}
	}
}

/* A byte 0xfe and two more are a new size; 0xfd ends a piece. */
static void
run(struct screen *s, const uint8_t *p, size_t n)
{
	size_t from = 0, i;

	for (i = 0; i < n; i++) {
		if (p[i] != 0xfe && p[i] != 0xfd)
			continue;
		screen_feed(s, p + from, i - from);
		if (p[i] == 0xfe && n - i > 2) {
			screen_resize(s, p[i + 1] % 64, p[i + 2] % 160);
			i += 2;
		}
		from = i + 1;
	}
	screen_feed(s, p + from, n - from);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct screen *s = screen_new(n > 0 ? p[0] % 40 : 24, n > 1 ? p[1] % 100 : 80);
	struct buf middle, once, twice;

	buf_init(&middle, 1 << 26);
	buf_init(&once, 1 << 26);
	buf_init(&twice, 1 << 26);
	run(s, p, n / 2);
	screen_save(s, &middle);
	run(s, p + n / 2, n - n / 2);
	screen_save(s, &once);
	look(s);
	if (!screen_sound(s))
		abort();
	if (screen_restore(s, buf_head(&middle), middle.len) < 0)
		abort();
	run(s, p + n / 2, n - n / 2);
	screen_save(s, &twice);
	if (once.len != twice.len || memcmp(buf_head(&once), buf_head(&twice), once.len) != 0)
		abort();
	buf_fini(&middle);
	buf_fini(&once);
	buf_fini(&twice);
	screen_free(s);
	return 0;
}
