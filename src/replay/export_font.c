/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/export_font.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/incbin.h"

/*
 * GNU Unifont's console font as Debian's psf-unifont has it (GPL version 2 or later), gzipped:
 * PSF 1, 512 glyphs of 8 x 16, Latin 1, arrows, mathematics, lines and blocks.
 */
#define FONT_PATH "/usr/share/consolefonts/Unifont-APL8x16.psf.gz"
#define FONT_MAX 65536
#define HEAD 4
#define MODE_512 1
#define MODE_TABLE 2
#define TABLE_SEQUENCE 0xfffe
#define TABLE_END 0xffff

INCBIN(export_font_gz, FONT_PATH);

struct export_font {
	unsigned char data[FONT_MAX];
	size_t len;
	uint16_t glyph[FONT_CP_MAX]; /* 1 and up; 0: there is none */
};

static size_t
unzip(unsigned char *out, size_t max)
{
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)export_font_gz,
	    .avail_in = (unsigned)(export_font_gz_end - export_font_gz),
	    .next_out = out,
	    .avail_out = (unsigned)max};
	int rc;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return 0;
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return rc == Z_STREAM_END ? max - z.avail_out : 0;
}

/* For each glyph the characters that it stands for, then sequences of them, which are not for us.
 */
static void
read_table(struct export_font *f, size_t at, unsigned glyphs)
{
	bool sequence = false;
	unsigned g = 0, cp;

	for (; g < glyphs && at + 2 <= f->len; at += 2) {
		cp = f->data[at] | (unsigned)f->data[at + 1] << 8;
		if (cp == TABLE_END) {
			g++;
			sequence = false;
		} else if (cp == TABLE_SEQUENCE) {
			sequence = true;
		} else if (!sequence && cp < FONT_CP_MAX && !f->glyph[cp]) {
			f->glyph[cp] = (uint16_t)(g + 1);
		}
	}
}

struct export_font *
font_new(void)
{
	struct export_font *f = calloc(1, sizeof(*f));
	unsigned glyphs;
	size_t table;

	if (!f)
		return NULL;
	f->len = unzip(f->data, sizeof(f->data));
	glyphs = f->data[2] & MODE_512 ? 512 : 256;
	table = HEAD + (size_t)glyphs * FONT_H;
	if (f->len < table || f->data[0] != 0x36 || f->data[1] != 0x04 || f->data[3] != FONT_H ||
	    !(f->data[2] & MODE_TABLE)) {
		free(f);
		return NULL;
	}
	read_table(f, table, glyphs);
	return f;
}

void
font_free(struct export_font *f)
{
	free(f);
}

/* U+2580 to U+259F: the font has one square for most of them. */
static int
block(uint32_t cp, int y)
{
	/* Upper left, upper right, lower left, lower right; from U+2596. */
	static const uint8_t quadrants[] = {4, 8, 1, 13, 9, 7, 11, 2, 6, 14};
	static const uint8_t shades[][2] = {{0x88, 0x22}, {0xaa, 0x55}, {0x77, 0xdd}};
	unsigned q, n = cp - 0x2580;

	if (n >= 0x16) {
		q = quadrants[n - 0x16] >> (y < FONT_H / 2 ? 0 : 2);
		return (q & 1 ? 0xf0 : 0) | (q & 2 ? 0x0f : 0);
	}
	if (n >= 0x11 && n <= 0x13)
		return shades[n - 0x11][y % 2];
	if (n == 0 || n == 0x14)
		return y < (n == 0 ? FONT_H / 2 : FONT_H / 8) ? 0xff : 0;
	if (n <= 8)
		return y >= FONT_H - (int)n * FONT_H / 8 ? 0xff : 0;
	if (n <= 0xf)
		return 0xff << (n - 8) & 0xff;
	return n == 0x10 ? 0x0f : 0x01;
}

int
font_row(const struct export_font *f, uint32_t cp, int y)
{
	if (cp >= 0x2580 && cp <= 0x259f)
		return block(cp, y);
	if (cp >= FONT_CP_MAX || !f->glyph[cp])
		return -1;
	return f->data[HEAD + (size_t)(f->glyph[cp] - 1) * FONT_H + (size_t)y];
}
