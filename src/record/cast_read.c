/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "record/cast_priv.h"
#include "record/cast_read_priv.h"

#define READ_SIZE (64 * 1024)

int
cast_bad(struct cast_reader *r, const char *why, struct err *e)
{
	err_set(e, ERR_BAD_FILE, 0, "cannot read the recording %s", r->name);
	if (r->line > 0)
		err_why(e, "line %llu: %s", (unsigned long long)r->line, why);
	else
		err_why(e, "%s", why);
	return err_hint(e, "use an undamaged copy; coral sessions lists the recordings here");
}

/* More bytes at the end of the buffer: 1, 0 at the end of the file, -1. */
static int
fill(struct cast_reader *r, struct err *e)
{
	unsigned char *tail = buf_tail(&r->in, READ_SIZE);
	ssize_t n;

	if (!tail)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot read the recording %s", r->name);
	n = source_read(r->src, tail, READ_SIZE, e);
	if (n > 0)
		buf_added(&r->in, (size_t)n);
	return n > 0 ? 1 : (int)n;
}

/* Let go of the line given out last. */
static void
drop_line(struct cast_reader *r)
{
	buf_consume(&r->in, r->taken);
	r->offset += r->taken;
	r->taken = 0;
	r->searched = 0;
}

int
cast_next_line(struct cast_reader *r, unsigned char **p, size_t *n, struct err *e)
{
	drop_line(r);
	for (;;) {
		unsigned char *head = r->in.data + r->in.off, *nl = NULL;
		int rc;

		if (r->in.len > r->searched)
			nl = memchr(head + r->searched, '\n', r->in.len - r->searched);
		r->searched = r->in.len;
		if (nl) {
			*p = head;
			*n = (size_t)(nl - head);
			r->taken = *n + 1;
			r->line++;
			return 1;
		}
		if (r->in.len >= CAST_LINE_MAX) {
			r->line++;
			return cast_bad(r, "it is longer than 1 MiB", e);
		}
		rc = fill(r, e);
		if (rc < 0)
			return -1;
		if (rc > 0)
			continue;
		r->eof = true;
		r->cut = r->in.len > 0;
		if (!r->cut || r->coral)
			return 0;
		*p = r->in.data + r->in.off; /* fill() may have moved it */
		*n = r->taken = r->in.len;
		r->line++;
		return 1;
	}
}

static int
read_size(struct cast_reader *r, struct err *e)
{
	const json_t *from = r->v3 ? json_object_get(r->header, "term") : r->header;
	const json_t *w = json_object_get(from, r->v3 ? "cols" : "width");
	const json_t *h = json_object_get(from, r->v3 ? "rows" : "height");
	json_int_t cols = json_integer_value(w), rows = json_integer_value(h);

	if (!json_is_integer(w) || !json_is_integer(h))
		return cast_bad(r, "the header gives no terminal size", e);
	r->cols = cols < 0 ? 0 : cols > 65535 ? 65535 : (int)cols;
	r->rows = rows < 0 ? 0 : rows > 65535 ? 65535 : (int)rows;
	return 0;
}

static int
read_header(struct cast_reader *r, struct err *e)
{
	unsigned char *p;
	size_t n;
	int rc = cast_next_line(r, &p, &n, e);
	struct err why = {0};
	int64_t version;

	if (rc < 0)
		return -1;
	if (rc == 0)
		return cast_bad(r, "the file is empty", e);
	r->header = json_parse((const char *)p, n, &why);
	if (!r->header)
		return cast_bad(r, r->eof ? "it ends within the header" : why.why, e);
	version = json_int(r->header, "version", 0);
	if (version != 2 && version != 3)
		return cast_bad(r, "not an asciicast of version 2 or 3", e);
	r->v3 = version == 3;
	r->coral = json_is_object(json_object_get(r->header, "coral"));
	r->cut = false;
	return read_size(r, e);
}

struct cast_reader *
cast_open_fd(int fd, const char *name, struct err *e)
{
	struct source *src = source_open_fd(fd, name, e);
	struct cast_reader *r = src ? calloc(1, sizeof(*r)) : NULL;

	if (!r) {
		if (src)
			err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
		source_close(src);
		return NULL;
	}
	r->src = src;
	r->offset = source_at(src);
	str_vis(r->name, sizeof(r->name), name);
	buf_init(&r->in, CAST_LINE_MAX + READ_SIZE);
	if (read_header(r, e) < 0) {
		cast_close(r);
		return NULL;
	}
	return r;
}

struct cast_reader *
cast_open(const char *path, struct err *e)
{
	bool in = strcmp(path, "-") == 0;
	int fd = in ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
		    : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		err_set(e, ERR_IO, errno, "cannot open the recording %s", path);
		return NULL;
	}
	return cast_open_fd(fd, in ? "(standard input)" : path, e);
}

const json_t *
cast_header(const struct cast_reader *r)
{
	return r->header;
}

int64_t
cast_size(const struct cast_reader *r)
{
	return source_size(r->src);
}

bool
cast_is_v3(const struct cast_reader *r)
{
	return r->v3;
}

bool
cast_is_ours(const struct cast_reader *r)
{
	return r->coral;
}

int
cast_cols(const struct cast_reader *r)
{
	return r->cols;
}

int
cast_rows(const struct cast_reader *r)
{
	return r->rows;
}

int64_t
cast_began(const struct cast_reader *r)
{
	const json_t *h = cast_header(r);
	const json_t *clock = json_object_get(json_object_get(h, "coral"), "clock");
	int64_t ns = json_int(clock, "real_ns", 0), s = json_int(h, "timestamp", 0);

	if (ns <= 0 && s > 0 && s < INT64_MAX / 4 / NS_PER_S)
		ns = s * NS_PER_S;
	return ns > 0 && ns < INT64_MAX / 4 ? ns : 0;
}

bool
cast_truncated(const struct cast_reader *r)
{
	return r->cut || (r->coral && r->eof && !r->ended);
}

int
cast_seek(struct cast_reader *r, uint64_t offset, uint64_t line, int64_t t, struct err *e)
{
	if (source_seek(r->src, offset, e) < 0)
		return -1;
	buf_clear(&r->in);
	cast_forget_next(r);
	r->taken = r->searched = 0;
	r->offset = offset;
	r->line = line ? line - 1 : 0;
	r->t = t;
	r->at_seek = true;
	r->eof = r->cut = r->ended = r->sealed = false;
	return 0;
}

uint64_t
cast_at(const struct cast_reader *r, uint64_t *line)
{
	*line = r->pending ? r->pending_line : r->line + 1;
	return r->pending ? r->pending_offset : r->offset + r->taken;
}

uint64_t
cast_passed(const struct cast_reader *r, uint64_t *line)
{
	*line = r->line + 1;
	return r->offset + (r->cut ? 0 : r->taken);
}

void
cast_forget_next(struct cast_reader *r)
{
	free(r->exact);
	r->exact = NULL;
	r->exact_len = 0;
	r->pending = false;
	r->next_stream = CAST_STDOUT;
}

void
cast_close(struct cast_reader *r)
{
	if (!r)
		return;
	source_close(r->src);
	cast_forget_next(r);
	json_decref(r->facts);
	json_decref(r->header);
	buf_fini(&r->in);
	free(r);
}
