/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cmd_keys.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "cli/auditor.h"
#include "cli/cmds.h"
#include "record/keys.h"
#include "session/audited.h"

static int
check_name(const char *name, struct err *e)
{
	if (auditor_name_valid(name))
		return 0;
	err_set(e, ERR_USAGE, 0, "this is no name for an auditor's key");
	err_why(
	    e, "it is up to %d letters, digits, and . _ @ - behind the first", AUDITOR_NAME - 1);
	return err_hint(e, "coral keys create --auditor alice");
}

static int
check_flags(const struct args *a, struct err *e)
{
	if (!args_flag(a, "replace"))
		return check_name(args_str(a, "auditor"), e);
	err_set(e, ERR_USAGE, 0, "--replace is for the agent's own key");
	err_why(e, "what was sealed to an auditor's opens with that one alone");
	return err_hint(e, "make one by another name, and add its line to record.auditors");
}

/* Where it goes, and that nothing lies there. */
static int
place(const struct args *a, const char *name, char *path, size_t size, struct err *e)
{
	const char *named = args_str(a, "output");
	struct conf conf;

	if (named) {
		if (snprintf(path, size, "%s", named) >= (int)size)
			return err_set(e, ERR_USAGE, ENAMETOOLONG, "cannot make an auditor's key");
	} else if (cmd_settings(&conf, e) < 0 ||
		   keys_auditor_path(conf.state_dir, name, path, size, e) < 0)
		return -1;
	return auditor_key_absent(path, e);
}

/* One that is put elsewhere is not this machine's. */
static int
tell_made(const struct args *a, const char *line, struct err *e)
{
	struct conf conf;

	if (args_str(a, "output"))
		return 0;
	return cmd_settings(&conf, e) < 0 ? -1
					  : session_audit_key(&conf, "key.created", line, NULL, e);
}

/* Who gives up in the middle of it has a key that the log tells of, or none. */
static int
make_told(const struct args *a, const char *path, const char *pass, char line[AUDITOR_LINE],
    struct err *e)
{
	struct auditor who;
	sigset_t set, before;
	int rc;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &before);
	rc = auditor_key_create(path, args_str(a, "auditor"), pass, &who, e);
	if (rc == 0) {
		auditor_line(line, &who);
		rc = tell_made(a, line, e);
		if (rc < 0)
			auditor_key_discard(path);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int
cmd_keys_make_auditor(const struct args *a)
{
	char path[480], line[AUDITOR_LINE], pass[AUDITOR_PASS_MAX] = "";
	struct err e = {0};
	int rc;

	/* Before anybody thinks of a passphrase. */
	if (check_flags(a, &e) < 0 ||
	    place(a, args_str(a, "auditor"), path, sizeof(path), &e) < 0 ||
	    (!args_flag(a, "no-passphrase") && auditor_ask_new(pass, sizeof(pass), &e) < 0))
		return cmd_fail(&e);
	rc = make_told(a, path, pass, line, &e);
	explicit_bzero(pass, sizeof(pass));
	if (rc < 0)
		return cmd_fail(&e);
	printf("%s\n", line);
	fprintf(stderr,
	    "coral: the secret is %s: keep it from the agents' machines; the line goes into "
	    "record.auditors of their policy\n",
	    path);
	return 0;
}

json_t *
cmd_keys_auditor_row(const char *state_dir, const struct auditor *who)
{
	char line[AUDITOR_LINE], path[480], name[AUDITOR_NAME + 8];

	auditor_line(line, who);
	snprintf(name, sizeof(name), "auditor_%s", who->name);
	snprintf(path, sizeof(path), "%s/keys/%s.pub", state_dir, name);
	return json_pack("{s:s, s:b, s:s, s:s, s:o}", "name", name, "in_force", 1, "fingerprint",
	    who->id, "public_key", line, "path", json_text(path));
}
