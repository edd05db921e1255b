/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/cast.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "record/cast_escape.h"
#include "record/cast_parse.h"
#include "record/cast_priv.h"

#define READ_SIZE (64 * 1024)

struct cast_reader {
	int fd;
	char name[256];
	struct buf in;
	size_t taken;	 /* bytes of the line given out last, still at the head */
	size_t searched; /* bytes at the head known to hold no newline */
	uint64_t offset; /* of the head, in the file */
	uint64_t line;	 /* number of the line given out last */
	int64_t t;
	bool at_seek; /* t is the time of the line that comes */
	bool eof, cut, ended;

	json_t *header;
	bool v3, coral;
	int cols, rows;

	json_t *facts; /* of the event given out last */

	/* From a "next" event. */
	bool pending;
	uint64_t pending_offset, pending_line;
	enum cast_stream next_stream;
	unsigned char *exact; /* or NULL */
	size_t exact_len;
};

static int
bad(struct cast_reader *r, const char *why, struct err *e)
{
	err_set(e, ERR_BAD_FILE, 0, "cannot read the recording %s", r->name);
	return err_why(e, "line %llu: %s", (unsigned long long)r->line, why);
}

/* More bytes at the end of the buffer: 1, 0 at the end of the file, -1. */
static int
fill(struct cast_reader *r, struct err *e)
{
	for (;;) {
		ssize_t n = buf_read_fd(&r->in, r->fd, READ_SIZE);
		struct pollfd p = {.fd = r->fd, .events = POLLIN};

		if (n >= 0)
			return n > 0;
		if (errno == EAGAIN)
			poll(&p, 1, -1);
		else if (errno != EINTR)
			return err_set(e, ERR_IO, errno, "cannot read the recording %s", r->name);
	}
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

/*
 * The next line without its newline: 1, 0 at the end, -1.  What has no newline
 * is the last line of a foreign file, and the stump of one of ours.
 */
static int
next_line(struct cast_reader *r, unsigned char **p, size_t *n, struct err *e)
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
			return bad(r, "it is longer than 1 MiB", e);
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
		return bad(r, "the header gives no terminal size", e);
	r->cols = cols < 0 ? 0 : cols > 65535 ? 65535 : (int)cols;
	r->rows = rows < 0 ? 0 : rows > 65535 ? 65535 : (int)rows;
	return 0;
}

static int
read_header(struct cast_reader *r, struct err *e)
{
	unsigned char *p;
	size_t n;
	int rc = next_line(r, &p, &n, e);
	struct err why = {0};
	int64_t version;

	if (rc < 0)
		return -1;
	if (rc == 0)
		return bad(r, "the file is empty", e);
	r->header = json_parse((const char *)p, n, &why);
	if (!r->header)
		return bad(r, r->eof ? "it ends within the header" : why.why, e);
	version = json_int(r->header, "version", 0);
	if (version != 2 && version != 3)
		return bad(r, "not an asciicast of version 2 or 3", e);
	r->v3 = version == 3;
	r->coral = json_is_object(json_object_get(r->header, "coral"));
	r->cut = false;
	return read_size(r, e);
}

