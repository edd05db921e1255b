/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"
#include "tap.h"

static void
duration(const char *s, int64_t want)
{
	int64_t got = -1;
	int rc = clock_parse_duration(s, &got);

	ok(rc == (want < 0 ? -1 : 0) && got == want, "duration '%s'", s);
}

int
main(void)
{
	char iso[CLOCK_ISO_SIZE];

	duration("30s", 30 * NS_PER_S);
	duration("5m", 300 * NS_PER_S);
	duration("1h30m", 5400 * NS_PER_S);
	duration("250ms", 250 * NS_PER_MS);
	duration("1m250ms", 60 * NS_PER_S + 250 * NS_PER_MS);
	duration("2d", 172800 * NS_PER_S);
	duration("1d1h1m1s1ms", 90061 * NS_PER_S + NS_PER_MS);
	duration("90", 90 * NS_PER_S);
	duration("0", 0);
	duration("", -1);
	duration("s", -1);
	duration("-5s", -1);
	duration("+5s", -1);
	duration(" 5s", -1);
	duration("5 s", -1);
	duration("5s ", -1);
	duration("1.5h", -1);
	duration("5M", -1);
	duration("5min", -1);
	duration("1h30", -1);
	duration("30m1h", -1);
	duration("1s1s", -1);
	duration("9223372036854775807", -1);
	duration("99999999999999999999s", -1);

	clock_iso(1795326080LL * NS_PER_S + 999999999, iso);
	is_str(iso, "2026-11-22T05:41:20Z", "ISO");
	clock_iso(-1, iso);
	is_str(iso, "1969-12-31T23:59:59Z", "before the epoch");
	clock_iso(INT64_MAX, iso);
	is_str(iso, "2262-04-11T23:47:16Z", "the last");
	ok(clock_mono() <= clock_mono() && clock_real() > 1700000000LL * NS_PER_S, "clocks");
	return done_testing();
}
