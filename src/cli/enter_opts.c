/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "client/escape.h"
#include "pty/term.h"

static int
take(const struct args *a, const char *name, char *out, size_t size, struct err *e)
{
	const char *s = args_str(a, name);

	if (!s)
		return 0;
	if (!*s) {
		err_set(e, ERR_USAGE, 0, "--%s is empty", name);
		err_why(e, "an empty name selects nothing");
		return err_hint(
		    e, "leave --%s out, or check the variable that was to fill it", name);
	}
	if (str_copy(out, s, size) < size)
		return 0;
	err_set(e, ERR_USAGE, 0, "--%s is too long", name);
	err_why(e, "it has %zu bytes, at most %zu can be sent", strlen(s), size - 1);
	return err_hint(e, "--%s with a shorter value", name);
}

static int
take_disconnect(struct request *r, const struct args *a, struct err *e)
{
	const char *s = args_str(a, "on-disconnect");

	if (!s)
		return 0;
	if (strcmp(s, "detach") == 0)
		r->on_disconnect = REQ_DISC_DETACH;
	else if (strcmp(s, "hangup") == 0)
		r->on_disconnect = REQ_DISC_HANGUP;
	else if (strcmp(s, "kill") == 0)
		r->on_disconnect = REQ_DISC_KILL;
	else {
		err_set(e, ERR_USAGE, 0, "--on-disconnect cannot be %s", s);
		err_why(e, "there are: detach, hangup, kill");
		return err_hint(e, "--on-disconnect detach, and coral attach later");
	}
	return 0;
}

/* One character, ^X for a control character, or "none". */
static int
take_escape(struct enter *en, const struct args *a, struct err *e)
{
	const char *s = args_str(a, "escape");

	en->io.escape = CLIENT_ESCAPE_DEFAULT;
	if (!s)
		return 0;
	if (strcmp(s, "none") == 0)
		en->io.escape = CLIENT_ESCAPE_NONE;
	else if (*s > ' ' && *s < 0x7f && !s[1])
		en->io.escape = (unsigned char)*s;
	else if (s[0] == '^' && s[1] >= '@' && s[1] <= '_' && s[1] != '[' && !s[2])
		en->io.escape = s[1] & 0x1f;
	else {
		err_set(e, ERR_USAGE, 0, "--escape cannot be \"%s\"", s);
		err_why(e, "it is one printable ASCII character, ^X for a control character, or "
			   "none");
		return err_hint(e, "--escape none");
	}
	return 0;
}

static int
take_seccomp(struct request *r, const struct args *a, struct err *e)
{
	const char *s = args_str(a, "seccomp");

	r->seccomp_copy = s && strcmp(s, "copy") == 0;
	if (!s || r->seccomp_copy || strcmp(s, "auto") == 0)
		return 0;
	err_set(e, ERR_USAGE, 0, "--seccomp cannot be %s", s);
	err_why(e, "there are: auto, copy");
	return err_hint(e, "--seccomp=copy, which interrupts the target, or leave it out");
}

static int
take_status_fd(struct enter *en, const struct args *a, struct err *e)
{
	long long fd = args_int(a, "status-fd", -1);

	en->status_fd = (int)fd;
	if (fd < 0)
		return 0;
	if (fcntl(en->status_fd, F_GETFD) < 0) {
		en->status_fd = -1;
		err_set(e, ERR_USAGE, errno, "descriptor %lld of --status-fd is not open", fd);
		return err_hint(e, "--status-fd 3 3>outcome.json");
	}
	return fd_cloexec(en->status_fd, true);
}

static int
take_numbers(struct request *r, const struct args *a, struct err *e)
{
	long long pid = args_int(a, "pid", -1), ns = args_int(a, "timeout", 0);

	if (args_count(a, "pid") && pid < 1) {
		err_set(e, ERR_USAGE, 0, "--pid %lld is no process", pid);
		err_why(e, "process ids begin at 1");
		return err_hint(e, "coral ps");
	}
	r->pid = pid > 0 ? (uint32_t)pid : 0;
	r->timeout_ms = (uint64_t)(ns / NS_PER_MS);
	if (ns > 0 && r->timeout_ms == 0)
		r->timeout_ms = 1;
	return 0;
}

