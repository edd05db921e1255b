/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/auditor.h"
#include "cli/cmds.h"
#include "cli/replay.h"
#include "record/cast.h"
#include "record/sealed.h"
#include "record/source.h"

struct unsealing {
	struct auditor_key key;
	struct sealed_key session;
	bool as_json;
	int64_t began; /* 0: not known */
	uint64_t n;    /* texts so far */
};

static json_t *
row_of(const struct unsealing *u, const struct cast_event *ev, const unsigned char *p, size_t n)
{
	json_t *row = json_pack(
	    "{sI sf}", "line", (json_int_t)ev->line, "at_s", (double)(ev->t / 1000) / 1000000.0);
	json_t *text = json_stringn((const char *)p, n);
	const char *key = text ? "text" : "text_base64";
	char when[CLOCK_ISO_SIZE], b64[SEALED_B64 + 1];

	if (u->began) {
		clock_iso(u->began + ev->t, when);
		json_object_set_new(row, "time", json_string(when));
	}
	/* JSON has no text that is not UTF-8. */
	if (!text) {
		str_base64(b64, p, n);
		text = json_string(b64);
	}
	json_object_set_new(row, key, text);
	return row;
}

static void
print_one(const struct unsealing *u, const struct cast_event *ev, const unsigned char *p, size_t n)
{
	char when[CLOCK_ISO_SIZE], at[32], text[4 * SEALED_TEXT + 1];

	/* What ended the line says nothing. */
	if (n > 0 && (p[n - 1] == '\r' || p[n - 1] == '\n'))
		n--;
	replay_format_time(ev->t, true, at, sizeof(at));
	str_vis_n(text, sizeof(text), (const char *)p, n);
	if (u->began) {
		clock_iso(u->began + ev->t, when);
		printf("%s  ", when);
	}
	printf("%s  %s\n", at, text);
}

static int
altered(const char *name, const struct cast_event *ev, struct err *e)
{
	err_set(e, ERR_BAD_FILE, 0, "cannot open what is sealed in %s", name);
	err_why(e, "line %llu was altered, or stood elsewhere", (unsigned long long)ev->line);
	return err_hint(e, "coral audit verify says what was done to it");
}

static int
open_one(
    struct unsealing *u, const char *name, const struct cast_event *ev, json_t *rows, struct err *e)
{
	const char *box = json_str(ev->facts, "box");
	unsigned char text[SEALED_TEXT + 1];
	int64_t n = json_int(ev->facts, "n", -1);
	int len = -1;

	if (box && n >= 0 && (uint64_t)n == u->n)
		len = sealed_get(&u->session, (uint64_t)n, box, text);
	if (len < 0)
		return altered(name, ev, e);
	u->n++;
	if (u->as_json)
		json_array_append_new(rows, row_of(u, ev, text, (size_t)len));
	else
		print_one(u, ev, text, (size_t)len);
	explicit_bzero(text, sizeof(text));
	return 0;
}

static int
open_all(struct unsealing *u, struct cast_reader *r, const char *name, json_t *rows, struct err *e)
{
	struct cast_event ev;
	int rc;

	if (sealed_take(&u->session, json_object_get(cast_header(r), "coral"), &u->key, e) < 0)
		return -1;
	u->began = cast_began(r);
	while ((rc = cast_next(r, &ev, e)) > 0)
		if (ev.kind == CAST_EV_CORAL && strcmp(ev.name, "sealed") == 0 &&
		    open_one(u, name, &ev, rows, e) < 0)
			return -1;
	return rc;
}

static int
unseal(struct unsealing *u, const struct args *a, const char *spec, struct err *e)
{
	char name[300];
	int rc, fd = replay_source_sealed(a, spec, name, sizeof(name), e);
	struct cast_reader *r = fd < 0 ? NULL : cast_open_fd(fd, name, e);
	json_t *rows;

	if (!r)
		return -1;
	rows = json_array();
	rc = open_all(u, r, name, rows, e);
	cast_close(r);
	if (u->as_json)
		cmd_print_json(rows);
	else if (rc == 0 && u->n == 0)
		fprintf(stderr, "coral: nothing was typed unseen in %s\n", name);
	json_decref(rows);
	return rc;
}

static int
run(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct unsealing u = {0};
	struct err e = {0};
	int rc;

	(void)dashdash;
	if (argc != 1)
		return cmd_bad_words(c, argc, argv, &e), cmd_fail(&e);
	rc = cmd_format(a, &u.as_json, &e);
	if (rc == 0)
		rc = auditor_key_take(&u.key, a, &e);
	source_unlock(&u.key);
	if (rc == 0)
		rc = unseal(&u, a, argv[0], &e);
	source_unlock(NULL);
	auditor_key_free(&u.key);
	explicit_bzero(&u.session, sizeof(u.session));
	return rc < 0 ? cmd_fail(&e) : 0;
}

static const struct opt opts[] = {
    AUDITOR_KEY_OPT,
    {"output", 'o', OPT_STR, "table|json", "how to print", COMP_WORDS, "table json"},
    CMD_AGENT_OPTS,
    {NULL, 0, OPT_FLAG, NULL, NULL, COMP_NONE, NULL},
};

const struct cmd cmd_audit_unseal = {
    .name = "audit unseal",
    .usage = "[flags] ID|FILE",
    .summary = "show what was typed unseen in a session, to an auditor's key",
    .examples = "coral audit unseal --key alice.key 01jd0\tthe audit log is told first\n"
		"coral audit unseal --key alice.key -o json ./demo.cast\ta file: told as well, if "
		"its session is here\n",
    .opts = opts,
    .words = COMP_SESSION,
    .run = run,
};
