/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Options whose name does not say that a secret follows, of the commands that have them. */
#include "base/redact_priv.h"

#include <string.h>

/* How far back on a line the command stands. */
#define BACK 256

static const struct option {
	const char *command, *flag;
	enum {
		NEXT,	/* -p SECRET */
		TOUCHES /* -pSECRET */
	} where;
	char sep;	  /* NAME:SECRET: what the colon is, or 0 */
	const char *head; /* where another kind of value is none: what it begins with */
	unsigned skip;	  /* words that come before it: it is no value of the flag's own */
} options[] = {
    {"mysql", "-p", TOUCHES, 0, NULL, 0},
    {"mysqldump", "-p", TOUCHES, 0, NULL, 0},
    {"mysqladmin", "-p", TOUCHES, 0, NULL, 0},
    {"mariadb", "-p", TOUCHES, 0, NULL, 0},
    {"mariadb-dump", "-p", TOUCHES, 0, NULL, 0},
    {"sshpass", "-p", TOUCHES, 0, NULL, 0},
    {"sshpass", "-p", NEXT, 0, NULL, 0},
    {"redis-cli", "-a", NEXT, 0, NULL, 0},
    {"mongo", "-p", NEXT, 0, NULL, 0},
    {"mongosh", "-p", NEXT, 0, NULL, 0},
    {"login", "-p", NEXT, 0, NULL, 0},
    {"ldapsearch", "-w", NEXT, 0, NULL, 0},
    {"ldapmodify", "-w", NEXT, 0, NULL, 0},
    {"ldapadd", "-w", NEXT, 0, NULL, 0},
    {"curl", "-u", NEXT, ':', NULL, 0},
    {"curl", "-u", TOUCHES, ':', NULL, 0},
    {"curl", "-U", NEXT, ':', NULL, 0},
    {"curl", "--user", NEXT, ':', NULL, 0},
    {"curl", "--proxy-user", NEXT, ':', NULL, 0},
    {"openssl", "-k", NEXT, 0, NULL, 0},
    {"openssl", "-K", NEXT, 0, NULL, 0},
    {"openssl", "-passin", NEXT, ':', "pass:", 0},
    {"openssl", "-passout", NEXT, ':', "pass:", 0},
    {"openssl", "passwd", NEXT, 0, "", 0},
    {"passwd", "-1", NEXT, 0, "", 0},
    {"passwd", "-5", NEXT, 0, "", 0},
    {"passwd", "-6", NEXT, 0, "", 0},
    {"passwd", "-apr1", NEXT, 0, "", 0},
    {"passwd", "-salt", NEXT, 0, "", 1},
    {"htpasswd", "-b", NEXT, 0, "", 2},
    {"htpasswd", "-cb", NEXT, 0, "", 2},
    {"htpasswd", "-bc", NEXT, 0, "", 2},
    {"htpasswd", "-bB", NEXT, 0, "", 2},
    {"htpasswd", "-Bb", NEXT, 0, "", 2},
    {"htpasswd", "-nb", NEXT, 0, "", 1},
    {"htpasswd", "-bn", NEXT, 0, "", 1},
    {"htpasswd", "-nbB", NEXT, 0, "", 1},
    {"htpasswd", "-bnB", NEXT, 0, "", 1},
    {"smbclient", "-U", NEXT, '%', NULL, 0},
    {"smbclient", "-U", TOUCHES, '%', NULL, 0},
    {"smbclient", "--user", NEXT, '%', NULL, 0},
    {"smbclient", "--user=", TOUCHES, '%', NULL, 0},
    {"rpcclient", "-U", NEXT, '%', NULL, 0},
    {"unzip", "-P", NEXT, 0, NULL, 0},
    {"unzip", "-P", TOUCHES, 0, NULL, 0},
    {"zip", "-P", NEXT, 0, NULL, 0},
    {"zip", "-P", TOUCHES, 0, NULL, 0},
    {"7z", "-p", TOUCHES, 0, NULL, 0},
    {"7za", "-p", TOUCHES, 0, NULL, 0},
    {"7zr", "-p", TOUCHES, 0, NULL, 0},
    {"7zz", "-p", TOUCHES, 0, NULL, 0},
};

#define OPTIONS_END (options + sizeof(options) / sizeof(*options))

/* The command that p is of begins there, or later. */
static const char *
begin_of(const char *start, const char *p)
{
	const char *from = p;

	while (from > start && p - from < BACK && from[-1] != ';' && from[-1] != '|' &&
	       from[-1] != '&')
		from--;
	return from;
}

/* As a word of its own in from[0..n). */
static bool
has_command(const char *from, size_t n, const char *command)
{
	size_t len = strlen(command);

	for (const char *p = from; p + len < from + n; p++) {
		if (*p == *command && memcmp(p, command, len) == 0 &&
		    (p == from || strchr(" \t/\"'$(", p[-1])) && strchr(" \t", p[len]))
			return true;
	}
	return false;
}

/* Where the secret of an option's value begins; NULL: there is none. */
static const char *
secret_of(const struct option *o, const char *value)
{
	size_t n;

	if (!*value || strchr(" \t", *value))
		return NULL;
	/* -passin env:NAME tells nothing, and what is a flag or "[options]" is no word. */
	if (o->head && (*o->head ? strncmp(value, o->head, strlen(o->head)) != 0
				 : strchr("-[<(|;&>", *value) != NULL))
		return NULL;
	if (!o->sep)
		return value;
	n = strcspn(value, o->sep == ':' ? ": \t" : "% \t");
	/* -u 1000:1000 is of another command. */
	if (value[n] != o->sep || strspn(value, REDACT_DIGITS ":") > n)
		return NULL;
	return value + n + 1;
}

/* The word that comes `skip` words after the one at p. */
static const char *
skip_words(const char *p, unsigned skip)
{
	for (; skip > 0; skip--) {
		p += strcspn(p, " \t");
		p += strspn(p, " \t");
	}
	return p;
}

const char *
redact_option(const char *start, const char *p)
{
	const char *from = NULL;

	for (const struct option *o = options; o < OPTIONS_END; o++) {
		size_t flag = strlen(o->flag);
		const char *value = p + flag;

		if (strncmp(p, o->flag, flag) != 0 ||
		    !strchr(" \t", *value) != (o->where == TOUCHES))
			continue;
		value = skip_words(value + strspn(value, " \t"), o->skip);
		if (!from)
			from = begin_of(start, p);
		if (secret_of(o, value) && has_command(from, (size_t)(p - from), o->command))
			return secret_of(o, value);
	}
	return NULL;
}

static const char *
value_of(const struct option *o, const char *const *argv, size_t command, size_t i)
{
	size_t n = strlen(o->flag), back = o->skip + 1;

	if (o->where == TOUCHES)
		return strncmp(argv[i], o->flag, n) == 0 ? secret_of(o, argv[i] + n) : NULL;
	return command + back < i && strcmp(argv[i - back], o->flag) == 0 ? secret_of(o, argv[i])
									  : NULL;
}

const char *
redact_option_value(const char *const *argv, size_t command, size_t i)
{
	const char *name = strrchr(argv[command], '/'), *from;

	name = name ? name + 1 : argv[command];
	for (const struct option *o = options; o < OPTIONS_END; o++) {
		from = strcmp(name, o->command) == 0 ? value_of(o, argv, command, i) : NULL;
		if (from)
			return from;
	}
	return NULL;
}
