/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any file: playing, seeking and searching end, and what is drawn is harmless. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "replay/player.h"
#include "screen/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Nothing but ESC [ ... H or m, and no other control. */
static void
check(const unsigned char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] == 0x1b) {
			if (++i == n || p[i] != '[')
				abort();
			while (++i < n && ((p[i] >= '0' && p[i] <= '9') || p[i] == ';'))
				;
			if (i == n || (p[i] != 'H' && p[i] != 'm'))
				abort();
		} else if (p[i] < 0x20 || p[i] == 0x7f) {
			abort();
		}
	}
}

static void
draw(struct render *r, const struct player *p)
{
	struct buf out;

	buf_init(&out, 1 << 22);
	render_clear(r);
	render_screen(r, player_screen(p), 0, 20);
	if (render_flush(r, &out) == 0 && out.len > 0)
		check(buf_head(&out), out.len);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct render_opts o = {.colors = RENDER_RGB};
	struct render *r = render_new(&o);
	int fd = memfd_create("cast", MFD_CLOEXEC), i;
	struct player *pl;

	if (!r || fd < 0 || write(fd, p, n) != (ssize_t)n)
		abort();
	render_resize(r, 21, 70);
	pl = player_open(fd, "fuzz", NULL);
	if (pl) {
		for (i = 0; i < 8 && player_apply(pl); i++)
			draw(r, pl);
		player_find(pl, "a", true);
		player_finish(pl);
		draw(r, pl);
		player_seek(pl, INT64_MAX / 2);
		player_finish(pl);
		player_find(pl, "a", false);
		player_finish(pl);
		player_seek(pl, player_time(pl) / 2);
		player_finish(pl);
		draw(r, pl);
		player_free(pl);
	}
	render_free(r);
	return 0;
}
