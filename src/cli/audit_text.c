/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/audit_text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/when.h"

#define FIELD_MAX 256

static int
take_time(const struct args *a, const char *name, char out[AUDIT_TIME_SIZE], struct err *e)
{
	const char *text = args_str(a, name);
	int64_t t;

	if (!text)
		return 0;
	if (when_parse(text, name, clock_real(), &t, e) < 0)
		return -1;
	audit_time(t, out);
	return 0;
}

/* As journalctl(1): a pattern without capital letters finds them too. */
static bool
has_capitals(const char *s)
{
	while (*s && !isupper((unsigned char)*s))
		s++;
	return *s;
}

static int
take_pattern(struct audit_want *w, const char *pattern, struct err *e)
{
	if (!pattern || !*pattern)
		return 0;
	w->grep = pattern_init(&w->pattern, pattern, true, !has_capitals(pattern), e) == 0;
	if (w->grep)
		return 0;
	return err_hint(e, "it is an extended regular expression, as in grep -E");
}

/* What no record has finds none, and that none was denied must not be read from it. */
static int
check_decision(const char *decision, struct err *e)
{
	static const char *const all[] = {"", "allow", "deny", "would-deny"};
	char shown[96];

	if (!decision)
		return 0;
	for (size_t i = 0; i < COUNT_OF(all); i++)
		if (str_glob(decision, all[i]))
			return 0;
	str_vis(shown, sizeof shown, decision);
	err_set(e, ERR_USAGE, 0, "there is no decision %s", shown);
	err_why(e, "there are: allow, deny, would-deny");
	return err_hint(e, "--decision '*deny'");
}

/* A name by itself, which must be in the list; with * or ? it must find one there. */
static int
check_event(const char *event, struct err *e)
{
	const char *names[64], *near;
	char list[] = AUDIT_EVENTS, shown[96], *next = list;
	size_t n = 0;

	if (!event || !*event)
		return 0;
	while (n + 1 < COUNT_OF(names) && (names[n] = strsep(&next, " ")))
		if (str_glob(event, names[n++]))
			return 0;
	names[n] = NULL;
	near = str_nearest(event, names);
	str_vis(shown, sizeof shown, event);
	err_set(e, ERR_USAGE, 0, "there is no event %s", shown);
	if (near) {
		err_why(e, "the nearest is %s", near);
		return err_hint(e, "--event %s", near);
	}
	err_why(e, "there are: " AUDIT_EVENTS);
	return err_hint(e, "--event 'session.*'");
}

int
audit_want_lines(const struct args *a, long long most, size_t *n, struct err *e)
{
	long long lines = args_int(a, "lines", 0);

	*n = 0;
	if (lines > most) {
		err_set(e, ERR_USAGE, 0, "cannot print the last %lld alone", lines);
		err_why(e, "it is at most %lld", most);
		return err_hint(e, "--lines %lld, or leave it out to have all", most);
	}
	*n = (size_t)lines;
	return 0;
}

int
audit_want_init(struct audit_want *w, const struct args *a, struct err *e)
{
	*w = (struct audit_want){.user = args_str(a, "user"),
	    .session = args_str(a, "session"),
	    .event = args_str(a, "event"),
	    .target = args_str(a, "service"),
	    .decision = args_str(a, "decision")};
	if (take_time(a, "since", w->since, e) < 0 || take_time(a, "until", w->until, e) < 0)
		return -1;
	if (check_decision(w->decision, e) < 0 || check_event(w->event, e) < 0)
		return -1;
	return take_pattern(w, args_str(a, "grep"), e);
}

void
audit_want_fini(struct audit_want *w)
{
	if (w->grep)
		pattern_fini(&w->pattern);
	w->grep = false;
}

static const char *
text_or(const json_t *rec, const char *key, const char *other)
{
	const char *s = json_str(rec, key);

	return s && *s ? s : other;
}

static void put(char *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
put(char *out, const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + n, AUDIT_TEXT_MAX - n, fmt, ap);
	va_end(ap);
}

/* What was said from outside, harmless. */
static void
put_vis(char *out, const char *fmt, const char *s)
{
	char vis[AUDIT_TEXT_MAX];

	str_vis(vis, sizeof vis, s);
	put(out, "%s", fmt);
	put(out, "%s", vis);
}

