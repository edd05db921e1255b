/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session/header.h"

#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/redact.h"

/* -e values are secrets more often than not: the names say what was changed. */
static json_t *
env_names(const struct request *r)
{
	json_t *names = json_array();

	for (size_t i = 0; i < r->envc; i++) {
		auto_free char *name = strndup(r->env[i], strcspn(r->env[i], "="));

		json_array_append_new(names, json_text(name));
	}
	return names;
}

static json_t *
agent_facts(const struct keeper *k)
{
	struct utsname u = {0};

	uname(&u);
	return json_pack("{s:s, s:o, s:o}", "version", CORAL_VERSION, "host", json_text(u.nodename),
	    "environment", json_text(k->start->conf->environment));
}

static json_t *
who_facts(const struct keeper *k)
{
	const struct policy_who *w = &k->start->who;
	json_t *j = json_pack("{s:o, s:o, s:o}", "name", json_text(w->user), "from",
	    json_text(k->start->peer), "client", json_text(k->req->client));

	if (w->uid != (uid_t)-1)
		json_object_set_new(j, "uid", json_integer(w->uid));
	if (w->roles[0])
		json_object_set_new(j, "roles", json_text(w->roles));
	return j;
}

/* Requests beyond what the target itself would do are stamped. */
static void
stamp_extras(json_t *j, const struct keeper *k)
{
	const struct request *r = k->req;

	if (r->user[0])
		json_object_set_new(j, "as_user", json_text(r->user));
	if (r->privileged)
		json_object_set_new(j, "privileged", json_true());
	if (r->seccomp_copy)
		json_object_set_new(j, "seccomp", json_string("copy"));
	if (r->namespaces[0])
		json_object_set_new(j, "namespaces", json_text(r->namespaces));
	if (r->workdir[0])
		json_object_set_new(j, "workdir", keeper_redact_json(k, redact_text(r->workdir)));
	if (r->reason[0])
		json_object_set_new(j, "reason", keeper_redact_json(k, redact_text(r->reason)));
	if (r->envc > 0)
		json_object_set_new(j, "env_set", env_names(r));
}

static json_t *
recorded(const struct keeper *k)
{
	const struct policy_session *r = &k->rules;
	json_t *j = json_pack("{s:b, s:b}", "output", r->record_output, "input", r->record_input);

	if (r->session_bytes)
		json_object_set_new(j, "max_bytes", json_integer((json_int_t)r->session_bytes));
	if (r->session_rate)
		json_object_set_new(j, "max_rate", json_integer((json_int_t)r->session_rate));
	if (r->user_rate && !k->start->who.root)
		json_object_set_new(j, "max_user_rate", json_integer((json_int_t)r->user_rate));
	if (r->host_rate)
		json_object_set_new(j, "max_host_rate", json_integer((json_int_t)r->host_rate));
	if (k->redact_rules)
		json_object_set_new(j, "redacted", keeper_redact_facts(k));
	return j;
}

json_t *
session_header(const struct keeper *k, const char *const *argv)
{
	json_t *j = json_object();
	char iso[CLOCK_ISO_SIZE];

	clock_iso(clock_real(), iso);
	json_object_set_new(j, "version", json_integer(1));
	json_object_set_new(j, "session_id", json_string(k->start->id));
	json_object_set_new(j, "started", json_string(iso));
	json_object_set_new(j, "verb", json_string(request_verb_name(k->req->verb)));
	json_object_set_new(j, "command", keeper_redact_json(k, redact_argv(argv)));
	json_object_set_new(j, "tty", json_boolean(k->req->tty));
	json_object_set_new(j, "user", who_facts(k));
	json_object_set_new(j, "target", tgt_to_json(&k->target));
	json_object_set_new(j, "agent", agent_facts(k));
	json_object_set_new(j, "recorded", recorded(k));
	stamp_extras(j, k);
	if (k->rules.would_deny[0])
		json_object_set_new(j, "policy_would_deny", json_text(k->rules.would_deny));
	json_object_set(j, "context", k->context);
	return j;
}

/* As text it takes a tenth of the memory, and few ask again. */
void
session_context_pack(struct keeper *k)
{
	if (!k->context)
		return;
	k->context_text = json_dumps(k->context, JSON_COMPACT);
	if (k->context_text)
		json_decref(steal_ptr(&k->context));
}

