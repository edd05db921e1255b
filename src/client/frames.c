/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/run_int.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "pty/term.h"

/* One line of text from the agent, for the person; in a raw terminal wherever the cursor is. */
void
client_run_notice(const struct client_run *s, const char *text, size_t n)
{
	const char *end = s->raw ? "\r\n" : "\n";
	char line[2048];
	size_t len = 0;

	if (s->io->quiet || n == 0)
		return;
	/* A program that has the whole screen leaves something on most lines. */
	if (s->raw)
		len = str_copy(line, isatty(STDERR_FILENO) ? "\r\n\033[K" : "\r\n", sizeof(line));
	len += str_copy(line + len, "coral: ", sizeof(line) - len);
	len += str_vis_n(line + len, sizeof(line) - len - 2, text, n);
	len += str_copy(line + len, end, sizeof(line) - len);
	fd_write_all(STDERR_FILENO, line, len);
}

json_t *
client_run_object(const struct frame *f, const char *what, struct err *e)
{
	json_t *j = json_parse((const char *)f->data, f->len, e);

	if (!j || json_is_object(j))
		return j;
	err_set(e, ERR_PROTOCOL, 0, "the agent's %s cannot be read", what);
	err_why(e, "it is not a JSON object");
	json_decref(j);
	return NULL;
}

/* Which session it is, and how we come back to it. */
static int
take_names(struct client_run *s, const struct frame *f)
{
	const char *id = json_str(s->opened, "session_id"), *token = json_str(s->opened, "resume");

	if (!id)
		id = json_str(s->opened, "id");
	/* It is shown, and sent back. */
	if (id && strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz") == strlen(id))
		str_copy(s->id, id, sizeof(s->id));
	if (!token)
		return 0;
	if (!s->req->resumable || !client_is_token(token))
		return err_set(s->e, ERR_PROTOCOL, 0, "the agent's answer cannot be read");
	str_copy(s->token, token, sizeof(s->token));
	client_link_keep(&s->link, f);
	return 0;
}

static void
greet(struct client_run *s)
{
	json_int_t rows = json_int(s->opened, "rows", 0), cols = json_int(s->opened, "cols", 0);
	const char *text = json_str(s->opened, "notice");
	char line[160];

	if (text)
		client_run_notice(s, text, strlen(text));
	if (!s->looks || !s->tty || !isatty(s->io->out) || (rows <= s->rows && cols <= s->cols))
		return;
	snprintf(line, sizeof(line),
	    "this terminal has %ux%u, the session's %lldx%lld: what does not fit is not shown well",
	    s->cols, s->rows, (long long)cols, (long long)rows);
	client_run_notice(s, line, strlen(line));
}

static bool
came_later(const struct client_run *s)
{
	return s->req->verb != REQ_EXEC && s->req->verb != REQ_SHELL;
}

static int
on_opened(struct client_run *s, const struct frame *f)
{
	uint16_t now[4];

	if (s->state != RUN_OPENING)
		return err_set(s->e, ERR_PROTOCOL, 0, "the agent opened the session twice");
	s->opened = client_run_object(f, "answer", s->e);
	if (!s->opened || take_names(s, f) < 0)
		return -1;
	s->state = RUN_OPEN;
	/* Who comes to a session takes it as it is. */
	if (json_is_boolean(json_object_get(s->opened, "tty")))
		s->tty = json_is_true(json_object_get(s->opened, "tty"));
	greet(s);
	if (s->io->opened)
		s->io->opened(s->io->arg, s->opened);
	s->raw = s->io->raw && s->tty;
	if (s->raw && term_raw(s->io->in, s->e) < 0)
		return -1;
	client_escape_init(&s->escape, s->raw ? s->io->escape : CLIENT_ESCAPE_NONE);
	if (client_run_pulse(s) < 0)
		return err_set(s->e, ERR_INTERNAL, 0, "cannot start the session's clock");
	/* A resize before the signals were caught. */
	if (s->req->tty && s->tty && client_run_size(s, now) &&
	    (now[0] != s->rows || now[1] != s->cols) && client_run_send_size(s) < 0)
		return -1;
	/* The input of a command without a terminal was its first client's alone. */
	if (came_later(s) && !s->tty)
		s->in_ended = true;
	if (s->io->in >= 0 || s->in_ended)
		return 0;
	s->in_ended = true;
	return s->looks ? 0 : client_run_send(s, FR_STDIN_EOF, NULL, 0);
}

static int
on_credit(struct client_run *s, const struct frame *f)
{
	struct rd r = {.p = f->data, .n = f->len};
	uint64_t credit = rd_u64(&r);

	if (r.bad || credit < s->credit)
		return err_set(
		    s->e, ERR_PROTOCOL, 0, "the agent took back credit for standard input");
	s->credit = credit;
	return 0;
}

/* What only FR_OPENED said belongs to the outcome as well. */
static void
complete_result(json_t *result, const json_t *opened)
{
	static const struct {
		const char *to, *from;
	} keys[] = {
	    {"session_id", "session_id"},
	    {"target", "target"},
	    {"container_pid", "pid"},
	    {"context", "context"},
	};
	json_t *ns = json_object_get(json_object_get(opened, "context"), "namespaces_entered");

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		json_t *v = json_object_get(opened, keys[i].from);

		if (v && !json_object_get(result, keys[i].to))
			json_object_set(result, keys[i].to, v);
	}
	if (ns && !json_object_get(result, "namespaces_entered"))
		json_object_set(result, "namespaces_entered", ns);
}

