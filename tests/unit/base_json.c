/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>

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

int
main(void)
{
	test_parse();
	test_text();
	test_print();
	return done_testing();
}
