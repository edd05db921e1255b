/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person types: where an escape is one, and where it is text.  And the other end's pulse. */
#include "client/escape.h"

#include "base/attr.h"
#include "client/alive.h"
#include "tap.h"

#define S 1000000000LL
#define PASTE_ON "\033[200~"
#define PASTE_OFF "\033[201~"
#define LONG "0123456789abcdefg"

/* Reads are separated by '|', and 1 s apart, or '!': within the same moment.  A wish is shown as
 * <x> where it was taken. */
static const struct row {
	const char *name, *reads, *want;
	int ch;
} rows[] = {
    {"at the start", "~.", "<.>", '~'},
    {"in two reads", "~|.", "<.>", '~'},
    {"after a carriage return", "ls\r|~|d", "ls\r<d>", '~'},
    {"after a newline", "ls\n~k", "ls\n<k>", '~'},
    {"who", "~#", "<#>", '~'},
    {"suspend", "~\032", "<z>", '~'},
    {"help, and another at once", "~?~.", "<?><.>", '~'},
    {"twice is once", "~~", "~", '~'},
    {"twice, then text", "~|~|.", "~.", '~'},
    {"another character", "~x", "~x", '~'},
    {"another character, a newline", "~\r~.", "~\r<.>", '~'},
    {"in the middle of a line", "a~.", "a~.", '~'},
    {"in the middle, one by one", "a|~|.", "a~.", '~'},
    {"after a space", " ~.", " ~.", '~'},
    {"after a character that was erased", "a\b~.", "a\b~.", '~'},
    {"none", "~.\r~d", "~.\r~d", CLIENT_ESCAPE_NONE},
    {"another one", "%.~.", "<.>~.", '%'},
    {"a control character", "\035.", "<.>", 0x1d},
    {"a long read", LONG "\r~.", LONG "\r~.", '~'},
    {"a long read that begins with it", "~." LONG, "~." LONG, '~'},
    {"after a long read", LONG "\r|~.", LONG "\r<.>", '~'},
    {"the rest of a long read", LONG "\r!~.", LONG "\r~.", '~'},
    {"the rest of the rest", LONG "\r!a\r!~.", LONG "\ra\r~.", '~'},
    {"held back, then a long read", "~|." LONG, "~." LONG, '~'},
    {"a paste", PASTE_ON "\r~.\r~d" PASTE_OFF, PASTE_ON "\r~.\r~d" PASTE_OFF, '~'},
    {"a paste in pieces", "\033[2|00~|\r|~|.|\033[20|1~|~.", PASTE_ON "\r~." PASTE_OFF "~.", '~'},
    {"a line after a paste", PASTE_ON "x" PASTE_OFF "|\r|~.", PASTE_ON "x" PASTE_OFF "\r<.>", '~'},
    {"not quite a paste", "\033[200|x\r~.", "\033[200x\r<.>", '~'},
    {"escape twice before a paste", "\033\033[200~|\r~.", "\033\033[200~\r~.", '~'},
    {"the cursor's place, for busybox's prompt", "ls\r|\033[12;5R|~d", "ls\r\033[12;5R<d>", '~'},
    {"with what is typed", "\r\033[12;5R~d", "\r\033[12;5R<d>", '~'},
    {"within an escape", "\r~\033[12;5R.", "\r\033[12;5R<.>", '~'},
    {"the focus", "\r\033[I|\033[O|~d", "\r\033[I\033[O<d>", '~'},
    {"the mouse", "\r\033[<0;7;9M|~d", "\r\033[<0;7;9M<d>", '~'},
    {"a mode", "\r\033[?2004;1$y~d", "\r\033[?2004;1$y<d>", '~'},
    {"a colour", "\r\033]11;rgb:0/0/0\033\\|~d", "\r\033]11;rgb:0/0/0\033\\<d>", '~'},
    {"a title that is one", "\r\033]l\r~.\a|~d", "\r\033]l\r~.\a<d>", '~'},
    {"an answer in a line", "\rl\033[12;5R~d", "\rl\033[12;5R~d", '~'},
    {"an answer in a paste", PASTE_ON "\r\033[1;1R~.", PASTE_ON "\r\033[1;1R~.", '~'},
    {"an arrow is typed", "\r\033[A~d", "\r\033[A~d", '~'},
    {"and half an answer", "\r\033[12;|5R~d", "\r\033[12;5R~d", '~'},
    {"and a string without an end", "\r\033]x|~d", "\r\033]x~d", '~'},
    {"a function key ends in a tilde", "\r\033[3~.", "\r\033[3~.", '~'},
};

