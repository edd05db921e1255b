/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/player.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "replay/player_int.h"
#include "replay/sidecar.h"

#define TAIL_BYTES 65536
#define LAST_TIME (INT64_MAX / 4) /* room for sums */

static ssize_t
read_tail(const struct player *p, const char *name, uint64_t from, char *tail)
{
	struct source *src = source_open_fd(fcntl(p->fd, F_DUPFD_CLOEXEC, 3), name, NULL);
	ssize_t n = src ? source_read_at(src, from, tail, TAIL_BYTES, NULL) : -1;

	source_close(src);
	return n;
}

/* Version 2 has absolute times: the last whole line tells the length at once. */
static int64_t
guess_length(const struct player *p, const char *name)
{
	const json_t *version = json_object_get(cast_header(p->reader), "version");
	auto_free char *tail = malloc(TAIL_BYTES);
	uint64_t from = p->size > TAIL_BYTES ? p->size - TAIL_BYTES : 0;
	struct cast_event ev;
	struct cast_reader *r;
	ssize_t n, i;
	int64_t t = 0;

	if (!tail || p->size == 0 || json_integer_value(version) != 2)
		return 0;
	n = read_tail(p, name, from, tail);
	while (n > 0 && tail[n - 1] != '\n')
		n--;
	for (i = n - 1; i > 0 && tail[i - 1] != '\n'; i--)
		;
	if (i <= 0 || from + (uint64_t)i < p->at.offset)
		return 0;
	r = cast_open_fd(fcntl(p->fd, F_DUPFD_CLOEXEC, 3), name, NULL);
	if (!r)
		return 0;
	if (cast_seek(r, from + (uint64_t)i, 2, 0, NULL) == 0 && cast_next(r, &ev, NULL) == 1)
		t = ev.t;
	cast_close(r);
	return t > LAST_TIME ? LAST_TIME : t;
}

static void
note_end(struct player *p, int got)
{
	if (player_waits_here(p, got))
		return;
	p->at.end = true;
	if (p->known)
		return;
	p->known = true;
	p->last_t = p->at.t;
	if (got < 0)
		p->ending = PLAYER_DAMAGED;
	else if (cast_truncated(p->reader))
		p->ending = PLAYER_TRUNCATED;
	if (p->learning)
		return;
	/* No more reading ahead. */
	buf_fini(&p->ahead.screen);
	p->ahead.valid = false;
}

void
player_fetch(struct player *p)
{
	int got = cast_next(p->reader, &p->ev, p->known ? NULL : &p->bad);

	p->have = got == 1;
	if (!p->have) {
		note_end(p, got);
		return;
	}
	p->at.end = false;
	p->at.offset = p->ev.offset;
	p->at.line = p->ev.line;
	p->at.line_t = p->ev.t;
	if (p->ev.t > LAST_TIME)
		p->ev.t = LAST_TIME;
}

/* What was found out about the recording before. */
static void
use_sidecar(struct player *p)
{
	struct sidecar_home home;
	struct sidecar *x;

	if (sidecar_home(p->fd, &home) < 0)
		return;
	x = sidecar_open(&home, p->fd);
	sidecar_home_fini(&home);
	/* Of a session without a terminal it has no screens. */
	if (x && (sidecar_count(x) < 2 || !sidecar_has_frame(x, 1))) {
		sidecar_free(x);
		x = NULL;
	}
	if (!x)
		return;
	if (sidecar_length(x) > p->last_t)
		p->last_t = sidecar_length(x);
	if (sidecar_moments(x, &p->moments) < 0) {
		sidecar_free(x);
		return;
	}
	index_add_file(&p->index, x);
	/* Behind the last line nothing is read that says how the recording ends. */
	while (p->size > 0 && p->index.in_file > 0 &&
	       index_place(&p->index, p->index.in_file)->offset >= p->size)
		p->index.in_file--;
	p->learning = p->index.in_file > 0;
	p->front = p->at.offset;
}

