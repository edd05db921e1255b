/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/str.h"
#include "tap.h"

static const char *
vis(const char *s)
{
	static char out[256];

	str_vis(out, sizeof(out), s);
	return out;
}

static void
test_vis(void)
{
	char small[8];

	is_str(vis("plain \xc3\xa9 \xf0\x9f\x90\xa0"), "plain \xc3\xa9 \xf0\x9f\x90\xa0", "text");
	is_str(vis("a\\b"), "a\\\\b", "a backslash");
	is_str(vis("\033[2J\n\t\x7f"), "\\x1b[2J\\x0a\\x09\\x7f", "controls");
	is_str(vis("\xc2\x9b"), "\\u{009b}", "C1");
	is_str(vis("\xe2\x80\xae\xe2\x80\x8b\xef\xbb\xbf"), "\\u{202e}\\u{200b}\\u{feff}", "bidi");
	is_str(vis("\xf3\xa0\x81\x81"), "\\u{e0041}", "tags");
	is_str(vis("\xff\xc0\x80\xed\xa0\x80"), "\\xff\\xc0\\x80\\xed\\xa0\\x80", "not UTF-8");
	is_str(vis("\xe2\x82"), "\\xe2\\x82", "cut UTF-8");
	is_int(str_vis(small, sizeof(small), "abcd\033z"), 4, "an escape is not cut");
	is_str(small, "abcd", "nor is what follows taken");
	is_int(str_vis(small, sizeof(small), "123456\xc3\xa9"), 6, "a character is not cut");
	is_int(str_vis(small, 0, "x"), 0, "no room at all");
	is_int(str_vis_n(small, sizeof(small), "a\0b", 3), 6, "with a NUL");
	is_str(small, "a\\x00b", "shown");
}

static const char *
quoted(size_t size, const char *a, const char *b)
{
	static char out[256];
	const char *argv[] = {a, b, NULL};
	size_t n = str_quote_argv(out, size, argv);

	return n == strlen(out) ? out : "wrong length";
}

static void
test_quote(void)
{
	is_str(quoted(256, "ls", "-l"), "ls -l", "plain");
	is_str(quoted(256, "echo", "it's"), "echo 'it'\\''s'", "a quote");
	is_str(quoted(256, "echo", ""), "echo ''", "empty");
	is_str(quoted(256, "echo", "a\\b $x"), "echo 'a\\b $x'", "literal");
	is_str(quoted(256, "A=b", "A=b"), "'A=b' A=b", "no assignment");
	is_str(quoted(256, "echo", "a\n\033'\xff"), "echo $'a\\n\\033\\'\\377'", "escapes");
	is_str(quoted(256, "echo", "\xe2\x80\xae"), "echo $'\\342\\200\\256'", "bidi");
	is_str(quoted(10, "echo", "abcd"), "echo abcd", "just fits");
	is_str(quoted(10, "echo", "abcde"), "echo a...", "cut");
	is_str(quoted(3, "echo", "abcde"), "..", "cut to nearly nothing");
	is_str(quoted(1, "echo", "abcde"), "", "cut to nothing");
}

static void
test_near_and_glob(void)
{
	const char *const words[] = {"exec", "shell", "ls", "sessions", "replay", NULL};

	is_str(str_nearest("shel", words), "shell", "one missing");
	is_str(str_nearest("exce", words), "exec", "swapped");
	is_str(str_nearest("sesions", words), "sessions", "long");
	is_str(str_nearest("LS", words), "ls", "case");
	is_str(str_nearest("banana", words), NULL, "nothing near");
	is_str(str_nearest("x", words), NULL, "too short to say");
	is_str(str_nearest("", words), NULL, "empty");
	ok(str_glob("web-*", "web-1") && str_glob("*", "") && str_glob("*b*c", "aabbcc"), "star");
	ok(!str_glob("web-*", "xweb-1") && !str_glob("*b*c", "aabbcd"), "whole strings");
	ok(str_glob("w?b", "web") && !str_glob("w?b", "wb"), "question mark");
	ok(str_glob("a?b", "a\xc3\xa9"
			   "b"),
	    "a character, not a byte");
	ok(str_glob("[a]", "[a]") && !str_glob("[a]", "a"), "no brackets");
	ok(!str_glob("", "a") && str_glob("", ""), "empty");
	ok(!str_glob("a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	    "no explosion");
}

static void
test_utf8(void)
{
	const unsigned char *s = (const unsigned char *)"a\xf0\x9f\x90\xa0z";
	size_t partial;

	is_int(str_utf8_prefix(s, 6, &partial), 6, "whole");
	is_int(partial, 0, "nothing left");
	is_int(str_utf8_prefix(s, 4, &partial), 1, "cut");
	is_int(partial, 3, "three bytes may go on");
	is_int(str_utf8_prefix((const unsigned char *)"ab\xed\xa0", 4, &partial), 2, "surrogate");
	is_int(partial, 0, "will never be valid");
	is_int(str_utf8_prefix((const unsigned char *)"\xe0\x80", 2, &partial), 0, "overlong");
	is_int(partial, 0, "will never be valid either");
}

static void
test_base64(void)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
	    {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe", "//4="}};
	static const char *const bad[] = {
	    "Zg=", "Zg", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm-v", "Z m9"};
	char text[32];
	unsigned char raw[32];
	size_t i, n;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		n = strlen(pairs[i][0]);
		str_base64(text, (const unsigned char *)pairs[i][0], n);
		is_str(text, pairs[i][1], "base64");
		is_int(str_unbase64(raw, text, strlen(text)), n, "and back");
		ok(!memcmp(raw, pairs[i][0], n), "the same");
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(str_unbase64(raw, bad[i], strlen(bad[i])) == (size_t)-1, "refuses %zu", i);
	str_hex(text, (const unsigned char *)"\x00\xab\x7f", 3);
	is_str(text, "00ab7f", "hex");
}

static void
test_numbers(void)
{
	int64_t v = 7;
	char out[4];

	ok(str_to_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &v) == 0 && v == INT64_MIN,
	    "lowest");
	v = 7;
	ok(str_to_i64("9223372036854775808", INT64_MIN, INT64_MAX, &v) < 0, "overflow");
	ok(str_to_i64("", 0, 9, &v) < 0 && str_to_i64("-", -9, 9, &v) < 0 &&
		str_to_i64(" 1", 0, 9, &v) < 0 && str_to_i64("1x", 0, 9, &v) < 0 &&
		str_to_i64("+1", 0, 9, &v) < 0 && str_to_i64("10", 0, 9, &v) < 0,
	    "refused");
	is_int(v, 7, "untouched");
	is_int(str_copy(out, "abcdef", sizeof(out)), 6, "strlcpy tells the length");
	is_str(out, "abc", "and cuts");
}

int
main(void)
{
	test_vis();
	test_quote();
	test_near_and_glob();
	test_utf8();
	test_base64();
	test_numbers();
	return done_testing();
}
