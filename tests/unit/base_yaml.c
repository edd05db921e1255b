/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "base/yaml.h"
#include "tap.h"

static void
reads(const char *text, const char *json)
{
	struct err e = {0};
	json_t *j = yaml_parse(text, strlen(text), "f.yaml", &e);
	char *got = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

	is_str(got ? got : e.what, json, "reads");
	free(got);
	json_decref(j);
}

static void
refuses(const char *text, const char *what)
{
	struct err e = {0};
	json_t *j = yaml_parse(text, strlen(text), "f.yaml", &e);

	is_str(j ? "accepted" : e.what, what, "refuses");
	ok(e.code == ERR_CONFIG && e.why[0] && e.hint[0], "in three parts: %s", e.why);
	json_decref(j);
}

static void
test_limits(void)
{
	char deep[200], *large = calloc(1, YAML_SIZE_MAX + 2);
	struct err e;
	json_t *j;

	memset(deep, 0, sizeof(deep));
	memset(deep, '[', 32);
	memset(deep + 32, ']', 32);
	j = yaml_parse(deep, 64, "f.yaml", NULL);
	ok(j != NULL, "32 deep");
	json_decref(j);
	memset(deep, '[', 33);
	refuses(deep, "f.yaml:1:33: nested too deep");
	memset(large, '#', YAML_SIZE_MAX + 1);
	j = yaml_parse(large, YAML_SIZE_MAX, "f.yaml", &e);
	ok(j != NULL, "1 MiB");
	json_decref(j);
	ok(!yaml_parse(large, YAML_SIZE_MAX + 1, "f.yaml", &e) && strstr(e.what, "too large"),
	    "more");
	free(large);
}

int
main(void)
{
	reads(
	    "a: 1\nb: [true, false, null, -7, x]\n", "{\"a\":1,\"b\":[true,false,null,-7,\"x\"]}");
	reads("a: 'true'\nb: \"1\"\nc: True\nd: yes\ne: 1.5\nf: 0755\ng: 0\n",
	    "{\"a\":\"true\",\"b\":\"1\",\"c\":\"True\",\"d\":\"yes\",\"e\":\"1.5\",\"f\":\"0755\","
	    "\"g\":0}");
	reads("a: 99999999999999999999\nb: ~\nc:\nd: -0\n",
	    "{\"a\":\"99999999999999999999\",\"b\":\"~\",\"c\":null,\"d\":0}");
	reads("a:\n  - b: c\n    d: |\n      two\n      lines\n  - {}\n",
	    "{\"a\":[{\"b\":\"c\",\"d\":\"two\\nlines\\n\"},{}]}");
	reads("1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}");
	reads("", "{}");
	reads("# nothing\n", "{}");
	reads("---\n", "{}");
	reads("- a\n", "[\"a\"]");
	refuses("a: &x 1\n", "f.yaml:1:4: an anchor");
	refuses("a: 1\nb: *x\n", "f.yaml:2:4: an alias");
	refuses("a: !!str 1\n", "f.yaml:1:4: a tag");
	refuses("a: !x [1]\n", "f.yaml:1:4: a tag");
	refuses("&x a: 1\n", "f.yaml:1:1: an anchor");
	refuses("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", "f.yaml:5:3: the same key twice");
	refuses("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document");
	refuses("? [a]\n: b\n", "f.yaml:1:3: a key that is not text");
	refuses("a: \"\\0\"\n", "f.yaml:1:4: a NUL character in a value");
	refuses("a: [1\nb: 2\n", "f.yaml:2:2: not valid YAML");
	refuses("a: 1\nb: \xff\n", "f.yaml:2:4: not valid YAML");
	refuses("a: {b: [1, {c: d\n", "f.yaml:2:1: not valid YAML");
	test_limits();
	return done_testing();
}