int
enter_init(struct enter *en, const struct args *a, enum request_verb verb, struct err *e)
{
	struct request *r = &en->req;

	memset(en, 0, sizeof(*en));
	request_init(r);
	en->args = a;
	enter_reach(en);
	en->status_fd = -1;
	en->as_json = args_str(a, "output") && strcmp(args_str(a, "output"), "json") == 0;
	en->explain = args_flag(a, "explain");
	r->verb = verb;
	r->privileged = args_flag(a, "privileged");
	r->no_record = args_flag(a, "no-record");
	snprintf(r->client, sizeof(r->client), "coral %s", CORAL_VERSION);
	en->io = (struct client_io){
	    .in = args_flag(a, "no-stdin") ? -1 : STDIN_FILENO,
	    .out = STDOUT_FILENO,
	    .err = STDERR_FILENO,
	    .capture = en->as_json,
	    .quiet = args_flag(a, "quiet"),
	    .reach = en->reach,
	};
	if (take_status_fd(en, a, e) < 0 || cmd_settings(&en->conf, e) < 0)
		return -1;
	if (take(a, "service", r->service, sizeof(r->service), e) < 0 ||
	    take(a, "pod", r->pod, sizeof(r->pod), e) < 0 ||
	    take(a, "namespace", r->ns, sizeof(r->ns), e) < 0 ||
	    take(a, "container", r->container, sizeof(r->container), e) < 0 ||
	    take(a, "user", r->user, sizeof(r->user), e) < 0 ||
	    take(a, "workdir", r->workdir, sizeof(r->workdir), e) < 0 ||
	    take(a, "namespaces", r->namespaces, sizeof(r->namespaces), e) < 0 ||
	    take(a, "reason", r->reason, sizeof(r->reason), e) < 0)
		return -1;
	if (args_flag(a, "stdin") && args_flag(a, "no-stdin")) {
		err_set(e, ERR_USAGE, 0, "--stdin and --no-stdin exclude each other");
		err_why(e, "both were given");
		return err_hint(e, "leave one out");
	}
	/* Where there is nobody who waits for the rest, nobody comes back for it. */
	r->resumable = !en->as_json;
	return take_numbers(r, a, e) < 0 || take_disconnect(r, a, e) < 0 ||
		       take_escape(en, a, e) < 0 || take_seccomp(r, a, e) < 0
		   ? -1
		   : 0;
}

void
enter_fini(struct enter *en)
{
	request_fini(&en->req);
}

int
enter_target(struct enter *en, const char *word, struct err *e)
{
	struct request *r = &en->req;
	bool named = r->service[0] || r->pod[0] || r->container[0];

	if (r->pid && (named || r->ns[0])) {
		err_set(e, ERR_USAGE, 0, "--pid and a name are given");
		err_why(e, "a process id alone decides the target");
		return err_hint(e, "--pid %u alone", (unsigned)r->pid);
	}
	if (!word) {
		if (!named && !r->pid)
			str_copy(r->service, en->conf.service, sizeof(r->service));
		return 0;
	}
	if (named || r->pid) {
		err_set(e, ERR_USAGE, 0, "two targets are given");
		err_why(e, "flags name one, and so does the word \"%s\"", word);
		return err_hint(
		    e, "leave one out; a command that has \"--\" itself goes after another --");
	}
	if (!*word || str_copy(r->word, word, sizeof(r->word)) >= sizeof(r->word)) {
		err_set(e, ERR_USAGE, 0,
		    *word ? "the target's name is too long" : "the target is empty");
		err_why(e, "a name has 1 to %d bytes", REQUEST_NAME_MAX);
		return err_hint(e, "coral ps");
	}
	return 0;
}

static void
take_term(struct request *r)
{
	static const char ok[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
	const char *term = getenv("TERM");

	if (!term || !*term || strspn(term, ok) != strlen(term) || strlen(term) >= sizeof(r->term))
		term = "dumb";
	str_copy(r->term, term, sizeof(r->term));
}

static void
say(const struct enter *en, const char *text)
{
	if (!en->io.quiet)
		fprintf(stderr, "coral: %s\n", text);
}

int
enter_tty(struct enter *en, bool by_default, struct err *e)
{
	const struct args *a = en->args;
	struct request *r = &en->req;
	bool in = en->io.in >= 0 && isatty(en->io.in), out = isatty(en->io.out);
	int asked = args_count(a, "tty");
	struct winsize ws;

	if (asked && args_flag(a, "T")) {
		err_set(e, ERR_USAGE, 0, "-t and -T exclude each other");
		err_why(e, "both were given");
		return err_hint(e, "leave one out");
	}
	if (asked && en->as_json) {
		err_set(e, ERR_USAGE, 0, "-t and -o json exclude each other");
		err_why(e, "a terminal has one stream, and -o json keeps it to the end");
		return err_hint(e, "leave -t out");
	}
	r->tty = asked ? asked > 1 || in : by_default && in && out && !args_flag(a, "T");
	if (asked == 1 && !in)
		say(en,
		    "no terminal is allocated, because standard input is not one (-tt insists)");
	else if (asked && r->tty && !out)
		say(en, "with -t, standard error and carriage returns are in the output");
	if (!r->tty)
		return 0;
	en->io.raw = in;
	term_size(out ? en->io.out : STDIN_FILENO, &ws);
	r->rows = ws.ws_row;
	r->cols = ws.ws_col;
	r->xpixel = ws.ws_xpixel;
	r->ypixel = ws.ws_ypixel;
	take_term(r);
	if (r->verb == REQ_EXEC || r->verb == REQ_SHELL)
		enter_locale(r);
	return 0;
}
