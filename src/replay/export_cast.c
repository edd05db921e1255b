/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "record/cast_escape.h"
#include "record/source.h"
#include "replay/export_int.h"
#include "replay/player.h"

#define PIECE_MAX ((size_t)2 * CAST_CHUNK)

/* Lines as they stand in the file. */
struct verbatim {
	uint64_t at;  /* what was written of it */
	bool comment; /* of version 3: nobody has read what is in it, and so nobody shall */
	bool within;  /* a line */
	bool c2;      /* the byte before, held back: it may begin a C1 control */
};

static void
put_byte(struct verbatim *v, unsigned char c, bool v3, FILE *out)
{
	if (c == '\n') {
		if (!v->comment)
			putc_unlocked('\n', out);
		v->comment = v->within = v->c2 = false;
		return;
	}
	if (!v->within)
		v->comment = v3 && c == '#';
	v->within = true;
	if (v->comment)
		return;
	if (v->c2) {
		v->c2 = false;
		/* Inside a string, or the reader would not have taken the line. */
		if (c < 0xa0) {
			fprintf(out, "\\u%04x", c);
			return;
		}
		putc_unlocked(0xc2, out);
	}
	if (c == 0xc2)
		v->c2 = true;
	else if (c == 0x7f)
		fputs("\\u007f", out);
	else
		putc_unlocked(c < 0x20 ? ' ' : c, out);
}

/* As far as the reader has come; a stump at the end is nothing. */
static int
copy(struct verbatim *v, struct source *from, struct export *x, const struct cast_reader *r,
    struct err *e)
{
	uint64_t line, end = cast_passed(r, &line);
	unsigned char block[16384];
	ssize_t n, i;

	while (v->at < end && !ferror(x->out)) {
		size_t want = end - v->at < sizeof(block) ? end - v->at : sizeof(block);

		n = source_read(from, block, want, e);
		if (n == 0)
			return err_set(e, ERR_IO, 0, "cannot read the recording %s", x->name);
		if (n < 0)
			return -1;
		for (i = 0; i < n; i++)
			put_byte(v, block[i], cast_is_v3(r), x->out);
		v->at += (uint64_t)n;
	}
	return 0;
}

static int
same_lines(struct export *x, struct source *from, struct cast_reader *r, struct err *e)
{
	struct verbatim v = {0};
	struct cast_event ev;
	int got;

	do {
		if (copy(&v, from, x, r, e) < 0)
			return -1;
		got = cast_next(r, &ev, e);
	} while ((got == 1 || (got == 0 && x->more && x->more(x->arg))) && !ferror(x->out));
	/* Marks and the seal come behind the last event, and are none. */
	if (got < 0 || copy(&v, from, x, r, e) < 0)
		return -1;
	if (v.within)
		putc_unlocked('\n', x->out);
	return 0;
}

static int
same_version(struct export *x, struct cast_reader *r, struct err *e)
{
	struct source *from = export_source(x, e);
	int rc = from ? same_lines(x, from, r, e) : -1;

	source_close(from);
	return rc;
}

static json_t *
header_to_3(const json_t *from)
{
	json_t *h = json_copy((json_t *)(uintptr_t)from), *term = json_object();

	json_object_set(term, "cols", json_object_get(h, "width"));
	json_object_set(term, "rows", json_object_get(h, "height"));
	json_object_set(term, "type", json_object_get(json_object_get(h, "env"), "TERM"));
	json_object_set(term, "theme", json_object_get(h, "theme"));
	json_object_del(h, "width");
	json_object_del(h, "height");
	json_object_del(h, "theme");
	json_object_del(h, "duration");
	json_object_set_new(h, "term", term);
	return h;
}

static json_t *
header_to_2(const json_t *from)
{
	json_t *h = json_copy((json_t *)(uintptr_t)from), *term = json_object_get(h, "term"), *env;

	json_object_set(h, "width", json_object_get(term, "cols"));
	json_object_set(h, "height", json_object_get(term, "rows"));
	json_object_set(h, "theme", json_object_get(term, "theme"));
	if (json_is_string(json_object_get(term, "type"))) {
		env = json_object_get(h, "env");
		env = json_is_object(env) ? json_copy(env) : json_object();
		json_object_set(env, "TERM", json_object_get(term, "type"));
		json_object_set_new(h, "env", env);
	}
	json_object_del(h, "term");
	json_object_del(h, "tags");
	return h;
}

