/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "record/cast_parse.h"
#include "record/source.h"
#include "record/verify_int.h"

#define READ_SIZE (256 * 1024)
#define WRONG_END "it is not how a recording ends"

static int
take_header(struct verify *v, const unsigned char *p, size_t n)
{
	json_t *header = json_parse((const char *)p, n - 1, NULL);
	const json_t *coral = json_object_get(header, "coral");
	const char *why = "it is no header of a recording", *id = json_str(coral, "session_id");
	int rc = json_is_object(header) ? 0 : -1;

	if (id)
		str_vis(v->r->session_id, sizeof(v->r->session_id), id);
	v->has_evidence = json_object_get(coral, "evidence");
	if (rc == 0 && v->has_evidence)
		rc = evidence_parse(&v->ev, coral, &why);
	if (rc == 0 && v->has_evidence) {
		memcpy(v->r->agent_key, v->ev.agent_key, sizeof(v->r->agent_key));
		v->r->has_key = true;
	}
	json_decref(header);
	return rc < 0 ? verify_bad(v, 0, VERIFY_ALTERED, why) : 0;
}

static bool
is_signed(struct verify *v, const unsigned char *line, struct verify_mark *mark)
{
	char text[EVIDENCE_TEXT_MAX];

	sha2_update(&v->hash, line, mark->signed_len);
	if (sha2_next(&v->hash, mark->m.line) < 0)
		return false;
	mark->m.session_id = v->r->session_id;
	return ed25_verify(
		   v->ev.session_key, text, evidence_mark_text(text, &mark->m), mark->sig) == 0;
}

/* How many leaves it lists; they are then in v->list.  -1: it lists none. */
static long
read_list(struct verify *v, const struct verify_mark *mark)
{
	size_t n;

	if (mark->list_len > ((size_t)CAST_LEAVES_MAX * VERIFY_LEAF + 2) / 3 * 4)
		return -1;
	n = str_unbase64(v->list, (const char *)mark->list, mark->list_len);
	return n == (size_t)-1 || n % VERIFY_LEAF || n / VERIFY_LEAF > mark->m.lines
		   ? -1
		   : (long)(n / VERIFY_LEAF);
}

/* A true mark: the lines that it lists, and the chain over them. */
static int
check_lines(struct verify *v, const struct verify_mark *mark, size_t count)
{
	const struct evidence_mark *m = &mark->m;
	unsigned char chain[SHA256_SIZE];

	if (verify_compare(v, m->lines - count, count) < 0)
		return -1;
	if (m->n > v->next)
		return verify_bad(v, v->line, VERIFY_DROPPED, "the mark before it is missing");
	if (m->n == 0)
		memcpy(chain, v->begin, sizeof(chain));
	else if (sha2_next(&v->chain, chain) < 0)
		return verify_bad(v, v->line, VERIFY_FOREIGN, "no memory to check it");
	if (memcmp(chain, m->chain, sizeof(chain)) != 0)
		return verify_bad(v, m->n == 0 ? 0 : v->mark_line + 1, VERIFY_ALTERED,
		    "it is not what was recorded");
	if (m->bytes != v->offset)
		return verify_bad(v, v->line, VERIFY_ALTERED, "it is not where it was");
	return 0;
}

static int
take_mark(struct verify *v, const unsigned char *line, size_t n, bool seal)
{
	struct verify_mark mark;
	long count;

	if (!v->has_evidence)
		return verify_bad(v, 0, VERIFY_ALTERED, "there are marks, and it has no evidence");
	if (verify_parse(line, n, seal, &mark) < 0)
		return verify_bad(v, v->line, VERIFY_ALTERED, "it is no mark");
	if (!is_signed(v, line, &mark) || (count = read_list(v, &mark)) < 0)
		return verify_bad(v, v->line, VERIFY_ALTERED, "the session's key did not sign it");
	if (mark.m.n < v->next)
		return verify_extra(v, v->line, "this mark stands further up");
	if (check_lines(v, &mark, (size_t)count) < 0)
		return -1;
	v->sealed = seal;
	v->next = mark.m.n + 1;
	v->mark_line = v->line;
	v->r->marks++;
	v->r->good_lines = v->line + 1;
	v->r->good_bytes = v->offset + n;
	v->r->good_ns = mark.m.real_ns;
	sha2_update(&v->chain, mark.m.chain, SHA256_SIZE);
	return seal && v->wrong_end ? verify_bad(v, v->wrong_end, VERIFY_FOREIGN, WRONG_END) : 0;
}

/* One string to its end: no line was run into it. */
static bool
is_whole(const unsigned char *p, size_t n)
{
	const unsigned char *end = p + n, *at = memmem(p, n, ",\"c\",\"", 6);

	for (at = at ? at + 6 : end; at < end && *at != '"'; at++)
		at += *at == '\\';
	return end - at == 3 && memcmp(at, "\"]\n", 3) == 0;
}

/* The end record, and the seal behind it, are the last lines. */
static bool
ends_wrongly(const struct verify *v, enum cast_line_kind kind, const unsigned char *p, size_t n)
{
	if (v->r->ended)
		return !v->sealed;
	return kind == CAST_LINE_END && !is_whole(p, n);
}

