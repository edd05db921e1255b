/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>

#include "base/buf.h"
#include "tap.h"

static void
test_cap(void)
{
	struct buf b;

	buf_init(&b, 10);
	is_int(buf_put(&b, "12345678", 8), 0, "under the cap");
	is_int(buf_put(&b, "abc", 3), -1, "over the cap");
	is_int(b.len, 8, "changes nothing");
	is_int(buf_put_u32(&b, 1), -1, "an integer over the cap");
	is_int(buf_printf(&b, "%s", "abc"), -1, "printf over the cap");
	is_int(buf_printf(&b, "%s", "ab"), 0, "printf up to the cap");
	ok(b.len == 10 && !memcmp(buf_head(&b), "12345678ab", 10), "all there");
	ok(!buf_cstr(&b), "no room for a NUL");
	ok(!buf_tail(&b, 1) && !buf_tail(&b, SIZE_MAX), "no tail");
	buf_consume(&b, 4);
	is_str(buf_cstr(&b), "5678ab", "consumed");
	is_int(b.len, 6, "the NUL is not counted");
	buf_consume(&b, 100);
	is_int(b.len, 0, "more than all");
	is_int(buf_put(&b, NULL, 0), 0, "nothing");
	buf_fini(&b);
	buf_init(&b, 0);
	is_int(buf_put_u8(&b, 1), -1, "a cap of 0");
	ok(buf_tail(&b, 0) != NULL, "room for nothing");
	buf_fini(&b);
}

static void
test_queue(void)
{
	struct buf b;
	unsigned next = 0, want = 0;
	bool same = true;
	int i, j;

	buf_init(&b, 5000);
	for (i = 0; i < 2000; i++) {
		for (j = 0; j < 40; j++) {
			if (buf_put_u8(&b, (uint8_t)next) == 0)
				next++;
		}
		for (j = 0; j < 39 && b.len; j++) {
			same &= *buf_head(&b) == (uint8_t)want++;
			buf_consume(&b, 1);
		}
	}
	ok(same, "first in, first out");
	is_int(next - want, b.len, "nothing lost");
	ok(b.cap <= 5001, "memory stays near the cap");
	buf_fini(&b);
}

static void
test_fds(void)
{
	struct buf b;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	buf_init(&b, 4);
	is_int(write(p[1], "abcdef", 6), 6, "six bytes");
	is_int(buf_read_fd(&b, p[0], 100), 4, "as many as fit");
	errno = 0;
	is_int(buf_read_fd(&b, p[0], 100), -1, "full");
	is_int(errno, ENOBUFS, "ENOBUFS");
	is_int(buf_write_fd(&b, p[1]), 4, "written");
	is_int(b.len, 0, "and consumed");
	is_int(buf_write_fd(&b, p[1]), 0, "nothing to write");
	buf_fini(&b);
	close(p[0]);
	close(p[1]);
}

static void
test_trim(void)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_trim(&b);
	ok(buf_tail(&b, 100000) && b.cap >= 100000, "grown");
	buf_put_str(&b, "abcdef");
	buf_consume(&b, 2);
	buf_trim(&b);
	ok(b.cap < 1000 && b.len == 4 && memcmp(buf_head(&b), "cdef", 4) == 0,
	    "what is in it stays, the rest is given back");
	buf_put_str(&b, "gh");
	ok(b.len == 6 && memcmp(buf_head(&b), "cdefgh", 6) == 0, "and more is put");
	buf_consume(&b, 6);
	buf_trim(&b);
	ok(!b.data && b.cap == 0, "an empty one has nothing");
	ok(buf_put_str(&b, "x") == 0 && *buf_head(&b) == 'x', "until something is put");
	buf_fini(&b);
}

static void
test_reader(void)
{
	struct buf b;
	struct rd r;

	buf_init(&b, 100);
	buf_put_u8(&b, 1);
	buf_put_u16(&b, 0x203);
	buf_put_u32(&b, 0x4050607);
	buf_put_u64(&b, 0x8090a0b0c0d0e0fULL);
	buf_put_str(&b, "xyz");
	is_int(buf_head(&b)[1], 2, "big-endian");
	r = (struct rd){.p = buf_head(&b), .n = b.len};
	is_int(rd_u8(&r), 1, "u8");
	is_int(rd_u16(&r), 0x203, "u16");
	is_int(rd_u32(&r), 0x4050607, "u32");
	ok(rd_u64(&r) == 0x8090a0b0c0d0e0fULL, "u64");
	ok(rd_bytes(&r, 0) && !r.bad, "no bytes are no error");
	is_int(rd_u32(&r), 0, "short");
	ok(r.bad, "bad");
	is_int(rd_u8(&r), 0, "bad stays, though bytes are left");
	ok(!rd_bytes(&r, 0), "even for none");
	buf_fini(&b);
}

int
main(void)
{
	test_cap();
	test_queue();
	test_fds();
	test_trim();
	test_reader();
	return done_testing();
}
