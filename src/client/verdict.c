/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client/run_int.h"

#include <signal.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

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

static bool
began_here(const struct client_run *s)
{
	return s->req->verb == REQ_EXEC || s->req->verb == REQ_SHELL;
}

/* Every byte that the agent sent must have gone where the user wanted it: all of them, or what
 * came since we attached. */
static int
check_count(
    const struct client_run *s, const char *key, const char *since, const struct client_run_out *o)
{
	const json_t *v = json_object_get(s->res->result, since);
	uint64_t count = o->sink.count - o->painted;

	if (s->gap || (!json_is_integer(v) && !began_here(s)))
		return 0;
	if (!json_is_integer(v))
		v = json_object_get(s->res->result, key);
	if (!json_is_integer(v))
		return err_set(s->e, ERR_PROTOCOL, 0, "the agent's result does not say %s", key);
	if (o->sink.broken || (uint64_t)json_integer_value(v) == count)
		return 0;
	err_set(s->e, ERR_SHORT_OUTPUT, 0, "%s is not complete", o->name);
	err_why(s->e, "the agent sent %lld bytes, %llu were delivered",
	    (long long)json_integer_value(v), (unsigned long long)count);
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

bool
client_run_guest(const struct client_run *s)
{
	return s->looks || s->req->verb == REQ_JOIN;
}

int
client_run_verdict(struct client_run *s)
{
	int code;

	if (s->state == RUN_LEFT) {
		s->res->exit_code = 128 + s->left_by;
		if (s->link.s.keeps)
			client_run_part(s, "detached");
		return 0;
	}
	if (s->state == RUN_PARTED) {
		/* Only a guest who leaves is done; the others leave a command without its status.
		 */
		s->res->exit_code = client_run_guest(s) && s->parting ? 0 : 255;
		return 0;
	}
	if (s->state != RUN_ENDED)
		return -1;
	if (s->looks)
		return 0;
	if (json_is_object(json_object_get(s->res->result, "error")))
		return reported_error(json_object_get(s->res->result, "error"), s->e);
	code = client_exit_code(s->res->result);
	if (code < 0)
		return err_set(s->e, ERR_PROTOCOL, 0, "the agent's result has no exit status");
	if (check_count(s, "stdout_bytes", "delivered_stdout", &s->out) < 0 ||
	    check_count(s, "stderr_bytes", "delivered_stderr", &s->err) < 0)
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
	json_decref(res->left);
	res->result = res->left = NULL;
	buf_fini(&res->out);
	buf_fini(&res->err);
}
