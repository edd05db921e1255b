/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/grep_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/audit_text.h"
#include "cli/replay.h"

#define LINES_MAX 10000
#define SPEC_MAX 4200

int
grep_text_init(struct grep_text *t, const struct args *a, bool as_json, struct err *e)
{
	*t = (struct grep_text){.agent = args_str(a, "agent-addr"),
	    .as_json = as_json,
	    .ascii = isatty(STDOUT_FILENO) && !replay_utf8(),
	    .none = args_int(a, "lines", 1) == 0};
	if (audit_want_lines(a, LINES_MAX, &t->keep, e) < 0)
		return -1;
	t->kept = calloc(t->keep + 1, sizeof *t->kept);
	return t->kept ? 0 : err_set(e, ERR_INTERNAL, ENOMEM, "cannot search");
}

void
grep_text_begin(struct grep_text *t, const char *spec, const json_t *header)
{
	static const char *const names[] = {"service", "container", "pod", "name", "id", "comm"};
	const json_t *coral = json_object_get(header, "coral"),
		     *target = json_object_get(coral, "target");
	int64_t stamp = json_int(header, "timestamp", -1);

	t->spec = spec;
	t->id = json_str(coral, "session_id");
	t->user = json_str(json_object_get(coral, "user"), "name");
	t->target = NULL;
	for (size_t i = 0; i < COUNT_OF(names) && !(t->target && *t->target); i++)
		t->target = json_str(target, names[i]);
	t->start = json_int(json_object_get(coral, "clock"), "real_ns", -1);
	if (t->start < 0 && stamp >= 0)
		t->start = stamp < INT64_MAX / 4 / NS_PER_S ? stamp * NS_PER_S : -1;
	/* Room for what is added. */
	if (t->start > INT64_MAX / 2)
		t->start = -1;
}

/* Exactly, as the player takes it, and without zeros at the end. */
static void
time_text(int64_t t, char *out, size_t size)
{
	size_t n = (size_t)snprintf(
	    out, size, "%lld.%09lld", (long long)(t / NS_PER_S), (long long)(t % NS_PER_S));

	while (out[n - 1] == '0')
		out[--n] = '\0';
	if (out[n - 1] == '.')
		out[n - 1] = '\0';
}

/* A line for a shell; what comes from a pipe cannot be looked at again. */
static void
command(const struct grep_text *t, int64_t at, char *out, size_t size)
{
	char place[SPEC_MAX + 40], when[40];
	const char *argv[] = {"coral", "replay", place, NULL, NULL, NULL};

	time_text(at, when, sizeof when);
	if (strcmp(t->spec, "-") == 0 ||
	    snprintf(place, sizeof place, "%s@%s", t->spec, when) >= (int)sizeof place) {
		str_copy(out, "-", size);
		return;
	}
	if (t->agent) {
		argv[3] = "--agent-addr";
		argv[4] = t->agent;
	}
	str_quote_argv(out, size, argv);
}

static void
stamp_text(int64_t real_ns, char out[CLOCK_ISO_SIZE + 8])
{
	char iso[CLOCK_ISO_SIZE];

	clock_iso(real_ns, iso);
	snprintf(out, CLOCK_ISO_SIZE + 8, "%.19s.%03dZ", iso, (int)(real_ns % NS_PER_S / 1000000));
}

static char *
json_line(const struct grep_text *t, const struct grep_hit *h, int64_t real_ns)
{
	char how[2 * SPEC_MAX], stamp[CLOCK_ISO_SIZE + 8];
	json_t *o;
	char *line;

	command(t, h->t, how, sizeof how);
	stamp_text(real_ns < 0 ? 0 : real_ns, stamp);
	o = json_pack("{s:s?, s:s?, s:f, s:s?, s:s?, s:s%, s:s%, s:b, s:s?}", "session_id", t->id,
	    "timestamp", real_ns < 0 ? NULL : stamp, "time", (double)h->t / 1e9, "user", t->user,
	    "target", t->target, "line", h->line, h->len, "match", h->line + h->from,
	    h->to - h->from, "cut", h->before || h->after, "replay",
	    strcmp(how, "-") == 0 ? NULL : how);
	line = o ? json_show(o, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	json_decref(o);
	return line;
}

/* The cells of a screen have nothing that acts on a terminal that takes UTF-8. */
static size_t
plain(char *line, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (!((unsigned char)line[i] & 0x80))
			line[kept++] = line[i];
		else if ((unsigned char)line[i] >= 0xc0)
			line[kept++] = '?';
	}
	return kept;
}

static char *
text_line(const struct grep_text *t, const struct grep_hit *h, int64_t real_ns)
{
	char how[2 * SPEC_MAX], stamp[CLOCK_ISO_SIZE + 8] = "-", user[256], line[GREP_SHOWN];
	size_t n = h->len;
	char *out;

	command(t, h->t, how, sizeof how);
	str_vis(user, sizeof user, t->user ? t->user : "-");
	if (real_ns >= 0)
		stamp_text(real_ns, stamp);
	memcpy(line, h->line, n);
	if (t->ascii)
		n = plain(line, n);
	if (asprintf(&out, "%-24s  %-8s  %s  %s%.*s%s", stamp, user, how, h->before ? "..." : "",
		(int)n, line, h->after ? "..." : "") < 0)
		return NULL;
	return out;
}

int
grep_text_put(struct grep_text *t, const struct grep_hit *h, int64_t real_ns)
{
	char *line;

	t->found++;
	if (t->none)
		return 0;
	line = t->as_json ? json_line(t, h, real_ns) : text_line(t, h, real_ns);
	if (t->keep > 0) {
		free(t->kept[t->at % t->keep]);
		t->kept[t->at++ % t->keep] = line;
		return 0;
	}
	if (line)
		puts(line);
	free(line);
	return ferror(stdout) ? -1 : 0;
}

void
grep_text_end(struct grep_text *t)
{
	for (size_t i = t->at > t->keep ? t->at - t->keep : 0; i < t->at; i++)
		if (t->kept[i % t->keep])
			puts(t->kept[i % t->keep]);
}

void
grep_text_fini(struct grep_text *t)
{
	for (size_t i = 0; t->kept && i < t->keep; i++)
		free(t->kept[i]);
	free(t->kept);
}