static void
put_command(char *out, const json_t *list)
{
	const char *argv[65];
	char line[AUDIT_TEXT_MAX / 2];
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(list) && n + 1 < COUNT_OF(argv); i++)
		if (json_is_string(json_array_get(list, i)))
			argv[n++] = json_string_value(json_array_get(list, i));
	argv[n] = NULL;
	if (n == 0)
		return;
	str_quote_argv(line, sizeof line, argv);
	put(out, ": %s", line);
}

static void
put_result(char *out, const json_t *rec)
{
	const json_t *code = json_object_get(rec, "exit_code"),
		     *ms = json_object_get(rec, "duration_ms");

	if (json_is_integer(code))
		put(out, ", exit %lld", (long long)json_integer_value(code));
	if (json_str(rec, "signal"))
		put_vis(out, ", signal ", json_str(rec, "signal"));
	if (json_is_integer(ms))
		put(out, ", %.3f s", (double)json_integer_value(ms) / 1000);
}

static void
make_text(const json_t *rec, char text[AUDIT_TEXT_MAX])
{
	char stamp[AUDIT_TIME_SIZE], field[FIELD_MAX];
	const char *decision = json_str(rec, "decision"), *target = audit_target(rec);

	str_vis(stamp, sizeof stamp, text_or(rec, "timestamp", "-"));
	text[0] = '\0';
	put(text, "%.23sZ", stamp);
	str_vis(field, sizeof field, text_or(rec, "event", "-"));
	put(text, "  %-17s", field);
	str_vis(field, sizeof field, text_or(rec, "user_id", "-"));
	put(text, "  %-8s", field);
	str_vis(field, sizeof field, text_or(rec, "session_id", "-"));
	put(text, "  %-26s", field);
	if (json_str(rec, "mode"))
		put_vis(text, "  ", json_str(rec, "mode"));
	else if (json_str(rec, "actor"))
		put_vis(text, "  ", json_str(rec, "actor"));
	if (target)
		put_vis(text, " in ", target);
	if (strcmp(text_or(rec, "mode", ""), "prune") == 0 && json_str(rec, "reason"))
		put_vis(text, ": ", json_str(rec, "reason"));
	put_result(text, rec);
	put_command(text, json_object_get(rec, "command"));
	if (decision && strcmp(decision, "allow") != 0)
		put_vis(text, " -- ", decision);
	if (json_str(rec, "error"))
		put_vis(text, decision && strcmp(decision, "allow") != 0 ? ": " : " -- ",
		    json_str(rec, "error"));
}

static bool
found(const struct audit_want *w, const struct audit_entry *x, const char *text)
{
	size_t from, to;

	if (!w->grep)
		return true;
	return pattern_match(&w->pattern, text, strlen(text), &from, &to) ||
	       pattern_match(&w->pattern, x->text, x->len, &from, &to);
}

/* What is not there is like an empty text. */
static bool
is_like(const char *pattern, const char *text)
{
	return !pattern || !*pattern || str_glob(pattern, text ? text : "");
}

static bool
is_of(const struct audit_want *w, const json_t *rec)
{
	const char *id = json_str(rec, "session_id");

	if (w->session && (!id || strncmp(id, w->session, strlen(w->session)) != 0))
		return false;
	return is_like(w->user, json_str(rec, "user_id")) &&
	       is_like(w->event, json_str(rec, "event")) && is_like(w->target, audit_target(rec)) &&
	       is_like(w->decision, json_str(rec, "decision"));
}

json_t *
audit_want_take(const struct audit_want *w, const struct audit_entry *x, char text[AUDIT_TEXT_MAX])
{
	json_t *rec = json_parse(x->text, x->len, NULL);
	const char *t = json_str(rec, "timestamp");

	/* Of one form and in UTC: their order is that of their letters. */
	if (!rec || (w->since[0] && (!t || strcmp(t, w->since) < 0)) ||
	    (w->until[0] && (!t || strcmp(t, w->until) > 0)) || !is_of(w, rec)) {
		json_decref(rec);
		return NULL;
	}
	make_text(rec, text);
	if (found(w, x, text))
		return rec;
	json_decref(rec);
	return NULL;
}
