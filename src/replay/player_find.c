/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "replay/player_int.h"

#define TEXT_CAP ((size_t)16 << 20)
#define TEXT_FOLD ((size_t)1 << 20) /* lines that left are counted and dropped beyond this */

void
find_init(struct find *f)
{
	memset(f, 0, sizeof(*f));
	buf_init(&f->text, TEXT_CAP);
}

void
find_set(struct find *f, const char *text, bool forward)
{
	size_t i;

	str_copy(f->needle, text, sizeof(f->needle));
	if (screen_as_shown(f->needle))
		f->needle[0] = '\0';
	f->len = strlen(f->needle);
	f->forward = forward;
	f->fold = true;
	for (i = 0; i < f->len; i++) {
		if (isupper((unsigned char)f->needle[i]))
			f->fold = false;
	}
	f->hit = 0;
}

/* Times in `text`; the text is spoilt by folding its case. */
static uint64_t
count(struct find *f)
{
	unsigned char *p, *end, *q;
	uint64_t n = 0;

	if (f->text.len == 0 || f->len == 0)
		return 0;
	p = f->text.data + f->text.off;
	end = p + f->text.len;
	if (f->fold) {
		for (q = p; q < end; q++)
			*q = (unsigned char)(*q >= 'A' && *q <= 'Z' ? *q + 32 : *q);
	}
	while ((q = memmem(p, (size_t)(end - p), f->needle, f->len))) {
		n++;
		p = q + f->len;
	}
	return n;
}

static void
end_line(struct find *f, bool on)
{
	if (!on)
		buf_put(&f->text, "\n", 1);
}

/* What a program may have painted over the end of a row at `at` in the text, as a line of its own:
 * nothing but what stands in both. */
static void
put_seam(struct find *f, size_t at, size_t len)
{
	size_t most = f->len - 1, before = at < most ? at : most;
	size_t behind = len - at - 1 < most ? len - at - 1 : most;
	char seam[2 * sizeof(f->needle)];

	memcpy(seam, buf_head(&f->text) + at - before, before);
	memcpy(seam + before, buf_head(&f->text) + at + 1, behind);
	buf_put(&f->text, seam, before + behind);
	end_line(f, false);
}

static void
put_screen(struct find *f, const struct screen *s)
{
	size_t seams[SCREEN_ROWS_MAX], n = 0, len;
	int row, rows = screen_rows(s);
	enum screen_end end;

	for (row = 0; row < rows; row++) {
		end = SCREEN_ENDS;
		screen_row_text(s, row, &f->text, &end);
		if (end == SCREEN_FULL && row + 1 < rows)
			seams[n++] = f->text.len;
		end_line(f, end == SCREEN_GOES_ON);
	}
	len = f->text.len;
	for (size_t i = 0; i < n && f->len > 1 && seams[i] < len; i++)
		put_seam(f, seams[i], len);
}

void
find_scrolled(void *arg, const char *text, size_t n, bool on)
{
	struct find *f = arg;

	buf_put(&f->text, text, n);
	end_line(f, on);
	if (f->text.len > TEXT_FOLD) {
		f->gone += count(f);
		buf_clear(&f->text);
	}
}

void
find_ground(struct find *f, const struct screen *s)
{
	buf_clear(&f->text);
	f->gone = 0;
	put_screen(f, s);
	f->before = count(f);
	buf_clear(&f->text);
	f->changes = screen_changes(s);
}

bool
find_after(struct find *f, const struct screen *s)
{
	uint64_t before = f->before, left;

	if (screen_changes(s) == f->changes && f->text.len == 0)
		return false;
	/* Over the seam of what left and what stands, and then what stands alone. */
	put_screen(f, s);
	left = f->gone + count(f);
	find_ground(f, s);
	return left > before;
}

void
player_find_begin(struct player *p)
{
	struct screen_hooks hooks = {.scrolled = find_scrolled, .arg = &p->find};
	struct find *f = &p->find;

	if (!f->forward) {
		f->upto = p->at.frame ? p->at.frame - 1 : 0;
		f->segment = index_by_frame(&p->index, f->upto);
		if (p->index.n > 0)
			player_to_keyframe(p, f->segment);
	}
	screen_set_hooks(p->screen, &hooks);
	find_ground(f, p->screen);
}

static enum player_state
forward(struct player *p, int64_t until)
{
	while (player_apply(p)) {
		if (find_after(&p->find, p->screen))
			return PLAYER_DONE;
		if (clock_mono() >= until)
			return PLAYER_BUSY;
	}
	return PLAYER_NOT_FOUND;
}

/* The segment before, whose last frame is this one's first. */
static bool
segment_back(struct player *p)
{
	struct find *f = &p->find;

	if (f->segment == 0)
		return false;
	f->upto = index_place(&p->index, f->segment)->frame;
	f->segment--;
	player_to_keyframe(p, f->segment);
	find_ground(f, p->screen);
	return true;
}

static enum player_state
backward(struct player *p, int64_t until)
{
	struct find *f = &p->find;

	for (;;) {
		while (p->at.frame < f->upto && player_apply(p)) {
			if (find_after(f, p->screen))
				f->hit = p->at.frame;
			if (clock_mono() >= until)
				return PLAYER_BUSY;
		}
		if (f->hit)
			break;
		if (!segment_back(p))
			return PLAYER_NOT_FOUND;
	}
	player_to_keyframe(p, f->segment);
	while (p->at.frame < f->hit && player_apply(p))
		;
	return PLAYER_DONE;
}

enum player_state
player_find_work(struct player *p, int64_t until)
{
	if (p->find.len == 0 || p->index.n == 0)
		return PLAYER_NOT_FOUND;
	return p->find.forward ? forward(p, until) : backward(p, until);
}
