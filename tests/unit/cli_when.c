/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"
#include "cli/when.h"
#include "tap.h"

#include <stdlib.h>
#include <time.h>

#define NOW 1795356000LL /* 2026-11-22 14:00:00 UTC, 15:00 in the zone below */

/* A time that the log itself has is found exactly. */
static void
test_fractions(void)
{
	struct err e = {0};
	int64_t t = 0;

	ok(when_parse("2026-11-22T14:00:00.123456Z", "since", 0, &t, &e) == 0 &&
		t == NOW * NS_PER_S + 123456000,
	    "microseconds");
	ok(when_parse("2026-11-22 15:00:00.5", "since", 0, &t, &e) == 0 &&
		t == NOW * NS_PER_S + NS_PER_S / 2,
	    "a half");
}

int
main(void)
{
	static const struct {
		const char *text;
		int64_t s; /* -1: wrong */
	} rows[] = {{"now", NOW}, {"today", NOW - 15 * 3600}, {"yesterday", NOW - 39 * 3600},
	    {"2h", NOW - 7200}, {"-90m", NOW - 5400}, {"2d", NOW - 2 * 86400},
	    {"2026-11-22", NOW - 15 * 3600}, {"2026-11-22 15:00", NOW},
	    {"2026-11-22T15:00:07", NOW + 7}, {"2026-11-22T14:00:00Z", NOW},
	    {"2026-11-22Z", NOW - 14 * 3600}, {"15:00", NOW}, {"14:59:59", NOW - 1}, {"", -1},
	    {"2026-13-01", -1}, {"2026-11-32", -1}, {"2026-11-22x", -1}, {"2026-11-22 25:00", -1},
	    {"15:0", -1}, {"15:60", -1}, {"15:00Z", -1}, {"tomorrow week", -1}, {"-", -1},
	    {"2026", NOW - 2026}, {"99999999d", -1}, {"2262-01-01", -1}};

	setenv("TZ", "CET-1", 1);
	tzset();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = {0};
		int64_t t = 0;
		int rc = when_parse(rows[i].text, "since", NOW * NS_PER_S, &t, &e);

		if (rows[i].s < 0)
			ok(rc < 0 && e.code == ERR_USAGE && e.hint[0], "\"%s\" is wrong",
			    rows[i].text);
		else
			ok(rc == 0 && t == rows[i].s * NS_PER_S, "\"%s\": %lld", rows[i].text,
			    (long long)(t / NS_PER_S - NOW));
	}
	test_fractions();
	return done_testing();
}