struct cast_reader *
cast_open_fd(int fd, const char *name, struct err *e)
{
	struct cast_reader *r = calloc(1, sizeof(*r));
	off_t at = lseek(fd, 0, SEEK_CUR);

	if (!r) {
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
		close(fd);
		return NULL;
	}
	r->fd = fd;
	r->offset = at < 0 ? 0 : (uint64_t)at;
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

/* Facts about the event that follows: {"stream":2,"bytes":"BASE64"}, both optional. */
static int
take_next(struct cast_reader *r, const json_t *next, struct err *e)
{
	const json_t *stream = json_object_get(next, "stream");
	const json_t *bytes = json_object_get(next, "bytes");
	size_t n = json_string_length(bytes);

	if (!json_is_object(next) || (bytes && !json_is_string(bytes)) ||
	    (stream && json_integer_value(stream) != CAST_STDERR))
		return bad(r, "a wrong \"next\" event", e);
	r->next_stream = stream ? CAST_STDERR : CAST_STDOUT;
	if (bytes) {
		r->exact = malloc(n / 4 * 3 + 1);
		if (!r->exact)
			return err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
		r->exact_len = str_unbase64(r->exact, json_string_value(bytes), n);
		if (r->exact_len == (size_t)-1)
			return bad(r, "exact bytes that are not base64", e);
	}
	r->pending = true;
	r->pending_offset = r->offset;
	r->pending_line = r->line;
	return 0;
}

static void
forget_next(struct cast_reader *r)
{
	free(r->exact);
	r->exact = NULL;
	r->exact_len = 0;
	r->pending = false;
	r->next_stream = CAST_STDOUT;
}

/* Bytes of a stream, exact where an event before told them. */
static int
got_bytes(struct cast_reader *r, struct cast_event *ev, char code, struct err *e)
{
	ev->kind = code == 'o' ? CAST_EV_OUTPUT : CAST_EV_INPUT;
	ev->stream = code == 'o' ? r->next_stream : CAST_STDIN;
	if (!r->pending)
		return 1;
	if (r->exact) {
		/* Else players would show one thing and we another. */
		if (!cast_utf8_shows(r->exact, r->exact_len, (const char *)ev->data, ev->len))
			return bad(r, "its exact bytes and its text do not match", e);
		ev->data = r->exact;
		ev->len = r->exact_len;
	}
	ev->offset = r->pending_offset;
	ev->line = r->pending_line;
	r->pending = false;
	return 1;
}

/* An event of coral's own: one object with one key.  1, 0: only for the reader, -1. */
static int
got_coral(struct cast_reader *r, struct cast_event *ev, struct err *e)
{
	struct err why = {0};
	void *entry;

	r->facts = json_parse((const char *)ev->data, ev->len, &why);
	if (!r->facts)
		return bad(r, why.why, e);
	if (!json_is_object(r->facts) || json_object_size(r->facts) != 1)
		return bad(r, "an event of coral's own must hold one object with one key", e);
	entry = json_object_iter(r->facts);
	ev->name = json_object_iter_key(entry);
	ev->facts = json_object_iter_value(entry);
	ev->kind = CAST_EV_CORAL;
	if (strcmp(ev->name, "next") == 0)
		return take_next(r, ev->facts, e) < 0 ? -1 : 0;
	if (strcmp(ev->name, "end") == 0) {
		if (!json_is_object(ev->facts))
			return bad(r, "the end record is not an object", e);
		ev->kind = CAST_EV_END;
		r->ended = true;
	}
	return 1;
}

/* The exit status of a file that is not ours (asciicast v3). */
static int
got_exit(struct cast_reader *r, struct cast_event *ev, struct err *e)
{
	char text[16];
	int64_t code;

	ev->kind = CAST_EV_OTHER;
	if (r->coral)
		return 1;
	str_copy(
	    text, (const char *)ev->data, ev->len + 1 < sizeof(text) ? ev->len + 1 : sizeof(text));
	if (str_to_i64(text, INT32_MIN, INT32_MAX, &code) < 0)
		return bad(r, "the exit status is not a number", e);
	r->facts = json_pack("{sI}", "exit_code", (json_int_t)code);
	ev->facts = r->facts;
	ev->kind = CAST_EV_END;
	r->ended = true;
	return 1;
}

static int
got_line(struct cast_reader *r, const struct cast_line *l, struct cast_event *ev, struct err *e)
{
	if (r->pending && l->code != 'o' && l->code != 'i')
		return bad(r, "output or input must follow a \"next\" event", e);
	switch (l->code) {
	case 'o':
	case 'i':
		return got_bytes(r, ev, l->code, e);
	case 'r':
		ev->kind = CAST_EV_RESIZE;
		if (cast_parse_size(ev->data, ev->len, &ev->cols, &ev->rows) < 0)
			return bad(r, "a resize must say COLSxROWS", e);
		return 1;
	case 'm':
		ev->kind = CAST_EV_MARKER;
		return 1;
	case 'x':
		return got_exit(r, ev, e);
	case 'c':
		if (r->coral)
			return got_coral(r, ev, e);
		break;
	}
	ev->kind = CAST_EV_OTHER;
	return 1;
}

/* Version 2 gives the time, version 3 the time since the event before. */
static void
advance(struct cast_reader *r, int64_t t)
{
	int64_t sum;

	if (r->at_seek) {
		r->at_seek = false;
		if (r->v3)
			return;
	}
	if (!r->v3)
		sum = t;
	else if (__builtin_add_overflow(r->t, t, &sum))
		sum = INT64_MAX;
	if (sum > r->t)
		r->t = sum;
}

int
cast_next(struct cast_reader *r, struct cast_event *ev, struct err *e)
{
	int rc = 0;

	json_decref(r->facts);
	r->facts = NULL;
	if (!r->pending)
		forget_next(r);
	while (rc == 0) {
		struct cast_line l = {0};
		const char *why;
		unsigned char *p;
		size_t n;

		rc = next_line(r, &p, &n, e);
		if (rc <= 0)
			return rc;
		rc = 0;
		if (n == 0 || (r->v3 && *p == '#'))
			continue;
		if (r->ended && r->coral)
			return bad(r, "something follows the end record", e);
		if (cast_parse_line(p, n, &l, &why) < 0)
			return r->cut ? 0 : bad(r, why, e);
		r->cut = false;
		advance(r, l.t);
		*ev = (struct cast_event){
		    .t = r->t, .data = l.data, .len = l.len, .offset = r->offset, .line = r->line};
		rc = got_line(r, &l, ev, e);
		if (rc == 0) {
			json_decref(r->facts);
			r->facts = NULL;
		}
	}
	return rc;
}

bool
cast_truncated(const struct cast_reader *r)
{
	return r->cut || (r->coral && r->eof && !r->ended);
}

int
cast_seek(struct cast_reader *r, uint64_t offset, uint64_t line, int64_t t, struct err *e)
{
	if (lseek(r->fd, (off_t)offset, SEEK_SET) < 0)
		return err_set(e, ERR_IO, errno, "cannot seek in the recording %s", r->name);
	buf_clear(&r->in);
	forget_next(r);
	r->taken = r->searched = 0;
	r->offset = offset;
	r->line = line ? line - 1 : 0;
	r->t = t;
	r->at_seek = true;
	r->eof = r->cut = r->ended = false;
	return 0;
}

void
cast_close(struct cast_reader *r)
{
	if (!r)
		return;
	close(r->fd);
	forget_next(r);
	json_decref(r->facts);
	json_decref(r->header);
	buf_fini(&r->in);
	free(r);
}
