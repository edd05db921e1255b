/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/redact.h"

#include <string.h>
#include <strings.h>

#include "base/redact_priv.h"

/* git+ssh and the like: "a+a+..." would cost its square. */
#define PLUS_MAX 64

/* The word being read and the one being written. */
struct scan {
	const char *s, *p;
	size_t whole;		     /* from s on: nothing but NAME= and flags */
	const char *hide, *hide_end; /* the password of the URL that p is in */
	char quote;		     /* the shell quote that p is in, or 0 */
	bool escaped;
	bool script;   /* read by a shell; else NAME=a b is one value */
	bool header;   /* "Name:value" without a blank is a header too */
	bool sentence; /* "name: value" is none, nor "--name value" */
	bool shown;    /* a line that a program wrote: "name: value" up to its end */
	redact_found_fn fn;
	void *arg;
};

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
	sc->fn(sc->arg, (size_t)(from - sc->s), (size_t)(end - sc->s));
	skip_to(sc, end);
}

static bool
hide_value(struct scan *sc, const char *from, const char *end)
{
	if (end == from)
		return false;
	/* token = next() is code. */
	if (sc->shown &&
	    (redact_is_plain(from, (size_t)(end - from)) || from[redact_name_span(from)] == '('))
		return false;
	hide(sc, from, end);
	return true;
}

/* scheme://user:password@ at p: remember where the password is. */
static void
find_url(struct scan *sc, size_t scheme)
{
	const char *host = sc->p + scheme, *most = host + PLUS_MAX, *at, *colon;
	size_t n;

	while (host < most && (*host == '+' || redact_is_name_char(*host)))
		host++;
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
	return !sc->script && sc->whole >= (size_t)(sc->p - sc->s);
}

/* Nothing before the name but what a list or a nested mapping has there. */
static bool
begins_line(const struct scan *sc)
{
	const char *p = sc->s + strspn(sc->s, " \t");

	if (p[0] == '-' && p[1] == ' ')
		p += 1 + strspn(p + 1, " ");
	return p == sc->p;
}

/* A line of env(1), or of a file of settings: its value has no quotes and ends with it. */
static bool
is_setting(const struct scan *sc, const char *after, bool blanks)
{
	if (!sc->shown || !begins_line(sc))
		return false;
	return blanks || sc->p + strspn(sc->p, REDACT_UPPER REDACT_DIGITS "_") == after;
}

static const char *
setting_end(const char *from)
{
	const char *end = from + strlen(from), *comment = strstr(from, " ;");

	if (!comment)
		comment = strstr(from, " #");
	return comment ? comment : end;
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
	/* "passwd=   x" of a file; in a script that is empty, and x a command. */
	if (!blanks && sc->shown && begins_line(sc) && !strchr("#;", from[strspn(from, " \t")]))
		blanks = strspn(from, " \t");
	from += blanks ? strspn(from, " \t") : 0;
	if (is_whole(sc))
		end = from + strlen(from);
	else if (op.n)
		end = redact_close(from, op);
	else if (!strchr("\"'", *from) && is_setting(sc, after, blanks))
		end = setting_end(from);
	else
		end = redact_word(from, sc->quote);
	return hide_value(sc, from, end);
}

/* But not Option<Token>. */
static bool
is_element(const struct scan *sc)
{
	size_t at = (size_t)(sc->p - sc->s);

	return at > 0 && sc->p[-1] == '<' && (at == 1 || !redact_is_name_char(sc->p[-2]));
}

/* <password>x</password>, ['password'] = 'x', 'password' => 'x' and ... PASSWORD 'x'. */
static bool
try_quoted(struct scan *sc, const char *after, struct redact_quote op)
{
	const char *from = after, *end;
	char mark = '<';

	if (!sc->shown)
		return false;
	if (*after == '>' && is_element(sc)) {
		from++;
	} else {
		if (op.n && strncmp(from, op.p, op.n) == 0) {
			from += op.n;
			from += *from == ']';
			from += strspn(from, " \t=");
			from += *from == '>';
		}
		from += strspn(from, " \t");
		mark = *from;
		if (from == after || (mark != '"' && mark != '\''))
			return false;
		from++;
	}
	end = strchr(from, mark);
	return hide_value(sc, from, end ? end : from + strlen(from));
}

/* FILE:LINE: of a compiler or of grep. */
static bool
is_line_number(const char *p)
{
	size_t n = strspn(p, REDACT_DIGITS);

	return n > 0 && p[n] == ':';
}

/* "name:value" without a blank. */
static bool
may_touch(const struct scan *sc, const char *value)
{
	if (sc->shown)
		return *value != '/' && *value != ':' && !is_line_number(value);
	return sc->header && sc->p == sc->s;
}

/* Name: value, and "name": value. */
static bool
try_header(struct scan *sc, const char *after, struct redact_quote op)
{
	bool json = op.n && strncmp(after, op.p, op.n) == 0;
	const char *from = after + (json ? op.n : 0), *end;
	struct redact_quote inner = {0};
	size_t blanks;

	from += json ? strspn(from, " \t") : 0;
	if (*from++ != ':')
		return false;
	blanks = strspn(from, " \t");
	if (!json && !blanks && !may_touch(sc, from))
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
	} else if (sc->shown ? begins_line(sc) : !sc->script && sc->p == sc->s) {
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
	/* --password PASSWORD, as --help has it. */
	if (sc->shown && strspn(from, REDACT_UPPER "_[]|") >= (size_t)(end - from))
		return false;
	return hide_value(sc, from, end);
}

