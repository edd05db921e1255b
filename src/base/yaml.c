/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/yaml.h"

#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "base/str.h"

struct level {
	json_t *node; /* owned by its parent; the first by the builder */
	char *key;    /* in a mapping, waiting for its value; owned */
};

struct builder {
	yaml_parser_t parser;
	const char *text, *name;
	size_t n;
	json_t *root;
	struct level stack[YAML_DEPTH_MAX];
	size_t depth;
	unsigned documents;
	struct err *err;
};

static int
fail(struct builder *b, const yaml_mark_t *at, const char *what, const char *why, const char *hint)
{
	err_set(
	    b->err, ERR_CONFIG, 0, "%s:%zu:%zu: %s", b->name, at->line + 1, at->column + 1, what);
	err_why(b->err, "%s", why);
	return err_hint(b->err, "%s", hint);
}

/* What libyaml has to say; for bad bytes it knows only the offset. */
static int
fail_syntax(struct builder *b)
{
	yaml_parser_t *p = &b->parser;
	yaml_mark_t at = p->problem_mark;
	const char *problem = p->problem ? p->problem : "out of memory";
	size_t i;

	if (p->error == YAML_READER_ERROR) {
		at.line = at.column = 0;
		for (i = 0; i < p->problem_offset && i < b->n; i++) {
			at.column++;
			if (b->text[i] == '\n') {
				at.line++;
				at.column = 0;
			}
		}
	}
	fail(b, &at, "not valid YAML", problem, "");
	if (p->context)
		err_why(b->err, " (%s, line %zu)", p->context, p->context_mark.line + 1);
	return err_hint(b->err, "look at line %zu of %s", at.line + 1, b->name);
}

static json_t *
plain_value(const char *s)
{
	int64_t v;
	const char *digits = s + (*s == '-');

	if (!*s || strcmp(s, "null") == 0)
		return json_null();
	if (strcmp(s, "true") == 0)
		return json_true();
	if (strcmp(s, "false") == 0)
		return json_false();
	/* 0755 is a mode, and 0123 an id: only text keeps them as they were meant. */
	if ((*digits != '0' || !digits[1]) && str_to_i64(s, INT64_MIN, INT64_MAX, &v) == 0)
		return json_integer(v);
	return json_string(s);
}

/* Takes over v.  Where it goes depends on what is open. */
static int
place(struct builder *b, const yaml_mark_t *at, json_t *v)
{
	struct level *top = b->depth ? &b->stack[b->depth - 1] : NULL;
	int rc;

	if (!v)
		return fail(b, at, "cannot keep the value", "out of memory", "try again");
	if (!top) {
		b->root = v;
		return 0;
	}
	if (json_is_array(top->node)) {
		rc = json_array_append_new(top->node, v);
	} else {
		rc = json_object_set_new(top->node, top->key, v);
		free(steal_ptr(&top->key));
	}
	return rc == 0 ? 0 : fail(b, at, "cannot keep the value", "out of memory", "try again");
}

static bool
wants_key(const struct builder *b)
{
	const struct level *top = b->depth ? &b->stack[b->depth - 1] : NULL;

	return top && json_is_object(top->node) && !top->key;
}

static int
take_key(struct builder *b, const yaml_mark_t *at, const char *s)
{
	struct level *top = &b->stack[b->depth - 1];

	if (json_object_get(top->node, s)) {
		fail(
		    b, at, "the same key twice", "", "remove one of the two, or join their values");
		return err_why(b->err, "\"%s\" is already there in this mapping", s);
	}
	top->key = strdup(s);
	return top->key ? 0 : fail(b, at, "cannot keep the key", "out of memory", "try again");
}

