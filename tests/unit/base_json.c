/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "tap.h"

static bool
refused(const char *s)
{
	struct err e;
	json_t *j = json_parse(s, strlen(s), &e);
	bool good = !j && e.code == ERR_PROTOCOL && e.why[0];

	json_decref(j);
	return good;
}

static void
test_parse(void)
{
	const char *text = "{\"a\":\"x\",\"n\":-5,\"s\":\"[[[\\\"[[\"}";
	json_t *j = json_parse(text, strlen(text), NULL);
	char deep[200] = "";
	int i;

	ok(j != NULL, "an object");
	is_str(json_str(j, "a"), "x", "a string");
	is_str(json_str(j, "n"), NULL, "no string");
	is_str(json_str(j, "zzz"), NULL, "not there");
	is_str(json_str(NULL, "a"), NULL, "no object");
	is_int(json_int(j, "n", 1), -5, "an integer");
	is_int(json_int(j, "a", 1), 1, "no integer");
	is_int(json_int(NULL, "a", 2), 2, "no object for an integer");
	json_decref(j);
	for (i = 0; i < 64; i++) {
		deep[i] = '[';
		deep[64 + i] = ']';
	}
	j = json_parse(deep, 128, NULL);
	ok(j != NULL, "64 deep");
	json_decref(j);
	memset(deep, '[', sizeof(deep) - 1);
	ok(refused(deep), "deeper");
	ok(refused("{\"a\":1,\"a\":2}"), "duplicates");
	ok(refused("{\"a\":1} x"), "something after it");
	ok(refused("") && refused("1") && refused("\"x") && refused("\"\\"), "no container");
	ok(refused("{\"a\":\"\xff\"}") && refused("{\"a\":\"\\u0000\"}"), "no text");
}

static void
test_text(void)
{
	json_t *j =
	    json_pack("{s:o,s:o}", "a", json_text("reef \xc3\xa9"), "b", json_text("\xff\n"));

	is_str(json_str(j, "a"), "reef \xc3\xa9", "text as it is");
	is_str(json_str(j, "b"), "\\xff\\x0a", "what is none is shown, not lost");
	ok(json_text(NULL) == NULL, "nothing of nothing");
	json_decref(j);
}

static void
test_print(void)
{
	json_t *j = json_pack("{s:i}", "a", 1);
	char out[32] = "";
	int p[2];

	ok(pipe2(p, O_CLOEXEC) == 0, "a pipe");
	is_int(json_print(p[1], j, JSON_COMPACT), 0, "printed");
	ok(read(p[0], out, sizeof(out) - 1) > 0, "read");
	is_str(out, "{\"a\":1}\n", "one line");
	json_decref(j);
	close(p[0]);
	is_int(json_print(-1, NULL, 0), -1, "nothing to print");
	close(p[1]);
}

static void
is_shown(json_t *j, size_t flags, const char *want, const char *name)
{
	char *s = json_show(j, flags);

	is_str(s, want, name);
	free(s);
	json_decref(j);
}

/* Of what deceives a terminal, or an eye, nothing leaves as it is. */
static void
test_show(void)
{
	static const uint32_t hidden[] = {0x1b, 0x7f, 0x9b, 0x61c, 0x200b, 0x200d, 0x200e, 0x2028,
	    0x202e, 0x2060, 0x2066, 0xfeff, 0xe0001};
	json_t *all = json_array(), *back;
	char *s;

	is_shown(json_pack("{s:s}", "\xc2\x9b", "a\x7f\n\xe2\x80\xae\xc3\xa9"), JSON_COMPACT,
	    "{\"\\u009b\":\"a\\u007f\\n\\u202e\xc3\xa9\"}", "escapes, also in a key");
	is_shown(json_string("\x7f\xc3\xa9"), JSON_ENSURE_ASCII, "\"\\u007f\\u00E9\"",
	    "DEL where all is ASCII");
	is_shown(json_pack("[i]", 1), JSON_INDENT(2), "[\n  1\n]", "space stays");
	is_shown(json_pack("[f,f]", 3.499732, 1234567.000001), JSON_COMPACT,
	    "[3.499732,1234567.000001]", "no digits that were not there");
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		char text[32];

		if (hidden[i] > 0xffff)
			snprintf(text, sizeof(text), "\"\\udb40\\udc01\"");
		else
			snprintf(text, sizeof(text), "\"\\u%04x\"", (unsigned)hidden[i]);
		json_array_append_new(all, json_loads(text, JSON_DECODE_ANY, NULL));
	}
	s = json_show(all, 0);
	for (const char *c = s; c && *c; c++)
		if (*c < ' ' || *c == 0x7f)
			ok(false, "byte %02x", (unsigned char)*c);
	back = s ? json_parse(s, strlen(s), NULL) : NULL;
	ok(back && json_equal(all, back), "the same JSON");
	json_decref(back);
	json_decref(all);
	free(s);
	s = json_show_text("{\t\"a\":\r\"\x7f\"}", 11);
	is_str(s, "{ \"a\": \"\\u007f\"}", "of a file's line");
	free(s);
}

int
main(void)
{
	test_parse();
	test_text();
	test_print();
	test_show();
	return done_testing();
}
