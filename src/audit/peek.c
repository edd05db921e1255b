/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit/peek.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"

#define AFTER " after="
#define LAST " last="

/* `key` and then a string without escapes, or null; *p is behind both. */
static bool
take(const char **p, const char *end, const char *key, char *out, size_t size)
{
	size_t n = strlen(key);
	const char *quote;

	if ((size_t)(end - *p) < n + 4 || memcmp(*p, key, n) != 0)
		return false;
	*p += n;
	out[0] = '\0';
	if (memcmp(*p, "null", 4) == 0) {
		*p += 4;
		return true;
	}
	quote = **p == '"' ? memchr(*p + 1, '"', (size_t)(end - *p) - 1) : NULL;
	if (!quote || (size_t)(quote - *p) > size || memchr(*p, '\\', (size_t)(quote - *p)))
		return false;
	n = (size_t)(quote - *p) - 1;
	/* A writer escapes these: so nothing that a terminal would act on is taken from a log. */
	for (size_t i = 1; i <= n; i++)
		if ((*p)[i] < 0x20 || (*p)[i] > 0x7e)
			return false;
	memcpy(out, *p + 1, n);
	out[n] = '\0';
	*p = quote + 1;
	return true;
}

bool
audit_peek(const char *p, size_t n, struct audit_peek *out)
{
	const char *end = p + n;

	return take(&p, end, "{\"session_id\":", out->session, sizeof out->session) &&
	       take(&p, end, ",\"timestamp\":", out->time, sizeof out->time) &&
	       take(&p, end, ",\"event\":", out->event, sizeof out->event);
}

int64_t
audit_time_ns(const char *time)
{
	struct tm tm = {0};
	int micros, used = 0;
	time_t t;

	if (sscanf(time, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		&tm.tm_hour, &tm.tm_min, &tm.tm_sec, &micros, &used) != 7 ||
	    used == 0 || time[used] != '\0')
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	t = timegm(&tm);
	return t < 0 || t > INT64_MAX / NS_PER_S - 1 ? -1 : t * NS_PER_S + micros * 1000LL;
}

void
audit_pruned_text(char out[AUDIT_PRUNED_TEXT], const char *why, const struct audit_pruned *p)
{
	snprintf(out, AUDIT_PRUNED_TEXT,
	    "%.60s; file=%s records=%llu bytes=%llu" AFTER "%s" LAST "%s", why, p->file,
	    (unsigned long long)p->records, (unsigned long long)p->bytes, p->after, p->last);
}

static bool
take_hash(const char *p, const char *key, char out[AUDIT_HASH_SIZE])
{
	size_t n = strlen(key);

	if (strncmp(p, key, n) != 0)
		return false;
	str_copy(out, p + n, AUDIT_HASH_SIZE);
	return strspn(out, "0123456789abcdef") == AUDIT_HASH_SIZE - 1;
}

bool
audit_pruned_parse(
    const char *line, size_t n, char after[AUDIT_HASH_SIZE], char last[AUDIT_HASH_SIZE])
{
	static const size_t tail = sizeof AFTER LAST - 1 + 2 * (AUDIT_HASH_SIZE - 1);
	json_t *rec = json_parse(line, n, NULL);
	const char *reason = json_str(rec, "reason");
	size_t len = reason ? strlen(reason) : 0;
	const char *at = len >= tail ? reason + len - tail : NULL;
	bool good = at && take_hash(at, AFTER, after) &&
		    take_hash(at + sizeof AFTER - 1 + AUDIT_HASH_SIZE - 1, LAST, last);

	json_decref(rec);
	return good;
}
