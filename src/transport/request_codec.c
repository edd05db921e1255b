/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/request.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "transport/frame.h"

/* Tags are for ever: never reuse one. */
enum tag {
	TAG_VERB = 1,
	TAG_WORD,
	TAG_SERVICE,
	TAG_POD,
	TAG_NS,
	TAG_CONTAINER,
	TAG_PID,
	TAG_ARG,
	TAG_ENV,
	TAG_TTY,
	TAG_SIZE,
	TAG_TERM,
	TAG_USER,
	TAG_WORKDIR,
	TAG_NAMESPACES,
	TAG_TIMEOUT,
	TAG_DISCONNECT,
	TAG_PRIVILEGED,
	TAG_NO_RECORD,
	TAG_REASON,
	TAG_ID,
	TAG_CLIENT,
	TAG_SECCOMP_COPY,
	TAG_RESUMABLE,
	TAG_TOKEN,
	TAG_RECEIVED,
	TAG_FOLLOW,
	TAG_COUNT
};

enum kind { K_STR, K_FLAG, K_OTHER };

#define STR(tag, member)                                                                           \
	[tag] = {#member, K_STR, offsetof(struct request, member),                                 \
	    sizeof(((struct request *)0)->member)}
#define FLAG(tag, member) [tag] = {#member, K_FLAG, offsetof(struct request, member), 0}
#define OTHER(tag, what) [tag] = {what, K_OTHER, 0, 0}

static const struct field {
	const char *name;
	enum kind kind;
	size_t offset, size;
} fields[TAG_COUNT] = {
    OTHER(TAG_VERB, "verb"),
    STR(TAG_WORD, word),
    STR(TAG_SERVICE, service),
    STR(TAG_POD, pod),
    STR(TAG_NS, ns),
    STR(TAG_CONTAINER, container),
    OTHER(TAG_PID, "pid"),
    OTHER(TAG_ARG, "argv"),
    OTHER(TAG_ENV, "env"),
    FLAG(TAG_TTY, tty),
    OTHER(TAG_SIZE, "window size"),
    STR(TAG_TERM, term),
    STR(TAG_USER, user),
    STR(TAG_WORKDIR, workdir),
    STR(TAG_NAMESPACES, namespaces),
    OTHER(TAG_TIMEOUT, "timeout"),
    OTHER(TAG_DISCONNECT, "on_disconnect"),
    FLAG(TAG_PRIVILEGED, privileged),
    FLAG(TAG_NO_RECORD, no_record),
    STR(TAG_REASON, reason),
    STR(TAG_ID, id),
    STR(TAG_CLIENT, client),
    FLAG(TAG_SECCOMP_COPY, seccomp_copy),
    FLAG(TAG_RESUMABLE, resumable),
    STR(TAG_TOKEN, token),
    OTHER(TAG_RECEIVED, "received"),
    FLAG(TAG_FOLLOW, follow),
};

static int
put_field(struct buf *out, enum tag tag, const void *p, size_t n)
{
	if (n > UINT32_MAX || 5 + n > buf_room(out))
		return -1;
	buf_put_u8(out, (uint8_t)tag);
	buf_put_u32(out, (uint32_t)n);
	return buf_put(out, p, n);
}

static int
put_uint(struct buf *out, enum tag tag, uint64_t v, size_t bytes)
{
	unsigned char be[8];

	for (size_t i = 0; i < bytes; i++)
		be[i] = (unsigned char)(v >> (8 * (bytes - 1 - i)));
	return put_field(out, tag, be, bytes);
}

static int
put_list(struct buf *out, enum tag tag, char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (put_field(out, tag, v[i], strlen(v[i])) < 0)
			return -1;
	}
	return 0;
}

