/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is written so that it is not seen is counted, and only that. */
#include <stdlib.h>

#include "screen/screen.h"
#include "tap.h"

struct want {
	const char *bytes;
	uint64_t concealed, same, wiped, scrollback, marks;
};

static const struct want table[] = {
    {"plain \x1b[1;31;42mcolours\x1b[m\r\n", 0, 0, 0, 0, 0},
    {"\x1b[8mab c\x1b[28md\x1b[8me\x1b[0mf", 4, 0, 0, 0, 0},
    /* 8 is a colour there, and a part of an underline. */
    {"\x1b[38;5;8ma\x1b[48;2;8;8;8mb\x1b[4:3;38:5:8mc", 0, 0, 0, 0, 0},
    {"\x1b[31;41mab\x1b[39mc\x1b[97;107md\x1b[mf", 0, 3, 0, 0, 0},
    {"\x1b[38;5;1;41ma\x1b[m\x1b[38:2::1:2:3;48;2;1;2;3mb\x1b[38;2;1;2;4mc", 0, 2, 0, 0, 0},
    {"\x1b[31;41m \xe2\x96\x88\x1b[m", 0, 0, 0, 0, 0},
    {"\x1b[8m\x1b"
     "7\x1b[0mseen\x1b"
     "8ab\x1b[0m\x1b[8m\x1b[s\x1b[m\x1b[uc",
	3, 0, 0, 0, 0},
    {"\x1b[8m\x1b[!pseen\x1b[8m\x1b"
     "cseen",
	0, 0, 4, 0, 0},
    {"gone\x1b[2Jseen", 0, 0, 4, 0, 0},
    {"\x1b[H\x1b[2J\x1b[3Jseen", 0, 0, 0, 1, 0},
    {"\xe2\x80\xaex\xe2\x80\x8b\xef\xbb\xbf\xe2\x80\x8d", 0, 0, 0, 0, 3},
    {"\x1b[31;41mabc\x1b[3b", 0, 6, 0, 0, 0},
};

int
main(void)
{
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct want *w = &table[i];
		struct screen *s = screen_new(24, 80);
		const struct screen_hidden *h = screen_hidden(s);

		screen_feed(s, w->bytes, strlen(w->bytes));
		is_int((long long)h->concealed, (long long)w->concealed, "concealed");
		is_int((long long)h->same, (long long)w->same, "in one colour");
		is_int((long long)h->wiped, (long long)w->wiped, "wiped");
		is_int((long long)h->scrollback, (long long)w->scrollback, "scrolled away");
		is_int((long long)h->marks, (long long)w->marks, "marks");
		/* What stood for a while was seen. */
		screen_feed(s, "x", 1);
		screen_feed(s, "\x1b[2J", 4);
		is_int((long long)h->wiped, (long long)w->wiped, "not at once");
		screen_free(s);
	}
	return done_testing();
}
