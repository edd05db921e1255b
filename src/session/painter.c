/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/painter.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "session/painter_int.h"

struct painter *
painter_new(struct loop *l, int cast, const char *runtime_dir)
{
	struct painter *p = calloc(1, sizeof(*p));

	if (!p) {
		close(cast);
		return NULL;
	}
	p->loop = l;
	p->cast = cast;
	p->run = painter_run;
	p->patience = PAINTER_PATIENCE_NS;
	p->patience_idle = PAINTER_PATIENCE_IDLE_NS;
	p->pidfd = p->sock = -1;
	p->died_at = UINT64_MAX;
	str_copy(p->runtime_dir, runtime_dir, sizeof(p->runtime_dir));
	buf_init(&p->in, 4 * (PAINTER_PIECE_MAX + PAINTER_HEAD_SIZE));
	return p;
}

void
painter_forgets(struct painter *p, void (*forget)(void *arg), void *arg)
{
	p->forget = forget;
	p->forget_arg = arg;
}

void
painter_free(struct painter *p)
{
	struct painter_wait *w;

	if (!p)
		return;
	painter_stop(p);
	loop_timer_clear(p->loop, &p->t_deadline);
	loop_timer_clear(p->loop, &p->t_next);
	while ((w = p->waiting)) {
		p->waiting = w->next;
		free(w);
	}
	buf_fini(&p->in);
	fd_close(&p->cast);
	if (p->sandboxed)
		tp_sandbox_fini(&p->sandbox);
	free(p);
}

int
painter_pid(const struct painter *p)
{
	return p ? p->pid : 0;
}

bool
painter_has_room(const struct painter *p)
{
	const struct painter_wait *w = p->active ? p->waiting : NULL;

	return !w || w->cancelled || !w->o.room || w->o.room(w->o.arg);
}

static int
process(struct painter *p)
{
	struct err e = {0};

	if (p->given_up)
		return -1;
	if (p->pid)
		return 0;
	if (painter_start(p, &e) == 0)
		return 0;
	log_error_of(&e, "the screen cannot be painted");
	return -1;
}

static void
begin_first(struct painter *p)
{
	p->active = true;
	p->total = 0;
	/* It never goes back. */
	if (p->pid && p->waiting->o.upto < p->asked)
		painter_stop(p);
	if (process(p) < 0) {
		painter_finish(p, false);
	} else if (painter_send(p, PAINTER_PAINT, &p->waiting->o) < 0) {
		painter_lost(p);
	} else {
		painter_watch(p);
	}
}

static void
catch_up(struct painter *p)
{
	struct painter_order o = {.upto = p->wish};

	if (p->wish <= p->asked || process(p) < 0)
		return;
	p->asked = p->wish;
	if (painter_send(p, PAINTER_CATCH_UP, &o) < 0)
		painter_lost(p);
	else
		painter_watch(p);
}

/* What is to be done next, from the loop only. */
static void
next(void *arg)
{
	struct painter *p = arg;
	struct painter_wait *w;

	while (!p->active && (w = p->waiting) && w->cancelled) {
		p->waiting = w->next;
		free(w);
	}
	if (p->active)
		return;
	if (p->waiting)
		begin_first(p);
	else
		catch_up(p);
}

static void
next_soon(struct painter *p)
{
	loop_timer_set(p->loop, &p->t_next, 0, next, p);
}

void
painter_finish(struct painter *p, bool ok)
{
	struct painter_wait *w = p->waiting;

	p->active = false;
	p->waiting = w->next;
	if (ok) {
		p->deaths = 0;
		p->died_at = UINT64_MAX;
	}
	next_soon(p);
	if (!w->cancelled)
		w->o.done(w->o.arg, ok);
	free(w);
}

static bool
near(uint64_t a, uint64_t b)
{
	return (a < b ? b - a : a - b) <= PAINTER_NEAR;
}

void
painter_lost(struct painter *p)
{
	painter_stop(p);
	p->deaths = near(p->died_at, p->reached) ? p->deaths + 1 : 1;
	p->died_at = p->reached;
	p->given_up = p->deaths >= PAINTER_DEATHS_MAX;
	log_warn("the process that paints the screen is lost at byte %llu of the recording%s",
	    (unsigned long long)p->reached, p->given_up ? "; there is no other" : "");
	p->asked = p->reached = 0;
	/* Not again for nobody. */
	p->wish = 0;
	if (p->active)
		painter_finish(p, false);
	else
		next_soon(p);
}

void
painter_catch_up(struct painter *p, uint64_t upto)
{
	if (p->given_up || upto <= p->wish)
		return;
	p->wish = upto;
	if (!p->active && !p->waiting)
		next_soon(p);
}

int
painter_paint(struct painter *p, const struct painter_order *o, struct err *e)
{
	struct painter_wait *w, **at = &p->waiting;
	int n = 0;

	for (; *at; at = &(*at)->next)
		n++;
	if (n >= PAINTER_WAITING_MAX) {
		err_set(e, ERR_LIMIT, EBUSY, "the screen cannot be painted");
		err_why(e, "%d others wait for theirs", n);
		return err_hint(e, "try again in a moment");
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(e, ERR_INTERNAL, ENOMEM, "the screen cannot be painted");
	w->o = *o;
	*at = w;
	if (!p->active)
		next_soon(p);
	return 0;
}

void
painter_cancel(struct painter *p, const void *arg)
{
	struct painter_wait *w;

	for (w = p->waiting; w; w = w->next) {
		if (w->o.arg == arg)
			w->cancelled = true;
	}
}
