/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two ends whose connection is cut again and again: every frame arrives once and in order. */
#include "session/stream.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define MAX (64 * 1024)
#define CUTS 2000

struct end {
	struct stream s;
	struct buf in;
	uint32_t next_put, next_got;
	int wrong;
};

static void
end_init(struct end *e)
{
	memset(e, 0, sizeof *e);
	stream_init(&e->s, MAX);
	buf_init(&e->in, 4 * MAX);
	stream_keep(&e->s, 0);
}

static void
put_some(struct end *e)
{
	unsigned char p[300] = {0};

	memcpy(p, &e->next_put, 4);
	if (stream_put(&e->s, FR_STDIN, p, 4 + (size_t)(random() % 290)) == 0)
		e->next_put++;
}

static void
take_all(struct end *e)
{
	struct frame f;

	while (frame_peek(&e->in, &f) > 0) {
		uint32_t n;

		stream_heard(&e->s, &f);
		if (f.type == FR_RECEIVED) {
			e->wrong += stream_acknowledged(&e->s, &f) < 0;
		} else {
			memcpy(&n, f.data, 4);
			e->wrong += n != e->next_got++;
		}
		frame_drop(&e->in, &f);
	}
	e->wrong += frame_peek(&e->in, &f) < 0;
	if (random() % 4 == 0 && e->s.owes)
		stream_tell(&e->s);
}

/* Some of what waits, or all of it; what is `lost` the other never sees. */
static void
move(struct end *from, struct end *to, bool lost)
{
	size_t n;
	const unsigned char *p = stream_unsent(&from->s, &n);

	if (n == 0)
		return;
	n = 1 + (size_t)random() % n;
	if (!lost) {
		buf_put(&to->in, p, n);
		stream_came(&to->s, n);
	}
	stream_sent(&from->s, n);
}

static void
cut(struct end *a, struct end *b)
{
	uint64_t of_a = b->s.arrived, of_b = a->s.arrived;

	a->wrong += stream_resume(&a->s, of_a) < 0;
	b->wrong += stream_resume(&b->s, of_b) < 0;
}

static void
test_cuts(void)
{
	static struct end a, b;

	srandom(7);
	end_init(&a);
	end_init(&b);
	for (int i = 0; i < CUTS; i++) {
		for (int k = 0; k < 20; k++) {
			put_some(&a);
			put_some(&b);
			move(&a, &b, false);
			move(&b, &a, false);
			take_all(&a);
			take_all(&b);
		}
		/* On their way when it is cut. */
		move(&a, &b, true);
		move(&b, &a, true);
		cut(&a, &b);
	}
	for (int i = 0; i < 10000 && (stream_waits(&a.s) || stream_waits(&b.s)); i++) {
		move(&a, &b, false);
		move(&b, &a, false);
		take_all(&a);
		take_all(&b);
	}
	ok(a.wrong == 0 && b.wrong == 0, "%d cuts: nothing lost, doubled or out of order", CUTS);
	ok(a.next_got == b.next_put && b.next_got == a.next_put && a.next_put > CUTS,
	    "everything arrived: %u and %u frames", b.next_got, a.next_got);
	ok(a.s.out.max == MAX, "within its bounds");
	stream_fini(&a.s);
	stream_fini(&b.s);
	buf_fini(&a.in);
	buf_fini(&b.in);
}

static int
received(struct stream *s, uint64_t n)
{
	unsigned char wire[8];
	struct frame f = {FR_RECEIVED, 8, wire};

	for (int i = 0; i < 8; i++)
		wire[i] = (unsigned char)(n >> (56 - 8 * i));
	return stream_acknowledged(s, &f);
}

static void
test_lies(void)
{
	struct stream s;
	size_t n;

	stream_init(&s, MAX);
	ok(received(&s, 0) < 0, "nothing is acknowledged where nothing is kept");
	stream_keep(&s, 0);
	stream_put(&s, FR_NOTICE, "hello", 5);
	ok(received(&s, 9) < 0, "what was not written has not arrived");
	stream_unsent(&s, &n);
	stream_sent(&s, n);
	ok(received(&s, 10) < 0 && received(&s, UINT64_MAX) < 0, "nor more than there is");
	ok(received(&s, 4) == 0 && received(&s, 3) == 0 && s.base == 4, "a count does not go back");
	ok(stream_resume(&s, 3) < 0 && stream_resume(&s, 10) < 0 && s.base == 4 && s.written == 5,
	    "a connection that lacks what is gone, or knows what never was, changes nothing");
	ok(stream_resume(&s, 4) == 0 && stream_unsent(&s, &n) && n == 5, "the rest is sent again");
	stream_first(&s, FR_RESUMED, "\0\0\0\0\0\0\0\5", 8);
	ok(stream_unsent(&s, &n) && n == 12, "after what goes first");
	stream_sent(&s, 12);
	ok(stream_unsent(&s, &n) && n == 5 && s.base == 4, "which is not counted");
	stream_fini(&s);
}

int
main(void)
{
	test_cuts();
	test_lies();
	return done_testing();
}
