/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/send.h"
#include "base/attr.h"
#include "base/conf.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/auditor.h"
#include "cli/cmds.h"
#include "cli/replay.h"
#include "cli/verdict.h"
#include "cli/verdict_log.h"
#include "record/keys.h"
#include "record/store.h"
#include "record/verify.h"

/* Of directories below the one that is named; files lie one further down. */
#define DEPTH_MAX 4

struct job {
	const struct args *args;
	struct keys_list keys;
	json_t *rows; /* NULL: text */
	bool list;    /* print rows as an array */
	size_t seen;
	int status;
};

/* 1 outweighs 3 outweighs 0. */
static void
count_status(struct job *j, int status)
{
	if (status == VERDICT_BAD || j->status == VERDICT_GOOD)
		j->status = status;
}

static void
failed(struct job *j, const struct err *e)
{
	err_print(STDERR_FILENO, e);
	count_status(j, VERDICT_BAD);
}

/* `id`: how the session's id must begin, or NULL. */
static void
check(struct job *j, int fd, const char *name, const char *id)
{
	struct verify_result r;
	struct verdict v;
	struct err e = {0};

	j->seen++;
	if (verify_fd(fd, name, &r, &e) < 0) {
		failed(j, &e);
		return;
	}
	verdict_of(&v, &r, &j->keys, name, id);
	count_status(j, v.status);
	if (j->rows)
		json_array_append_new(j->rows, verdict_json(&v));
	else
		verdict_print(&v, stdout);
}

/* The id that the name of a file in the store promises, or NULL. */
static const char *
promised(const char *path, char id[STORE_ID_LEN + 1])
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	if (!store_named_cast(base) || strcspn(base, ".") != STORE_ID_LEN)
		return NULL;
	str_copy(id, base, STORE_ID_LEN + 1);
	return store_id_valid(id) ? id : NULL;
}

static void
check_file(struct job *j, const char *path)
{
	char shown[512], id[STORE_ID_LEN + 1];
	bool in = strcmp(path, "-") == 0;
	auto_close int fd = -1;
	struct err e = {0};

	str_vis(shown, sizeof(shown), in ? "(standard input)" : path);
	fd = replay_open(path, shown, &e);
	if (fd < 0)
		failed(j, &e);
	else
		check(j, fd, shown, promised(path, id));
}

/* Of a directory, whose owner could have put anything there: neither followed nor waited for. */
static void
check_found(struct job *j, const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
	char shown[512], id[STORE_ID_LEN + 1];
	struct err e = {0};
	int cause = errno;
	struct stat st;

	str_vis(shown, sizeof(shown), path);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		check(j, fd, shown, promised(path, id));
		return;
	}
	j->seen++;
	/* ENXIO: a socket. */
	if (fd < 0 && cause != ELOOP && cause != ENXIO) {
		err_set(&e, ERR_IO, cause, "cannot open the recording %s", shown);
	} else {
		err_set(&e, ERR_BAD_FILE, 0, "cannot verify the recording %s", shown);
		err_why(&e, "it is not a regular file");
		err_hint(&e, "see what took its place: ls -ld %s", shown);
	}
	failed(j, &e);
}

static int
by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool
is_recording(const FTSENT *at)
{
	return at->fts_level > 0 && at->fts_info != FTS_DP && store_named_cast(at->fts_name);
}

static void
check_log(struct job *j, const char *dir)
{
	struct err e = {0};
	int status = verdict_log(dir, args_list(j->args, "head"), j->rows, &e);

	j->seen++;
	if (status < 0)
		failed(j, &e);
	else
		count_status(j, status);
}

/* What `coral audit export -d` made has the log of its records in "log". */
static bool
is_export(const char *dir, char log[PATH_MAX])
{
	return (size_t)snprintf(log, PATH_MAX, "%s/log", dir) < PATH_MAX && verdict_is_log(log);
}

/* Of a selection there is no chain. */
static void
say_selection(const char *dir)
{
	char path[PATH_MAX], shown[512];

	if ((size_t)snprintf(path, sizeof(path), "%s/log/records.jsonl", dir) >= sizeof(path) ||
	    access(path, F_OK) != 0)
		return;
	str_vis(shown, sizeof(shown), dir);
	fprintf(stderr,
	    "coral: %s/log/records.jsonl was not verified: it is a selection, and has no chain\n"
	    "  try: what %s/README says\n",
	    shown, shown);
}

static void
check_dir(struct job *j, const char *path)
{
	auto_free char *copy = strdup(path);
	char *const top[] = {copy, NULL};
	FTS *fts = copy ? fts_open(top, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name) : NULL;
	size_t before = j->seen;
	struct err e = {0};
	char log[PATH_MAX];
	FTSENT *at;

	while (fts && (at = fts_read(fts))) {
		if (at->fts_info == FTS_D && at->fts_level > DEPTH_MAX)
			fts_set(fts, at, FTS_SKIP);
		if (at->fts_info == FTS_DNR) {
			err_set(&e, ERR_IO, at->fts_errno, "cannot read the directory %s",
			    at->fts_path);
			failed(j, &e);
			before = SIZE_MAX;
		}
		if (is_recording(at)) {
			fts_set(fts, at, FTS_SKIP);
			check_found(j, at->fts_path);
		}
	}
	if (fts)
		fts_close(fts);
	if (is_export(path, log))
		check_log(j, log);
	else
		say_selection(path);
	if (j->seen != before)
		return;
	err_set(&e, ERR_NO_SESSION, 0, "there is nothing to verify in %s", path);
	err_why(&e, "it holds no .cast file, nor a .cast.zst or .cast.sealed");
	err_hint(&e, "name STATE_DIR/sessions, or a recording");
	failed(j, &e);
}

