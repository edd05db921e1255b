/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/client_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define JSON_MAX (16u * 1024 * 1024)

struct query {
	struct client_link link;
	int (*take)(void *arg, const void *p, size_t n);
	void *arg;
	bool done;
};

static int
on_frame(struct query *q, const struct frame *f, struct err *e)
{
	switch (f->type) {
	case FR_DATA:
		if (q->take(q->arg, f->data, f->len) < 0)
			q->done = true;
		return 0;
	case FR_END:
		q->done = true;
		return 0;
	case FR_NOTICE:
		return 0;
	case FR_ERROR:
		if (!err_decode(e, f->data, f->len))
			err_set(e, ERR_PROTOCOL, 0, "the agent sent an error that cannot be read");
		return -1;
	default:
		return err_set(
		    e, ERR_PROTOCOL, 0, "the agent sent frame %u in answer to a question", f->type);
	}
}

static int
drain(struct query *q, struct err *e)
{
	struct frame f;
	ssize_t got;
	int rc;

	do {
		while (!q->done && (rc = client_link_next(&q->link, &f, e)) != 0) {
			if (rc < 0 || on_frame(q, &f, e) < 0)
				return -1;
			frame_drop(&q->link.in, &f);
		}
		got = q->done ? 0 : client_link_pull(&q->link);
	} while (got > 0);
	if (!q->done && (got < 0 || tp_client_ended(q->link.c))) {
		err_set(e, ERR_TRANSPORT, 0, "the agent hung up before its answer was complete");
		return err_why(e, "its process for this connection has ended, or was ended");
	}
	return 0;
}

static int
run(struct query *q, struct err *e)
{
	while (!q->done) {
		struct pollfd p = {
		    .fd = tp_client_fd(q->link.c),
		    .events = client_link_interest(&q->link),
		};

		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return err_set(e, ERR_IO, errno, "cannot wait for the agent");
		if (tp_client_turn(q->link.c, e) < 0) {
			/* What came before the loss may still be the whole answer. */
			struct err ignored;

			return drain(q, &ignored) == 0 && q->done ? 0 : -1;
		}
		if (client_link_push(&q->link, e) < 0 || drain(q, e) < 0)
			return -1;
	}
	return 0;
}

int
client_query(struct tp_client *c, const struct request *r,
    int (*take)(void *arg, const void *p, size_t n), void *arg, struct err *e)
{
	struct query q = {.take = take, .arg = arg};
	int rc;

	client_link_init(&q.link, c);
	rc = client_link_send_open(&q.link, r, e);
	if (rc == 0)
		rc = drain(&q, e);
	if (rc == 0)
		rc = run(&q, e);
	client_link_fini(&q.link);
	return rc;
}

struct collect {
	struct buf b;
	bool over;
};

static int
collect(void *arg, const void *p, size_t n)
{
	struct collect *c = arg;

	c->over = buf_put(&c->b, p, n) < 0;
	return c->over ? -1 : 0;
}

static json_t *
parse(struct collect *all, struct err *e)
{
	json_t *j = NULL;

	if (all->over)
		err_set(e, ERR_LIMIT, 0, "the agent's answer is larger than 16 MiB");
	else
		j = json_parse((const char *)buf_head(&all->b), all->b.len, e);
	return j;
}

json_t *
client_query_json(struct tp_client *c, const struct request *r, struct err *e)
{
	struct collect all = {.over = false};
	json_t *j = NULL;

	buf_init(&all.b, JSON_MAX);
	if (client_query(c, r, collect, &all, e) == 0)
		j = parse(&all, e);
	buf_fini(&all.b);
	return j;
}

struct client_asked {
	struct query q;
	struct collect all;
};

static void
forget(struct client_asked *a)
{
	client_link_fini(&a->q.link);
	buf_fini(&a->all.b);
	free(a);
}

/* Until all of the question is on its way. */
static int
push_all(struct query *q, struct err *e)
{
	while (stream_waits(&q->link.s)) {
		struct pollfd p = {
		    .fd = tp_client_fd(q->link.c),
		    .events = client_link_interest(&q->link),
		};

		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return err_set(e, ERR_IO, errno, "cannot wait for the agent");
		if (tp_client_turn(q->link.c, e) < 0 || client_link_push(&q->link, e) < 0)
			return -1;
	}
	return 0;
}

struct client_asked *
client_query_begin(struct tp_client *c, const struct request *r, struct err *e)
{
	struct client_asked *a = calloc(1, sizeof(*a));

	if (!a) {
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot ask the agent");
		return NULL;
	}
	a->q.take = collect;
	a->q.arg = &a->all;
	buf_init(&a->all.b, JSON_MAX);
	client_link_init(&a->q.link, c);
	if (client_link_send_open(&a->q.link, r, e) == 0 && push_all(&a->q, e) == 0)
		return a;
	forget(a);
	return NULL;
}

json_t *
client_query_finish(struct client_asked *a, struct err *e)
{
	json_t *j = NULL;

	if (drain(&a->q, e) == 0 && run(&a->q, e) == 0)
		j = parse(&a->all, e);
	forget(a);
	return j;
}