/* Fields the table does not describe; absent when they hold their zero. */
static int
put_other(const struct request *r, struct buf *out, enum tag tag)
{
	uint64_t size;

	switch (tag) {
	case TAG_VERB:
		return put_uint(out, tag, r->verb, 1);
	case TAG_PID:
		return r->pid ? put_uint(out, tag, r->pid, 4) : 0;
	case TAG_ARG:
		return put_list(out, tag, r->argv, r->argc);
	case TAG_ENV:
		return put_list(out, tag, r->env, r->envc);
	case TAG_SIZE:
		size = (uint64_t)r->rows << 48 | (uint64_t)r->cols << 32 |
		       (uint64_t)r->xpixel << 16 | r->ypixel;
		return size ? put_uint(out, tag, size, 8) : 0;
	case TAG_TIMEOUT:
		return r->timeout_ms ? put_uint(out, tag, r->timeout_ms, 8) : 0;
	case TAG_RECEIVED:
		return r->received ? put_uint(out, tag, r->received, 8) : 0;
	case TAG_DISCONNECT:
		return r->on_disconnect ? put_uint(out, tag, r->on_disconnect, 1) : 0;
	default:
		return -1;
	}
}

static int
put_one(const struct request *r, struct buf *out, enum tag tag)
{
	const struct field *f = &fields[tag];
	const char *at = (const char *)r + f->offset;

	switch (f->kind) {
	case K_STR:
		return *at ? put_field(out, tag, at, strnlen(at, f->size)) : 0;
	case K_FLAG:
		return *(const bool *)at ? put_field(out, tag, NULL, 0) : 0;
	default:
		return put_other(r, out, tag);
	}
}

