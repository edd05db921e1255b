/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/run_int.h"

#include <string.h>

#include "base/fd.h"
#include "pty/term.h"

/* In order: what is drawn is shown at once; the cursor is kept, and its origin is the screen's. */
#define BEFORE "\033[?2026l\0337\033[?6l\033[%d;1H"
#define AFTER "\033[0m\033[K\0338"

static void
draw(const struct client_run *s, const char *style, const char *text)
{
	char line[512];
	struct winsize ws;
	int n;

	if (!s->raw || !isatty(s->io->out))
		return;
	term_size(s->io->out, &ws);
	/* The last column stays free: it would wrap. */
	n = snprintf(line, sizeof(line), BEFORE "%s%.*s" AFTER, ws.ws_row, style,
	    ws.ws_col < 200 ? ws.ws_col - 1 : 200, text);
	fd_write_all(s->io->out, line, (size_t)n);
}

void
client_line_show(const struct client_run *s, const char *text)
{
	draw(s, "\033[0;7m", text);
}

void
client_line_hide(const struct client_run *s)
{
	draw(s, "\033[0m", "");
}
