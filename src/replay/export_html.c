/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/incbin.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/str.h"
#include "replay/export_int.h"
#include "replay/export_page.h"
#include "replay/moments.h"

#define STILL_NS (33 * NS_PER_MS) /* what changes within it is one frame */
#define CHUNK_BYTES (512L << 10)  /* of frames, after which the page can start afresh */

/* The page's own parts. */
INCBIN(export_page_css, "src/replay/export_page.css");
INCBIN(export_page_body, "src/replay/export_page.html");
INCBIN(export_page_js, "src/replay/export_page.js");

struct html {
	struct export *x;
	struct cast_reader *r;
	struct screen *screen;
	struct page page;
	int64_t due; /* of the frame that has not been written; -1: nothing new */
	struct moments moments;
	int64_t last;
};

/* What a browser lets run: this very text, by its digest. */
static void
put_digest(FILE *out, const char *text)
{
	unsigned char digest[SHA256_SIZE];
	char b64[4 * ((SHA256_SIZE + 2) / 3) + 1];
	struct sha256 h;

	sha2_init(&h);
	sha2_update(&h, text, strlen(text));
	sha2_final(&h, digest);
	str_base64(b64, digest, sizeof(digest));
	fprintf(out, " 'sha256-%s'", b64);
}

static void
put_head(FILE *out)
{
	fputs(
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src",
	    out);
	put_digest(out, export_page_js);
	fputs("; style-src", out);
	put_digest(out, export_page_css);
	fputs("; base-uri 'none'; form-action 'none'\">\n"
	      "<meta name=\"referrer\" content=\"no-referrer\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n"
	      "<title>Recording</title>\n<style>",
	    out);
	fputs(export_page_css, out);
	fputs("</style>\n</head>\n", out);
	fputs(export_page_body, out);
}

/* A string of the header, with what is invisible or turns text around spelled out. */
static void
take_word(json_t *facts, const char *key, const json_t *from)
{
	const char *s = json_string_value(from);
	char seen[512];

	if (!s || !*s)
		return;
	str_vis(seen, sizeof(seen), s);
	json_object_set_new(facts, key, json_string(seen));
}

static void
put_facts(struct html *h)
{
	const json_t *header = cast_header(h->r), *coral = json_object_get(header, "coral");
	json_t *facts = json_object();
	int64_t began = cast_began(h->r);

	take_word(facts, "title", json_object_get(header, "title"));
	take_word(facts, "session", json_object_get(coral, "session_id"));
	take_word(facts, "user", json_object_get(json_object_get(coral, "user"), "name"));
	if (began > 0)
		json_object_set_new(facts, "began", json_integer(began / NS_PER_MS));
	fputs("<script type=\"application/json\" id=\"facts\">", h->x->out);
	page_put_json(h->x->out, facts);
	fputs("</script>\n", h->x->out);
	json_decref(facts);
}

static void
flush_frame(struct html *h)
{
	if (h->due < 0)
		return;
	page_frame(&h->page, h->screen, h->due);
	h->due = -1;
}

static void
take_event(struct html *h, const struct cast_event *ev)
{
	if (h->due >= 0 && ev->t >= h->due + STILL_NS)
		flush_frame(h);
	h->last = ev->t;
	switch (ev->kind) {
	case CAST_EV_OUTPUT:
		moments_feed(&h->moments, h->screen, ev);
		break;
	case CAST_EV_RESIZE:
		screen_resize(h->screen, ev->rows, ev->cols);
		break;
	default:
		moments_take(&h->moments, ev);
		return;
	}
	if (h->due < 0)
		h->due = ev->t;
}

/* [TIME, LABEL], and 1 behind them where something was hidden. */
static json_t *
markers(const struct html *h)
{
	json_t *list = json_array(), *one;
	const struct player_moment *m;

	for (m = h->moments.list; m < h->moments.list + h->moments.n; m++) {
		one = json_pack("[f s]", (double)m->t / 1e9, m->label);
		if (m->hidden)
			json_array_append_new(one, json_integer(1));
		json_array_append_new(list, one);
	}
	return list;
}

static void
put_end(struct html *h, bool damaged)
{
	json_t *end = json_pack("{s:f s:o s:b s:b s:b}", "total", (double)h->last / 1e9, "markers",
	    markers(h), "more", h->moments.n >= MOMENTS_MAX, "truncated", cast_truncated(h->r),
	    "damaged", damaged);

	fputs("<script type=\"application/json\" id=\"end\">", h->x->out);
	page_put_json(h->x->out, end);
	fputs("</script>\n<script>", h->x->out);
	fputs(export_page_js, h->x->out);
	fputs("</script>\n</body>\n</html>\n", h->x->out);
	json_decref(end);
}

static int
whole_page(struct html *h, struct err *e)
{
	struct cast_event ev;
	int got;

	put_head(h->x->out);
	put_facts(h);
	h->due = 0; /* the empty screen at the start */
	while ((got = cast_next(h->r, &ev, e)) == 1 && !ferror(h->x->out))
		take_event(h, &ev);
	flush_frame(h);
	page_end_chunk(&h->page);
	put_end(h, got < 0);
	return got < 0 ? -1 : 0;
}

int
export_html(struct export *x, struct err *e)
{
	struct html h = {.x = x, .r = export_open(x, e), .due = -1};
	int rc = -1;

	if (!h.r)
		return -1;
	h.screen = screen_new(cast_rows(h.r), cast_cols(h.r));
	if (h.screen && page_init(&h.page, x->out, CHUNK_BYTES) == 0) {
		screen_set_newline(h.screen, export_lone_newlines(h.r));
		rc = whole_page(&h, e);
		x->truncated = cast_truncated(h.r);
	} else {
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot make a page of %s", x->name);
	}
	page_fini(&h.page);
	free(h.moments.list);
	screen_free(h.screen);
	cast_close(h.r);
	return rc;
}
