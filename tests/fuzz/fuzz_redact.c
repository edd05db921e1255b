/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any output in any reads: it ends, little comes of it, lines and escape sequences stay, nothing is
 * changed where nothing is replaced, and a value that is known does not get through. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/redact.h"
#include "record/redactor.h"

#define VALUE "hunter2hunter2"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static size_t
count(const uint8_t *p, size_t n, uint8_t c)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += p[i] == c;
	return found;
}

static void
check(const struct redactor *r, const uint8_t *p, size_t n, const struct buf *out)
{
	static const uint8_t stays[] = {'\n', '\r', 033, 7};
	const uint8_t *o = out->len > 0 ? buf_head(out) : p;

	if (out->len > 6 * n + 16)
		abort();
	if (redactor_count(r) == 0 && (out->len != n || (n > 0 && memcmp(o, p, n) != 0)))
		abort();
	for (size_t i = 0; i < sizeof stays; i++)
		if (out->len > 0 && count(o, out->len, stays[i]) != count(p, n, stays[i]))
			abort();
	if (n > 0 && memmem(o, out->len, VALUE, strlen(VALUE)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const env[] = {
	    "A_PASSWORD=" VALUE, "B_TOKEN=unter2hunt", "C_KEY=2222222222", NULL};
	struct redactor_rules *rules = redactor_rules_new();
	struct redactor *r = redactor_new(rules);
	size_t step = n > 0 ? 1 + p[0] * (p[0] & 1 ? 1U : 257U) : 1;
	struct buf out;

	if (redactor_rules_environ(rules, env) < 0 ||
	    (n > 1 && p[1] & 1 &&
		redactor_rules_pattern(rules, "[0-9]{4}(-[0-9]{4}){1,3}", NULL) < 0))
		abort();
	buf_init(&out, 8 * n + REDACTOR_SLACK);
	for (size_t at = 0; at < n; at += step)
		if (redactor_feed(r, 1, p + at, step < n - at ? step : n - at, &out) < 0)
			abort();
	if (redactor_flush(r, &out) < 0 || redactor_due(r) != 0)
		abort();
	check(r, p, n, &out);
	redactor_trim(r);
	redactor_free(r);
	redactor_rules_free(rules);
	buf_fini(&out);
	return 0;
}
