/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "record/cast_priv.h"

#define FORMAT 1 /* of the "coral" object and of coral's own events */

/* What the first line says.  Takes coral. */
static json_t *
header_of(const struct cast_start *s, json_t *coral)
{
	json_t *clock, *env = NULL, *title = NULL;
	char seen[512];

	clock = json_pack(
	    "{sI sI}", "real_ns", (json_int_t)s->real_ns, "mono_ns", (json_int_t)s->mono_ns);
	json_object_set_new(coral, "version", json_integer(FORMAT));
	json_object_set_new(coral, "clock", clock);
	if (s->evidence)
		json_object_set_new(coral, "evidence", evidence_json(s->evidence));
	if (s->term)
		env = json_pack("{ss}", "TERM", s->term);
	if (s->title) {
		str_vis(seen, sizeof(seen), s->title);
		title = json_string(seen);
	}
	return json_pack("{si si si sI so* so* so}", "version", 2, "width", s->cols, "height",
	    s->rows, "timestamp", (json_int_t)(s->real_ns / NS_PER_S), "title", title, "env", env,
	    "coral", coral);
}

/* The file's own line, where it is encrypted, and the header in the buffer. */
static int
begin(struct cast_writer *w, const struct cast_start *s, const json_t *header, struct err *e)
{
	auto_free char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
	size_t n = text ? strlen(text) : 0;

	if (!text)
		return err_set(e, ERR_RECORDING, ENOMEM, "cannot begin a recording");
	if (n >= CAST_LINE_MAX) {
		err_set(e, ERR_LIMIT, 0, "cannot begin a recording");
		err_why(e, "its header is %zu bytes; at most %d fit", n, CAST_LINE_MAX - 1);
		return err_hint(e, "pass fewer or shorter arguments and variables");
	}
	if (cast_out_alloc(w, n) < 0)
		return err_set(e, ERR_RECORDING, errno, "cannot begin a recording");
	if (cast_encrypt_init(w, s, header, e) < 0)
		return -1;
	memcpy(w->out, text, n);
	w->out_len = n;
	cast_emit_line(w);
	return 0;
}

static int
write_header(struct cast_writer *w, const struct cast_start *s, struct err *e)
{
	json_t *coral = s->coral ? json_copy(s->coral) : json_object(), *header;
	int rc;

	if (cast_secret_init(w, s, coral, e) < 0) {
		json_decref(coral);
		return -1;
	}
	header = header_of(s, coral);
	rc = begin(w, s, header, e);
	json_decref(header);
	if (rc < 0 || cast_commit(w, false, e) < 0)
		return -1;
	/* Who, where and what is signed before anything is done. */
	return cast_put_mark(w, s->mono_ns, e);
}

struct cast_writer *
cast_create(const struct cast_start *s, struct err *e)
{
	struct cast_writer *w = calloc(1, sizeof(*w));
	char fresh[sizeof(w->name) + 4];

	if (!w) {
		quota_close(s->quota);
		err_set(e, ERR_RECORDING, ENOMEM, "cannot begin a recording");
		return NULL;
	}
	str_copy(w->name, s->name, sizeof(w->name));
	w->start = w->last = w->synced_at = s->mono_ns;
	w->bulk_cap = s->bulk_cap;
	w->max_bytes = s->max_bytes;
	w->quota = s->quota;
	w->tty = s->tty;
	w->digest_only = s->digest_only;
	for (int st = 0; st < CAST_STREAM_COUNT; st++)
		sha2_init(&w->sha[st]);
	w->dirfd = fcntl(s->dirfd, F_DUPFD_CLOEXEC, 3);
	snprintf(fresh, sizeof(fresh), "%s.new", w->name);
	w->fd = openat(
	    s->dirfd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (w->fd < 0) {
		err_set(e, ERR_RECORDING, errno, "cannot create the recording %s", s->name);
		cast_free(w);
		return NULL;
	}
	/* It has its name once it has its header: no killed writer leaves one that is empty. */
	if (cast_seal_init(w, s, e) == 0 && write_header(w, s, e) == 0) {
		if (linkat(s->dirfd, fresh, s->dirfd, w->name, 0) == 0) {
			unlinkat(s->dirfd, fresh, 0);
			return w;
		}
		err_set(e, ERR_RECORDING, errno, "cannot create the recording %s", s->name);
	}
	unlinkat(s->dirfd, fresh, 0);
	cast_free(w);
	return NULL;
}

void
cast_free(struct cast_writer *w)
{
	if (!w)
		return;
	cast_release(w);
	quota_close(w->quota);
	fd_close(&w->fd);
	fd_close(&w->dirfd);
	cast_out_free(w);
	cast_seal_wipe(w);
	cast_secret_wipe(w);
	cast_encrypt_wipe(w);
	for (int st = 0; st < CAST_STREAM_COUNT; st++) {
		free(w->ring[st].data);
		sha2_drop(&w->sha[st]);
	}
	free(w);
}
