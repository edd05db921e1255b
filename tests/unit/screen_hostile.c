/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inputs that hang or crash the bare terminal library, and random ones. */
#include <stdlib.h>
#include <unistd.h>

#include "screen/screen.h"
#include "screen/screen_int.h"
#include "tap.h"

static void
feed(struct screen *s, const char *text)
{
	screen_feed(s, text, strlen(text));
}

static void
alive(struct screen *s, const char *name)
{
	feed(s, "\033c\033[2;1Hok");
	struct screen_cell c;

	screen_cell(s, 1, 1, &c);
	ok(c.ch[0] == 'k' && screen_sound(s), "%s", name);
	screen_free(s);
}

static void
test_known(void)
{
	struct screen *s = screen_new(24, 80);
	char *big;

	feed(s, "\033[b");
	alive(s, "repeat before anything was written");
	s = screen_new(24, 80);
	feed(s, "\033[80G");
	feed(s, "x");
	feed(s, "\xcc\x81");
	feed(s, "\033[5b\033(Bx\xcc\x81\033[b");
	alive(s, "repeat of a mark alone");
	s = screen_new(24, 80);
	feed(s, "\033[4h\xc2\x9fw\xc2\a\x9fw");
	alive(s, "a C1 control in insert mode");
	s = screen_new(24, 1);
	feed(s, "\xe4\xb8\xad\xe4\xb8\xad");
	alive(s, "a wide character on one column");
	s = screen_new(24, 80);
	feed(s, "\033[24;1Hx\033[1;1H");
	screen_resize(s, 5, 80);
	feed(s, "\033[K\033[L\033[1@x");
	alive(s, "a smaller screen, the cursor high");
	s = screen_new(24, 80);
	feed(s, "\033[20;24r\033[?69h\033[70;80s\033[?6h\033[24;80H\0337");
	screen_resize(s, 4, 4);
	feed(s, "\0338\033[K\033[P\033[@\033[u\033[Lx\033[?1048lx\033[?1049lx\n\n\n");
	alive(s, "stale margins and a stale saved position");
	s = screen_new(24, 80);
	feed(s, "\033#6\033#3\n\033[70Gx\n\033[@\033[P\033[?6l");
	alive(s, "double width lines");
	s = screen_new(24, 80);
	big = malloc(4 << 20);
	memset(big, 'x', 4 << 20);
	screen_feed(s, big, 4 << 20);
	alive(s, "4 MiB in one piece");
	s = screen_new(24, 80);
	memcpy(big, "\033[", 2);
	memset(big + 2, ';', (4 << 20) - 2);
	screen_feed(s, big, 4 << 20);
	feed(s, "m");
	alive(s, "four million arguments");
	s = screen_new(24, 80);
	for (int i = 0; i + 1 < 4 << 20; i += 2)
		memcpy(big + i, "\xcc\x81", 2);
	feed(s, "e");
	screen_feed(s, big, 4 << 20);
	alive(s, "two million marks on one character");
	s = screen_new(24, 80);
	memcpy(big, "\033]0;", 4);
	screen_feed(s, big, 4 << 20);
	feed(s, "\a");
	alive(s, "an endless title");
	free(big);
}

static uint64_t seed;

static unsigned
rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

static size_t
random_bytes(char *out)
{
	static const char *const bits[] = {"\033[", "\033]", "\033", ";", "?", "1", "9999", "h",
	    "l", "m", "r", "s", "b", "L", "M", "@", "P", "X", "S", "T", "J", "K", "H", "\0337",
	    "\0338", "\033M", "\033#8", "\033#6", "\033[?1049h", "\033[?1049l", "\033[?6h",
	    "\033[4h", "\033[?69h", "\xe4\xb8\xad", "\xcc\x81", "\xc2\x9f", "\xf0\x9f\x98\x80",
	    "\xe2\x80\x8d", "\n", "\r", "\t", "\b", "\033[?1;5;7h", "\033[38;5;",
	    "\033[48:2:1:2:3m", "\033(0", "\033(B", "\016", "\017", "\033N", "\033c", "\033[!p",
	    "\033[2'}", "\033[2 @", "x", "abc", "\x18", "\x1a"};
	size_t len = 0, n;

	while (len < 400) {
		if (rnd(8) == 0) {
			out[len++] = (char)rnd(256);
			continue;
		}
		n = rnd(sizeof(bits) / sizeof(bits[0]));
		memcpy(out + len, bits[n], strlen(bits[n]));
		len += strlen(bits[n]);
	}
	return len;
}

static void
look(const struct screen *s)
{
	struct screen_cell c;
	int row, col, i;

	for (row = 0; row < screen_rows(s); row++) {
		for (col = 0; col < screen_cols(s); col++) {
			screen_cell(s, row, col, &c);
			for (i = 0; i < 3 && c.ch[i]; i++) {
				if (!screen_cp_safe(c.ch[i]))
					abort();
			}
		}
	}
}

static void
test_random(void)
{
	struct screen *s;
	char bytes[512];
	int round, i;

	for (round = 0; round < 30; round++) {
		seed = 0x9e3779b97f4a7c15u * (uint64_t)(round + 1);
		s = screen_new(2 + (int)rnd(30), 2 + (int)rnd(90));
		for (i = 0; i < 300; i++) {
			screen_feed(s, bytes, random_bytes(bytes));
			if (rnd(4) == 0)
				screen_resize(s, (int)rnd(40), (int)rnd(120));
		}
		look(s);
		if (!screen_sound(s))
			break;
		screen_free(s);
	}
	is_int(round, 30, "random input and sizes");
}

int
main(void)
{
	alarm(120); /* a hang is a failure */
	test_known();
	test_random();
	return done_testing();
}
