/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/redact.h"

#include <string.h>
#include <strings.h>

#include "base/redact_priv.h"

/* The word being read and the one being written. */
struct scan {
	const char *s, *p;
	const char *hide, *hide_end; /* the password of the URL that p is in */
	char quote;		     /* the shell quote that p is in, or 0 */
	bool escaped;
	bool script; /* read by a shell; else NAME=a b is one value */
	bool header; /* "Name:value" without a blank is a header too */
	char *dst;
	size_t size, len;
};

static void
put(struct scan *sc, const char *p, size_t n)
{
	size_t room = sc->size - 1 - sc->len;

	if (n > room)
		n = room;
	memcpy(sc->dst + sc->len, p, n);
	sc->len += n;
}

/* Move on, keeping account of quotes. */
static void
skip_to(struct scan *sc, const char *to)
{
	for (; sc->p < to; sc->p++) {
		char c = *sc->p;

		if (sc->escaped)
			sc->escaped = false;
		else if (c == '\\' && sc->quote != '\'')
			sc->escaped = true;
		else if (c == sc->quote)
			sc->quote = 0;
		else if (!sc->quote && (c == '"' || c == '\''))
			sc->quote = c;
	}
}

/* Show up to `from`, hide from there to `end`. */
static void
hide(struct scan *sc, const char *from, const char *end)
{
	put(sc, sc->p, (size_t)(from - sc->p));
	put(sc, REDACTED, strlen(REDACTED));
	skip_to(sc, end);
}

static bool
hide_value(struct scan *sc, const char *from, const char *end)
{
	if (end == from)
		return false;
	hide(sc, from, end);
	return true;
}

/* scheme://user:password@ at p: remember where the password is. */
static void
find_url(struct scan *sc)
{
	const char *host = sc->p + strspn(sc->p, REDACT_NAME_CHARS "+"), *at, *colon;
	size_t n;

	if (host == sc->p || strncmp(host, "://", 3) != 0)
		return;
	host += 3;
	n = strcspn(host, "/?# \t\n\"'`<>\\");
	at = memrchr(host, '@', n);
	colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;
	if (!colon || colon + 1 == at)
		return;
	sc->hide = colon + 1;
	sc->hide_end = at;
}

/* sh -c, bash -lc: what follows `end` is a script. */
static bool
is_script_flag(const char *start, const char *end)
{
	const char *p = end;

	while (p > start && end - p < 6 && strchr(REDACT_ALNUM, p[-1]))
		p--;
	return end - p >= 1 && end[-1] == 'c' && p > start && p[-1] == '-' &&
	       (p - 1 == start || p[-2] == ' ');
}

/* The bytes just before p that opened a quotation p is the first byte of. */
static struct redact_quote
opener(const struct scan *sc)
{
	struct redact_quote q = {.p = sc->p};

	if (sc->p == sc->s || (sc->p[-1] != '"' && sc->p[-1] != '\''))
		return q;
	do {
		q.p--;
		q.n++;
	} while (q.p > sc->s && q.p[-1] == '\\');
	/* Outside of any quotation this one was a closing one. */
	if (q.n == 1 && !sc->quote)
		q.n = 0;
	/* A script is many words, not one. */
	if (q.p > sc->s && q.p[-1] == ' ' && is_script_flag(sc->s, q.p - 1))
		q.n = 0;
	return q;
}

/* Nothing before p but NAME= and flags: the word is no script, and all that follows one value. */
static bool
is_whole(const struct scan *sc)
{
	return !sc->script && strcspn(sc->s, " \t\n\"'`;&|?(){}/<>$") >= (size_t)(sc->p - sc->s);
}

static bool
try_assignment(struct scan *sc, const char *after, struct redact_quote op)
{
	size_t blanks = strspn(after, " \t");
	const char *from = after + blanks, *end;

	from += *from == '+';
	if (*from != '=')
		return false;
	from += strspn(from, "=");
	if (blanks)
		from += strspn(from, " \t");
	if (is_whole(sc))
		end = from + strlen(from);
	else if (op.n)
		end = redact_close(from, op);
	else
		end = redact_word(from, sc->quote);
	return hide_value(sc, from, end);
}

