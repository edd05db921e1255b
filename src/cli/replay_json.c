/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/replay_follow.h"
#include "record/cast.h"
#include "screen/screen_filter.h"

/* Escapes all but plain ASCII: nothing in it acts on a terminal. */
static void
dump(const json_t *j)
{
	json_put(stdout, j, JSON_ENSURE_ASCII | JSON_COMPACT);
}

/* Bytes that are not UTF-8 lose nothing: they come a second time as base64. */
static void
put_bytes(json_t *o, const unsigned char *p, size_t n)
{
	auto_free char *text = malloc(3 * n + 1), *b64 = NULL;
	size_t partial, good, len = 0, at = 0;

	if (!text)
		return;
	while (at < n) {
		good = str_utf8_prefix(p + at, n - at, &partial);
		memcpy(text + len, p + at, good);
		len += good;
		at += good;
		if (at < n) {
			memcpy(text + len, "\xef\xbf\xbd", 3);
			len += 3;
			at++;
		}
	}
	json_object_set_new(o, "text", json_stringn_nocheck(text, len));
	if (str_utf8_prefix(p, n, &partial) == n)
		return;
	b64 = malloc(4 * ((n + 2) / 3) + 1);
	if (!b64)
		return;
	str_base64(b64, p, n);
	json_object_set_new(o, "base64", json_string(b64));
}

static json_t *
event(const struct cast_event *ev)
{
	static const char *const kinds[] = {
	    "output", "input", "resize", "marker", "coral", "end", "other"};
	json_t *o = json_pack("{s:f, s:s}", "time", (double)ev->t / 1e9, "type", kinds[ev->kind]);

	switch (ev->kind) {
	case CAST_EV_OUTPUT:
		json_object_set_new(
		    o, "stream", json_string(ev->stream == CAST_STDERR ? "stderr" : "stdout"));
		put_bytes(o, ev->data, ev->len);
		break;
	case CAST_EV_RESIZE:
		json_object_set_new(o, "columns", json_integer(ev->cols));
		json_object_set_new(o, "rows", json_integer(ev->rows));
		break;
	case CAST_EV_CORAL:
		json_object_set_new(o, "name", json_string(ev->name));
		json_object_set_new(o, "facts", json_deep_copy(ev->facts));
		break;
	default:
		put_bytes(o, ev->data, ev->len);
		break;
	}
	return o;
}

static void
on_put(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
}

static void
on_wiping(void *arg, enum filter_wipe how)
{
	(void)arg;
	(void)how;
}

static void
put_hidden(const struct screen_hidden *h)
{
	printf("{\"concealed\":%llu,\"same_colour\":%llu,\"wiped_at_once\":%llu,"
	       "\"scrollback_erased\":%llu,\"marks\":%llu}",
	    (unsigned long long)h->concealed, (unsigned long long)h->same,
	    (unsigned long long)h->wiped, (unsigned long long)h->scrollback,
	    (unsigned long long)h->marks);
}

/* The list of events, and the end record (new reference) or NULL.  As cast_next() at last. */
static int
put_events(
    struct cast_reader *r, struct follow *follow, struct filter *f, json_t **end, struct err *e)
{
	const struct filter_sink sink = {
	    .put = on_put, .wiping = on_wiping, .cols = SCREEN_COLS_MAX};
	struct cast_event ev;
	const char *comma = "";
	json_t *o;
	int got;

	for (;;) {
		got = cast_next(r, &ev, e);
		if (got == 0 && follow && follow_more(follow))
			continue;
		if (got != 1 || ferror(stdout))
			return got;
		if (ev.kind == CAST_EV_END) {
			json_decref(*end);
			*end = json_deep_copy(ev.facts);
			continue;
		}
		if (ev.kind == CAST_EV_OUTPUT)
			filter_run(f, &sink, ev.data, ev.len);
		o = event(&ev);
		printf("%s\n", comma);
		dump(o);
		json_decref(o);
		comma = ",";
	}
}

int
replay_json(int fd, const char *name, struct follow *follow)
{
	struct err e = {0}, damage = {0};
	struct cast_reader *r = cast_open_fd(fd, name, &e);
	struct filter filter = {0};
	json_t *end = NULL;
	int got, status = 0;

	if (!r)
		return cmd_fail(&e);
	fputs("{\"header\":", stdout);
	dump(cast_header(r));
	fputs(",\n\"events\":[", stdout);
	got = put_events(r, follow, &filter, &end, &damage);
	fputs("\n],\n\"end\":", stdout);
	dump(end ? end : json_null());
	fputs(",\n\"hidden\":", stdout);
	put_hidden(&filter.hidden);
	printf(",\n\"truncated\":%s}\n", got < 0 || cast_truncated(r) ? "true" : "false");
	if (fflush(stdout) != 0 || ferror(stdout)) {
		err_set(&e, ERR_IO, errno, "cannot write the events of %s", name);
		status = cmd_fail(&e);
	} else if (got < 0) {
		err_hint(&damage, "what comes before it was printed");
		status = cmd_fail(&damage);
	}
	json_decref(end);
	cast_close(r);
	return status;
}
