/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What passes the veil does not depend on the pieces in which it comes, nor on how slowly the
 * terminal takes it. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/client_int.h"
#include "screen/screen.h"
#include "screen/screen_filter.h"
#include "tap.h"

#define BYTES 300000

static uint64_t seed = 88172645463325252u;

static unsigned
rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

static void
on_put(void *arg, const char *p, size_t n)
{
	buf_put(arg, p, n);
}

static void
on_wiping(void *arg, enum filter_wipe how)
{
	(void)arg;
	(void)how;
}

static size_t
some_of(int fd, char *out, size_t room)
{
	ssize_t n = read(fd, out, room);

	return n > 0 ? (size_t)n : 0;
}

int
main(void)
{
	static const char *const bits[] = {"\x1b]52;c;AAAA\a", "\x1b[6n", "text ", "\r\n",
	    "\x1b[31m", "\x1b[?1000h", "\x1bP$q\"p\x1b\\", "x\x1b[900b", "\xe4\xb8\xad",
	    "\xe2\x80\xae", "\x1b[2J", "\x9b"};
	unsigned char *in = malloc(BYTES);
	char *got = malloc((size_t)64 << 20);
	size_t n = 0, at = 0, have = 0;
	struct client_veil *v = client_veil_new();
	struct client_sink k;
	struct filter f = {0};
	struct buf want;
	int pipe[2];
	struct filter_sink all = {
	    .put = on_put, .wiping = on_wiping, .arg = &want, .cols = SCREEN_COLS_MAX};

	if (!in || !got)
		exit(99);
	alarm(60);
	while (n < BYTES - 32) {
		const char *bit = bits[rnd(sizeof(bits) / sizeof(bits[0]))];

		memcpy(in + n, bit, strlen(bit));
		n += strlen(bit);
	}
	buf_init(&want, (size_t)64 << 20);
	filter_run(&f, &all, in, n);
	if (pipe2(pipe, O_NONBLOCK | O_CLOEXEC) < 0)
		exit(99);
	client_sink_open(&k, pipe[1], NULL);
	while (at < n) {
		size_t part = 1 + rnd(30000), done = 0;

		part = part < n - at ? part : n - at;
		while (done < part) {
			ssize_t took = client_veil_write(v, &k, in + at + done, part - done);

			if (took < 0)
				exit(98);
			done += (size_t)took;
			have += some_of(pipe[0], got + have, 1 + rnd(60000));
		}
		at += part;
	}
	while ((n = some_of(pipe[0], got + have, 65536)) > 0)
		have += n;
	ok(have == want.len && memcmp(got, buf_head(&want), have) == 0, "the same bytes");
	ok(have > 100000 && !memmem(got, have, "\x1b]", 2) && !memmem(got, have, "6n", 2),
	    "without what terminals act on");
	is_int((long long)k.count, (long long)at, "counted as they came");
	client_sink_close(&k);
	client_veil_free(v);
	buf_fini(&want);
	free(in);
	free(got);
	return done_testing();
}
