/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/auditor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/passphrase.h"
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

int
auditor_ask(const char *what, char *out, size_t size, struct err *e)
{
	char vis[256], prompt[300];

	str_vis(vis, sizeof(vis), what);
	snprintf(prompt, sizeof(prompt), "Passphrase of %s: ", vis);
	return passphrase_ask(prompt, out, size, e);
}

int
auditor_ask_new(char *out, size_t size, struct err *e)
{
	char again[AUDITOR_PASS_MAX];
	int rc = passphrase_ask("Passphrase (empty: the key lies open): ", out, size, e);

	if (rc < 0)
		return err_hint(e, "--no-passphrase leaves the key open");
	if (*out == '\0')
		return 0;
	rc = passphrase_ask("The same again: ", again, sizeof(again), e);
	if (rc == 0 && strcmp(out, again) != 0) {
		err_set(e, ERR_USAGE, 0, "the two passphrases differ");
		err_why(e, "one that was mistyped would open nothing, and no key was made");
		rc = err_hint(e, "run it again");
	}
	explicit_bzero(again, sizeof(again));
	if (rc < 0)
		explicit_bzero(out, size);
	return rc;
}
