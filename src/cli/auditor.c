/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/auditor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/str.h"
#include "record/source.h"

const char *
auditor_key_path(const struct args *a)
{
	const char *path = args_str(a, "key");

	if (!path)
		path = getenv("CORAL_AUDITOR_KEY");
	return path && *path ? path : NULL;
}

int
auditor_key_take(struct auditor_key *k, const struct args *a, struct err *e)
{
	const char *path = auditor_key_path(a);

	*k = (struct auditor_key){0};
	if (path)
		return auditor_key_load(k, path, auditor_ask, e);
	err_set(e, ERR_USAGE, 0, "no auditor's key is named");
	err_why(e, "what is sealed opens with the secret key of an auditor alone");
	return err_hint(e, "--key FILE, or CORAL_AUDITOR_KEY");
}

/* Until the end of the process. */
static struct auditor_key reading;

int
auditor_unlock_with(const char *path, struct err *e)
{
	auditor_key_free(&reading);
	if (auditor_key_load(&reading, path, auditor_ask, e) < 0)
		return -1;
	source_unlock(&reading);
	return 0;
}

int
auditor_unlock(const struct args *a, struct err *e)
{
	const char *path = auditor_key_path(a);

	return path ? auditor_unlock_with(path, e) : 0;
}

/* A line without its end; -1: none came, or it is too long. */
static int
read_line(int tty, char *out, size_t size)
{
	size_t n = 0;

	for (;;) {
		ssize_t got = read(tty, out + n, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		if (out[n] == '\n') {
			out[n] = '\0';
			return 0;
		}
		if (++n == size)
			return -1;
	}
}

/* On the terminal itself: standard input may be a recording. */
static int
ask(const char *prompt, char *out, size_t size, struct err *e)
{
	auto_close int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, quiet;
	int rc;

	if (tty < 0 || tcgetattr(tty, &before) < 0)
		return err_set(
		    e, ERR_USAGE, 0, "cannot ask for a passphrase: there is no terminal");
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ICANON | ECHONL;
	tcsetattr(tty, TCSAFLUSH, &quiet);
	fd_write_all(tty, prompt, strlen(prompt));
	rc = read_line(tty, out, size);
	tcsetattr(tty, TCSAFLUSH, &before);
	if (rc == 0)
		return 0;
	explicit_bzero(out, size);
	return err_set(e, ERR_USAGE, 0, "no passphrase was typed");
}

int
auditor_ask(const char *what, char *out, size_t size, struct err *e)
{
	char vis[256], prompt[300];

	str_vis(vis, sizeof(vis), what);
	snprintf(prompt, sizeof(prompt), "Passphrase of %s: ", vis);
	return ask(prompt, out, size, e);
}

int
auditor_ask_new(char *out, size_t size, struct err *e)
{
	char again[AUDITOR_PASS_MAX];
	int rc = ask("Passphrase (empty: the key lies open): ", out, size, e);

	if (rc < 0)
		return err_hint(e, "--no-passphrase leaves the key open");
	if (*out == '\0')
		return 0;
	rc = ask("The same again: ", again, sizeof(again), e);
	if (rc == 0 && strcmp(out, again) != 0)
		rc = err_set(e, ERR_USAGE, 0, "the two passphrases differ");
	explicit_bzero(again, sizeof(again));
	if (rc < 0)
		explicit_bzero(out, size);
	return rc;
}
