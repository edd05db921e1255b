/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames and requests: round trips, and everything malformed refused whole. */
#include <stdlib.h>
#include <string.h>
#include "tap.h"
#include "transport/frame.h"
#include "transport/request.h"

static int
peek_bytes(const void *p, size_t n)
{
	struct frame f;
	struct buf b;
	int rc;

	buf_init(&b, FRAME_MAX + FRAME_HEAD);
	buf_put(&b, p, n);
	rc = frame_peek(&b, &f);
	buf_fini(&b);
	return rc;
}

static void
test_frames(void)
{
	static unsigned char big[FRAME_MAX + 1];
	struct frame f;
	struct buf b;

	buf_init(&b, FRAME_MAX + FRAME_HEAD);
	is_int(frame_put(&b, FR_STDOUT, "abc", 3), 0, "a frame");
	is_int(frame_put(&b, FR_STDIN_EOF, NULL, 0), 0, "an empty one");
	is_int(frame_peek(&b, &f), 1, "comes out");
	ok(f.type == FR_STDOUT && f.len == 3 && memcmp(f.data, "abc", 3) == 0, "as it went in");
	frame_drop(&b, &f);
	ok(frame_peek(&b, &f) == 1 && f.type == FR_STDIN_EOF && f.len == 0, "in order");
	frame_drop(&b, &f);
	is_int(frame_peek(&b, &f), 0, "and then nothing");
	is_int(frame_put(&b, FR_STDOUT, big, FRAME_DATA_MAX + 1), -1, "data over its cap");
	is_int(frame_put(&b, FR_OPEN, big, FRAME_MAX + 1), -1, "a request over its cap");
	is_int(frame_put(&b, FR_OPEN, big, FRAME_MAX), 0, "a request at its cap");
	is_int(frame_put(&b, FR_STDOUT, "x", 1), -1, "nothing more where the buffer is full");
	ok(frame_peek(&b, &f) == 1 && f.len == FRAME_MAX, "and nothing half-appended");
	buf_fini(&b);

	is_int(peek_bytes("\2\0\0", 3), 0, "half a head");
	is_int(peek_bytes("\2\0\0\3ab", 6), 0, "half a payload");
	is_int(peek_bytes("\0\0\0\0", 4), -1, "type 0");
	is_int(peek_bytes("\15", 1), -1, "an unknown type, on its first byte");
	is_int(peek_bytes("\xff", 1), -1, "a type beyond all");
	is_int(peek_bytes("\2\1\0\1", 4), -1, "too long for its type, before it arrives");
	is_int(peek_bytes("\1\4\0\1", 4), -1, "a request too long");
	is_int(peek_bytes("\3\0\0\1x", 5), -1, "an empty type that is not empty");
	is_int(peek_bytes("\4\0\0\7", 4), -1, "a window of 7 bytes");
	is_int(peek_bytes("\2\0\0\0", 4), -1, "stdin of nothing");
}

static void
fill(struct request *r)
{
	request_init(r);
	r->verb = REQ_EXEC;
	strcpy(r->service, "checkout");
	strcpy(r->ns, "prod");
	r->pid = 42;
	request_add_arg(r, "printf");
	request_add_arg(r, "");
	request_add_arg(r, "\xff\n");
	request_add_env(r, "A=1");
	request_add_env(r, "B=");
	r->tty = true;
	r->rows = 24;
	r->cols = 80;
	r->ypixel = 9;
	strcpy(r->term, "xterm-256color");
	strcpy(r->user, "0:0");
	strcpy(r->workdir, "/srv");
	strcpy(r->namespaces, "mnt,pid");
	r->timeout_ms = 1500;
	r->on_disconnect = REQ_DISC_KILL;
	r->privileged = true;
	r->seccomp_copy = true;
	strcpy(r->reason, "ticket 7");
	strcpy(r->client, "coral 0.1.0");
}

static void
test_round_trip(void)
{
	struct request r, got;
	struct buf a, b;
	struct err e;
	size_t n;
	int cut = 0;

	fill(&r);
	buf_init(&a, FRAME_MAX);
	buf_init(&b, FRAME_MAX);
	is_int(request_encode(&r, &a, &e), 0, "encoded");
	request_init(&got);
	is_int(request_decode(&got, buf_head(&a), a.len, &e), 0, "decoded");
	ok(got.argc == 3 && !got.argv[3] && strcmp(got.argv[2], "\xff\n") == 0, "argv");
	ok(got.envc == 2 && strcmp(got.env[1], "B=") == 0, "env");
	ok(got.tty && got.rows == 24 && got.cols == 80 && got.ypixel == 9, "terminal");
	ok(got.privileged && !got.no_record && got.timeout_ms == 1500, "numbers and flags");
	ok(got.seccomp_copy, "the newest of them");
	is_str(got.ns, "prod", "strings");
	is_int(request_encode(&got, &b, &e), 0, "encoded again");
	ok(a.len == b.len && memcmp(buf_head(&a), buf_head(&b), a.len) == 0, "to the same bytes");
	request_fini(&got);
	/* Cut anywhere it is an error or a shorter whole, never half of something. */
	for (n = 0; n < a.len; n++) {
		if (request_decode(&got, buf_head(&a), n, &e) == 0)
			request_fini(&got);
		else
			cut += got.argv == NULL && got.verb == REQ_NONE;
	}
	ok(cut > 100, "cut short, it is refused and nothing kept (%d places)", cut);
	buf_fini(&a);
	buf_fini(&b);
	request_fini(&r);
}

