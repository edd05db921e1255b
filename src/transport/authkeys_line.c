/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/authkeys_line.h"

#include <stdbool.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"

#define LINE_MAX_BYTES 16384

static const char *const types[] = {
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
};

/* Options of sshd(8) that forbid what is never offered here; others that would
 * weaken or bend access when ignored are errors. */
static const char *const harmless[] = {
    "no-agent-forwarding",
    "no-port-forwarding",
    "no-user-rc",
    "no-x11-forwarding",
};

/* A position in the line. */
struct at {
	const char *p;
	size_t n;
};

static void
skip_blanks(struct at *a)
{
	while (a->n && (*a->p == ' ' || *a->p == '\t')) {
		a->p++;
		a->n--;
	}
}

/* The next word, blanks within double quotes included.  false: a quote is left open. */
static bool
next_word(struct at *a, struct at *word)
{
	bool quoted = false;

	skip_blanks(a);
	*word = (struct at){a->p, 0};
	while (a->n && (quoted || (*a->p != ' ' && *a->p != '\t'))) {
		if (*a->p == '\\' && a->n > 1 && a->p[1] == '"') {
			a->p++;
			a->n--;
		} else if (*a->p == '"') {
			quoted = !quoted;
		}
		a->p++;
		a->n--;
	}
	word->n = (size_t)(a->p - word->p);
	return !quoted;
}

static bool
word_is(const struct at *w, const char *s)
{
	return strlen(s) == w->n && strncasecmp(w->p, s, w->n) == 0;
}

static const char *
known_type(const struct at *w)
{
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (strlen(types[i]) == w->n && memcmp(w->p, types[i], w->n) == 0)
			return types[i];
	}
	return NULL;
}

/* A name that may stand in logs, lists and JSON as it is. */
static bool
name_ok(const char *s, bool list)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789._-@+";
	size_t n;

	do {
		n = strspn(s, set);
		if (n == 0)
			return false;
		s += n;
	} while (list && *s == ',' && *++s);
	return !*s && s[-1] != ',';
}

/* user="NAME": the value without its quotes. */
static int
take_value(char *dst, size_t size, const struct at *opt, size_t key, bool list)
{
	const char *v = opt->p + key;
	size_t n = opt->n - key;

	if (*dst || n < 2 || v[0] != '"' || v[n - 1] != '"' || n - 2 >= size)
		return -1;
	if (memchr(v + 1, '\0', n - 2))
		return -1;
	memcpy(dst, v + 1, n - 2);
	dst[n - 2] = '\0';
	return name_ok(dst, list) ? 0 : -1;
}

static int
take_option(struct authkeys_line *l, const struct at *o, const char **why)
{
	if (o->n > 5 && strncasecmp(o->p, "user=", 5) == 0) {
		*why = "user=\"...\" is given twice, or is not a name";
		return take_value(l->user, sizeof(l->user), o, 5, false);
	}
	if (o->n > 6 && strncasecmp(o->p, "roles=", 6) == 0) {
		*why = "roles=\"...\" is given twice, or is not a list of names";
		return take_value(l->roles, sizeof(l->roles), o, 6, true);
	}
	if (word_is(o, "cert-authority")) {
		*why = "cert-authority: certificates are not accepted";
		return -1;
	}
	for (size_t i = 0; i < COUNT_OF(harmless); i++) {
		if (word_is(o, harmless[i]))
			return 0;
	}
	*why = "an option is unknown, or cannot be enforced here (user, roles and no-*-forwarding "
	       "can)";
	return -1;
}

/* Comma-separated, commas within quotes apart. */
static int
take_options(struct authkeys_line *l, struct at w, const char **why)
{
	struct at opt = {w.p, 0};
	bool quoted = false;

	for (; w.n; w.p++, w.n--) {
		if (*w.p == '"') {
			quoted = !quoted;
		} else if (*w.p == ',' && !quoted) {
			opt.n = (size_t)(w.p - opt.p);
			if (take_option(l, &opt, why) < 0)
				return -1;
			opt.p = w.p + 1;
		}
	}
	opt.n = (size_t)(w.p - opt.p);
	return take_option(l, &opt, why);
}

/* "alice@laptop" binds the key to alice. */
static int
user_of_comment(struct authkeys_line *l, struct at rest, const char **why)
{
	size_t n = 0;

	skip_blanks(&rest);
	while (n < rest.n && rest.p[n] != '@' && rest.p[n] != ' ' && rest.p[n] != '\t')
		n++;
	*why = "the key names nobody: put user=\"NAME\" before it, or NAME@host behind it";
	if (n == 0 || n >= sizeof(l->user))
		return -1;
	memcpy(l->user, rest.p, n);
	l->user[n] = '\0';
	if (strlen(l->user) != n || !name_ok(l->user, false))
		return -1;
	/* Everyone's laptop has a root: that name is only given on purpose. */
	*why = "its comment names root: put user=\"NAME\" before it";
	return strcmp(l->user, "root") == 0 ? -1 : 0;
}

int
authkeys_line_parse(struct authkeys_line *l, const char *p, size_t n, const char **why)
{
	struct at a = {p, n}, w;
	const char *type;

	memset(l, 0, sizeof(*l));
	if (a.n && a.p[a.n - 1] == '\r')
		a.n--;
	skip_blanks(&a);
	if (a.n == 0 || *a.p == '#')
		return 0;
	*why = "the line is too long";
	if (n > LINE_MAX_BYTES)
		return -1;
	*why = "a quote is left open";
	if (!next_word(&a, &w))
		return -1;
	type = known_type(&w);
	if (!type) {
		struct at after;

		*why = "a quote is left open";
		if (!next_word(&a, &after))
			return -1;
		type = known_type(&after);
		if (!type &&
		    (memmem(w.p, w.n, "-cert-v0", 8) || memmem(after.p, after.n, "-cert-v0", 8))) {
			*why = "certificates are not accepted";
			return -1;
		}
		*why = "no key of a known type (ssh-ed25519, ecdsa-sha2-nistp*, ssh-rsa)";
		if (!type || take_options(l, w, why) < 0)
			return -1;
	}
	str_copy(l->type, type, sizeof(l->type));
	if (!next_word(&a, &w) || w.n == 0) {
		*why = "the key itself is missing";
		return -1;
	}
	l->blob = w.p;
	l->blob_len = w.n;
	if (!l->user[0] && user_of_comment(l, a, why) < 0)
		return -1;
	return 1;
}
