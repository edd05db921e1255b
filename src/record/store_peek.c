/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "record/cast_parse.h"
#include "record/cast_priv.h"
#include "record/sealed_file.h"
#include "record/source.h"
#include "record/store_dir.h"

#define FIRST_TRY (8 * 1024) /* of the file's beginning and of its end */

/* The file's bytes from `at`, at most n, in b.  What is missing at the end is not an error. */
static int
read_at(struct source *src, int64_t at, size_t n, struct buf *b, struct err *e)
{
	unsigned char *p;
	ssize_t got;

	buf_clear(b);
	p = buf_tail(b, n);
	if (!p)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
	got = source_read_at(src, (uint64_t)at, p, n, e);
	if (got < 0)
		return -1;
	buf_added(b, (size_t)got);
	return 0;
}

/* The first line, whatever its length up to the limit. */
static void
peek_header(struct source *src, struct buf *b, struct store_peek *p)
{
	const unsigned char *nl = NULL;
	struct err why = {0};
	size_t n;

	for (n = FIRST_TRY; !nl && n <= CAST_LINE_MAX; n *= 4) {
		if (read_at(src, 0, n, b, &why) < 0) {
			str_copy(p->why, why.why, sizeof(p->why));
			return;
		}
		nl = b->len ? memchr(buf_head(b), '\n', b->len) : NULL;
		if ((int64_t)n >= p->size)
			break;
	}
	if (!nl) {
		str_copy(p->why, "it has no header line", sizeof(p->why));
		return;
	}
	p->header = json_parse((const char *)buf_head(b), (size_t)(nl - buf_head(b)), &why);
	if (!p->header)
		str_copy(p->why, why.why, sizeof(p->why));
}

/* The end record out of the last line, or NULL. */
static json_t *
end_of(unsigned char *line, size_t n)
{
	struct cast_line l;
	const char *why;
	json_t *j, *end;

	if (cast_parse_line(line, n, &l, &why) < 0 || l.code != 'c')
		return NULL;
	j = json_parse((const char *)l.data, l.len, NULL);
	end = json_object_get(j, "end");
	end = json_is_object(end) ? json_incref(end) : NULL;
	json_decref(j);
	return end;
}

/* The line that ends at p[n - 1], or NULL: it begins before p. */
static unsigned char *
line_before(unsigned char *p, size_t n)
{
	unsigned char *nl = n > 1 ? memrchr(p, '\n', n - 1) : NULL;

	return nl ? nl + 1 : NULL;
}

/* The end, and the seal behind it; false: they begin before p. */
static bool
peek_last(unsigned char *p, size_t n, struct store_peek *peek)
{
	unsigned char *line = line_before(p, n);

	if (line && cast_line_kind(line, (size_t)(p + n - line)) == CAST_LINE_SEAL) {
		peek->sealed = true;
		n = (size_t)(line - p);
		line = line_before(p, n);
	}
	if (line)
		peek->end = end_of(line, (size_t)(p + n - 1 - line));
	return line;
}

/* The last line, when it is whole.  A header is not an end. */
static void
peek_end(struct source *src, struct buf *b, struct store_peek *p)
{
	for (size_t n = FIRST_TRY; n <= CAST_LINE_MAX; n *= 4) {
		int64_t at = p->size > (int64_t)n ? p->size - (int64_t)n : 0;
		unsigned char *head;

		if (read_at(src, at, n, b, NULL) < 0 || b->len == 0)
			return;
		head = b->data + b->off;
		if (head[b->len - 1] != '\n')
			return;
		if (peek_last(head, b->len, p) || at == 0)
			return;
	}
}

/* Of an encrypted one there is what it says in clear. */
static bool
peek_sealed(int fd, struct store_peek *p)
{
	struct err why = {0};
	bool is;

	if (sealed_peek(fd, &is, &p->header, &p->end, &why) < 0 && is)
		str_copy(p->why, why.why, sizeof(p->why));
	/* The seal comes before the note about the end. */
	p->sealed = p->end != NULL;
	return is;
}

/* What is in the file; takes fd. */
static void
peek(int fd, const char *id, struct store_peek *p)
{
	struct err why = {0};
	struct source *src = source_open_fd(fd, id, &why);
	struct buf b;

	p->size = src ? source_size(src) : -1;
	if (p->size < 0) {
		str_copy(p->why, src ? "it has no seek table" : why.why, sizeof(p->why));
		source_close(src);
		return;
	}
	buf_init(&b, 2 * CAST_LINE_MAX);
	peek_header(src, &b, p);
	if (p->header)
		peek_end(src, &b, p);
	buf_fini(&b);
	source_close(src);
}

void
store_peek(int sessdir, const char *id, struct store_peek *p)
{
	auto_close int fd = store_open_file(sessdir, id);
	struct stat st;

	memset(p, 0, sizeof(*p));
	p->size = -1;
	if (fd < 0 || fstat(fd, &st) < 0) {
		p->absent = fd < 0 && errno == ENOENT;
		str_copy(
		    p->why, errno == ENOENT ? "it has no file" : strerror(errno), sizeof(p->why));
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		str_copy(p->why, "it is not a regular file", sizeof(p->why));
		return;
	}
	p->size = st.st_size;
	if (!peek_sealed(fd, p))
		peek(steal_fd(&fd), id, p);
}

void
store_peek_fini(struct store_peek *p)
{
	json_decref(p->header);
	json_decref(p->end);
	p->header = p->end = NULL;
}