/* Name: value, and "name": value. */
static bool
try_header(struct scan *sc, const char *after, struct redact_quote op)
{
	bool json = op.n && strncmp(after, op.p, op.n) == 0;
	const char *from = after + (json ? op.n : 0), *end;
	struct redact_quote inner = {0};
	size_t blanks;

	if (*from++ != ':')
		return false;
	blanks = strspn(from, " \t");
	if (!json && !blanks && !(sc->header && sc->p == sc->s))
		return false;
	from += blanks;
	inner.p = from;
	inner.n = strspn(from, "\\");
	inner.n = from[inner.n] == '"' || from[inner.n] == '\'' ? inner.n + 1 : 0;
	if (!json)
		from = redact_skip_scheme(from);
	if (inner.n && (json || inner.n > 1 || *inner.p != sc->quote)) {
		from = inner.p + inner.n;
		end = redact_close(from, inner);
	} else if (json) {
		end = from + strcspn(from, ",}] \t\n");
	} else if (op.n) {
		end = redact_close(from, op);
	} else if (!sc->script && sc->p == sc->s) {
		end = from + strcspn(from, "\n");
	} else {
		end = redact_word(from, sc->quote);
	}
	return hide_value(sc, from, end);
}

/* --password-stdin and the like take no value. */
static bool
flag_has_value(const char *p, size_t n)
{
	return *p == '-' && redact_name_n(p, n) &&
	       !(n > 6 && strncasecmp(p + n - 6, "-stdin", 6) == 0);
}

static bool
try_flag(struct scan *sc, const char *after)
{
	const char *from = after + strspn(after, " \t"), *end;

	if (from == after || !flag_has_value(sc->p, (size_t)(after - sc->p)))
		return false;
	end = redact_word(from, sc->quote);
	return hide_value(sc, from, end);
}

/* What a secret name at p names, hidden. */
static bool
try_name(struct scan *sc)
{
	size_t n = strspn(sc->p, REDACT_NAME_CHARS);
	struct redact_quote op;

	if (n == 0 || !redact_name_n(sc->p, n))
		return false;
	op = opener(sc);
	return try_assignment(sc, sc->p + n, op) || try_header(sc, sc->p + n, op) ||
	       try_flag(sc, sc->p + n);
}

static void
step(struct scan *sc)
{
	char before = sc->p > sc->s ? sc->p[-1] : ' ';
	bool word = !strchr(REDACT_NAME_CHARS, before);
	size_t keep, n;

	if (sc->hide && sc->p >= sc->hide) {
		hide(sc, sc->p, sc->hide_end);
		sc->hide = NULL;
		return;
	}
	/* A token may follow '_' or '-' within a longer word, a name may not. */
	if (word || strchr("_-.", before)) {
		n = redact_known(sc->p, &keep);
		if (n) {
			hide(sc, sc->p + keep, sc->p + n);
			return;
		}
	}
	if (word) {
		find_url(sc);
		if (try_name(sc))
			return;
	}
	put(sc, sc->p, 1);
	skip_to(sc, sc->p + 1);
}

static bool
is_header_flag(const char *prev)
{
	return strcmp(prev, "-H") == 0 || strcmp(prev, "--header") == 0 ||
	       strcmp(prev, "--proxy-header") == 0;
}

static bool
all_secret(const char *arg, const char *prev)
{
	size_t n = strlen(prev);

	if (!*arg)
		return false;
	if (strcasecmp(prev, "bearer") == 0)
		return true;
	return n > 1 && strspn(prev, REDACT_NAME_CHARS) == n && flag_has_value(prev, n);
}

size_t
redact_arg(char *dst, size_t size, const char *arg, const char *prev)
{
	struct scan sc = {.s = arg, .p = arg, .dst = dst, .size = size};

	if (size == 0)
		return 0;
	if (prev && all_secret(arg, prev)) {
		put(&sc, REDACTED, strlen(REDACTED));
	} else {
		sc.script = prev && (strcmp(prev, "--command") == 0 ||
					is_script_flag(prev, prev + strlen(prev)));
		sc.header = prev && is_header_flag(prev);
		while (*sc.p)
			step(&sc);
	}
	dst[sc.len] = '\0';
	return sc.len;
}