static int
on_scalar(struct builder *b, const yaml_event_t *ev)
{
	const char *s = (const char *)ev->data.scalar.value;

	if (strlen(s) != ev->data.scalar.length)
		return fail(b, &ev->start_mark, "a NUL character in a value",
		    "text is cut there by everything that reads it", "remove the \\0");
	if (wants_key(b))
		return take_key(b, &ev->start_mark, s);
	if (ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return place(b, &ev->start_mark, plain_value(s));
	return place(b, &ev->start_mark, json_string(s));
}

static int
on_open(struct builder *b, const yaml_event_t *ev, json_t *node)
{
	if (wants_key(b)) {
		json_decref(node);
		return fail(b, &ev->start_mark, "a key that is not text",
		    "keys are names; this one is a list or a mapping",
		    "put quotes around the key, or check for a stray '?', '[' or '{'");
	}
	if (b->depth == YAML_DEPTH_MAX) {
		json_decref(node);
		fail(b, &ev->start_mark, "nested too deep", "", "flatten the file");
		return err_why(b->err, "at most %d levels are read", YAML_DEPTH_MAX);
	}
	if (place(b, &ev->start_mark, node) < 0)
		return -1;
	b->stack[b->depth++] = (struct level){.node = node};
	return 0;
}

static int
on_document(struct builder *b, const yaml_event_t *ev)
{
	if (b->documents++ == 0)
		return 0;
	return fail(b, &ev->start_mark, "a second document",
	    "one file is one document; what follows would be ignored", "remove the '---'");
}

/* Whatever makes one node stand for another, or for code. */
static int
refuse_extras(struct builder *b, const yaml_event_t *ev)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (ev->type == YAML_ALIAS_EVENT) {
		return fail(b, &ev->start_mark, "an alias", "aliases (*name) are not read",
		    "write the value out, or put quotes around text that begins with '*'");
	} else if (ev->type == YAML_SCALAR_EVENT) {
		anchor = ev->data.scalar.anchor;
		tag = ev->data.scalar.tag;
	} else if (ev->type == YAML_SEQUENCE_START_EVENT) {
		anchor = ev->data.sequence_start.anchor;
		tag = ev->data.sequence_start.tag;
	} else if (ev->type == YAML_MAPPING_START_EVENT) {
		anchor = ev->data.mapping_start.anchor;
		tag = ev->data.mapping_start.tag;
	}
	if (anchor)
		return fail(b, &ev->start_mark, "an anchor", "anchors (&name) are not read",
		    "remove it, or put quotes around text that begins with '&'");
	if (tag)
		return fail(b, &ev->start_mark, "a tag", "tags (!name) are not read",
		    "remove it, or put quotes around text that begins with '!'");
	return 0;
}

static int
on_event(struct builder *b, const yaml_event_t *ev)
{
	if (refuse_extras(b, ev) < 0)
		return -1;
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(b, ev);
	case YAML_SCALAR_EVENT:
		return on_scalar(b, ev);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, ev, json_array());
	case YAML_MAPPING_START_EVENT:
		return on_open(b, ev, json_object());
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return 0;
	default:
		return 0;
	}
}

static int
build(struct builder *b)
{
	bool more = true;

	while (more) {
		yaml_event_t ev;
		int rc;

		if (!yaml_parser_parse(&b->parser, &ev))
			return fail_syntax(b);
		more = ev.type != YAML_STREAM_END_EVENT;
		rc = on_event(b, &ev);
		yaml_event_delete(&ev);
		if (rc < 0)
			return -1;
	}
	/* A file of comments is a configuration that says nothing. */
	if (!b->root || json_is_null(b->root)) {
		json_decref(b->root);
		b->root = json_object();
	}
	return 0;
}

json_t *
yaml_parse(const char *text, size_t n, const char *name, struct err *e)
{
	struct builder b = {.text = text, .name = name, .n = n, .err = e};
	yaml_mark_t start = {0};
	int rc;

	if (n > YAML_SIZE_MAX) {
		fail(&b, &start, "too large", "", "split it");
		err_why(e, "it has %zu bytes; at most %d are read", n, YAML_SIZE_MAX);
		return NULL;
	}
	if (!yaml_parser_initialize(&b.parser)) {
		fail(&b, &start, "cannot be read", "out of memory", "try again");
		return NULL;
	}
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, n);
	rc = build(&b);
	yaml_parser_delete(&b.parser);
	while (b.depth > 0)
		free(b.stack[--b.depth].key);
	if (rc == 0)
		return b.root;
	json_decref(b.root);
	return NULL;
}