/* auth.c, private.pem and secret.service, but not spring.datasource.password. */
static bool
is_file(const char *p, size_t n)
{
	const char *dot = memrchr(p, '.', n);

	return dot && !redact_name_n(dot + 1, (size_t)(p + n - dot - 1));
}

/* Something that names a value, by what follows it. */
static bool
may_name(const struct scan *sc, const char *after)
{
	const char *p = after + strspn(after, " \t");

	return *sc->p == '-' || (*p == '+' ? p[1] == '=' : *p && strchr("=:\"'\\>", *p));
}

/* What a secret name at p names, hidden. */
static bool
try_name(struct scan *sc, size_t n)
{
	struct redact_quote op;

	if (n == 0 || !may_name(sc, sc->p + n) || !redact_name_n(sc->p, n) ||
	    (sc->shown && is_file(sc->p, n)))
		return false;
	op = opener(sc);
	if (try_assignment(sc, sc->p + n, op))
		return true;
	if (sc->sentence)
		return false;
	return try_header(sc, sc->p + n, op) || try_quoted(sc, sc->p + n, op) ||
	       try_flag(sc, sc->p + n);
}

/* "Bearer authentication" */
static bool
is_prose(const char *p, size_t n)
{
	return strspn(p, "abcdefghijklmnopqrstuvwxyz-.=") >= n;
}

/* -p and the like, and "openssl passwd", in a line that is a command. */
static bool
try_option(struct scan *sc)
{
	const char *from;

	if (!strchr("-p", *sc->p) || (sc->p > sc->s && sc->p[-1] != ' ' && sc->p[-1] != '\t'))
		return false;
	from = redact_option(sc->s, sc->p);
	return from && hide_value(sc, from, redact_word(from, sc->quote));
}

static bool
try_known(struct scan *sc)
{
	size_t keep, n = redact_known(sc->p, &keep);

	if (n == 0 || (sc->shown && is_prose(sc->p + keep, n - keep)))
		return false;
	hide(sc, sc->p + keep, sc->p + n);
	return true;
}

/* What begins between two words, or with the first letter of one. */
static bool
try_all(struct scan *sc)
{
	size_t n;

	if (try_known(sc) || try_option(sc))
		return true;
	n = redact_name_span(sc->p);
	if (sc->p[n] == ':' || sc->p[n] == '+')
		find_url(sc, n);
	return try_name(sc, n);
}

static void
step(struct scan *sc)
{
	char before = sc->p > sc->s ? sc->p[-1] : ' ';
	const char *end = sc->p;

	if (sc->hide && sc->p >= sc->hide) {
		if (sc->p < sc->hide_end)
			hide(sc, sc->p, sc->hide_end);
		sc->hide = NULL;
		return;
	}
	if (!redact_is_name_char(*sc->p)) {
		skip_to(sc, sc->p + 1);
		return;
	}
	/* A token may follow '_' or '-' within a longer word, a name may not. */
	if (!redact_is_name_char(before) ? try_all(sc) : redact_is_joint(before) && try_known(sc))
		return;
	while (redact_is_name_char(*end) && !redact_is_joint(*end))
		end++;
	sc->p = *end && redact_is_joint(*end) ? end + 1 : end;
	sc->escaped = false;
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

struct copy {
	const char *src;
	size_t from; /* of src, not copied yet */
	char *dst;
	size_t size, len;
};

static void
put(struct copy *c, const char *p, size_t n)
{
	size_t room = c->size - 1 - c->len;

	if (n > room)
		n = room;
	memcpy(c->dst + c->len, p, n);
	c->len += n;
}

static void
put_found(void *arg, size_t from, size_t to)
{
	struct copy *c = arg;

	put(c, c->src + c->from, from - c->from);
	put(c, REDACTED, strlen(REDACTED));
	c->from = to;
}

static void
scan_all(struct scan *sc)
{
	sc->whole = strcspn(sc->s, " \t\n\"'`;&|?(){}/<>$");
	while (*sc->p)
		step(sc);
}

size_t
redact_arg(char *dst, size_t size, const char *arg, const char *prev)
{
	struct copy c = {.src = arg, .dst = dst, .size = size};
	struct scan sc = {.s = arg, .p = arg, .fn = put_found, .arg = &c};
	size_t n = strlen(arg);

	if (size == 0)
		return 0;
	if (prev && all_secret(arg, prev)) {
		put_found(&c, 0, n);
	} else {
		sc.script = prev && (strcmp(prev, "--command") == 0 ||
					is_script_flag(prev, prev + strlen(prev)));
		sc.header = prev && is_header_flag(prev);
		scan_all(&sc);
	}
	put(&c, arg + c.from, n - c.from);
	dst[c.len] = '\0';
	return c.len;
}

size_t
redact_sentence(char *dst, size_t size, const char *text)
{
	struct copy c = {.src = text, .dst = dst, .size = size};
	struct scan sc = {
	    .s = text, .p = text, .script = true, .sentence = true, .fn = put_found, .arg = &c};

	if (size == 0)
		return 0;
	scan_all(&sc);
	put(&c, text + c.from, strlen(text) - c.from);
	dst[c.len] = '\0';
	return c.len;
}

void
redact_line(const char *line, redact_found_fn fn, void *arg)
{
	struct scan sc = {
	    .s = line, .p = line, .script = true, .shown = true, .fn = fn, .arg = arg};

	scan_all(&sc);
}
