/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/when.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

/* Exactly n digits; the value, or -1. */
static int
digits(const char **s, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return -1;
		v = 10 * v + (**s - '0');
	}
	return v;
}

static bool
take(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* Of a second, to the nanosecond. */
static int64_t
take_fraction(const char **s)
{
	int64_t ns = 0, unit = NS_PER_S / 10;

	for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
		ns += unit * (**s - '0');
	return ns;
}

/* "HH:MM[:SS[.digits]]" */
static bool
take_clock(const char **s, struct tm *tm, int64_t *ns)
{
	tm->tm_hour = digits(s, 2);
	if (tm->tm_hour < 0 || tm->tm_hour > 23 || !take(s, ':'))
		return false;
	tm->tm_min = digits(s, 2);
	if (tm->tm_min < 0 || tm->tm_min > 59)
		return false;
	if (!take(s, ':'))
		return true;
	tm->tm_sec = digits(s, 2);
	if (tm->tm_sec < 0 || tm->tm_sec > 60)
		return false;
	if (take(s, '.'))
		*ns = take_fraction(s);
	return true;
}

static bool
take_date(const char **s, struct tm *tm)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = digits(s, 4), month, day;

	/* Nanoseconds since 1970 end in 2262. */
	if (year < 1970 || year > 2261 || !take(s, '-'))
		return false;
	month = digits(s, 2);
	if (month < 1 || month > 12 || !take(s, '-'))
		return false;
	day = digits(s, 2);
	if (day < 1 || day > days[month - 1])
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return true;
}

static bool
parse_date(const char *s, const struct tm *today, int64_t *out)
{
	struct tm tm = {.tm_year = today->tm_year,
	    .tm_mon = today->tm_mon,
	    .tm_mday = today->tm_mday,
	    .tm_isdst = -1};
	int64_t ns = 0;
	bool dated = strlen(s) >= 10 && s[4] == '-', utc;
	time_t t;

	if (dated && !take_date(&s, &tm))
		return false;
	if (!dated && !take_clock(&s, &tm, &ns))
		return false;
	if (dated && (*s == ' ' || *s == 'T') && (s++, !take_clock(&s, &tm, &ns)))
		return false;
	utc = take(&s, 'Z');
	if (*s || (utc && !dated))
		return false;
	t = utc ? timegm(&tm) : mktime(&tm);
	*out = (int64_t)t * NS_PER_S + ns;
	return true;
}

static bool
parse_word(const char *s, const struct tm *today, int64_t now, int64_t *out)
{
	struct tm tm = {.tm_year = today->tm_year,
	    .tm_mon = today->tm_mon,
	    .tm_mday = today->tm_mday,
	    .tm_isdst = -1};

	if (strcmp(s, "now") == 0) {
		*out = now;
		return true;
	}
	if (strcmp(s, "yesterday") == 0)
		tm.tm_mday--;
	else if (strcmp(s, "today") != 0)
		return false;
	*out = (int64_t)mktime(&tm) * NS_PER_S;
	return true;
}

int
when_parse(const char *text, const char *what, int64_t now, int64_t *real_ns, struct err *e)
{
	time_t t = (time_t)(now / NS_PER_S);
	struct tm today = {0};
	int64_t ago;

	localtime_r(&t, &today);
	if (parse_word(text, &today, now, real_ns) || parse_date(text, &today, real_ns))
		return 0;
	if (clock_parse_duration(text + (text[0] == '-'), &ago) == 0 && ago <= now) {
		*real_ns = now - ago;
		return 0;
	}
	err_set(e, ERR_USAGE, 0, "--%s wants a time, not \"%s\"", what, text);
	err_why(
	    e, "such as 2026-11-22, \"2026-11-22 10:30\", 10:30, yesterday, or 2h for so long ago");
	return err_hint(e, "--%s yesterday", what);
}
