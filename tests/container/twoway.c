/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two-way traffic that counts itself, inside of a container: numbered lines of
 * varying length in both directions, each at most AHEAD lines before what has
 * come from the other side.  "q N" ends it: N lines should have come.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define AHEAD 200

/* As in test_cuts.py. */
static int
spell(char *line, size_t max, char side, unsigned long n)
{
	static const char pad[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return snprintf(line, max, "%c %lu %.*s\n", side, n, (int)(n * 7 % 50), pad);
}

static void
die(const char *what, unsigned long n, const char *line)
{
	printf("bad %s: line %lu was wanted, %s\n", what, n, line);
	fflush(stdout);
	exit(3);
}

static void
take(const char *line, unsigned long *got, unsigned long sent, const char *out, size_t waiting)
{
	char want[128];

	if (line[0] == 'q') {
		/* What is counted as sent, first. */
		fwrite(out, 1, waiting, stdout);
		printf("end %lu %lu\n", *got, sent);
		if (strtoul(line + 1, NULL, 10) != *got)
			die("end", *got, line);
		fflush(stdout);
		exit(0);
	}
	spell(want, sizeof(want), 'i', *got + 1);
	if (strcmp(line, want) != 0)
		die("input", *got + 1, line);
	++*got;
}

int
main(void)
{
	static char in[1 << 16], out[1 << 16];
	unsigned long got = 0, sent = 0;
	size_t held = 0, waiting = 0;
	struct termios t;

	if (tcgetattr(0, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(0, TCSANOW, &t);
	}
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct pollfd p[2] = {{.fd = 0, .events = POLLIN}, {.fd = -1, .events = POLLOUT}};
		char *nl;
		ssize_t n;

		while (waiting < sizeof(out) - 128 && sent < got + AHEAD)
			waiting += (size_t)spell(out + waiting, 128, 'o', ++sent);
		if (waiting)
			p[1].fd = 1;
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents) {
			n = write(1, out, waiting);
			if (n > 0)
				memmove(out, out + n, waiting -= (size_t)n);
		}
		if (!p[0].revents)
			continue;
		n = read(0, in + held, sizeof(in) - held - 1);
		if (n == 0 || (n < 0 && errno != EINTR))
			die("end of input", got, "");
		held += n > 0 ? (size_t)n : 0;
		in[held] = '\0';
		while ((nl = strchr(in, '\n'))) {
			char line[256] = "";

			if (nl - in > 200)
				die("input", got, "a long line");
			memcpy(line, in, (size_t)(nl + 1 - in));
			take(line, &got, sent, out, waiting);
			held -= (size_t)(nl + 1 - in);
			memmove(in, nl + 1, held + 1);
		}
	}
}