static char
letter(enum client_wish w)
{
	return "-.dk#z?"[w];
}

static void
feed(struct client_escape *s, const char *p, size_t n, int64_t now, char *text, size_t *len)
{
	unsigned char out[256];
	enum client_wish wish;
	size_t at = 0, put;

	while (at < n) {
		at += client_escape_take(
		    s, (const unsigned char *)p + at, n - at, n, now, out, &put, &wish);
		memcpy(text + *len, out, put);
		*len += put;
		if (wish == WISH_NOTHING)
			continue;
		text[(*len)++] = '<';
		text[(*len)++] = letter(wish);
		text[(*len)++] = '>';
	}
	text[*len] = '\0';
}

static void
test_rows(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct client_escape s;
		char text[256] = "";
		const char *p = rows[i].reads;
		int64_t now = S;
		size_t len = 0;

		client_escape_init(&s, rows[i].ch);
		while (*p) {
			size_t n = strcspn(p, "|!");

			feed(&s, p, n, now, text, &len);
			p += n;
			now += *p == '|' ? S : 0;
			p += *p != '\0';
		}
		is_str(text, rows[i].want, rows[i].name);
	}
}

/* Nothing is lost, added or moved: without a wish, what comes out is what went in, but for a
 * doubled character. */
static void
test_any_cut(void)
{
	static const char text[] =
	    "a~.b\rx~~\r" PASTE_ON "\r~.\n~~" PASTE_OFF "y~k\033[3~\033[1;2R\033]l\033\\";
	size_t n = sizeof(text) - 1;
	bool good = true;

	for (size_t cut = 0; cut <= n; cut++) {
		struct client_escape s;
		char out[256];
		size_t len = 0;

		client_escape_init(&s, '~');
		feed(&s, text, cut, S, out, &len);
		feed(&s, text + cut, n - cut, 10 * S, out, &len);
		good = good && len == n && memcmp(out, text, n) == 0;
	}
	ok(good, "cut in two anywhere, the text is the same");
}

static void
test_alive(void)
{
	struct client_alive a;

	client_alive_init(&a, 100 * S, 100 * S);
	is_int(client_alive_due(&a), 110 * S, "looks after 10 s");
	is_int(client_alive_look(&a, 109 * S, 109 * S), ALIVE_WAIT, "not before");
	is_int(client_alive_look(&a, 110 * S, 110 * S), ALIVE_ASK, "10 s of silence: asks");
	is_int(client_alive_due(&a), 125 * S, "waits 15 s for the answer");
	is_int(client_alive_look(&a, 124 * S, 124 * S), ALIVE_WAIT, "patiently");
	is_int(client_alive_look(&a, 125 * S, 125 * S), ALIVE_LOST, "then it is lost");
	client_alive_heard(&a, 126 * S);
	is_int(client_alive_look(&a, 126 * S, 126 * S), ALIVE_WAIT, "something came: it is there");
	is_int(client_alive_typed(&a, 130 * S), ALIVE_WAIT, "a key after 4 s asks nothing");
	is_int(client_alive_typed(&a, 131 * S), ALIVE_ASK, "after 5 s it does");
	is_int(client_alive_typed(&a, 132 * S), ALIVE_WAIT, "once");
	client_alive_heard(&a, 133 * S);
	/* An hour's sleep, of which CLOCK_MONOTONIC knows nothing. */
	is_int(client_alive_look(&a, 3733 * S, 134 * S), ALIVE_ASK, "slept: asks at once");
	is_int(client_alive_due(&a), 3736 * S, "and waits 3 s");
	is_int(client_alive_look(&a, 3736 * S, 137 * S), ALIVE_LOST, "only");
	client_alive_init(&a, 100 * S, 100 * S);
	client_alive_look(&a, 110 * S, 110 * S);
	is_int(client_alive_look(&a, 3700 * S, 111 * S), ALIVE_ASK,
	    "slept over a question: it is asked again");
}

int
main(void)
{
	test_rows();
	test_any_cut();
	test_alive();
	return done_testing();
}
