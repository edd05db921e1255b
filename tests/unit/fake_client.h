/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TESTS_FAKE_CLIENT_H
#define CORAL_TESTS_FAKE_CLIENT_H

/* tp_client_* over plain bytes, and what a scripted agent at the other end says and hears. Included
 * by a test program, where it takes the place of transport/client.c. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "transport/client.h"
#include "transport/frame.h"

#define SMALL (256 * 1024)

struct tp_client {
	int fd;
	bool ended;
	struct buf in, out;
};

static struct tp_client *
fake_new(int fd)
{
	struct tp_client *c = calloc(1, sizeof(*c));

	if (!c)
		exit(99);
	fd_nonblock(fd, true);
	c->fd = fd;
	buf_init(&c->in, SMALL);
	buf_init(&c->out, SMALL);
	return c;
}

int
tp_dial(const char *address, struct err *e)
{
	return err_set(e, ERR_TRANSPORT, 0, "no dialling here: %s", address);
}

struct tp_client *
tp_client_open(const struct tp_client_opts *o, struct err *e)
{
	(void)o;
	err_set(e, ERR_TRANSPORT, 0, "not here");
	return NULL;
}

void
tp_client_free(struct tp_client *c)
{
	if (!c)
		return;
	close(c->fd);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

int
tp_client_fd(const struct tp_client *c)
{
	return c->fd;
}

short
tp_client_interest(struct tp_client *c)
{
	return (short)((buf_room(&c->in) ? POLLIN : 0) | (c->out.len ? POLLOUT : 0));
}

int
tp_client_turn(struct tp_client *c, struct err *e)
{
	ssize_t n;

	(void)e;
	while (c->out.len && buf_write_fd(&c->out, c->fd) > 0)
		;
	n = buf_room(&c->in) ? buf_read_fd(&c->in, c->fd, 64 * 1024) : -1;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		c->ended = true;
	return 0;
}

ssize_t
tp_client_read(struct tp_client *c, void *p, size_t n)
{
	if (n > c->in.len)
		n = c->in.len;
	memcpy(p, n ? buf_head(&c->in) : (const void *)"", n);
	buf_consume(&c->in, n);
	return (ssize_t)n;
}

bool
tp_client_ended(struct tp_client *c)
{
	return c->ended && c->in.len == 0;
}

size_t
tp_client_room(struct tp_client *c)
{
	return buf_room(&c->out);
}

ssize_t
tp_client_write(struct tp_client *c, const void *p, size_t n)
{
	if (n > buf_room(&c->out))
		n = buf_room(&c->out);
	return buf_put(&c->out, p, n) < 0 ? -1 : (ssize_t)n;
}

/* --- the agents' side --- */

static void
tell(int fd, enum frame_type type, const void *p, size_t n)
{
	struct buf b;

	buf_init(&b, FRAME_HEAD + FRAME_DATA_MAX);
	if (frame_put(&b, type, p, n) < 0 || fd_write_all(fd, buf_head(&b), b.len) < 0)
		_exit(10);
	buf_fini(&b);
}

static void
tell_text(int fd, enum frame_type type, const char *s)
{
	tell(fd, type, s, strlen(s));
}

/* The next frame: its type, or 0 at the end; its payload in b. */
static int
hear(int fd, struct buf *b)
{
	unsigned char h[FRAME_HEAD];
	size_t n;

	buf_clear(b);
	if (fd_read_full(fd, h, sizeof(h)) <= 0)
		return 0;
	n = (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
	if (n && fd_read_full(fd, buf_tail(b, n), n) <= 0)
		return 0;
	buf_added(b, n);
	return h[0];
}

static struct buf heard;

/* The end of standard input may come at any time where there is none. */
static void
expect(int fd, int type)
{
	int got;

	do
		got = hear(fd, &heard);
	while (got == FR_STDIN_EOF && type != FR_STDIN_EOF);
	if (got != type)
		_exit(100 + got);
}

static void __attribute__((unused))
open_it(int fd)
{
	expect(fd, FR_OPEN);
	tell_text(fd, FR_OPENED,
	    "{\"session_id\":\"s1\",\"pid\":4,\"context\":{\"namespaces_entered\":"
	    "[\"mnt\"]}}");
}

static void __attribute__((unused))
result(int fd, const char *head, size_t out, size_t err)
{
	char text[256];

	snprintf(
	    text, sizeof(text), "{%s,\"stdout_bytes\":%zu,\"stderr_bytes\":%zu}", head, out, err);
	tell_text(fd, FR_RESULT, text);
}

#endif
