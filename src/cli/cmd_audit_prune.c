/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"
#include "cli/cmds.h"
#include "session/prune.h"

struct output {
	bool dry_run;
	json_t *rows; /* NULL: text */
};

static void
add_row(const struct output *o, const struct prune_item *x, const char *ended)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:b, s:o}", "kind",
	    x->log ? "log" : "recording", "name", x->name, "why", x->why, "ended", ended, "bytes",
	    (json_int_t)x->bytes, "sha256", x->digest[0] ? json_string(x->digest) : json_null(),
	    "removed", !o->dry_run && !x->failed, "error",
	    x->failed ? json_sprintf("%s: %s", x->failed->what, x->failed->why) : json_null());

	json_array_append_new(o->rows, row);
}

static void
tell(void *arg, const struct prune_item *x)
{
	const struct output *o = arg;
	char ended[CLOCK_ISO_SIZE];

	clock_iso(x->ended_ns, ended);
	if (x->failed)
		err_print(STDERR_FILENO, x->failed);
	if (o->rows)
		add_row(o, x, ended);
	else if (!x->failed)
		printf("%s  %s  %llu bytes  %s\n", x->name, ended, (unsigned long long)x->bytes,
		    x->why);
}

static void
sum_up(const struct prune_sum *s, bool dry_run)
{
	fprintf(stderr, "coral: %zu recording%s and %zu file%s of the log %s, %llu bytes\n",
	    s->recordings, s->recordings == 1 ? "" : "s", s->logs, s->logs == 1 ? "" : "s",
	    dry_run ? "would be removed" : "removed", (unsigned long long)s->bytes);
	if (s->unproved > 0)
		fprintf(stderr,
		    "coral: %zu recording%s not removed yet: the audit log does not have %s end, "
		    "and %s less than an hour old\n",
		    s->unproved, s->unproved == 1 ? " is" : "s are",
		    s->unproved == 1 ? "its" : "their", s->unproved == 1 ? "it is" : "they are");
}

static int
below_policy(const struct policy_retention *k, const char *given, struct err *e)
{
	char keep[32];

	prune_duration(k->keep_ns, keep, sizeof keep);
	err_set(e, ERR_DENIED, 0, "cannot remove what is older than %.32s alone", given);
	err_why(e, "the policy keeps every recording for %s (defaults.retention.keep)", keep);
	return err_hint(e, "name what must go: coral sessions rm ID");
}

/* What is asked for counts alone; without, the policy. */
static int
take_limits(const struct args *a, struct policy_retention *k, struct err *e)
{
	const char *age = args_str(a, "older-than"), *size = args_str(a, "keep-size");

	if (!age && !size)
		return 0;
	k->age_ns = args_int(a, "older-than", 0);
	/* Above 0, which would be no bound: with 0s all that has ended. */
	k->age_ns = age && k->age_ns == 0 ? 1 : k->age_ns;
	k->size = 0;
	k->log_ns = 0;
	if (age && k->age_ns < k->keep_ns)
		return below_policy(k, age, e);
	if (!size || (policy_size(size, &k->size) == 0 && k->size > 0))
		return 0;
	err_set(e, ERR_USAGE, 0, "%.80s is no size to keep", size);
	err_why(e, "it is not a number above 0, or one with KiB, MiB or GiB");
	return err_hint(e, "--keep-size 10GiB");
}

static int
load_policy(const struct conf *conf, struct policy_retention *k, struct err *e)
{
	char path[sizeof conf->config_dir + 16];
	struct policy *p;

	snprintf(path, sizeof path, "%s/policy.yaml", conf->config_dir);
	p = policy_load(path, e);
	if (!p)
		return -1;
	*k = policy_retention(p);
	policy_free(p);
	return 0;
}

static int
run(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct output out = {.dry_run = args_flag(a, "dry-run")};
	struct conf conf;
	struct prune_job job = {
	    .conf = &conf, .by_hand = true, .dry_run = out.dry_run, .tell = tell, .arg = &out};
	struct prune_sum sum;
	struct err e = {0};
	bool as_json;
	int rc;

	(void)dashdash;
	if ((argc > 0 && cmd_bad_words(c, argc, argv, &e) < 0) || cmd_format(a, &as_json, &e) < 0 ||
	    cmd_settings(&conf, &e) < 0 || load_policy(&conf, &job.keep, &e) < 0 ||
	    take_limits(a, &job.keep, &e) < 0)
		return cmd_fail(&e);
	out.rows = as_json ? json_array() : NULL;
	rc = prune_run(&job, &sum, &e);
	if (as_json)
		cmd_print_json(out.rows);
	json_decref(out.rows);
	if (rc < 0)
		return cmd_fail(&e);
	sum_up(&sum, out.dry_run);
	return sum.failed > 0;
}

static const struct opt opts[] = {
    {"older-than", 0, OPT_DUR, "DURATION", "recordings that ended longer ago: 30d, 12h", COMP_NONE,
	NULL},
    {"keep-size", 0, OPT_STR, "SIZE", "the oldest beyond so much in all: 10GiB, 500MiB", COMP_NONE,
	NULL},
    {"dry-run", 0, OPT_FLAG, NULL, "print what would be removed, and remove nothing", COMP_NONE,
	NULL},
    {"output", 'o', OPT_STR, "table|json", "how to print", COMP_WORDS, "table json"},
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};

const struct cmd cmd_audit_prune = {
    .name = "audit prune",
    .usage = "[flags]",
    .summary = "remove recordings, and files of the log, that the policy keeps no longer",
    .examples = "coral audit prune --dry-run\twhat is due by the policy\n"
		"coral audit prune --keep-size 10GiB\tthe oldest, until so much is left\n",
    .opts = opts,
    .run = run,
};
