/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/redact.h"
#include "record/redactor_int.h"

/* The C library keeps every state that a pattern was ever in, which makes it fast: so much of them
 * all is kept while there is output, and while there is none. */
#define GROWN_MAX (4 * 1024 * 1024)
#define GROWN_IDLE (64 * 1024)

struct redactor_rules *
redactor_rules_new(void)
{
	return calloc(1, sizeof(struct redactor_rules));
}

/* A value of several lines comes out line by line. */
static int
add_lines(struct redactor_values *v, const char *p)
{
	while (*p) {
		size_t n = strcspn(p, "\r\n");

		if (redactor_values_add(v, p, n) < 0)
			return -1;
		p += n;
		p += strspn(p, "\r\n");
	}
	return 0;
}

int
redactor_rules_environ(struct redactor_rules *r, const char *const *env)
{
	for (; *env; env++) {
		const char *eq = strchr(*env, '=');

		if (eq && redact_env_n(*env, (size_t)(eq - *env)) &&
		    add_lines(&r->values, eq + 1) < 0)
			return -1;
	}
	return redactor_values_link(&r->values);
}

int
redactor_check_pattern(const char *text, struct err *e)
{
	struct pattern p;

	if (pattern_init(&p, text, true, false, e) < 0)
		return -1;
	pattern_fini(&p);
	return 0;
}

int
redactor_rules_pattern(struct redactor_rules *r, const char *text, struct err *e)
{
	if (r->patterns >= REDACTOR_PATTERNS) {
		err_set(e, ERR_CONFIG, 0, "cannot redact by so many patterns");
		return err_why(e, "at most %d may be given", REDACTOR_PATTERNS);
	}
	if (pattern_init(&r->pattern[r->patterns], text, true, false, e) < 0)
		return -1;
	r->patterns++;
	return 0;
}

static void
compile_again(struct redactor_rules *r)
{
	for (size_t i = 0; i < r->patterns; i++) {
		struct pattern was = r->pattern[i];

		if (pattern_init(&r->pattern[i], was.text, true, false, NULL) < 0) {
			r->pattern[i] = was;
			return;
		}
		pattern_fini(&was);
	}
	r->grown = 0;
}

bool
redactor_rules_grown(const struct redactor_rules *r)
{
	return r->grown > GROWN_IDLE;
}

void
redactor_rules_trim(struct redactor_rules *r)
{
	if (redactor_rules_grown(r))
		compile_again(r);
}

bool
redactor_rules_match(
    struct redactor_rules *r, size_t i, const char *line, size_t n, size_t *from, size_t *to)
{
	size_t before, after;
	bool found;

	if (r->grown > GROWN_MAX)
		compile_again(r);
	before = mem_in_use();
	found = pattern_match(&r->pattern[i], line, n, from, to);
	after = mem_in_use();
	if (after > before)
		r->grown += after - before;
	return found;
}

size_t
redactor_rules_values(const struct redactor_rules *r)
{
	return r->values.count;
}

size_t
redactor_rules_patterns(const struct redactor_rules *r)
{
	return r->patterns;
}

void
redactor_rules_forget(struct redactor_rules *r)
{
	struct redactor_values *v = &r->values;

	if (v->node)
		explicit_bzero(v->node, v->nodes * sizeof *v->node);
	explicit_bzero(v->first, sizeof v->first);
}

void
redactor_rules_free(struct redactor_rules *r)
{
	if (!r)
		return;
	redactor_rules_forget(r);
	free(r->values.node);
	for (size_t i = 0; i < r->patterns; i++)
		pattern_fini(&r->pattern[i]);
	free(r);
}
