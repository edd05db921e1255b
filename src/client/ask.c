/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/client_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <termios.h>

#include "base/fd.h"
#include "base/str.h"

static ssize_t
read_char(int tty, char *c)
{
	ssize_t got;

	do
		got = read(tty, c, 1);
	while (got < 0 && errno == EINTR);
	return got;
}

/* One line from the terminal without its newline; -1 at its end, when it is too long, or (in a
 * mode without ISIG) given up. */
static int
read_line(int tty, char *out, size_t size)
{
	size_t n = 0;
	bool over = false;
	char c;

	for (;;) {
		if (read_char(tty, &c) <= 0 || c == CTRL('C') || c == CTRL('D'))
			return -1;
		if (c == '\n' || c == '\r')
			break;
		if (c == 0x7f || c == CTRL('H'))
			n -= n > 0;
		else if (c == CTRL('U'))
			n = 0;
		else if (n + 1 < size)
			out[n++] = c;
		else
			over = true;
	}
	out[n] = '\0';
	return over ? -1 : 0;
}

static void
say(int tty, const char *s)
{
	fd_write_all(tty, s, strlen(s));
}

bool
client_ask_trust(void *arg, const char *host, const char *fingerprint)
{
	auto_close int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	char text[1024], name[300], answer[128];

	(void)arg;
	if (tty < 0)
		return false;
	str_vis(name, sizeof(name), host);
	snprintf(text, sizeof(text),
	    "coral does not know the agent at %s yet.\nThe fingerprint of its key is %s.\n"
	    "Is that the agent you mean (yes, no, or the fingerprint)? ",
	    name, fingerprint);
	say(tty, text);
	while (read_line(tty, answer, sizeof(answer)) == 0) {
		if (strcasecmp(answer, "yes") == 0 || strcmp(answer, fingerprint) == 0)
			return true;
		if (strcasecmp(answer, "no") == 0)
			return false;
		say(tty, "Please type yes, no, or the fingerprint: ");
	}
	return false;
}

int
client_ask_passphrase(void *arg, const char *prompt, char *out, size_t size)
{
	auto_close int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios old, quiet;
	char text[512];
	int rc;

	(void)arg;
	if (tty < 0 || tcgetattr(tty, &old) < 0)
		return -1;
	str_vis(text, sizeof(text), prompt);
	quiet = old;
	/* Without ISIG ^C cannot end us while echo is off. */
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
	quiet.c_cc[VMIN] = 1;
	quiet.c_cc[VTIME] = 0;
	if (tcsetattr(tty, TCSAFLUSH, &quiet) < 0)
		return -1;
	say(tty, text);
	rc = read_line(tty, out, size);
	tcsetattr(tty, TCSANOW, &old);
	say(tty, "\n");
	if (rc < 0)
		explicit_bzero(out, size);
	return rc;
}
