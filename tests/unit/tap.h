/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_TAP_H
#define CORAL_TESTS_TAP_H

/*
 * TAP for one program: checks, then `return done_testing();`.  The plan is at
 * the end, so that nobody counts.  Failures say where they are.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int tap_run, tap_failed;

static bool tap_ok_(bool good, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5), unused));
static bool tap_int_(intmax_t got, intmax_t want, const char *file, int line, const char *name)
    __attribute__((unused));
static bool tap_str_(const char *got, const char *want, const char *file, int line,
    const char *name) __attribute__((unused));
static int done_testing(void) __attribute__((unused));

/* ok(cond, "name %d", n) */
#define ok(cond, ...) tap_ok_((cond), __FILE__, __LINE__, __VA_ARGS__)
/* is_int(got, want, "name"), is_str(got, want, "name"); is_str takes NULL too. */
#define is_int(got, want, name)                                                                    \
	tap_int_((intmax_t)(got), (intmax_t)(want), __FILE__, __LINE__, name)
#define is_str(got, want, name) tap_str_((got), (want), __FILE__, __LINE__, name)

static bool
tap_ok_(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	tap_run++;
	printf("%sok %d - ", good ? "" : "not ", tap_run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (!good) {
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	/* A crash in the next check must not lose this one. */
	fflush(stdout);
	return good;
}

static bool
tap_int_(intmax_t got, intmax_t want, const char *file, int line, const char *name)
{
	if (!tap_ok_(got == want, file, line, "%s", name))
		printf("#  got: %" PRIdMAX "\n# want: %" PRIdMAX "\n", got, want);
	return got == want;
}

static bool
tap_str_(const char *got, const char *want, const char *file, int line, const char *name)
{
	bool good = got && want ? strcmp(got, want) == 0 : got == want;

	if (!tap_ok_(good, file, line, "%s", name))
		printf("#  got: %s\n# want: %s\n", got ? got : "(null)", want ? want : "(null)");
	return good;
}

static int
done_testing(void)
{
	printf("1..%d\n", tap_run);
	if (tap_failed)
		printf("# %d of %d failed\n", tap_failed, tap_run);
	return tap_failed || !tap_run ? 1 : 0;
}

#endif
