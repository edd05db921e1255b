/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server_stock_int.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

#define ENV_MAX 32
#define WIRE_MAX (FRAME_HEAD + FRAME_DATA_MAX + 1024)
#define TEXT_MAX (128 * 1024)

struct stock *
stock_new(struct chan *c)
{
	struct stock *st = calloc(1, sizeof(*st));
	const char *banner = ssh_get_clientbanner(c->srv->ssh);
	char *p;

	if (!st)
		return NULL;
	request_init(&st->req);
	buf_init(&st->wire, WIRE_MAX);
	buf_init(&st->text, TEXT_MAX);
	st->credit = FRAME_CREDIT;
	if (banner && strncmp(banner, "SSH-2.0-", 8) == 0)
		banner += 8;
	snprintf(st->req.client, sizeof(st->req.client), "ssh %.50s", banner ? banner : "");
	for (p = st->req.client; *p; p++) {
		if (!isprint((unsigned char)*p))
			*p = '?';
	}
	return st;
}

void
stock_free(struct stock *st)
{
	if (!st)
		return;
	request_fini(&st->req);
	buf_fini(&st->wire);
	buf_fini(&st->text);
	free(st);
}

static uint16_t
clamp(int v)
{
	return (uint16_t)(v < 0 ? 0 : v > UINT16_MAX ? UINT16_MAX : v);
}

int
stock_pty(struct chan *c, const char *term, int cols, int rows, int xpixel, int ypixel)
{
	static const char set[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
	struct stock *st = c->stock;
	struct request *r = &st->req;

	if (st->tty)
		return -1;
	st->tty = r->tty = true;
	r->rows = clamp(rows);
	r->cols = clamp(cols);
	r->xpixel = clamp(xpixel);
	r->ypixel = clamp(ypixel);
	if (strlen(term) < sizeof(r->term) && !term[strspn(term, set)])
		str_copy(r->term, term, sizeof(r->term));
	return 0;
}

/* The locale alone: everything else is the container's. */
static bool
env_ok(const char *name, const char *value)
{
	static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789._@=:;+-";

	if (strcmp(name, "LANG") != 0 && strncmp(name, "LC_", 3) != 0)
		return false;
	return strlen(name) <= 32 && !name[strspn(name, upper)] && strlen(value) <= 128 &&
	       !value[strspn(value, set)];
}

int
stock_env(struct chan *c, const char *name, const char *value)
{
	struct request *r = &c->stock->req;
	char kv[256];

	if (r->envc >= ENV_MAX || !env_ok(name, value))
		return -1;
	snprintf(kv, sizeof(kv), "%s=%s", name, value);
	return request_add_env(r, kv);
}

static int
fill_request(struct chan *c, enum request_verb verb, const char *command, struct err *e)
{
	struct request *r = &c->stock->req;

	r->verb = verb;
	if (target_of_user(c->srv->user, r, e) < 0)
		return -1;
	if (verb == REQ_EXEC && (request_add_arg(r, "sh") < 0 || request_add_arg(r, "-c") < 0 ||
				    request_add_arg(r, command) < 0)) {
		err_set(e, ERR_LIMIT, 0, "the command is too long");
		err_why(e, "it has %zu bytes, of %d that are allowed", strlen(command),
		    REQUEST_ARG_MAX);
		return err_hint(e, "send the script on standard input: ssh ... sh <script");
	}
	return 0;
}

/* Said yes to in any case: only then does the peer show what is written to it. */
int
stock_start(struct chan *c, enum request_verb verb, const char *command)
{
	struct err e;

	if (fill_request(c, verb, command, &e) == 0)
		chan_ask(c, &c->stock->req);
	else
		chan_refuse(c, &e);
	request_fini(&c->stock->req);
	return 0;
}

void
stock_winch(struct chan *c, int cols, int rows, int xpixel, int ypixel)
{
	struct stock *st = c->stock;

	if (!st->tty)
		return;
	st->size[0] = clamp(rows);
	st->size[1] = clamp(cols);
	st->size[2] = clamp(xpixel);
	st->size[3] = clamp(ypixel);
	/* Only the last size matters; it goes out when the turn settles. */
	st->winch = true;
}

void
stock_signal(struct chan *c, const char *name)
{
	if (c->state == CH_STREAM && stock_signal_number(name))
		frame_put(&c->stock->wire, FR_SIGNAL, name, strlen(name));
}

void
stock_fail(struct chan *c, const struct err *e)
{
	struct stock *st = c->stock;

	if (st->over)
		return;
	stock_say_error(st, e);
	st->status = err_exit_exec(e->code);
	st->over = true;
	c->state = CH_DRAIN;
}

bool
stock_done(const struct chan *c)
{
	return c->stock->told;
}
