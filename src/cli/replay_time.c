/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "replay/player.h"

#define HOURS_MAX 1000000

/* Digits and at most one point, as billionths. */
static int
decimal(const char *s, size_t n, int64_t max, int64_t *out)
{
	int64_t whole = 0, part = 0, unit = NS_PER_S;
	bool point = false, digit = false;
	size_t i;

	for (i = 0; i < n; i++) {
		if (s[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (s[i] < '0' || s[i] > '9')
			return -1;
		digit = true;
		if (!point)
			whole = whole * 10 + (s[i] - '0');
		else if ((unit /= 10) > 0)
			part += (s[i] - '0') * unit;
		if (whole > max)
			return -1;
	}
	*out = whole * NS_PER_S + part;
	return digit ? 0 : -1;
}

/* Parts between colons; all but the last are whole and below 60 but for the first. */
static int
clock_form(const char *s, int64_t *out)
{
	int64_t sum = 0, part;
	size_t n;
	int parts;

	for (parts = 1;; parts++) {
		n = strcspn(s, ":");
		if (parts > 3 || decimal(s, n, HOURS_MAX, &part) < 0)
			return -1;
		if ((parts > 1 && part >= 60 * NS_PER_S) || (s[n] && part % NS_PER_S))
			return -1;
		sum = sum * 60 + part;
		if (!s[n])
			break;
		s += n + 1;
	}
	*out = sum;
	return 0;
}

int
replay_parse_time(const char *s, int64_t total, int64_t *t, struct err *e)
{
	size_t n = strlen(s);
	char shown[80];
	int64_t v;

	if (n > 1 && n < 20 && s[n - 1] == '%' && decimal(s, n - 1, 100, &v) == 0 &&
	    v <= 100 * NS_PER_S) {
		*t = (int64_t)((double)total * ((double)v / 100e9));
		return 0;
	}
	if (n < 30 && clock_form(s, t) == 0)
		return 0;
	if (n > 0 && clock_parse_duration(s, t) == 0 && *t >= 0)
		return 0;
	str_vis(shown, sizeof(shown), s);
	err_set(e, ERR_USAGE, 0, "\"%s\" is no time in a recording", shown);
	err_why(e, "a time is minutes:seconds, hours:minutes:seconds, seconds, a duration or a "
		   "percentage");
	return err_hint(e, "write it as 1:30, 90, 1m30s or 50%%");
}

int
replay_moment(struct player *p, const char *s, int64_t *t, struct err *e)
{
	/* Of version 3 nothing says how long it is, but all of it. */
	if (strchr(s, '%') && player_total(p, NULL) == 0) {
		player_seek(p, INT64_MAX);
		player_finish(p);
	}
	return replay_parse_time(s, player_total(p, NULL), t, e);
}

void
replay_format_time(int64_t t, bool tenths, char *out, size_t size)
{
	int64_t s = (t < 0 ? 0 : t) / NS_PER_S, tenth = (t < 0 ? 0 : t) / (NS_PER_S / 10) % 10;
	long long h = (long long)(s / 3600);
	int m = (int)(s / 60 % 60), sec = (int)(s % 60);

	if (h > 0)
		snprintf(out, size, "%lld:%02d:%02d", h, m, sec);
	else if (tenths)
		snprintf(out, size, "%d:%02d.%d", m, sec, (int)tenth);
	else
		snprintf(out, size, "%d:%02d", m, sec);
}
