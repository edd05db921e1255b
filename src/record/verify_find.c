/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which line is wrong, and what was done to it. */
#include <string.h>

#include "base/str.h"
#include "record/verify_int.h"

static const unsigned char *
leaf(const struct verify *v, uint64_t line)
{
	return v->leaves[line % CAST_LEAVES_MAX];
}

static const unsigned char *
listed(const struct verify *v, size_t i)
{
	return v->list + i * VERIFY_LEAF;
}

static bool
same(const unsigned char *a, const unsigned char *b)
{
	return memcmp(a, b, VERIFY_LEAF) == 0;
}

int
verify_bad(struct verify *v, uint64_t line, enum verify_what what, const char *why)
{
	struct verify_result *r = v->r;

	r->state = VERIFY_BAD;
	r->what = what;
	r->bad_line = line + 1;
	if (line > 0)
		r->bad_offset = line == v->line ? v->offset : v->offsets[line % CAST_LEAVES_MAX];
	str_copy(r->why, why, sizeof(r->why));
	return -1;
}

int
verify_extra(struct verify *v, uint64_t line, const char *why)
{
	bool twice = line > 0 && same(leaf(v, line), leaf(v, line - 1));

	return verify_bad(v, line, twice ? VERIFY_DUPLICATED : VERIFY_INSERTED, why);
}

/* `line` is not as the list has it at i. */
static int
differs(struct verify *v, uint64_t line, size_t i, uint64_t first, size_t count)
{
	uint64_t have = v->line - first;
	bool is_next = i + 1 < count && same(leaf(v, line), listed(v, i + 1));
	bool next_is = line + 1 < v->line && same(leaf(v, line + 1), listed(v, i));

	if (have < count && is_next)
		return verify_bad(
		    v, line, VERIFY_DROPPED, "the line that was recorded before it is missing");
	if (have > count && next_is)
		return verify_extra(v, line, "it was not recorded here");
	if (have == count && is_next && next_is)
		return verify_bad(
		    v, line, VERIFY_SWAPPED, "it and the next were recorded the other way round");
	return verify_bad(v, line, VERIFY_ALTERED, "it is not what was recorded");
}

int
verify_compare(struct verify *v, uint64_t first, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t line = first + i;

		if (line >= v->line)
			return verify_bad(v, v->line, VERIFY_DROPPED,
			    "the line that was recorded before it is missing");
		if (!same(leaf(v, line), listed(v, i)))
			return differs(v, line, i, first, count);
	}
	if (v->line > first + count)
		return verify_extra(v, first + count, "it was not recorded here");
	return 0;
}

const char *
verify_what_name(enum verify_what what)
{
	static const char *const names[] = {
	    "altered", "dropped", "inserted", "duplicated", "swapped", "foreign"};

	return names[what];
}