static json_t *
context_of(const struct keeper *k)
{
	return k->context ? json_incref(k->context) : json_loads(k->context_text, 0, NULL);
}

json_t *
session_opened(const struct keeper *k)
{
	return json_pack("{s:s, s:o, s:i, s:o*}", "session_id", k->start->id, "target",
	    tgt_to_json(&k->target), "pid", (int)k->child.pid, "context", context_of(k));
}

static const char *const signal_names[] = {[1] = "HUP",
    "INT",
    "QUIT",
    "ILL",
    "TRAP",
    "ABRT",
    "BUS",
    "FPE",
    "KILL",
    "USR1",
    "SEGV",
    "USR2",
    "PIPE",
    "ALRM",
    "TERM",
    "STKFLT",
    "CHLD",
    "CONT",
    "STOP",
    "TSTP",
    "TTIN",
    "TTOU",
    "URG",
    "XCPU",
    "XFSZ",
    "VTALRM",
    "PROF",
    "WINCH",
    "POLL",
    "PWR",
    "SYS"};

static json_t *
signal_value(int signo)
{
	if (signo > 0 && signo < (int)COUNT_OF(signal_names))
		return json_string(signal_names[signo]);
	return json_sprintf("%d", signo);
}

static void
put_stream(
    json_t *j, const struct keeper *k, enum cast_stream st, const char *count, const char *digest)
{
	char hex[65];

	cast_digest(k->cast, st, hex);
	json_object_set_new(j, count, json_integer((json_int_t)cast_count(k->cast, st)));
	if (digest)
		json_object_set_new(j, digest, json_string(hex));
}

json_t *
session_result(const struct keeper *k)
{
	json_t *j = json_object();
	json_t *context = context_of(k), *entered = json_object_get(context, "namespaces_entered");
	int code = 125;

	if (k->failure.code != ERR_NONE) {
		code = err_exit_exec(k->failure.code);
		json_object_set_new(j, "error",
		    json_pack("{s:s, s:o, s:o, s:o}", "code", err_name(k->failure.code), "what",
			redact_sentence_json(k->failure.what), "why",
			redact_sentence_json(k->failure.why), "hint",
			redact_sentence_json(k->failure.hint)));
	} else if (strcmp(k->cause, "timeout") == 0) {
		code = 124;
	} else if (k->leader_gone && WIFEXITED(k->wait_status)) {
		code = WEXITSTATUS(k->wait_status);
	} else if (k->leader_gone && WIFSIGNALED(k->wait_status)) {
		code = 128 + WTERMSIG(k->wait_status);
	}
	json_object_set_new(j, "exit_code", json_integer(code));
	json_object_set_new(j, "signal",
	    k->leader_gone && WIFSIGNALED(k->wait_status) ? signal_value(WTERMSIG(k->wait_status))
							  : json_null());
	json_object_set_new(j, "cause", json_string(k->cause));
	if (k->door.ended_by[0])
		json_object_set_new(j, "by", json_text(k->door.ended_by));
	if (k->door.limit)
		json_object_set_new(j, "limit", json_string(k->door.limit));
	json_object_set_new(j, "session_id", json_string(k->start->id));
	json_object_set_new(
	    j, "duration_ms", json_integer((json_int_t)((clock_mono() - k->started) / NS_PER_MS)));
	json_object_set_new(j, "container_pid", json_integer(k->target.pid));
	json_object_set_new(
	    j, "namespaces_entered", entered ? json_deep_copy(entered) : json_array());
	json_decref(context);
	put_stream(j, k, CAST_STDOUT, "stdout_bytes", "stdout_sha256");
	put_stream(j, k, CAST_STDERR, "stderr_bytes", "stderr_sha256");
	json_object_set_new(j, "stdin_bytes", json_integer((json_int_t)k->input_written));
	if (k->redact_rules)
		json_object_set_new(j, "redacted", keeper_redact_count(k));
	if (k->survivors && json_array_size(k->survivors) > 0)
		json_object_set(j, "survivors_killed", k->survivors);
	return j;
}