static void
check_session(struct job *j, const char *spec)
{
	char name[300], id[STORE_ID_LEN + 1];
	struct err e = {0};
	auto_close int fd = replay_source(j->args, spec, name, sizeof(name), &e);

	if (fd < 0) {
		failed(j, &e);
		return;
	}
	str_copy(id, spec, sizeof(id));
	for (char *p = id; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	check(j, fd, name, id);
}

static void
check_own_log(struct job *j)
{
	struct err e = {0};
	struct conf conf;
	char dir[512];

	if (cmd_settings(&conf, &e) < 0 || audit_dir(conf.state_dir, dir, sizeof(dir), &e) < 0)
		failed(j, &e);
	else
		check_log(j, dir);
}

/* Heads are of a log. */
static int
check_heads(const struct args *a, int argc, char **argv, struct err *e)
{
	bool any = args_flag(a, "log");
	char hash[AUDIT_HASH_SIZE], log[PATH_MAX];

	for (const char *const *head = args_list(a, "head"); *head; head++)
		if (verdict_log_head(*head, hash, e) < 0)
			return -1;
	for (int i = 0; i < argc; i++)
		any |= verdict_is_log(argv[i]) || is_export(argv[i], log);
	if (any || !args_list(a, "head")[0])
		return 0;
	err_set(e, ERR_USAGE, 0, "--head is for an audit log");
	err_why(e, "none is named");
	return err_hint(e, "coral audit verify --log --head HASH");
}

static void
check_one(struct job *j, const char *spec)
{
	struct stat st;

	if (strcmp(spec, "-") == 0)
		check_file(j, spec);
	else if (verdict_is_log(spec))
		check_log(j, spec);
	else if (stat(spec, &st) == 0 && S_ISDIR(st.st_mode)) {
		j->list = true;
		check_dir(j, spec);
	} else if (strchr(spec, '/') || store_named_cast(spec) || access(spec, F_OK) == 0)
		check_file(j, spec);
	else
		check_session(j, spec);
}

/* Those that are named, else the agent's own. */
static int
take_keys(struct job *j, struct err *e)
{
	const char *const *named = args_list(j->args, "key"), *mine = getenv("CORAL_AUDITOR_KEY");
	struct conf conf;
	bool trust = false;

	if (mine && *mine && auditor_unlock_with(mine, e) < 0)
		return -1;
	for (; *named; named++) {
		bool opens = auditor_key_is(*named);

		trust |= !opens;
		if (opens ? auditor_unlock_with(*named, e) < 0 : keys_take(&j->keys, *named, e) < 0)
			return -1;
	}
	if (trust)
		return 0;
	return cmd_settings(&conf, e) < 0 ? -1 : keys_known(conf.state_dir, &j->keys, e);
}

/* A verdict that nobody got is an error, whatever it was; one that nobody reads to its end is none.
 */
static int
told(const struct job *j)
{
	struct err e;

	if (!cmd_print_failed())
		return j->status;
	err_set(&e, ERR_IO, errno, "cannot write the verdict");
	err_hint(&e, "another standard output");
	return cmd_fail(&e);
}

static int
run(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	bool as_json, own_log = args_flag(a, "log");
	struct job j = {.args = a, .list = argc + own_log > 1};
	struct err e;

	(void)dashdash;
	if (cmd_format(a, &as_json, &e) < 0 ||
	    (argc + own_log < 1 && cmd_bad_words(c, argc, argv, &e) < 0) ||
	    check_heads(a, argc, argv, &e) < 0 || take_keys(&j, &e) < 0) {
		keys_fini(&j.keys);
		return cmd_fail(&e);
	}
	j.rows = as_json ? json_array() : NULL;
	if (own_log)
		check_own_log(&j);
	for (int i = 0; i < argc; i++)
		check_one(&j, argv[i]);
	if (as_json && (j.list || json_array_size(j.rows) > 0))
		cmd_print_json(j.list ? j.rows : json_array_get(j.rows, 0));
	json_decref(j.rows);
	keys_fini(&j.keys);
	return told(&j);
}

static const struct opt opts[] = {
    {"key", 0, OPT_LIST, "FILE|TEXT",
	"a public key to trust, in place of this machine's; or the secret one of an auditor",
	COMP_FILE, NULL},
    {"log", 0, OPT_FLAG, NULL, "the audit log of this machine, by its chain", COMP_NONE, NULL},
    {"head", 0, OPT_LIST, "HASH",
	"a record of the log that was its last one once: it must be there", COMP_NONE, NULL},
    {"output", 'o', OPT_STR, "table|json", "how to print", COMP_WORDS, "table json"},
    CMD_AGENT_OPTS,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};

const struct cmd cmd_audit_verify = {
    .name = "audit verify",
    .usage = "[flags] {--log | FILE|ID|DIR|-} ...",
    .summary = "say whether recordings, or the log, are authentic, and whether complete",
    .examples =
	"coral audit verify 01jd0\ta session of this agent\n"
	"coral audit verify --key agent.pub ./demo.cast\ta file from elsewhere\n"
	"coral audit verify /var/lib/coral/sessions\tall of them\n"
	"coral audit verify --log --head 9f2c...\tthe log, and that it still has this record\n"
	"ssh host cat demo.cast | coral audit verify --key agent.pub -\tfrom a pipe\n",
    .opts = opts,
    .words = COMP_SESSION,
    .run = run,
};
