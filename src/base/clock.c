/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"

#include <string.h>
#include <time.h>

#include "base/attr.h"
#include "base/str.h"

static int64_t
now(clockid_t id)
{
	struct timespec ts = {0};

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t
clock_mono(void)
{
	return now(CLOCK_MONOTONIC);
}

int64_t
clock_real(void)
{
	return now(CLOCK_REALTIME);
}

void
clock_iso(int64_t real_ns, char out[CLOCK_ISO_SIZE])
{
	time_t t = (time_t)(real_ns / NS_PER_S);
	struct tm tm;

	if (real_ns % NS_PER_S < 0)
		t--;
	if (!gmtime_r(&t, &tm) || !strftime(out, CLOCK_ISO_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		str_copy(out, "?", CLOCK_ISO_SIZE);
}

static const struct unit {
	const char *name;
	int64_t ns;
} units[] = {
    {"d", 86400 * NS_PER_S},
    {"h", 3600 * NS_PER_S},
    {"m", 60 * NS_PER_S},
    {"s", NS_PER_S},
    {"ms", NS_PER_MS},
};

/* The unit at *s, which must be smaller than the one before; or NULL. */
static const struct unit *
take_unit(const char **s, const struct unit *before)
{
	size_t n = strspn(*s, "abcdefghijklmnopqrstuvwxyz");
	const struct unit *u = before ? before + 1 : units;

	for (; u < units + COUNT_OF(units); u++) {
		if (strlen(u->name) == n && strncmp(u->name, *s, n) == 0) {
			*s += n;
			return u;
		}
	}
	return NULL;
}

static int
take_number(const char **s, int64_t *out)
{
	int64_t v = 0;

	if (**s < '0' || **s > '9')
		return -1;
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, **s - '0', &v))
			return -1;
	}
	*out = v;
	return 0;
}

int
clock_parse_duration(const char *s, int64_t *ns)
{
	const struct unit *u = NULL;
	int64_t total = 0, v;

	do {
		if (take_number(&s, &v) < 0)
			return -1;
		if (!u && !*s) {
			u = &units[3];
		} else {
			u = take_unit(&s, u);
			if (!u)
				return -1;
		}
		if (__builtin_mul_overflow(v, u->ns, &v) ||
		    __builtin_add_overflow(total, v, &total))
			return -1;
	} while (*s);
	*ns = total;
	return 0;
}
