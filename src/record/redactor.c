/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A line is looked at as it reads without escape sequences.  What was let go of it stays as context
 * for what follows, so nothing waits because a name may be followed by a value: only the beginning
 * of a token or of a known value is kept back, and not for long.
 */
#include "record/redactor_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/redact.h"

/* Not let go, escape sequences among it. */
#define RAW_MAX 8192

enum escape { GROUND, ESCAPE, INTERMEDIATE, SEQUENCE, STRING, STRING_ESCAPE };

enum what { CHARACTER, BETWEEN, LINE_END };

struct redactor *
redactor_new(struct redactor_rules *rules)
{
	struct redactor *r = calloc(1, sizeof *r);

	if (r)
		r->rules = rules;
	return r;
}

/* ECMA-48: colours, erasing to the end of the line and modes leave the cursor where it is. */
static enum what
sequence_over(unsigned char c)
{
	return c == 'm' || c == 'K' || c == 'h' || c == 'l' || c == 'q' ? BETWEEN : LINE_END;
}

static enum what
after_escape(struct redactor *r, unsigned char c)
{
	r->escape = GROUND;
	if (c == '[')
		r->escape = SEQUENCE;
	else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
		r->escape = STRING;
	else if (c >= 0x20 && c < 0x30)
		r->escape = INTERMEDIATE;
	else if (c == '=' || c == '>')
		return BETWEEN;
	else
		return LINE_END;
	/* What a title says is text of its own. */
	return r->escape == STRING ? LINE_END : BETWEEN;
}

static enum what
control(struct redactor *r, unsigned char c)
{
	if (c == 0x1b) {
		r->escape = r->escape == STRING ? STRING_ESCAPE : ESCAPE;
		return BETWEEN;
	}
	if (c == 0x18 || c == 0x1a || (c == 7 && r->escape == STRING)) {
		r->escape = GROUND;
		return LINE_END;
	}
	if (c == '\t')
		return r->escape == GROUND || r->escape == STRING ? CHARACTER : BETWEEN;
	return c == '\r' || (c >= '\n' && c <= '\f') ? LINE_END : BETWEEN;
}

static enum what
classify(struct redactor *r, unsigned char c)
{
	if (c < 0x20 || c == 0x7f)
		return control(r, c);
	switch (r->escape) {
	case ESCAPE:
		return after_escape(r, c);
	case INTERMEDIATE:
		if (c >= 0x30)
			r->escape = GROUND;
		return BETWEEN;
	case SEQUENCE:
		if (c < 0x40)
			return BETWEEN;
		r->escape = GROUND;
		return sequence_over(c);
	case STRING_ESCAPE:
		r->escape = GROUND;
		return LINE_END;
	default:
		return CHARACTER;
	}
}

static int
grow(void *pair[2], size_t *room, size_t need)
{
	size_t more = *room ? *room : 256;

	if (need <= *room)
		return 0;
	while (more < need)
		more *= 2;
	for (int i = 0; i < 2; i++) {
		void *p = realloc(*(void **)pair[i], more);

		if (!p)
			return -1;
		*(void **)pair[i] = p;
	}
	*room = more;
	return 0;
}

static int
queue(struct redactor *r, const unsigned char *p, size_t n, bool plain)
{
	void *pair[2] = {&r->raw, &r->plain};

	if (grow(pair, &r->raw_room, r->nraw + n) < 0)
		return -1;
	memcpy(r->raw + r->nraw, p, n);
	memset(r->plain + r->nraw, plain, n);
	r->nraw += n;
	return 0;
}

static void
look_for_values(struct redactor *r, const unsigned char *p, size_t n)
{
	const struct redactor_values *v = &r->rules->values;

	for (size_t i = 0; i < n; i++) {
		size_t long_, to = r->len + i + 1;

		r->at = redactor_values_step(v, r->at, p[i]);
		long_ = r->at ? v->node[r->at].ends : 0;
		if (!long_)
			continue;
		if (long_ > to)
			long_ = to;
		memset(r->mark + to - long_, REDACTOR_IS_VALUE, long_);
		r->marked = true;
	}
}

static int
add_text(struct redactor *r, const unsigned char *p, size_t n)
{
	void *pair[2] = {&r->text, &r->mark};

	if (queue(r, p, n, true) < 0 || grow(pair, &r->room, r->len + n + 1) < 0)
		return -1;
	memcpy(r->text + r->len, p, n);
	memset(r->mark + r->len, 0, n);
	if (r->rules->values.count)
		look_for_values(r, p, n);
	r->len += n;
	r->text[r->len] = '\0';
	return 0;
}

static int
put_plain(struct redactor *r, unsigned char c, struct buf *out)
{
	bool hide = r->mark[r->shown++] != 0, first = hide && !r->hidden;

	r->hidden = hide;
	if (!hide)
		return buf_put(out, &c, 1);
	if (!first)
		return 0;
	r->count++;
	return buf_put(out, REDACTED, strlen(REDACTED));
}

/* The line up to `upto`, with what stands between its characters. */
static int
let_go(struct redactor *r, size_t upto, struct buf *out)
{
	size_t i = 0;
	int rc = 0;

	if (!r->marked && upto == r->len) {
		rc = buf_put(out, r->raw, r->nraw);
		i = r->nraw;
		r->shown = upto;
		r->hidden = false;
	}
	for (; i < r->nraw && rc == 0; i++) {
		if (!r->plain[i])
			rc = buf_put(out, r->raw + i, 1);
		else if (r->shown == upto)
			break;
		else
			rc = put_plain(r, r->raw[i], out);
	}
	r->nraw -= i;
	memmove(r->raw, r->raw + i, r->nraw);
	memmove(r->plain, r->plain + i, r->nraw);
	r->waited -= i < r->waited ? i : r->waited;
	if (r->waited == 0)
		r->held_at = 0;
	return rc;
}

