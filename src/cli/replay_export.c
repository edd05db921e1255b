/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/replay_follow.h"
#include "cli/replay_output.h"
#include "replay/export.h"
#include "replay/player.h"

static const struct replay_format formats[] = {
    {"text", REPLAY_TEXT, ".txt", false, false, false},
    {"json", REPLAY_JSON, ".json", false, false, false},
    {"cast", REPLAY_CAST, ".cast", false, false, false},
    {"cast3", REPLAY_CAST3, NULL, false, false, false},
    {"html", REPLAY_HTML, ".html", false, false, false},
    {"svg", REPLAY_SVG, ".svg", true, false, false},
    {"png", REPLAY_PNG, ".png", true, true, false},
    {"ttyrec", REPLAY_TTYREC, ".ttyrec", false, true, true},
    {"script", REPLAY_SCRIPT, ".typescript", false, true, true},
    {"txt", REPLAY_TEXT, NULL, false, false, false},
    {NULL, REPLAY_PLAYER, NULL, true, false, false},
};

const struct replay_format *
replay_format_named(const char *name)
{
	const struct replay_format *f;

	for (f = formats; f->name; f++) {
		if (strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

const struct replay_format *
replay_format_of_file(const char *path)
{
	const struct replay_format *f;
	size_t n = strlen(path), k;

	for (f = formats; f->name; f++) {
		k = f->suffix ? strlen(f->suffix) : 0;
		if (k && n > k && strcmp(path + n - k, f->suffix) == 0)
			return f;
	}
	return NULL;
}

void
replay_say_truncated(const struct replay_export *x)
{
	if (!x->follow && replay_goes_on(x->args, x->spec))
		fprintf(stderr, "coral: %s is not all: the session goes on\n", x->name);
	else
		fprintf(stderr, "coral: %s is truncated: the end of the session is not in it\n",
		    x->name);
}

static int
picture(struct player *p, const struct replay_export *x, struct err *e)
{
	const json_t *title = json_object_get(player_header(p), "title");

	if (x->format->kind == REPLAY_SVG)
		export_svg(player_screen(p), json_string_value(title), stdout);
	else if (export_png(player_screen(p), stdout) < 0)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot draw %s", x->name);
	if (player_next(p) >= 0)
		return 0;
	switch (player_ending(p, e)) {
	case PLAYER_DAMAGED:
		return -1;
	case PLAYER_TRUNCATED:
		replay_say_truncated(x);
		break;
	case PLAYER_WHOLE:
		break;
	}
	return 0;
}

/* One moment: the last there is, unless the time is told. */
static int
still(int fd, const struct replay_export *x)
{
	struct err e = {0};
	struct player *p = player_open(fd, x->name, &e);
	int64_t t = INT64_MAX;
	int rc;

	if (!p)
		return cmd_fail(&e);
	rc = x->from ? replay_moment(p, x->from, &t, &e) : 0;
	if (rc == 0) {
		player_seek(p, t);
		player_finish(p);
		rc = picture(p, x, &e);
	}
	player_free(p);
	return rc < 0 ? cmd_fail(&e) : 0;
}

static int
whole(int fd, const struct replay_export *x, FILE *timing)
{
	struct export ex = {
	    .fd = fd, .name = x->name, .out = stdout, .timing = timing, .raw = x->raw};
	struct err e = {0};
	int rc = -1;

	if (x->follow) {
		ex.more = follow_more;
		ex.arg = x->follow;
	}

	switch (x->format->kind) {
	case REPLAY_CAST:
	case REPLAY_CAST3:
		rc = export_cast(&ex, x->format->kind == REPLAY_CAST ? 2 : 3, &e);
		break;
	case REPLAY_HTML:
		rc = export_html(&ex, &e);
		break;
	case REPLAY_TTYREC:
		rc = export_ttyrec(&ex, &e);
		break;
	default:
		rc = export_script(&ex, &e);
		break;
	}
	fd_close(&fd);
	if (rc < 0) {
		/* Without a key nothing came. */
		if (ex.begun && e.code != ERR_AUTH)
			err_hint(&e, "what comes before it was printed");
		return cmd_fail(&e);
	}
	if (ex.truncated)
		replay_say_truncated(x);
	return 0;
}

static int
one(int fd, const struct replay_export *x, FILE *timing)
{
	switch (x->format->kind) {
	case REPLAY_TEXT:
		return replay_text(fd, x);
	case REPLAY_JSON:
		return replay_json(fd, x->name, x->follow);
	case REPLAY_SVG:
	case REPLAY_PNG:
		return still(fd, x);
	default:
		return whole(fd, x, timing);
	}
}

static FILE *
open_timing(struct replay_output *when, char **name, const char *path, struct err *e)
{
	FILE *f = NULL;
	int fd;

	if (asprintf(name, "%s.timing", path) < 0)
		*name = NULL;
	if (*name && replay_output_open(when, *name, e) < 0)
		return NULL;
	fd = *name ? fcntl(when->fd, F_DUPFD_CLOEXEC, 3) : -1;
	if (fd >= 0 && !(f = fdopen(fd, "w")))
		close(fd);
	if (!f)
		err_set(e, ERR_IO, errno, "cannot write the times of a script");
	return f;
}

/* Standard output becomes the file, so that every form writes to one place. */
static int
to_file(int fd, const struct replay_export *x, struct err *e)
{
	struct replay_output out = {.fd = -1}, when = {.fd = -1};
	auto_free char *timing_path = NULL;
	FILE *timing = NULL;
	bool good = false;
	int status = 0;

	if (x->format->kind == REPLAY_SCRIPT)
		timing = open_timing(&when, &timing_path, x->path, e);
	if (e->code == ERR_NONE && replay_output_open(&out, x->path, e) == 0 &&
	    dup2(out.fd, STDOUT_FILENO) >= 0) {
		status = one(fd, x, timing);
		good = fflush(stdout) == 0 && !ferror(stdout);
	} else {
		close(fd);
	}
	if (timing && (ferror(timing) | fclose(timing)))
		good = false;
	if (!good && status == 0 && e->code == ERR_NONE)
		err_set(e, ERR_IO, errno, "cannot write the recording %s", x->name);
	if (replay_output_close(&out, good, status == 0, e) < 0)
		good = false;
	replay_output_close(&when, good, status == 0, e);
	return status;
}

int
replay_export(int fd, const struct replay_export *x)
{
	struct err e = {0};
	int status;

	if (x->path && strcmp(x->path, "-") != 0) {
		status = to_file(fd, x, &e);
		return e.code != ERR_NONE ? cmd_fail(&e) : status;
	}
	status = one(fd, x, NULL);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (status != 0)
		return status;
	err_set(&e, ERR_IO, errno, "cannot write the recording %s", x->name);
	return cmd_fail(&e);
}
