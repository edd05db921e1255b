/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "screen/screen.h"
#include "screen/screen_filter.h"
#include "screen/screen_int.h"

/* Nothing wanted: the terminal's own. */
#define DEFAULT 0
#define PALETTE(n) (1u << 24 | (uint32_t)(n))
#define RGB(r, g, b) (2u << 24 | (uint32_t)(r) << 16 | (uint32_t)(g) << 8 | (uint32_t)(b))

static uint32_t
arg(const struct filter *f, int i)
{
	return i <= f->nargs && f->args[i] > 0 ? (uint32_t)f->args[i] & 0xff : 0;
}

/* Of 38 or 48 at i, with what stands behind it; i goes to the last of that. */
static uint32_t
wanted(const struct filter *f, int *i)
{
	int at = *i, mode;

	if (f->more & 1u << at) {
		while (*i < f->nargs && f->more & 1u << *i)
			(*i)++;
		mode = f->args[at + 1];
		return mode == 5   ? PALETTE(arg(f, at + 2))
		       : mode == 2 ? RGB(arg(f, *i - 2), arg(f, *i - 1), arg(f, *i))
				   : DEFAULT;
	}
	mode = at < f->nargs ? f->args[at + 1] : 0;
	if (mode == 5) {
		*i = at + 2;
		return PALETTE(arg(f, at + 2));
	}
	if (mode != 2)
		return DEFAULT;
	*i = at + 4;
	return RGB(arg(f, at + 2), arg(f, at + 3), arg(f, at + 4));
}

static void
one_look(struct filter *f, int look)
{
	if (look == 0) {
		f->looks = (struct filter_looks){0};
	} else if (look == 8 || look == 28) {
		f->looks.concealed = look == 8;
	} else if (look == 39 || look == 49) {
		*(look == 39 ? &f->looks.fg : &f->looks.bg) = DEFAULT;
	} else if ((look >= 30 && look < 38) || (look >= 90 && look < 98)) {
		f->looks.fg = PALETTE(look < 90 ? look - 30 : look - 82);
	} else if ((look >= 40 && look < 48) || (look >= 100 && look < 108)) {
		f->looks.bg = PALETTE(look < 100 ? look - 40 : look - 92);
	}
}

static void
judge(struct filter *f)
{
	f->unseen = f->looks.concealed || (f->looks.fg != DEFAULT && f->looks.fg == f->looks.bg);
}

void
filter_sgr(struct filter *f)
{
	for (int i = 0; i <= f->nargs; i++) {
		int look = f->args[i] < 0 ? 0 : f->args[i];

		if (look == 38)
			f->looks.fg = wanted(f, &i);
		else if (look == 48)
			f->looks.bg = wanted(f, &i);
		else
			one_look(f, look);
		while (i < f->nargs && f->more & 1u << i)
			i++;
	}
	judge(f);
}

void
filter_save_looks(struct filter *f)
{
	f->saved = f->looks;
}

void
filter_take_looks(struct filter *f, const struct filter_looks *looks)
{
	f->looks = *looks;
	judge(f);
}

void
filter_restore_looks(struct filter *f)
{
	filter_take_looks(f, &f->saved);
}

void
filter_unseen(struct filter *f, uint32_t cp)
{
	/* Blocks and shades are pictures. */
	if (cp == ' ' || (cp >= 0x2580 && cp <= 0x259f))
		return;
	if (f->looks.concealed)
		f->hidden.concealed++;
	else
		f->hidden.same++;
}

/* Joiners are part of scripts and of pictures of people; these are there to mislead. */
void
filter_dropped(struct filter *f, uint32_t cp)
{
	f->hidden.marks += cp == 0x200b || cp == 0x200e || cp == 0x200f ||
			   (cp >= 0x202a && cp <= 0x202e) || cp == 0x2060 ||
			   (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff ||
			   (cp >= 0xe0000 && cp <= 0xe007f);
}

const struct screen_hidden *
screen_hidden(const struct screen *s)
{
	return &s->flags.filter.hidden;
}