static void
cut(struct redactor *r, size_t from, size_t to)
{
	memmove(r->text + from, r->text + to, r->len - to + 1);
	memmove(r->mark + from, r->mark + to, r->len - to);
	r->len -= to - from;
	r->shown -= to - from;
}

/* Of a line without an end the last part stays; of a secret without one what it began with too. */
static void
shorten(struct redactor *r)
{
	size_t from = r->shown, drop;

	if (r->len <= REDACTOR_LINE)
		return;
	while (from > 0 && r->mark[from - 1])
		from--;
	if (r->shown - from > 128)
		cut(r, from + 64, r->shown - 64);
	drop = r->len > REDACTOR_KEPT ? r->len - REDACTOR_KEPT : 0;
	if (r->shown > from)
		from = from > 256 ? from - 256 : 0;
	drop = drop < from ? drop : from;
	cut(r, 0, drop);
	r->at = r->at && r->rules->values.node[r->at].depth > r->len ? 0 : r->at;
}

static int
end_line(struct redactor *r, struct buf *out)
{
	if (r->len > 0) {
		redactor_look(r);
		redactor_line_over(r);
	}
	if (r->nraw > 0 && let_go(r, r->len, out) < 0)
		return -1;
	r->len = r->shown = 0;
	r->hidden = r->marked = false;
	r->at = 0;
	return 0;
}

/* All but its last part, when that may begin something. */
static int
go_on(struct redactor *r, struct buf *out)
{
	redactor_look(r);
	if (let_go(r, redactor_hold_from(r), out) < 0)
		return -1;
	shorten(r);
	return 0;
}

/* The characters of p, as far as they follow one another. */
static size_t
run_length(const struct redactor *r, const unsigned char *p, size_t n)
{
	size_t i = 0;

	if (r->escape != GROUND && r->escape != STRING)
		return 0;
	while (i < n && p[i] >= 0x20 && p[i] != 0x7f)
		i++;
	return i;
}

static int
take_between(struct redactor *r, unsigned char c, struct buf *out)
{
	if (r->nraw == 0)
		return buf_put(out, &c, 1);
	if (r->nraw > RAW_MAX) {
		redactor_look(r);
		if (let_go(r, r->len, out) < 0)
			return -1;
	}
	return queue(r, &c, 1, false);
}

/* How much of p was taken; 0: no memory. */
static size_t
take_some(struct redactor *r, const unsigned char *p, size_t n, struct buf *out)
{
	size_t run = run_length(r, p, n), room = REDACTOR_SLICE - (r->len - r->shown);
	enum what what = CHARACTER;

	if (run == 0) {
		what = classify(r, *p);
		run = 1;
	}
	if (what == BETWEEN)
		return take_between(r, *p, out) < 0 ? 0 : 1;
	if (what == LINE_END)
		return end_line(r, out) < 0 || buf_put(out, p, 1) < 0 ? 0 : 1;
	run = run < room ? run : room;
	if (add_text(r, p, run) < 0 || (run == room && go_on(r, out) < 0))
		return 0;
	return run;
}

int
redactor_feed(struct redactor *r, int64_t t, const void *p, size_t n, struct buf *out)
{
	const unsigned char *at = p, *end = at + n;

	while (at < end) {
		size_t took = take_some(r, at, (size_t)(end - at), out);

		if (took == 0)
			return -1;
		at += took;
	}
	if (r->nraw == 0)
		return 0;
	if (go_on(r, out) < 0)
		return -1;
	/* What was due and is here yet was not let go for want of what came now. */
	if (r->nraw > 0 && (r->waited == 0 || t < r->held_at || t - r->held_at >= REDACTOR_HOLD_NS))
		redactor_hold_anew(r, t);
	return 0;
}

void
redactor_hold_anew(struct redactor *r, int64_t t)
{
	r->held_at = t;
	r->waited = r->nraw;
}

const void *
redactor_held(const struct redactor *r, size_t *n)
{
	*n = r->nraw;
	return r->raw;
}

char *
redactor_text(struct redactor_rules *rules, const char *text)
{
	struct redactor *r = redactor_new(rules);
	size_t n = strlen(text);
	char *shown = NULL;
	struct buf out;

	buf_init(&out, 6 * n + REDACTOR_SLACK);
	if (r && redactor_feed(r, 0, text, n, &out) == 0 && redactor_flush(r, &out) == 0 &&
	    buf_cstr(&out))
		shown = strdup(buf_cstr(&out));
	buf_fini(&out);
	redactor_free(r);
	return shown;
}

int64_t
redactor_due(const struct redactor *r)
{
	return r->nraw > 0 ? r->held_at + REDACTOR_HOLD_NS : 0;
}

int
redactor_flush(struct redactor *r, struct buf *out)
{
	return r->nraw > 0 ? let_go(r, r->len, out) : 0;
}

uint64_t
redactor_count(const struct redactor *r)
{
	return r->count;
}

void
redactor_trim(struct redactor *r)
{
	if (r->nraw > 0)
		return;
	free(steal_ptr(&r->raw));
	free(steal_ptr(&r->plain));
	r->raw_room = 0;
	if (r->len > 0)
		return;
	free(steal_ptr(&r->text));
	free(steal_ptr(&r->mark));
	r->room = 0;
}

void
redactor_forget(struct redactor *r)
{
	if (r->text)
		explicit_bzero(r->text, r->room);
	if (r->raw)
		explicit_bzero(r->raw, r->raw_room);
}

void
redactor_free(struct redactor *r)
{
	if (!r)
		return;
	redactor_forget(r);
	free(r->text);
	free(r->mark);
	free(r->raw);
	free(r->plain);
	free(r);
}