static int
take_line(struct verify *v, const unsigned char *p, size_t n)
{
	enum cast_line_kind kind = cast_line_kind(p, n);
	unsigned char leaf[SHA256_SIZE];
	uint64_t at = v->line % CAST_LEAVES_MAX;

	sha2_update(&v->hash, p, n);
	if (sha2_next(&v->hash, leaf) < 0)
		return verify_bad(v, v->line, VERIFY_FOREIGN, "no memory to check it");
	memcpy(v->leaves[at], leaf, VERIFY_LEAF);
	v->offsets[at] = v->offset;
	if (v->line == 0)
		return evidence_begin_chain(&v->hash, leaf, v->begin) < 0 ? -1
									  : take_header(v, p, n);
	if (v->sealed)
		return verify_extra(v, v->line, "it follows the seal");
	if (kind == CAST_LINE_MARK || kind == CAST_LINE_SEAL) {
		if (take_mark(v, p, n, kind == CAST_LINE_SEAL) < 0)
			return -1;
	} else if (v->has_evidence && v->line - v->mark_line >= CAST_LEAVES_MAX) {
		return verify_bad(
		    v, v->line, VERIFY_FOREIGN, "no mark is followed by so many lines");
	}
	if (ends_wrongly(v, kind, p, n)) {
		if (!v->has_evidence)
			return verify_bad(v, v->line, VERIFY_FOREIGN, WRONG_END);
		/* The next mark knows better what was done. */
		if (!v->wrong_end)
			v->wrong_end = v->line;
	}
	v->r->ended |= kind == CAST_LINE_END;
	sha2_update(&v->chain, leaf, sizeof(leaf));
	return 0;
}

/* Nothing follows; `cut`: but for a line that is not whole. */
static int
finish(struct verify *v, bool cut)
{
	struct verify_result *r = v->r;

	r->cut = cut;
	if (v->line == 0)
		return verify_bad(v, 0, VERIFY_FOREIGN, "it is no header of a recording");
	if (v->sealed && cut)
		return verify_bad(v, v->line, VERIFY_FOREIGN, "it follows the seal");
	if (v->has_evidence && r->marks == 0)
		return verify_bad(v, 1, VERIFY_FOREIGN, "it is not the mark that must stand here");
	if (v->wrong_end)
		return verify_bad(v, v->wrong_end, VERIFY_FOREIGN, WRONG_END);
	r->state = !v->has_evidence ? VERIFY_UNSIGNED : v->sealed ? VERIFY_SEALED : VERIFY_OPEN;
	return 0;
}

/* Bytes at the end of b: as source_read(). */
static ssize_t
read_more(struct buf *b, struct source *src, struct err *e)
{
	unsigned char *tail = buf_tail(b, READ_SIZE);
	ssize_t n;

	if (!tail)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot read a recording");
	n = source_read(src, tail, READ_SIZE, e);
	if (n > 0)
		buf_added(b, (size_t)n);
	return n;
}

/* Every whole line in b; the rest stays.  -1: one is wrong. */
static int
take_lines(struct verify *v, struct buf *b, size_t *searched)
{
	const unsigned char *head, *nl;
	size_t n;

	while (b->len > *searched) {
		head = buf_head(b);
		nl = memchr(head + *searched, '\n', b->len - *searched);
		if (!nl) {
			*searched = b->len;
			break;
		}
		n = (size_t)(nl + 1 - head);
		if (n > CAST_LINE_MAX)
			break;
		if (take_line(v, head, n) < 0)
			return -1;
		buf_consume(b, n);
		*searched = 0;
		v->r->lines = ++v->line;
		v->r->bytes = v->offset += n;
	}
	return b->len < CAST_LINE_MAX
		   ? 0
		   : verify_bad(v, v->line, VERIFY_FOREIGN, "it is longer than 1 MiB");
}

static int
run(struct verify *v, struct source *src, struct buf *b, struct err *e)
{
	size_t searched = 0;
	ssize_t n;

	while ((n = read_more(b, src, e)) > 0)
		if (take_lines(v, b, &searched) < 0)
			return 0;
	if (n < 0)
		return -1;
	finish(v, b->len > 0);
	return 0;
}

static bool
allocate(struct verify *v)
{
	v->leaves = calloc(CAST_LEAVES_MAX, sizeof(*v->leaves));
	v->offsets = calloc(CAST_LEAVES_MAX, sizeof(*v->offsets));
	v->list = malloc((size_t)CAST_LEAVES_MAX * VERIFY_LEAF + 3);
	return sha2_init(&v->hash) == 0 && sha2_init(&v->chain) == 0 && v->leaves && v->offsets &&
	       v->list;
}

int
verify_fd(int fd, const char *name, struct verify_result *r, struct err *e)
{
	struct verify v = {.r = r};
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), rc;
	struct source *src = copy < 0 ? NULL : source_open_fd(copy, name, e);
	struct buf b;

	*r = (struct verify_result){0};
	if (copy < 0)
		err_set(e, ERR_IO, errno, "cannot read %s", name);
	if (!src)
		return -1;
	buf_init(&b, CAST_LINE_MAX + READ_SIZE);
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (!allocate(&v))
		rc = err_set(e, ERR_INTERNAL, ENOMEM, "cannot verify %s", name);
	else
		rc = run(&v, src, &b, e);
	source_close(src);
	buf_fini(&b);
	sha2_drop(&v.hash);
	sha2_drop(&v.chain);
	free(v.leaves);
	free(v.offsets);
	free(v.list);
	return rc;
}