static void
put_header(const struct cast_reader *r, int version, FILE *out)
{
	json_t *h = version == 3 ? header_to_3(cast_header(r)) : header_to_2(cast_header(r));
	json_t *coral = json_object_get(h, "coral");

	if (json_is_object(coral)) {
		coral = json_copy(coral);
		json_object_del(coral, "evidence");
		json_object_set_new(h, "coral", coral);
	}
	json_object_set_new(h, "version", json_integer(version));
	json_put(out, h, JSON_ENSURE_ASCII | JSON_COMPACT);
	putc('\n', out);
	json_decref(h);
}

/* The other version, event by event. */
struct conversion {
	int version;
	int64_t t; /* of the event before */
	FILE *out;
	unsigned char *text; /* scratch: one event's data as the inside of a JSON string */
};

static void
begin(struct conversion *c, int64_t t, char code)
{
	long long v = c->version == 3 ? t - c->t : t;
	long long part = v % NS_PER_S;

	c->t = t;
	fprintf(c->out, "[%lld.", v / NS_PER_S);
	if (part % 1000)
		fprintf(c->out, "%09lld", part);
	else
		fprintf(c->out, "%06lld", part / 1000);
	fprintf(c->out, ",\"%c\",\"", code);
}

static void
put_text(struct conversion *c, const unsigned char *p, size_t n)
{
	unsigned char *end = cast_escape(c->text, p, n, false);

	fwrite(c->text, 1, (size_t)(end - c->text), c->out);
	fputs("\"]\n", c->out);
}

static void
put_next(struct conversion *c, const struct cast_event *ev, bool exact)
{
	auto_free char *b64 = exact ? malloc(4 * ((ev->len + 2) / 3) + 1) : NULL;

	begin(c, ev->t, 'c');
	fputs("{\\\"next\\\":{", c->out);
	if (ev->stream == CAST_STDERR)
		fputs(b64 ? "\\\"stream\\\":2," : "\\\"stream\\\":2", c->out);
	if (b64) {
		str_base64(b64, ev->data, ev->len);
		fprintf(c->out, "\\\"bytes\\\":\\\"%s\\\"", b64);
	}
	fputs("}}\"]\n", c->out);
}

static void
put_line(struct conversion *c, const struct cast_event *ev)
{
	begin(c, ev->t, ev->code);
	put_text(c, ev->data, ev->len);
}

static void
put_piece(struct conversion *c, const struct cast_event *ev)
{
	size_t partial;
	bool exact = str_utf8_prefix(ev->data, ev->len, &partial) != ev->len;

	if (exact || ev->stream == CAST_STDERR)
		put_next(c, ev, exact);
	put_line(c, ev);
}

/* Others may write events that would be longer than a line may be, once escaped. */
static void
put_bytes(struct conversion *c, const struct cast_event *ev)
{
	struct cast_event piece = *ev;
	size_t left = ev->len;

	for (;;) {
		piece.len = left;
		if (left > PIECE_MAX)
			piece.len = PIECE_MAX - cast_utf8_tail(piece.data, PIECE_MAX);
		put_piece(c, &piece);
		left -= piece.len;
		if (left == 0)
			break;
		piece.data += piece.len;
	}
}

static void
put_event(struct conversion *c, const struct cast_event *ev)
{
	switch (ev->kind) {
	case CAST_EV_OUTPUT:
	case CAST_EV_INPUT:
		put_bytes(c, ev);
		break;
	default:
		if (ev->code)
			put_line(c, ev);
		break;
	}
}

static int
other_version(struct export *x, struct cast_reader *r, int version, struct err *e)
{
	auto_free unsigned char *text =
	    malloc((size_t)CAST_ESCAPE_GROW * CAST_LINE_MAX + CAST_ESCAPE_SLACK);
	struct conversion c = {.version = version, .out = x->out, .text = text};
	struct cast_event ev;
	int got;

	if (!text)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot convert %s", x->name);
	put_header(r, version, x->out);
	while ((got = export_next(x, r, &ev, e)) == 1 && !ferror(x->out))
		put_event(&c, &ev);
	return got < 0 ? -1 : 0;
}

int
export_cast(struct export *x, int version, struct err *e)
{
	struct cast_reader *r = export_open(x, e);
	int rc;

	if (!r)
		return -1;
	if (cast_is_v3(r) == (version == 3))
		rc = same_version(x, r, e);
	else
		rc = other_version(x, r, version, e);
	x->truncated = cast_truncated(r);
	cast_close(r);
	return rc;
}
