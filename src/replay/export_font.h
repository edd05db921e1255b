/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_REPLAY_EXPORT_FONT_H
#define CORAL_REPLAY_EXPORT_FONT_H

/* The letters of pictures that are made of dots: a font of a Debian package, taken in when coral is
 * built. */
#include <stdint.h>

#define FONT_W 8
#define FONT_H 16
#define FONT_CP_MAX 0x3000

struct export_font;
struct export_font *font_new(void); /* NULL: out of memory, or built with another font */
void font_free(struct export_font *f);
/* Row y of a character, the leftmost dot in the highest bit; -1: there is none. */
int font_row(const struct export_font *f, uint32_t cp, int y);

#endif
