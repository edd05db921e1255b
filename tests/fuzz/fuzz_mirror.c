/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes, in any pieces and sizes: what is painted shows the same on a fresh one, is made of the
 * closed list only, and resizing agrees with painting at that size. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/mirror_util.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What a painting may hold besides characters: checked by someone who does not share its code. */
static size_t
sequence_length(const unsigned char *p, size_t n)
{
	static const char *const whole[] = {"\0337", "\0338", "\033H", "\033=", "\033>", "\033[K",
	    "\033[J", "\033[r", "\033[3g", "\033[0 q", "\033[>4m"};
	static const char finals[] = "HGmrhl";
	size_t i;

	for (i = 0; i < COUNT_OF(whole); i++) {
		if (n >= strlen(whole[i]) && memcmp(p, whole[i], strlen(whole[i])) == 0)
			return strlen(whole[i]);
	}
	if (n >= 3 && strchr("()*+", p[1]) && strchr("BA0", p[2]))
		return 3;
	if (n < 3 || p[1] != '[')
		return 0;
	i = p[2] == '?' || p[2] == '>' ? 3 : 2;
	while (i < n && ((p[i] >= '0' && p[i] <= '9') || p[i] == ';'))
		i++;
	if (i < n && p[2] == '>')
		return p[i] == 'm' ? i + 1 : 0;
	if (i + 1 < n && p[i] == ' ' && p[i + 1] == 'q')
		return i + 2;
	return i < n && strchr(finals, p[i]) ? i + 1 : 0;
}

/* What comes after the last mode is what was not complete. */
static void
check_bytes(const unsigned char *p, size_t n)
{
	size_t i = 0, len;

	while (i < n) {
		if (p[i] >= 0x20 && p[i] != 0x7f) {
			i++;
			continue;
		}
		if (p[i] == '\r' || p[i] == '\n' || p[i] == 0x0e || p[i] == 0x0f) {
			i++;
			continue;
		}
		len = p[i] == 0x1b ? sequence_length(p + i, n - i) : 0;
		if (len == 0)
			abort();
		i += len;
	}
}

static void
check(struct mirror *m, int rows, int cols)
{
	struct mirror *to = mirror_new(rows, cols);
	struct buf out;
	bool whole;

	buf_init(&out, MIRROR_PAINT_MAX);
	if (mirror_paint(m, rows, cols, MIRROR_SCREEN | MIRROR_SCROLLBACK, &out) < 0)
		abort();
	whole = m->s->flags.filter.state == FILTER_GROUND;
	if (whole)
		check_bytes(buf_head(&out), out.len);
	if (mirror_feed(to, buf_head(&out), out.len) < 0)
		abort();
	if (!screen_sound(m->s) || !screen_sound(to->s))
		abort();
	buf_fini(&out);
	mirror_free(to);
}

/* A byte 0xfe and two more are a new size; 0xfd ends a piece. */
static void
run(struct mirror *m, const uint8_t *p, size_t n)
{
	size_t from = 0, i;
	int sizes = 0;

	for (i = 0; i < n; i++) {
		if (p[i] != 0xfe && p[i] != 0xfd)
			continue;
		mirror_feed(m, p + from, i - from);
		if (p[i] == 0xfe && n - i > 2 && sizes++ < 20) {
			mirror_resize(m, p[i + 1] % 64, p[i + 2] % 160);
			i += 2;
		}
		from = i + 1;
	}
	mirror_feed(m, p + from, n - from);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct mirror *m = mirror_new(n > 0 ? p[0] % 40 : 24, n > 1 ? p[1] % 100 : 80);

	run(m, p, n);
	check(m, m->rows, m->cols);
	check(m, n > 2 ? p[2] % 40 : 10, n > 3 ? p[3] % 100 : 40);
	mirror_resize(m, n > 4 ? p[4] % 40 : 10, n > 5 ? p[5] % 100 : 40);
	check(m, m->rows, m->cols);
	mirror_free(m);
	return 0;
}
