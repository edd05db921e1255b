/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"
#include "cli/replay.h"
#include "tap.h"

static void
test_parse(void)
{
	static const struct {
		const char *text;
		int64_t ms; /* of 100 s; -1: wrong */
	} rows[] = {{"0", 0}, {"90", 90000}, {"90.5", 90500}, {".25", 250}, {"1:30", 90000},
	    {"1:02:03", 3723000}, {"0:00.1", 100}, {"90:00", 5400000}, {"1m30s", 90000},
	    {"250ms", 250}, {"50%", 50000}, {"0%", 0}, {"100%", 100000}, {"12.5%", 12500}, {"", -1},
	    {"x", -1}, {"1:", -1}, {":1", -1}, {"1:60", -1}, {"1.5:00", -1}, {"1:2:3:4", -1},
	    {"-1", -1}, {"101%", -1}, {"%", -1}, {"1e3", -1}, {"9999999999999999999999", -1},
	    {"1..2", -1}, {".", -1}};
	struct err e;
	int64_t t;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		e = (struct err){0};
		rc = replay_parse_time(rows[i].text, 100 * NS_PER_S, &t, &e);
		if (rows[i].ms < 0)
			ok(rc < 0 && e.code == ERR_USAGE && e.hint[0], "\"%s\" is wrong",
			    rows[i].text);
		else
			ok(rc == 0 && t == rows[i].ms * NS_PER_MS, "\"%s\"", rows[i].text);
	}
}

static void
test_format(void)
{
	char out[32];

	replay_format_time(90500 * NS_PER_MS, true, out, sizeof(out));
	is_str(out, "1:30.5", "with tenths");
	replay_format_time(3723 * NS_PER_S, true, out, sizeof(out));
	is_str(out, "1:02:03", "hours");
	replay_format_time(-5, false, out, sizeof(out));
	is_str(out, "0:00", "never below 0");
}

int
main(void)
{
	test_parse();
	test_format();
	return done_testing();
}