struct player *
player_open(int fd, const char *name, struct err *e)
{
	struct player *p = calloc(1, sizeof(*p));
	const json_t *tty;
	int64_t size;

	if (!p || index_init(&p->index) < 0) {
		free(p);
		fd_close(&fd);
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot play %s", name);
		return NULL;
	}
	p->fd = fd;
	find_init(&p->find);
	buf_init(&p->ahead.screen, SAVE_MAX);
	buf_init(&p->back.screen, SAVE_MAX);
	buf_init(&p->here.screen, SAVE_MAX);
	fd = lseek(p->fd, 0, SEEK_SET) < 0 ? -1 : fcntl(p->fd, F_DUPFD_CLOEXEC, 3);
	p->reader = fd < 0 ? NULL : cast_open_fd(fd, name, e);
	if (!p->reader) {
		if (fd < 0)
			err_set(e, ERR_IO, errno, "cannot play %s", name);
		player_free(p);
		return NULL;
	}
	size = cast_size(p->reader);
	p->size = size > 0 ? (uint64_t)size : 0;
	p->screen = screen_new(cast_rows(p->reader), cast_cols(p->reader));
	if (!p->screen) {
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot play %s", name);
		player_free(p);
		return NULL;
	}
	tty = json_object_get(json_object_get(cast_header(p->reader), "coral"), "tty");
	screen_set_newline(p->screen, json_is_false(tty));
	p->commands.none = json_is_false(tty);
	player_fetch(p);
	if (p->have) {
		index_consider(&p->index, p->screen, &p->at);
		p->last_t = guess_length(p, name);
		use_sidecar(p);
	}
	return p;
}

void
player_free(struct player *p)
{
	if (!p)
		return;
	screen_free(p->screen);
	cast_close(p->reader);
	index_fini(&p->index);
	free(p->moments.list);
	free(p->commands.list);
	buf_fini(&p->find.text);
	buf_fini(&p->ahead.screen);
	buf_fini(&p->back.screen);
	buf_fini(&p->here.screen);
	fd_close(&p->fd);
	free(p);
}

const json_t *
player_header(const struct player *p)
{
	return cast_header(p->reader);
}

const struct screen *
player_screen(const struct player *p)
{
	return p->screen;
}

void
player_watch(struct player *p, const struct screen_hooks *h)
{
	screen_set_hooks(p->screen, h);
}

int64_t
player_time(const struct player *p)
{
	return p->at.t;
}

uint64_t
player_frame(const struct player *p)
{
	return p->at.frame;
}

int64_t
player_next(const struct player *p)
{
	if (!p->have)
		return -1;
	return p->ev.t > p->at.t ? p->ev.t : p->at.t;
}

int64_t
player_total(const struct player *p, bool *exact)
{
	int64_t t = p->last_t;

	if (exact)
		*exact = p->known;
	if (p->at.t > t)
		t = p->at.t;
	if (p->ahead.valid && p->ahead.at.t > t)
		t = p->ahead.at.t;
	return t;
}

enum player_end
player_ending(const struct player *p, struct err *e)
{
	if (e && p->ending == PLAYER_DAMAGED)
		*e = p->bad;
	return p->ending;
}

bool
player_apply(struct player *p)
{
	bool first = p->learning && p->ev.offset == p->front;

	if (!p->have)
		return false;
	if (!p->learning || p->ev.offset <= p->front)
		commands_take(&p->commands, p);
	switch (p->ev.kind) {
	case CAST_EV_OUTPUT:
		moments_feed(&p->moments, p->screen, &p->ev);
		p->at.frame++;
		break;
	case CAST_EV_RESIZE:
		screen_resize(p->screen, p->ev.rows, p->ev.cols);
		p->at.frame++;
		break;
	default:
		moments_take(&p->moments, &p->ev);
		typed_take(&p->at.typed, &p->ev);
		break;
	}
	if (p->ev.t > p->at.t)
		p->at.t = p->ev.t;
	player_fetch(p);
	if (first && p->have)
		p->front = p->ev.offset;
	else if (first)
		p->learning = false;
	if (p->have && !p->known)
		index_consider(&p->index, p->screen, &p->at);
	return true;
}

int
player_resume(struct player *p)
{
	struct place at = p->at;

	p->have = false;
	if (at.end)
		return 0;
	if (cast_seek(p->reader, at.offset, at.line, at.line_t, NULL) < 0)
		return -1;
	player_fetch(p);
	return 0;
}

int
player_put_aside(const struct player *p, struct aside *a)
{
	buf_clear(&a->screen);
	a->at = p->at;
	a->valid = screen_save(p->screen, &a->screen) == 0;
	return a->valid ? 0 : -1;
}

int
player_take_back(struct player *p, const struct aside *a)
{
	if (!a->valid || screen_restore(p->screen, buf_head(&a->screen), a->screen.len) < 0)
		return -1;
	p->at = a->at;
	return player_resume(p);
}

int
player_to_keyframe(struct player *p, size_t k)
{
	if (index_restore(&p->index, k, p->screen, &p->at) < 0) {
		/* A damaged file: without it, from the beginning. */
		index_drop_file(&p->index);
		if (index_restore(&p->index, 0, p->screen, &p->at) < 0)
			return -1;
	}
	return player_resume(p);
}
