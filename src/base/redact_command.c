/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Options whose name does not say that a secret follows, of the commands that have them. */
#include "base/redact_priv.h"

#include <string.h>

/* How far back on a line the command stands. */
#define BACK 256

static const struct option {
	const char *command, *flag;
	bool touching; /* -pSECRET; else -p SECRET */
	bool person;   /* NAME:SECRET */
} options[] = {
    {"mysql", "-p", true, false},
    {"mysqldump", "-p", true, false},
    {"mysqladmin", "-p", true, false},
    {"mariadb", "-p", true, false},
    {"mariadb-dump", "-p", true, false},
    {"sshpass", "-p", true, false},
    {"sshpass", "-p", false, false},
    {"redis-cli", "-a", false, false},
    {"mongo", "-p", false, false},
    {"mongosh", "-p", false, false},
    {"login", "-p", false, false},
    {"ldapsearch", "-w", false, false},
    {"ldapmodify", "-w", false, false},
    {"ldapadd", "-w", false, false},
    {"curl", "-u", false, true},
    {"curl", "-u", true, true},
    {"curl", "-U", false, true},
    {"curl", "--user", false, true},
    {"curl", "--proxy-user", false, true},
};

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
	size_t n = strcspn(value, ": \t");

	if (!o->person)
		return *value && !strchr(" \t", *value) ? value : NULL;
	/* -u 1000:1000 is of another command. */
	if (value[n] != ':' || strspn(value, REDACT_DIGITS ":") > n)
		return NULL;
	return value + n + 1;
}

const char *
redact_option(const char *start, const char *p)
{
	const char *from = NULL;

	for (const struct option *o = options; o < options + sizeof(options) / sizeof(*o); o++) {
		size_t flag = strlen(o->flag);
		const char *value = p + flag;

		if (strncmp(p, o->flag, flag) != 0 || !strchr(" \t", *value) != o->touching)
			continue;
		value += strspn(value, " \t");
		if (!from)
			from = begin_of(start, p);
		if (secret_of(o, value) && has_command(from, (size_t)(p - from), o->command))
			return secret_of(o, value);
	}
	return NULL;
}

const char *
redact_option_value(const char *command, const char *flag, const char *value)
{
	const char *name = strrchr(command, '/');

	name = name ? name + 1 : command;
	for (const struct option *o = options; o < options + sizeof(options) / sizeof(*o); o++) {
		size_t n = strlen(o->flag);
		const char *from;

		if (strcmp(name, o->command) != 0)
			continue;
		if (o->touching && strncmp(value, o->flag, n) == 0)
			from = secret_of(o, value + n);
		else
			from =
			    !o->touching && strcmp(flag, o->flag) == 0 ? secret_of(o, value) : NULL;
		if (from)
			return from;
	}
	return NULL;
}