static int
on_result(struct client_run *s, const struct frame *f)
{
	if (s->state != RUN_OPEN)
		return err_set(
		    s->e, ERR_PROTOCOL, 0, "the agent sent a result before the session began");
	s->res->result = client_run_object(f, "result", s->e);
	if (!s->res->result)
		return -1;
	complete_result(s->res->result, s->opened);
	s->state = RUN_ENDED;
	loop_stop(s->loop);
	/* A courtesy: whether it still arrives changes nothing for us. */
	client_link_send(&s->link, FR_BYE, NULL, 0, NULL);
	return 0;
}

void
client_run_part(struct client_run *s, const char *why)
{
	json_decref(s->res->left);
	s->res->left = json_pack("{s:s, s:s}", "why", why, "id", s->id);
	if (s->state == RUN_OPEN)
		s->state = RUN_PARTED;
	loop_stop(s->loop);
}

static int
on_left(struct client_run *s, const struct frame *f)
{
	if (s->state != RUN_OPEN)
		return err_set(s->e, ERR_PROTOCOL, 0, "the agent let go of no session");
	s->res->left = client_run_object(f, "farewell", s->e);
	if (!s->res->left)
		return -1;
	json_object_set_new(s->res->left, "id", json_string(s->id));
	s->state = RUN_PARTED;
	loop_stop(s->loop);
	return 0;
}

static int
on_output(struct client_run *s, const struct frame *f)
{
	if (s->state != RUN_OPEN || (f->type == FR_SCREEN && !s->tty))
		return err_set(
		    s->e, ERR_PROTOCOL, 0, "the agent sent frame %u out of turn", f->type);
	return client_run_deliver(s, f->type == FR_STDERR ? &s->err : &s->out, f);
}

int
client_run_frame(struct client_run *s, const struct frame *f)
{
	switch (f->type) {
	case FR_OPENED:
		return on_opened(s, f);
	case FR_STDOUT:
	case FR_STDERR:
	case FR_SCREEN:
		return on_output(s, f);
	case FR_CREDIT:
		return on_credit(s, f);
	case FR_NOTICE:
		client_run_notice(s, (const char *)f->data, f->len);
		return 0;
	case FR_RESULT:
		return on_result(s, f);
	case FR_LEFT:
		return on_left(s, f);
	case FR_RECEIVED:
		return client_link_acknowledged(&s->link, f, s->e);
	case FR_ERROR:
		if (!err_decode(s->e, f->data, f->len))
			err_set(
			    s->e, ERR_PROTOCOL, 0, "the agent sent an error that cannot be read");
		return -1;
	default:
		break;
	}
	return err_set(s->e, ERR_PROTOCOL, 0, "the agent sent frame %u out of turn", f->type);
}