static bool
term_ok(const char *term)
{
	static const char set[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";

	return !term[strspn(term, set)];
}

static int
bad_field(struct err *e, const char *name, const char *why)
{
	err_set(e, ERR_PROTOCOL, 0, "the request is malformed");
	return err_why(e, "%s %s", name, why);
}

static int
check_whole(const struct request *r, struct err *e)
{
	if (r->verb <= REQ_NONE || r->verb >= REQ_VERB_COUNT)
		return bad_field(e, "verb", "is missing");
	if (r->verb == REQ_EXEC && r->argc == 0)
		return bad_field(e, "argv", "is missing: exec runs a command");
	if (!term_ok(r->term))
		return bad_field(e, "TERM", "holds other characters than letters, digits and ._+-");
	return 0;
}

int
request_encode(const struct request *r, struct buf *out, struct err *e)
{
	size_t before = out->len;
	int tag;

	if (check_whole(r, e) < 0)
		return -1;
	if (buf_put_u8(out, FRAME_VERSION) < 0)
		goto full;
	for (tag = 1; tag < TAG_COUNT; tag++) {
		if (put_one(r, out, (enum tag)tag) < 0)
			goto full;
	}
	return 0;
full:
	out->len = before;
	err_set(e, ERR_LIMIT, 0, "the request is too large");
	err_why(e, "command and environment together are over %zu bytes", out->max);
	return err_hint(e, "send the data on standard input");
}

static int
get_str(struct request *r, const struct field *f, const unsigned char *p, size_t n, struct err *e)
{
	char *at = (char *)r + f->offset;

	if (n == 0)
		return bad_field(e, f->name, "is empty");
	if (n >= f->size)
		return bad_field(e, f->name, "is too long");
	if (memchr(p, '\0', n))
		return bad_field(e, f->name, "holds a NUL");
	memcpy(at, p, n);
	at[n] = '\0';
	return 0;
}

static int
get_entry(struct request *r, enum tag tag, const unsigned char *p, size_t n, struct err *e)
{
	const char *name = fields[tag].name;
	char *copy;
	int rc;

	if (n > REQUEST_ARG_MAX)
		return bad_field(e, name, "has an entry that is too long");
	if (n && memchr(p, '\0', n))
		return bad_field(e, name, "holds a NUL");
	copy = strndup((const char *)p, n);
	if (!copy)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	rc = tag == TAG_ARG ? request_add_arg(r, copy) : request_add_env(r, copy);
	free(copy);
	return rc < 0 ? bad_field(e, name, "has too many entries, or one without a name") : 0;
}

static int
get_uint(const char *name, const unsigned char *p, size_t n, size_t want, uint64_t max,
    uint64_t *out, struct err *e)
{
	uint64_t v = 0;

	if (n != want)
		return bad_field(e, name, "has the wrong length");
	while (n-- > 0)
		v = v << 8 | *p++;
	/* Zero is said by absence: one request has one form. */
	if (v == 0 || v > max)
		return bad_field(e, name, "is out of range");
	*out = v;
	return 0;
}

static int
get_other(struct request *r, enum tag tag, const unsigned char *p, size_t n, struct err *e)
{
	const char *name = fields[tag].name;
	uint64_t v = 0;
	int rc;

	switch (tag) {
	case TAG_VERB:
		rc = get_uint(name, p, n, 1, REQ_VERB_COUNT - 1, &v, e);
		r->verb = (enum request_verb)v;
		return rc;
	case TAG_PID:
		rc = get_uint(name, p, n, 4, INT32_MAX, &v, e);
		r->pid = (uint32_t)v;
		return rc;
	case TAG_SIZE:
		rc = get_uint(name, p, n, 8, UINT64_MAX, &v, e);
		r->rows = (uint16_t)(v >> 48);
		r->cols = (uint16_t)(v >> 32);
		r->xpixel = (uint16_t)(v >> 16);
		r->ypixel = (uint16_t)v;
		return rc;
	case TAG_TIMEOUT:
		return get_uint(name, p, n, 8, INT64_MAX / 1000000, &r->timeout_ms, e);
	case TAG_RECEIVED:
		return get_uint(name, p, n, 8, UINT64_MAX, &r->received, e);
	case TAG_DISCONNECT:
		rc = get_uint(name, p, n, 1, REQ_DISC_KILL, &v, e);
		r->on_disconnect = (enum request_disconnect)v;
		return rc;
	default:
		return get_entry(r, tag, p, n, e);
	}
}

static int
get_one(struct request *r, unsigned tag, const unsigned char *p, size_t n, struct err *e)
{
	const struct field *f = &fields[tag];

	switch (f->kind) {
	case K_STR:
		return get_str(r, f, p, n, e);
	case K_FLAG:
		if (n)
			return bad_field(e, f->name, "has the wrong length");
		*(bool *)((char *)r + f->offset) = true;
		return 0;
	default:
		return get_other(r, (enum tag)tag, p, n, e);
	}
}

static int
decode_all(struct request *r, struct rd *in, struct err *e)
{
	bool seen[TAG_COUNT] = {false};

	while (in->n > 0) {
		unsigned tag = rd_u8(in);
		uint32_t len = rd_u32(in);
		const unsigned char *p = rd_bytes(in, len);

		if (!p)
			return bad_field(e, "a field", "is cut short");
		if (tag == 0 || tag >= TAG_COUNT)
			return bad_field(e, "a field", "is unknown here: is the client newer?");
		if (seen[tag] && tag != TAG_ARG && tag != TAG_ENV)
			return bad_field(e, fields[tag].name, "is given twice");
		seen[tag] = true;
		if (get_one(r, tag, p, len, e) < 0)
			return -1;
	}
	return check_whole(r, e);
}

int
request_decode(struct request *r, const unsigned char *p, size_t n, struct err *e)
{
	struct rd in = {.p = p, .n = n};
	unsigned version = rd_u8(&in);
	int rc;

	if (in.bad || version != FRAME_VERSION) {
		err_set(e, ERR_PROTOCOL, 0, "the request is of another version");
		err_why(e, "version %u, where %u is spoken", version, FRAME_VERSION);
		return err_hint(e, "use the same release of coral on both sides");
	}
	rc = decode_all(r, &in, e);
	if (rc < 0)
		request_fini(r);
	return rc;
}
