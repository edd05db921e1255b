/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/client_run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "pty/term.h"

/* One line of text from the agent, for the person; the terminal may be raw. */
static void
notice(const struct client_run *s, const char *text, size_t n)
{
	char line[2048];
	size_t len;

	if (s->io->quiet || n == 0)
		return;
	len = str_copy(line, "coral: ", sizeof(line));
	len += str_vis_n(line + len, sizeof(line) - len - 2, text, n);
	memcpy(line + len, "\r\n", 2);
	if (s->io->raw)
		fd_write_all(STDERR_FILENO, line, len + 2);
	else {
		line[len] = '\n';
		fd_write_all(STDERR_FILENO, line, len + 1);
	}
}

static json_t *
parse_object(const struct frame *f, const char *what, struct err *e)
{
	json_t *j = json_parse((const char *)f->data, f->len, e);

	if (!j || json_is_object(j))
		return j;
	err_set(e, ERR_PROTOCOL, 0, "the agent's %s cannot be read", what);
	err_why(e, "it is not a JSON object");
	json_decref(j);
	return NULL;
}

static int
on_opened(struct client_run *s, const struct frame *f)
{
	struct winsize ws;
	const char *text;

	if (s->state != RUN_OPENING)
		return err_set(s->e, ERR_PROTOCOL, 0, "the agent opened the session twice");
	s->opened = parse_object(f, "answer", s->e);
	if (!s->opened)
		return -1;
	s->state = RUN_OPEN;
	text = json_str(s->opened, "notice");
	if (text)
		notice(s, text, strlen(text));
	if (s->io->opened)
		s->io->opened(s->io->arg, s->opened);
	if (s->io->raw && term_raw(s->io->in, s->e) < 0)
		return -1;
	/* A resize before the signals were caught. */
	if (s->req->tty && term_size(s->io->out, &ws) &&
	    (ws.ws_row != s->req->rows || ws.ws_col != s->req->cols) && client_run_send_size(s) < 0)
		return -1;
	if (s->io->in < 0) {
		s->in_ended = true;
		return client_link_send(&s->link, FR_STDIN_EOF, NULL, 0, s->e);
	}
	return 0;
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
	s->res->result = parse_object(f, "result", s->e);
	if (!s->res->result)
		return -1;
	complete_result(s->res->result, s->opened);
	s->state = RUN_ENDED;
	loop_stop(s->loop);
	/* A courtesy: whether it still arrives changes nothing for us. */
	client_link_send(&s->link, FR_BYE, NULL, 0, NULL);
	return 0;
}

int
client_run_frame(struct client_run *s, const struct frame *f)
{
	switch (f->type) {
	case FR_OPENED:
		return on_opened(s, f);
	case FR_STDOUT:
	case FR_STDERR:
		if (s->state != RUN_OPEN)
			break;
		return client_run_deliver(s, f->type == FR_STDOUT ? &s->out : &s->err, f);
	case FR_CREDIT:
		return on_credit(s, f);
	case FR_NOTICE:
		notice(s, (const char *)f->data, f->len);
		return 0;
	case FR_RESULT:
		return on_result(s, f);
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

static int
signal_number(const char *name)
{
	int64_t num;

	/* Those without a name of their own come as numbers. */
	if (str_to_i64(name, 1, 127, &num) == 0)
		return (int)num;
	for (int n = 1; n < NSIG; n++) {
		const char *have = sigabbrev_np(n);

		if (have && strcmp(have, name) == 0)
			return n;
	}
	return 0;
}

int
client_exit_code(const json_t *result)
{
	const char *cause = json_str(result, "cause"), *signame = json_str(result, "signal");
	const json_t *code = json_object_get(result, "exit_code");
	int signo;

	if (cause && strcmp(cause, "timeout") == 0)
		return 124;
	signo = signame ? signal_number(signame) : 0;
	if (signo)
		return 128 + signo;
	if (json_is_integer(code) && json_integer_value(code) >= 0 &&
	    json_integer_value(code) <= 255)
		return (int)json_integer_value(code);
	return -1;
}

/* Every byte that the agent sent must have gone where the user wanted it. */
static int
check_count(const struct client_run *s, const char *key, const struct client_run_out *o)
{
	const json_t *v = json_object_get(s->res->result, key);

	if (!json_is_integer(v))
		return err_set(s->e, ERR_PROTOCOL, 0, "the agent's result does not say %s", key);
	if (o->sink.broken || (uint64_t)json_integer_value(v) == o->sink.count)
		return 0;
	err_set(s->e, ERR_SHORT_OUTPUT, 0, "%s is not complete", o->name);
	err_why(s->e, "the command wrote %llu bytes, %llu were delivered",
	    (unsigned long long)json_integer_value(v), (unsigned long long)o->sink.count);
	err_hint(s->e, "run it again; coral replay shows what was recorded");
	return -1;
}

/* The session ran, and coral failed at the far end (it could not be recorded, ...). */
static int
reported_error(const json_t *error, struct err *e)
{
	const char *name = json_str(error, "code"), *what = json_str(error, "what");
	const char *why = json_str(error, "why"), *hint = json_str(error, "hint");
	int code = ERR_INTERNAL;

	for (int c = ERR_NONE + 1; name && c < ERR_CODE_COUNT; c++) {
		if (strcmp(err_name((enum err_code)c), name) == 0)
			code = c;
	}
	err_set(e, (enum err_code)code, 0, "%s", what ? what : "the session failed");
	err_why(e, "%s", why ? why : "");
	return err_hint(e, "%s", hint ? hint : "");
}

int
client_run_verdict(struct client_run *s)
{
	int code;

	if (s->state == RUN_LEFT) {
		s->res->exit_code = 128 + s->left_by;
		return 0;
	}
	if (s->state != RUN_ENDED)
		return -1;
	if (json_is_object(json_object_get(s->res->result, "error")))
		return reported_error(json_object_get(s->res->result, "error"), s->e);
	code = client_exit_code(s->res->result);
	if (code < 0)
		return err_set(s->e, ERR_PROTOCOL, 0, "the agent's result has no exit status");
	if (check_count(s, "stdout_bytes", &s->out) < 0 ||
	    check_count(s, "stderr_bytes", &s->err) < 0)
		return -1;
	if (s->in_errno && code == 0) {
		err_set(s->e, ERR_IO, s->in_errno, "standard input could not be read to its end");
		return err_hint(s->e, "--no-stdin when the command needs no input");
	}
	/* As a program run here would have died of its closed pipe. */
	if (code == 0 && (s->out.sink.broken || s->err.sink.broken))
		code = 128 + SIGPIPE;
	s->res->exit_code = code;
	return 0;
}

void
client_result_fini(struct client_result *res)
{
	json_decref(res->result);
	res->result = NULL;
	buf_fini(&res->out);
	buf_fini(&res->err);
}