static int
decode(const char *p, size_t n)
{
	struct request r;
	struct err e;
	int rc;

	request_init(&r);
	rc = request_decode(&r, (const unsigned char *)p, n, &e);
	request_fini(&r);
	return rc;
}
#define DECODE(s) decode(s, sizeof(s) - 1)
#define PS "\1\1\0\0\0\1\3"

static void
test_strict(void)
{
	struct request r;
	struct err e;
	struct buf b;
	char *big;
	int i;

	is_int(DECODE(PS), 0, "the smallest request");
	is_int(DECODE(""), -1, "nothing");
	is_int(DECODE("\1"), -1, "no verb");
	is_int(DECODE("\2\1\0\0\0\1\3"), -1, "another version");
	is_int(DECODE("\1\1\0\0\0\1\0"), -1, "verb 0");
	is_int(DECODE("\1\1\0\0\0\1\x63"), -1, "an unknown verb");
	is_int(DECODE("\1\1\0\0\0\2\0\3"), -1, "a verb of two bytes");
	is_int(DECODE(PS "\1\0\0\0\1\3"), -1, "a verb twice");
	is_int(DECODE(PS "\x63\0\0\0\0"), -1, "an unknown tag");
	is_int(DECODE(PS "\0\0\0\0\0"), -1, "tag 0");
	is_int(DECODE(PS "\2\0\0\0\1a\2\0\0\0\1a"), -1, "a name twice");
	is_int(DECODE(PS "\2\0\0\0\2a\0"), -1, "a NUL in a name");
	is_int(DECODE(PS "\2\0\0\0\0"), -1, "an empty name");
	is_int(DECODE(PS "\2\0\0\0\4abc"), -1, "a name cut short");
	is_int(DECODE(PS "\2\xff\xff\xff\xff"
			 "abc"),
	    -1, "a name of 4 GiB");
	is_int(DECODE(PS "\x0a\0\0\0\1\1"), -1, "a flag with a value");
	is_int(DECODE(PS "\7\0\0\0\4\xff\xff\xff\xff"), -1, "a pid out of range");
	is_int(DECODE(PS "\x0c\0\0\0\2a;"), -1, "a terminal type with a semicolon");
	is_int(DECODE(PS "\x09\0\0\0\1A"), -1, "an environment entry without =");
	is_int(DECODE(PS "\x09\0\0\0\2=A"), -1, "or without a name");
	is_int(DECODE(PS "\x08\0\0\0\2a\0"), -1, "a NUL in argv");
	is_int(DECODE("\1\1\0\0\0\1\1"), -1, "exec without a command");
	is_int(DECODE("\1\1\0\0\0\1\2"), 0, "a shell without one");

	request_init(&r);
	big = malloc(REQUEST_ARG_MAX + 2);
	memset(big, 'a', REQUEST_ARG_MAX + 1);
	big[REQUEST_ARG_MAX + 1] = '\0';
	is_int(request_add_arg(&r, big), -1, "an argument over its cap");
	big[REQUEST_ARG_MAX] = '\0';
	is_int(request_add_arg(&r, big), 0, "an argument at its cap");
	is_int(request_add_arg(&r, big), 0, "and another");
	r.verb = REQ_EXEC;
	buf_init(&b, FRAME_MAX);
	is_int(request_encode(&r, &b, &e), -1, "are too much for one frame");
	is_int(e.code, ERR_LIMIT, "which is said");
	is_int((int)b.len, 0, "and nothing is left in the buffer");
	buf_fini(&b);
	request_fini(&r);
	for (i = 0; request_add_arg(&r, "x") == 0; i++)
		;
	is_int(i, REQUEST_ARGV_MAX, "argv has its cap");
	for (i = 0; request_add_env(&r, "x=y") == 0; i++)
		;
	is_int(i, REQUEST_ENV_MAX, "and env");
	request_fini(&r);
	free(big);
	is_str(request_verb_name(REQ_SESSIONS), "sessions", "names of verbs");
}

int
main(void)
{
	test_frames();
	test_round_trip();
	test_strict();
	return done_testing();
}
