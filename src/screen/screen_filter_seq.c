/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "screen/screen_filter.h"

#include <stdio.h>
#include <string.h>

#include "screen/screen.h"

static void
put(const struct filter_sink *k, const char *s)
{
	k->put(k->arg, s, strlen(s));
}

/*
 * The library restores a saved position without looking at today's size.  Any
 * sequence with arguments ends by pulling the cursor in; this one (clear tab
 * stops, of a kind that it does not know) does nothing else.
 */
#define PULL_CURSOR_IN "\x1b[1g"

static void
full_reset(struct filter *f, const struct filter_sink *k)
{
	k->wiping(k->arg, FILTER_WIPE_ALL);
	f->hidden.wiped += f->fresh;
	/* A reset does not leave the alternate screen by itself. */
	put(k, "\x1b[?1047l\x1b[?5l\x1b"
	       "c");
	filter_reset(f);
}

void
filter_escape(struct filter *f, const struct filter_sink *k, unsigned char final)
{
	char seq[4] = {0x1b, (char)f->inter, (char) final, '\0'};

	if (k->seen && k->seen(k->arg, FILTER_ESCAPE, f, final))
		return;
	switch (f->inter) {
	case 0:
		if (final == 'c') {
			full_reset(f, k);
		} else if (strchr("78=>DEHM", final)) {
			seq[1] = (char) final;
			k->put(k->arg, seq, 2);
			if (final == '7')
				filter_save_looks(f);
			if (final == '8') {
				filter_restore_looks(f);
				put(k, PULL_CURSOR_IN);
			}
		}
		break;
	case '#':
		if (final == '8')
			k->put(k->arg, seq, 3);
		break;
	case '(':
	case ')':
	case '*':
	case '+':
		/* ASCII, British, line drawing */
		if (final == 'B' || final == 'A' || final == '0')
			k->put(k->arg, seq, 3);
		break;
	}
}

/* The sequence as it was understood. */
static void
put_csi(const struct filter *f, const struct filter_sink *k, unsigned char final)
{
	char out[160];
	size_t len = 0;
	int i;

	out[len++] = 0x1b;
	out[len++] = '[';
	if (f->leader)
		out[len++] = (char)f->leader;
	for (i = 0; i <= f->nargs; i++) {
		if (f->args[i] >= 0)
			len += (size_t)snprintf(out + len, 8, "%d", (int)f->args[i]);
		if (i < f->nargs)
			out[len++] = f->more & 1u << i ? ':' : ';';
	}
	if (f->inter)
		out[len++] = (char)f->inter;
	out[len++] = (char) final;
	k->put(k->arg, out, len);
}

/* The library repeats a character of no width for ever: repeat here, within a line. */
static void
repeat(struct filter *f, const struct filter_sink *k)
{
	int n = f->args[0] > 0 ? f->args[0] : 1;
	char out[4];
	size_t len;

	if (f->last == 0)
		return;
	if (n > k->cols)
		n = k->cols;
	len = screen_cp_utf8(f->last, out);
	while (n-- > 0) {
		if (k->printing)
			k->printing(k->arg, screen_cp_wide(f->last) ? 2 : 1);
		filter_written(f, f->last);
		k->put(k->arg, out, len);
	}
}

static void
one_mode(const struct filter_sink *k, const char *lead, int mode, unsigned char final)
{
	char out[24];

	snprintf(out, sizeof(out), "\x1b[%s%d%c", lead, mode, final);
	put(k, out);
}

static void
modes(struct filter *f, const struct filter_sink *k, unsigned char final)
{
	static const int ansi[] = {4, 20, 0};
	static const int dec[] = {1, 5, 6, 7, 12, 25, 47, 1047, 1048, 1049, 0};
	const int *known = f->leader ? dec : ansi;
	int i, j, mode;

	for (i = 0; i <= f->nargs; i++) {
		mode = f->args[i];
		if (k->mode && k->mode(k->arg, f->leader == '?', mode, final == 'h'))
			continue;
		for (j = 0; known[j] && known[j] != mode; j++)
			;
		if (!known[j])
			continue;
		if (mode == 47)
			mode = 1047;
		if (f->leader && (mode == 1048 || mode == 1049)) {
			if (final == 'h')
				filter_save_looks(f);
			else
				filter_restore_looks(f);
		}
		if (final == 'l' && (mode == 1047 || mode == 1049))
			k->wiping(k->arg, FILTER_WIPE_LEAVE);
		one_mode(k, f->leader ? "?" : "", mode, final);
	}
}

static void
plain_csi(struct filter *f, const struct filter_sink *k, unsigned char final)
{
	switch (final) {
	case 'b':
		repeat(f, k);
		break;
	case 'h':
	case 'l':
		modes(f, k, final);
		break;
	case 's': /* as ANSI.SYS; left and right margins are not offered */
		if (f->nargs == 0 && f->args[0] < 0) {
			filter_save_looks(f);
			put(k, "\x1b"
			       "7");
		}
		break;
	case 'u':
		filter_restore_looks(f);
		put(k, "\x1b"
		       "8" PULL_CURSOR_IN);
		break;
	case 'J':
		if (f->args[0] <= 0 || f->args[0] == 2)
			k->wiping(k->arg, f->args[0] == 2 ? FILTER_WIPE_ALL : FILTER_WIPE_BELOW);
		if (f->args[0] == 2) {
			f->hidden.wiped += f->fresh;
			f->fresh = 0;
		}
		if (f->args[0] <= 2)
			put_csi(f, k, final);
		else
			f->hidden.scrollback += f->args[0] == 3;
		break;
	case 'm':
		filter_sgr(f);
		put_csi(f, k, final);
		break;
	default:
		if (strchr("@ABCDEFGHIKLMPSTXZ`adefgjkr", final))
			put_csi(f, k, final);
		break;
	}
}

void
filter_csi(struct filter *f, const struct filter_sink *k, unsigned char final)
{
	if (k->seen && k->seen(k->arg, FILTER_CONTROL_SEQUENCE, f, final))
		return;
	if (f->leader == 0 && f->inter == 0) {
		plain_csi(f, k, final);
	} else if (f->leader == '?' && f->inter == 0) {
		if (final == 'h' || final == 'l')
			modes(f, k, final);
		else if (final == 'J' || final == 'K')
			put_csi(f, k, final);
	} else if (f->leader == 0) {
		if (f->inter == '!' && final == 'p')
			filter_take_looks(f, &(struct filter_looks){0});
		if ((f->inter == '!' && final == 'p') || (f->inter == '"' && final == 'q') ||
		    (f->inter == ' ' && (final == '@' || final == 'A')) ||
		    (f->inter == '\'' && (final == '}' || final == '~')))
			put_csi(f, k, final);
	}
}
