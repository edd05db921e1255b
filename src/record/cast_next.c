/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "record/cast_escape.h"
#include "record/cast_parse.h"
#include "record/cast_read_priv.h"

/* Facts about the event that follows: {"stream":2,"bytes":"BASE64"}, both optional. */
static int
take_next(struct cast_reader *r, const json_t *next, struct err *e)
{
	const json_t *stream = json_object_get(next, "stream");
	const json_t *bytes = json_object_get(next, "bytes");
	size_t n = json_string_length(bytes);

	if (!json_is_object(next) || (bytes && !json_is_string(bytes)) ||
	    (stream && json_integer_value(stream) != CAST_STDERR))
		return cast_bad(r, "a wrong \"next\" event", e);
	r->next_stream = stream ? CAST_STDERR : CAST_STDOUT;
	if (bytes) {
		r->exact = malloc(n / 4 * 3 + 1);
		if (!r->exact)
			return err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
		r->exact_len = str_unbase64(r->exact, json_string_value(bytes), n);
		if (r->exact_len == (size_t)-1)
			return cast_bad(r, "exact bytes that are not base64", e);
	}
	r->pending = true;
	r->pending_offset = r->offset;
	r->pending_line = r->line;
	return 0;
}

/* Bytes of a stream, exact where an event before told them. */
static int
got_bytes(struct cast_reader *r, struct cast_event *ev, char code, struct err *e)
{
	ev->kind = code == 'o' ? CAST_EV_OUTPUT : CAST_EV_INPUT;
	ev->stream = code == 'o' ? r->next_stream : CAST_STDIN;
	if (!r->pending)
		return 1;
	if (r->exact) {
		/* Else players would show one thing and we another. */
		if (!cast_utf8_shows(r->exact, r->exact_len, (const char *)ev->data, ev->len))
			return cast_bad(r, "its exact bytes and its text do not match", e);
		ev->data = r->exact;
		ev->len = r->exact_len;
	}
	ev->offset = r->pending_offset;
	ev->line = r->pending_line;
	r->pending = false;
	return 1;
}

/* An event of coral's own: one object with one key.  1, 0: only for the reader, -1. */
static int
got_coral(struct cast_reader *r, struct cast_event *ev, struct err *e)
{
	struct err why = {0};
	void *entry;

	r->facts = json_parse((const char *)ev->data, ev->len, &why);
	if (!r->facts)
		return cast_bad(r, why.why, e);
	if (!json_is_object(r->facts) || json_object_size(r->facts) != 1)
		return cast_bad(r, "an event of coral's own must hold one object with one key", e);
	entry = json_object_iter(r->facts);
	ev->name = json_object_iter_key(entry);
	ev->facts = json_object_iter_value(entry);
	ev->kind = CAST_EV_CORAL;
	if (strcmp(ev->name, "next") == 0)
		return take_next(r, ev->facts, e) < 0 ? -1 : 0;
	if (strcmp(ev->name, "end") == 0) {
		if (!json_is_object(ev->facts))
			return cast_bad(r, "the end record is not an object", e);
		ev->kind = CAST_EV_END;
		r->ended = true;
	}
	return 1;
}

/* The exit status of a file that is not ours (asciicast v3). */
static int
got_exit(struct cast_reader *r, struct cast_event *ev, struct err *e)
{
	char text[16];
	int64_t code;

	ev->kind = CAST_EV_OTHER;
	if (r->coral)
		return 1;
	str_copy(
	    text, (const char *)ev->data, ev->len + 1 < sizeof(text) ? ev->len + 1 : sizeof(text));
	if (str_to_i64(text, INT32_MIN, INT32_MAX, &code) < 0)
		return cast_bad(r, "the exit status is not a number", e);
	r->facts = json_pack("{sI}", "exit_code", (json_int_t)code);
	ev->facts = r->facts;
	ev->kind = CAST_EV_END;
	r->ended = true;
	return 1;
}

static int
got_line(struct cast_reader *r, const struct cast_line *l, struct cast_event *ev, struct err *e)
{
	if (r->pending && l->code != 'o' && l->code != 'i')
		return cast_bad(r, "output or input must follow a \"next\" event", e);
	switch (l->code) {
	case 'o':
	case 'i':
		return got_bytes(r, ev, l->code, e);
	case 'r':
		ev->kind = CAST_EV_RESIZE;
		if (cast_parse_size(ev->data, ev->len, &ev->cols, &ev->rows) < 0)
			return cast_bad(r, "a resize must say COLSxROWS", e);
		return 1;
	case 'm':
		ev->kind = CAST_EV_MARKER;
		return 1;
	case 'x':
		return got_exit(r, ev, e);
	case 'c':
		if (r->coral)
			return got_coral(r, ev, e);
		break;
	}
	ev->kind = CAST_EV_OTHER;
	return 1;
}

/* Version 2 gives the time, version 3 the time since the event before. */
static void
advance(struct cast_reader *r, int64_t t)
{
	int64_t sum;

	if (r->at_seek) {
		r->at_seek = false;
		if (r->v3)
			return;
	}
	if (!r->v3)
		sum = t;
	else if (__builtin_add_overflow(r->t, t, &sum) || sum > CAST_T_MAX)
		sum = CAST_T_MAX;
	if (sum > r->t)
		r->t = sum;
}

/* A mark, or the seal behind the end. */
static bool
is_evidence(struct cast_reader *r, const unsigned char *p, size_t n)
{
	enum cast_line_kind kind = cast_line_kind(p, n);

	if (kind == CAST_LINE_MARK)
		return !r->ended && !r->pending;
	if (kind != CAST_LINE_SEAL || !r->ended || r->sealed)
		return false;
	r->sealed = true;
	return true;
}

int
cast_next(struct cast_reader *r, struct cast_event *ev, struct err *e)
{
	int rc = 0;

	json_decref(r->facts);
	r->facts = NULL;
	if (!r->pending)
		cast_forget_next(r);
	while (rc == 0) {
		struct cast_line l = {0};
		const char *why;
		unsigned char *p;
		size_t n;

		rc = cast_next_line(r, &p, &n, e);
		if (rc <= 0)
			return rc;
		rc = 0;
		if (n == 0 || (r->v3 && *p == '#'))
			continue;
		if (r->coral && is_evidence(r, p, n))
			continue;
		if (r->ended && r->coral)
			return cast_bad(r, "something follows the end record", e);
		if (cast_parse_line(p, n, &l, &why) < 0)
			return r->cut ? 0 : cast_bad(r, why, e);
		r->cut = false;
		advance(r, l.t);
		*ev = (struct cast_event){.code = l.code,
		    .t = r->t,
		    .data = l.data,
		    .len = l.len,
		    .offset = r->offset,
		    .line = r->line};
		rc = got_line(r, &l, ev, e);
		if (rc == 0) {
			json_decref(r->facts);
			r->facts = NULL;
		}
	}
	return rc;
}
