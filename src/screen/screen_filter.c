/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "screen/screen_filter.h"

#include <string.h>

#include "screen/screen.h"

#define REPLACEMENT 0xfffd
#define RUN_MAX 256 /* of a put */

void
filter_reset(struct filter *f)
{
	struct screen_hidden hidden = f->hidden;
	bool newline = f->newline;

	memset(f, 0, sizeof(*f));
	f->newline = newline;
	f->hidden = hidden;
}

static void
put_cp(struct filter *f, const struct filter_sink *k, uint32_t cp)
{
	char out[4];

	if (!screen_cp_safe(cp)) {
		filter_dropped(f, cp);
		return;
	}
	if (screen_cp_combines(cp)) {
		/* Alone it would be a character without a width. */
		if (f->marks == 0)
			return;
		f->marks--;
	} else {
		f->last = cp;
		filter_written(f, cp);
		f->marks = FILTER_MARKS;
		if (k->printing)
			k->printing(k->arg, screen_cp_wide(cp) ? 2 : 1);
	}
	k->put(k->arg, out, screen_cp_utf8(cp, out));
}

static void
control(struct filter *f, const struct filter_sink *k, unsigned char c)
{
	static const char cr = '\r';
	char ch = (char)c;

	/* BS HT LF VT FF CR SO SI */
	if (c < 0x08 || c > 0x0f)
		return;
	f->marks = 0;
	if (k->seen)
		k->seen(k->arg, FILTER_CONTROL, f, c);
	if (c == '\n' && f->newline)
		k->put(k->arg, &cr, 1);
	k->put(k->arg, &ch, 1);
}

/* A lead byte: how many follow, and the bounds of the first of them.  Shortest form only, no
 * surrogates, nothing over U+10FFFF. */
static bool
utf8_lead(struct filter *f, unsigned char c)
{
	f->utf8_lo = 0x80;
	f->utf8_hi = 0xbf;
	if (c < 0xc2 || c > 0xf4)
		return false;
	f->utf8_need = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	f->cp = c & (0x3fu >> f->utf8_need);
	if (c == 0xe0)
		f->utf8_lo = 0xa0;
	else if (c == 0xed)
		f->utf8_hi = 0x9f;
	else if (c == 0xf0)
		f->utf8_lo = 0x90;
	else if (c == 0xf4)
		f->utf8_hi = 0x8f;
	return true;
}

static void
begin_sequence(struct filter *f)
{
	f->state = FILTER_ESC;
	f->inter = f->leader = 0;
	f->nargs = 0;
	f->more = 0;
	f->skip_arg = false;
	f->args[0] = -1;
}

static void
ground(struct filter *f, const struct filter_sink *k, unsigned char c)
{
	if (c < 0x20)
		control(f, k, c);
	else if (c < 0x7f)
		put_cp(f, k, c);
	else if (c >= 0x80 && !utf8_lead(f, c))
		put_cp(f, k, REPLACEMENT);
}

static void
escape(struct filter *f, const struct filter_sink *k, unsigned char c)
{
	if (c < 0x20) {
		control(f, k, c);
	} else if (c < 0x30) {
		f->inter = f->inter ? 0xff : c;
	} else if (c >= 0x7f) {
		f->state = FILTER_GROUND;
		ground(f, k, c);
	} else if (f->inter == 0 && c == '[') {
		f->state = FILTER_CSI;
	} else if (f->inter == 0 && c && strchr("P]X^_", c)) {
		f->state = FILTER_STRING;
	} else {
		f->state = FILTER_GROUND;
		f->marks = 0;
		filter_escape(f, k, c);
	}
}

static void
csi_digit(struct filter *f, unsigned char c)
{
	int32_t *arg = &f->args[f->nargs];

	if (f->skip_arg)
		return;
	*arg = (*arg < 0 ? 0 : *arg) * 10 + (c - '0');
	if (*arg > FILTER_ARG_LIMIT)
		*arg = FILTER_ARG_LIMIT;
}

static void
csi_separator(struct filter *f, bool colon)
{
	if (f->nargs + 1 >= FILTER_ARGS_MAX) {
		f->skip_arg = true;
		return;
	}
	if (colon)
		f->more |= 1u << f->nargs;
	f->args[++f->nargs] = -1;
}

static void
csi(struct filter *f, const struct filter_sink *k, unsigned char c)
{
	if (c < 0x20) {
		control(f, k, c);
	} else if (c < 0x30) {
		f->inter = f->inter ? 0xff : c;
	} else if (c <= '9') {
		csi_digit(f, c);
	} else if (c == ':' || c == ';') {
		csi_separator(f, c == ':');
	} else if (c < 0x40) {
		f->leader = f->leader || f->nargs || f->args[0] >= 0 ? 0xff : c;
	} else if (c < 0x7f) {
		f->state = FILTER_GROUND;
		filter_csi(f, k, c);
		f->marks = 0;
	} else if (c >= 0x80) {
		f->state = FILTER_GROUND;
		ground(f, k, c);
	}
}

/* One byte outside a character; a string ends at BEL, ST, CAN or SUB. */
static void
byte(struct filter *f, const struct filter_sink *k, unsigned char c)
{
	if (c == 0x18 || c == 0x1a) {
		f->state = FILTER_GROUND;
		return;
	}
	if (c == 0x1b) {
		if (f->state == FILTER_STRING || f->state == FILTER_STRING_ESC)
			f->state = FILTER_STRING_ESC;
		else
			begin_sequence(f);
		return;
	}
	switch (f->state) {
	case FILTER_GROUND:
		ground(f, k, c);
		break;
	case FILTER_ESC:
		escape(f, k, c);
		break;
	case FILTER_CSI:
		csi(f, k, c);
		break;
	case FILTER_STRING:
		if (c == 0x07)
			f->state = FILTER_GROUND;
		break;
	case FILTER_STRING_ESC:
		if (c == '\\') {
			f->state = FILTER_GROUND;
		} else {
			begin_sequence(f);
			escape(f, k, c);
		}
		break;
	}
}

/* Most of what there is: as many printable ASCII characters as stand here, as put_cp() has them. */
static size_t
plain_run(struct filter *f, const struct filter_sink *k, const unsigned char *p, size_t n)
{
	size_t i = 0;

	if (f->state != FILTER_GROUND)
		return 0;
	while (i < n && i < RUN_MAX && p[i] >= 0x20 && p[i] < 0x7f)
		i++;
	if (i == 0)
		return 0;
	if (k->printing)
		i = k->run(k->arg, (const char *)p, i);
	else
		k->put(k->arg, (const char *)p, i);
	if (i == 0)
		return 0;
	for (size_t j = 0; j < i; j++)
		filter_written(f, p[j]);
	f->last = p[i - 1];
	f->marks = FILTER_MARKS;
	return i;
}

void
filter_run(struct filter *f, const struct filter_sink *k, const unsigned char *p, size_t n)
{
	const unsigned char *end = p + n;

	size_t plain;

	for (; p < end; p++) {
		if (f->utf8_need == 0) {
			plain = plain_run(f, k, p, (size_t)(end - p));
			if (plain > 0)
				p += plain - 1;
			else
				byte(f, k, *p);
			continue;
		}
		if (*p < f->utf8_lo || *p > f->utf8_hi) {
			f->utf8_need = 0;
			put_cp(f, k, REPLACEMENT);
			p--;
			continue;
		}
		f->cp = f->cp << 6 | (*p & 0x3f);
		f->utf8_lo = 0x80;
		f->utf8_hi = 0xbf;
		if (--f->utf8_need == 0)
			put_cp(f, k, f->cp);
	}
	f->fresh = 0;
}
