/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"
#include "record/auditor.h"
#include "session/policy.h"
#include "tap.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0ULUXPnlxh6x/b5kh6anYD8e8hTQFjhZ5h2tRe5q4g"

static struct policy_session rules;
static struct err last;

struct ask {
	enum request_verb verb;
	const char *user, *roles, *service, *ns, *environment, *owner, *reason, *as, *line, *set,
	    *dir;
	enum request_disconnect disconnect;
	bool root, privileged, no_record, net, host, copy;
};

/* One decision; true when it is a yes. */
static bool
may_(const struct policy *p, const struct ask *a)
{
	static char *argv[4], *env[2];
	struct request r;
	struct policy_who who = {.uid = (uid_t)-1, .root = a->root};
	struct policy_what what = {.req = &r,
	    .service = a->service ? a->service : "",
	    .ns = a->ns ? a->ns : "",
	    .environment = a->environment ? a->environment : "",
	    .pod = "",
	    .container = "",
	    .host = a->host,
	    .session_user = a->owner};

	memset(&r, 0, sizeof(r));
	memset(&last, 0, sizeof(last));
	snprintf(who.user, sizeof(who.user), "%s", a->user ? a->user : "alice");
	snprintf(who.roles, sizeof(who.roles), "%s", a->roles ? a->roles : "");
	snprintf(r.reason, sizeof(r.reason), "%s", a->reason ? a->reason : "");
	snprintf(r.user, sizeof(r.user), "%s", a->as ? a->as : "");
	snprintf(r.namespaces, sizeof(r.namespaces), "%s", a->net ? "net" : "");
	r.verb = a->verb;
	snprintf(r.workdir, sizeof(r.workdir), "%s", a->dir ? a->dir : "");
	env[0] = (char *)a->set;
	r.env = env;
	r.envc = a->set != NULL;
	r.privileged = a->privileged;
	r.seccomp_copy = a->copy;
	r.no_record = a->no_record;
	r.on_disconnect = a->disconnect;
	argv[0] = (char *)"df";
	argv[1] = (char *)(a->line ? a->line : "-h");
	argv[2] = NULL;
	r.argv = a->verb == REQ_EXEC ? argv : NULL;
	r.argc = a->verb == REQ_EXEC ? 2 : 0;
	return policy_check(p, &who, &what, &rules, &last) == 0;
}

#define may(p, v, ...) may_((p), &(const struct ask){.verb = (v), ##__VA_ARGS__})

static struct policy *
parse(const char *text)
{
	struct policy *p;

	memset(&last, 0, sizeof(last));
	p = policy_parse(text, strlen(text), "policy.yaml", &last);
	if (!p)
		printf("# %s | %s | %s\n", last.what, last.why, last.hint);
	return p;
}

static void
test_defaults(void)
{
	struct policy *p = policy_load("/nonexistent/policy.yaml", &last);

	if (!ok(p != NULL, "no file: the defaults"))
		return;
	ok(may(p, REQ_EXEC), "exec");
	ok(may(p, REQ_SHELL), "shell");
	ok(may(p, REQ_PS), "ps");
	ok(may(p, REQ_READ, .owner = "alice"), "one's own recording");
	ok(may(p, REQ_SHOW, .owner = "alice"), "one's own session");
	ok(!may(p, REQ_READ, .owner = "bob"), "not another's recording");
	is_int(last.code, ERR_DENIED, "denied");
	ok(last.what[0] && last.why[0] && last.hint[0], "in three parts: %s", last.what);
	ok(!may(p, REQ_SHOW, .owner = "bob"), "not another's session");
	ok(!may(p, REQ_READ, .owner = NULL), "not a recording of nobody's");
	ok(!may(p, REQ_UNSEAL, .owner = "alice"), "nor what was typed unseen in one's own");
	ok(!may(p, REQ_READ, .user = "", .owner = ""), "nobody owns nothing");
	ok(!may(p, REQ_SESSIONS), "not everybody's list");
	ok(!may(p, REQ_REMOVE, .owner = "alice"), "no deleting, not even one's own");
	ok(!may(p, REQ_EXEC, .as = "0"), "no --user");
	ok(!may(p, REQ_EXEC, .privileged = true), "no --privileged");
	ok(!may(p, REQ_EXEC, .no_record = true), "no --no-record");
	ok(!may(p, REQ_EXEC, .net = true), "no --namespaces");
	ok(!may(p, REQ_EXEC, .copy = true), "no --seccomp=copy");
	ok(may(p, REQ_EXEC, .root = true, .copy = true), "but root");
	ok(!rules.allow_tiocsti, "TIOCSTI is blocked, root's as well");
	ok(!may(p, REQ_EXEC, .host = true), "no process of the host");
	ok(!may(p, REQ_NONE) && !may(p, REQ_VERB_COUNT), "no verb, no right");
	ok(may(p, REQ_EXEC, .root = true, .as = "0", .privileged = true, .no_record = true),
	    "root may");
	ok(!rules.record_output && !rules.record_input, "and it is not recorded");
	ok(may(p, REQ_REMOVE, .root = true, .owner = "bob"), "root deletes");
	ok(!may(p, REQ_NONE, .root = true), "but asks for something");
	may(p, REQ_SHELL);
	ok(rules.record_output && !rules.record_input && rules.on_failure_block &&
		rules.bulk_cap == 16 << 20 && rules.timeout_ns == 0 &&
		rules.disconnect == REQ_DISC_DETACH && rules.keep_ns == 3600 * NS_PER_S &&
		rules.idle_ns == 0 && !rules.would_deny[0],
	    "rules of a session");
	ok(!rules.record_redactor, "output is not redacted");
	ok(may(p, REQ_EXEC) && rules.disconnect == REQ_DISC_KILL, "a command ends with its client");
	is_str(policy_keys(p), "", "no keys");
	policy_free(p);
}

static const char example[] =
    "roles:\n"
    "  - name: developer\n"
    "    permissions:\n"
    "      - environments: [dev, staging]\n"
    "        commands: [exec, shell, cp, observe]\n"
    "  - name: sre\n"
    "    permissions:\n"
    "      - environments: [production]\n"
    "        services: [\"checkout*\"]\n"
    "        commands: [exec, shell]\n"
    "        require_approval: {count: 1, from: [security]}\n"
    "        require_mfa: true\n"
    "        require_reason: true\n"
    "        approval_ttl: 1h\n"
    "users:\n"
    "  - {name: alice, role: developer}\n"
    "  - {name: bob, role: sre, keys: [\"" KEY "\"]}\n"
    "approvers:\n"
    "  - {role: security, environments: [production]}\n"
    "defaults:\n"
    "  mode: enforce\n"
    "  timeout: {attended_max: 0}\n"
    "  disconnect: {shell: hangup, exec: kill}\n"
    "  record: {output: true, input: false, on_failure: kill, bulk_cap: 1KiB,\n"
    "    redact: {output: true, patterns: [\"CARD-[0-9]{4}\"]}}\n";

static void
test_example(void)
{
	struct policy *p = parse(example);

	if (!ok(p != NULL, "the schema's example"))
		return;
	ok(may(p, REQ_EXEC, .environment = "dev"), "alice in dev");
	ok(!rules.on_failure_block && rules.bulk_cap == 1024 && rules.disconnect == REQ_DISC_KILL,
	    "with its rules");
	ok(rules.record_redactor && rules.redact_environ &&
		json_array_size(rules.redact_patterns) == 1,
	    "what is redacted");
	ok(may(p, REQ_SHELL, .environment = "staging"), "alice in staging");
	is_int(rules.disconnect, REQ_DISC_HANGUP, "a shell hangs up");
	ok(!may(p, REQ_EXEC, .environment = "production"), "not in production");
	ok(!may(p, REQ_EXEC), "nor where the environment is unknown");
	ok(may(p, REQ_EXEC, .user = "carol", .roles = "x,developer", .environment = "dev"),
	    "a role from the key");
	ok(!may(p, REQ_EXEC, .user = "carol", .roles = "xdeveloper,develop", .environment = "dev"),
	    "and no part of one");
	ok(!may(p, REQ_EXEC, .user = "mallory", .environment = "dev"), "a stranger");
	ok(!may(p, REQ_EXEC, .user = "bob", .environment = "production", .service = "checkout-2",
	       .reason = "x"),
	    "bob needs an approval");
	ok(strstr(last.why, "approval"), "says so: %s", last.why);
	is_str(policy_keys(p), "user=\"bob\" " KEY "\n", "bob's key");
	policy_free(p);
}

static void
test_conditions(void)
{
	struct policy *p = parse(
	    "roles:\n"
	    "  - name: r\n"
	    "    permissions:\n"
	    "      - {commands: [exec], services: [a], require_mfa: true}\n"
	    "      - {commands: [exec], services: [b], require_reason: true}\n"
	    "      - {commands: [exec], services: [c], namespaces: ['team-?'], argv: ['df *']}\n"
	    "      - {commands: [shell], services: [c], argv: ['*']}\n"
	    "      - {commands: [exec], services: [d], labels: {a: b}}\n"
	    "      - {commands: [exec, user], services: [e]}\n"
	    "      - {commands: [privileged], services: [f]}\n"
	    "      - {commands: [exec], services: []}\n"
	    "      - {commands: [exec], services: [g], require_approval: {}}\n"
	    "      - {commands: [audit, delete, no-record, namespaces]}\n"
	    "users: [{name: alice, role: r}]\n");

	if (!ok(p != NULL, "conditions"))
		return;
	ok(!may(p, REQ_EXEC, .service = "a", .reason = "x"), "a second factor cannot be checked");
	ok(strstr(last.why, "second factor"), "says so: %s", last.why);
	ok(!may(p, REQ_EXEC, .service = "b"), "a reason is missing");
	ok(strstr(last.why, "--reason"), "says so: %s", last.why);
	ok(may(p, REQ_EXEC, .service = "b", .reason = "disk full"), "a reason");
	ok(may(p, REQ_EXEC, .service = "c", .ns = "team-1"), "a command that is allowed");
	ok(!may(p, REQ_EXEC, .service = "c", .ns = "team-12"), "another namespace");
	ok(!may(p, REQ_EXEC, .service = "c"), "no namespace");
	ok(!may(p, REQ_SHELL, .service = "c"), "no shell where the argv counts");
	ok(!may(p, REQ_EXEC, .service = "d"), "labels match nothing");
	ok(may(p, REQ_EXEC, .service = "e", .as = "0"), "--user");
	ok(!may(p, REQ_EXEC, .service = "e", .privileged = true), "each right for itself");
	ok(!may(p, REQ_EXEC, .service = "f", .privileged = true), "and all of them");
	ok(!may(p, REQ_EXEC, .service = ""), "an empty list allows nothing");
	ok(!may(p, REQ_EXEC, .service = "g"), "an approval by nobody is one");
	ok(may(p, REQ_UNSEAL, .owner = "bob"), "who may audit may unseal, with a key");
	ok(may(p, REQ_SESSIONS) && may(p, REQ_READ, .owner = "bob") &&
		may(p, REQ_REMOVE, .owner = "bob"),
	    "an auditor");
	ok(may(p, REQ_EXEC, .service = "b", .reason = "x", .no_record = true, .net = true),
	    "rights from several permissions");
	ok(may(p, REQ_PS, .user = "mallory"), "ps is everybody's");
	policy_free(p);
}

/* Patterns are compared with the command as a shell would read it back. */
static void
test_argv(void)
{
	struct policy *p = parse("roles: [{name: r, permissions: [{commands: [exec], argv: "
				 "['df -h', 'df /*']}]}]\nusers: [{name: alice, role: r}]\n");
	char *large = calloc(1, 8192);

	if (!ok(p != NULL, "argv patterns"))
		return;
	memset(large, 'x', 8191);
	large[0] = '/';
	ok(may(p, REQ_EXEC, .line = "-h"), "exact");
	ok(!may(p, REQ_EXEC, .line = "-h;"), "more");
	ok(!may(p, REQ_EXEC, .line = "-h", .set = "PATH=/tmp"), "another program of that name");
	ok(!may(p, REQ_EXEC, .line = "-h", .set = "LD_PRELOAD=/tmp/x.so"), "other code in it");
	ok(may(p, REQ_EXEC, .line = "-h", .set = "LC_ALL=C.UTF-8"), "a locale");
	ok(!may(p, REQ_EXEC, .line = "-h", .dir = "/tmp"), "the same words in another directory");
	ok(!may(p, REQ_EXEC, .line = large), "too long to compare: no");
	free(large);
	policy_free(p);
}

static void
test_mode_audit(void)
{
	struct policy *p = parse("defaults: {mode: audit, timeout: {attended_max: 90}}\n");

	if (!ok(p != NULL, "mode audit"))
		return;
	ok(may(p, REQ_EXEC, .as = "0", .privileged = true), "lets through");
	ok(strstr(rules.would_deny, "exec: no role") && strstr(rules.would_deny, "; user: ") &&
		strstr(rules.would_deny, "; privileged: "),
	    "and says what not: %s", rules.would_deny);
	is_int(rules.timeout_ns, 90 * NS_PER_S, "seconds");
	ok(may(p, REQ_EXEC, .root = true) && !rules.would_deny[0], "root is not concerned");
	policy_free(p);
}

static void
test_seccomp(void)
{
	struct policy *p =
	    parse("roles: [{name: r, permissions: [{commands: [exec, seccomp], services: [a]}]}]\n"
		  "users: [{name: alice, role: r}]\ndefaults: {tiocsti: allow}\n");

	if (!ok(p != NULL, "the right seccomp"))
		return;
	ok(may(p, REQ_EXEC, .service = "a", .copy = true), "granted");
	ok(rules.allow_tiocsti, "tiocsti: allow");
	ok(!may(p, REQ_EXEC, .service = "b", .copy = true), "not elsewhere");
	policy_free(p);
	p = parse("defaults: {tiocsti: deny}\n");
	ok(p && may(p, REQ_EXEC, .root = true) && !rules.allow_tiocsti, "tiocsti: deny");
	policy_free(p);
}

static void
test_disconnect(void)
{
	struct policy *p = parse("roles: [{name: r, permissions: [{commands: [exec, shell]}]}]\n"
				 "users: [{name: alice, role: r}]\n"
				 "defaults: {idle: 30m, disconnect: {shell: detach, exec: kill, "
				 "keep: 90}}\n");

	if (!ok(p != NULL, "disconnect"))
		return;
	ok(may(p, REQ_SHELL), "a shell");
	ok(rules.disconnect == REQ_DISC_DETACH && rules.keep_ns == 90 * NS_PER_S &&
		rules.idle_ns == 1800 * NS_PER_S,
	    "is kept for 90 s, and may be idle for 30 min");
	ok(may(p, REQ_SHELL, .disconnect = REQ_DISC_KILL) && rules.disconnect == REQ_DISC_KILL,
	    "less may be asked for");
	ok(may(p, REQ_EXEC, .disconnect = REQ_DISC_HANGUP) && rules.disconnect == REQ_DISC_HANGUP,
	    "and hanging up");
	ok(!may(p, REQ_EXEC, .disconnect = REQ_DISC_DETACH), "not more than policy names");
	ok(last.code == ERR_DENIED && strstr(last.why, "disconnect.exec") && last.hint[0],
	    "it says so: %s", last.why);
	ok(may(p, REQ_EXEC, .disconnect = REQ_DISC_DETACH, .root = true), "but root");
	policy_free(p);
	p = parse("roles: [{name: r, permissions: [{commands: [exec]}]}]\n"
		  "users: [{name: alice, role: r}]\n");
	ok(p && may(p, REQ_EXEC, .disconnect = REQ_DISC_DETACH) &&
		rules.disconnect == REQ_DISC_DETACH,
	    "what policy does not name is free");
	policy_free(p);
	p = policy_load("/nonexistent/policy.yaml", &last);
	ok(p && may(p, REQ_EXEC, .disconnect = REQ_DISC_DETACH), "as is all without a file");
	policy_free(p);
	p = parse("defaults: {mode: audit, disconnect: {exec: kill}}\n");
	ok(p && may(p, REQ_EXEC, .disconnect = REQ_DISC_DETACH) &&
		strstr(rules.would_deny, "detach: "),
	    "mode audit: %s", rules.would_deny);
	policy_free(p);
}

static void
test_live(void)
{
	static const enum request_verb verbs[] = {
	    REQ_ATTACH, REQ_WATCH, REQ_JOIN, REQ_KILL, REQ_FREEZE, REQ_THAW};
	struct policy *p = policy_load("/nonexistent/policy.yaml", &last);

	for (size_t i = 0; p && i < COUNT_OF(verbs); i++) {
		ok(may(p, verbs[i], .owner = "alice", .host = true), "one's own session: %s",
		    request_verb_name(verbs[i]));
		ok(!may(p, verbs[i], .owner = "bob"), "not another's: %s", last.what);
		ok(may(p, verbs[i], .owner = "bob", .root = true), "but root");
	}
	policy_free(p);
	p = parse("roles:\n"
		  "  - name: r\n"
		  "    permissions:\n"
		  "      - {commands: [watch, moderate], services: [a]}\n"
		  "      - {commands: [attach], services: [b], argv: ['*']}\n"
		  "      - {commands: [join, user], services: [b]}\n"
		  "users: [{name: alice, role: r}]\n");
	if (!ok(p != NULL, "rights on others' sessions"))
		return;
	ok(may(p, REQ_WATCH, .owner = "bob", .service = "a"), "watch");
	ok(may(p, REQ_KILL, .owner = "bob", .service = "a") &&
		may(p, REQ_THAW, .owner = "bob", .service = "a", .host = true),
	    "moderate, wherever it runs");
	ok(!may(p, REQ_WATCH, .owner = "bob", .service = "a", .host = true),
	    "to look at the host is another right");
	ok(!may(p, REQ_JOIN, .owner = "bob", .service = "a"), "each for itself: %s", last.what);
	ok(!may(p, REQ_WATCH, .owner = "bob", .service = "b"), "and for its target");
	ok(!may(p, REQ_ATTACH, .owner = "bob", .service = "b"), "a pattern for commands fits none");
	ok(may(p, REQ_JOIN, .owner = "bob", .service = "b", .as = "0"), "with what it began with");
	ok(!may(p, REQ_JOIN, .owner = "bob", .service = "b", .as = "0", .privileged = true),
	    "all of it");
	policy_free(p);
}

static void
test_empty(void)
{
	struct policy *p = parse("# nothing\n");

	ok(p && !may(p, REQ_EXEC) && !may(p, REQ_SHELL), "an empty file grants nothing");
	ok(p && may(p, REQ_READ, .owner = "alice"), "but one's own recordings");
	policy_free(p);
}

#define AUDITOR "\"coral-auditor-x25519 GJSje+QojkKw553Vhu7sNpPfmgUZLFTmkjOx6G4Xmwg= alice\""

static const struct {
	const char *text, *what, *hint;
} wrong[] = {
    {"rolse: []\n", "unknown key policy.rolse", "\"roles\""},
    {"roles: [{name: a, permisions: []}]\n", "unknown key roles.permisions", "\"permissions\""},
    {"roles: [{name: a, permissions: [{commands: [exec], service: [x]}]}]\n",
	"unknown key permissions.service", "\"services\""},
    {"roles: [{name: a, permissions: [{commands: [exce]}]}]\n", "unknown command \"exce\"",
	"\"exec\""},
    {"roles: [{name: a, permissions: [{commands: exec}]}]\n", "commands has a value", ""},
    {"roles: [{name: a, permissions: [{services: [x]}]}]\n", "permissions.commands is missing", ""},
    {"roles: [{name: a}]\n", "roles.permissions is missing", ""},
    {"roles:\n", "roles is not a list", ""},
    {"- a\n", "policy is not a mapping", ""},
    {"roles: [{name: a, permissions: [{commands: [exec], environments: [1]}]}]\n",
	"environments has a value", ""},
    {"roles: [{name: a, permissions: [{commands: [exec], require_mfa: yes}]}]\n",
	"require_mfa has a value", ""},
    {"roles: [{name: a, permissions: [{commands: [exec], require_approval: false}]}]\n",
	"require_approval has a value", ""},
    {"roles: [{name: a, permissions: [{commands: [exec], require_approval: {cuont: 1}}]}]\n",
	"unknown key require_approval.cuont", "\"count\""},
    {"roles: [{name: a, permissions: [{commands: [exec], require_approval: {count: 0}}]}]\n",
	"count has a value", ""},
    {"roles: [{name: a, permissions: [{commands: [exec], approval_ttl: soon}]}]\n",
	"approval_ttl is not a duration", ""},
    {"roles: [{name: sre, permissions: []}]\nusers: [{name: a, role: sre1}]\n",
	"a has the unknown role \"sre1\"", "\"sre\""},
    {"users: [{name: 'a b', role: r}]\n", "users.name is not a plain name", ""},
    {"users: [{name: 'a\"', role: r}]\n", "users.name is not a plain name", ""},
    {"users: [{name: '', role: r}]\n", "users.name is not a plain name", ""},
    {"approvers: [{role: r}]\nusers: [{name: a, role: r, keys: [nonsense]}]\n", "", ""},
    {"approvers: [{role: r}]\nusers: [{name: a, role: r, keys: [\"" KEY "\\n" KEY "\"]}]\n",
	"users.keys holds", ""},
    {"approvers: [{role: r}]\nusers: [{name: a, role: r, keys: ['roles=\"x\" " KEY "']}]\n", "",
	""},
    {"approvers: [{role: r}]\nusers: [{name: a, role: r, keys: ['" KEY "', '" KEY "']}]\n", "", ""},
    {"approvers: [{role: r, colour: red}]\n", "unknown key approvers.colour", ""},
    {"defaults: {idle: soon}\n", "defaults.idle is not a duration", ""},
    {"defaults: {idle: -1}\n", "defaults.idle is not a duration", ""},
    {"defaults: {tiocsti: maybe}\n", "defaults.tiocsti is neither deny nor allow", ""},
    {"defaults: {tiocsti: [deny]}\n", "defaults.tiocsti has a value of the wrong kind", ""},
    {"defaults: {retention: 30d}\n", "defaults.retention has a value of the wrong kind", ""},
    {"defaults: {retention: {agents: 30d}}\n", "unknown key retention.agents", "\"agent\""},
    {"defaults: {retention: {agent: soon}}\n", "retention.agent is not a duration", ""},
    {"defaults: {retention: {colony: -1}}\n", "retention.colony is not a duration", ""},
    {"defaults: {retention: {audit: 11000d}}\n", "retention.audit is longer than 10 years", ""},
    {"defaults: {retention: {size: 10GB}}\n", "retention.size is not a size", ""},
    {"defaults: {retention: {agent: 1d, keep: 2d}}\n",
	"retention.keep is longer than retention.agent", ""},
    {"defaults: {timeout: {api_max: 300s}}\n", "timeout.api_max is not enforced", ""},
    {"defaults: {disconnect: {keep: 0}}\n", "disconnect.keep is 0", ""},
    {"defaults: {disconnect: {keep: [1h]}}\n", "disconnect.keep is not a duration", ""},
    {"defaults: {disconnect: {shell: leave}}\n", "neither detach nor hangup nor kill", ""},
    {"defaults: {disconnect: {hosts: kill}}\n", "unknown key disconnect.hosts", ""},
    {"roles: [{name: a, permissions: [{commands: [moderat]}]}]\n", "unknown command",
	"\"moderate\""},
    {"defaults: {mode: permissive}\n", "neither enforce nor audit", ""},
    {"defaults: {timeout: {attended_max: -1}}\n", "is not a duration", ""},
    {"defaults: {timeout: {attended_max: 9223372036854775807}}\n",
	"attended_max is longer than 10 years", ""},
    {"defaults: {timeout: {attended_max: 2000000h}}\n", "attended_max is longer than 10 years", ""},
    {"defaults: {idle: 3651d}\n", "defaults.idle is longer than 10 years", ""},
    {"defaults: {disconnect: {keep: 2500000h}}\n", "keep is longer than 10 years", ""},
    {"defaults: {idle: 999999999h}\n", "defaults.idle is not a duration", ""},
    {"roles: [{name: a, permissions: [{commands: [exec], approval_ttl: 2000000h}]}]\n",
	"approval_ttl is longer than 10 years", ""},
    {"defaults: {limits: {sessions: 0}}\n", "limits.sessions has a value", ""},
    {"defaults: {limits: {connections: many}}\n", "limits.connections has a value", ""},
    {"defaults: {limits: {session: 1}}\n", "unknown key limits.session", "\"sessions\""},
    {"defaults: {timeout: {attended_max: true}}\n", "is not a duration", ""},
    {"defaults: {record: {on_failure: continue}}\n", "neither block nor kill", ""},
    {"defaults: {record: {redact: true}}\n", "record.redact has a value", ""},
    {"defaults: {record: {redact: {environ: 1}}}\n", "redact.environ has a value", ""},
    {"defaults: {record: {redact: {patterns: [a]}}}\n", "needs output: true", ""},
    {"defaults: {record: {redact: {output: true, patterns: [\"(\"]}}}\n", "is no pattern", ""},
    {"defaults: {record: {redact: {output: true, patterns: [\"((a{99}){99}){99}\"]}}}\n",
	"is no pattern", ""},
    {"defaults: {record: {bulk_cap: 1MB}}\n", "bulk_cap is not a size", ""},
    {"defaults: {record: {auditors: [\"ssh-ed25519 AAAA\"]}}\n", "auditors is not a line", ""},
    {"defaults: {record: {auditors: [" AUDITOR ", " AUDITOR "]}}\n", "auditors names a key twice",
	""},
    {"defaults: {record: {seal_input: true}}\n", "seal_input needs record.auditors", ""},
    {"defaults: {record: {encrypt: true}}\n", "encrypt needs record.auditors", ""},
    {"defaults: {limits: {session_bytes: lots}}\n", "session_bytes is not a size", ""},
    {"defaults: {limits: {session_bytes: 1KiB}}\n", "session_bytes is less than 256KiB", ""},
    {"defaults: {limits: {session_rate: 1023}}\n", "session_rate is less than 1KiB", ""},
    {"defaults: {limits: {user_rate: 1000}}\n", "user_rate is less than 1KiB", ""},
    {"defaults: {limits: {user_rates: 1MiB}}\n", "limits.user_rates", "user_rate"},
    {"defaults: {limits: {user_day_bytes: 9}}\n", "user_day_bytes is less than 256KiB", ""},
    {"defaults: {limits: {host_bytes: 17000000TiB}}\n", "host_bytes is not a size", ""},
    {"defaults: {limits: {host_free: 2000000000000000000}}\n", "host_free is not a size", ""},
    {"defaults: {limits: {host_byte: 1GiB}}\n", "limits.host_byte", "host_bytes"},
    {"defaults: {record: {bulk_cap: -1}}\n", "bulk_cap is not a size", ""},
    {"defaults: {record: {bulk_cap: 99999999999999999999GiB}}\n", "bulk_cap is not a size", ""},
    {"a: &x 1\n", "an anchor", ""},
};

static void
test_wrong(void)
{
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct err e = {0};
		struct policy *p =
		    policy_parse(wrong[i].text, strlen(wrong[i].text), "policy.yaml", &e);

		ok(!p && e.code == ERR_CONFIG && strstr(e.what, wrong[i].what) &&
			strstr(e.hint, wrong[i].hint),
		    "refused: %s (%s)", e.what, e.hint);
		ok(e.why[0] && e.hint[0], "in three parts: %s", e.why);
		policy_free(p);
	}
}

static void
test_retention(void)
{
	struct policy *p = parse("");
	struct policy_retention r = policy_retention(p);
	const int64_t day = 24 * 3600 * NS_PER_S;

	is_int(r.age_ns / day, 30, "recordings are kept for 30 days");
	is_int(r.log_ns / day, 365, "and the log for a year");
	is_int(r.keep_ns / day, 1, "a day at least");
	is_int((long)r.size, 0, "whatever their size");
	policy_free(p);
	p = parse("defaults: {retention: {agent: 2h, size: 10GiB, audit: 0, colony: 90d}}\n");
	r = policy_retention(p);
	is_int(r.age_ns / NS_PER_S, 7200, "as the policy says");
	ok(r.size == 10ULL << 30, "its size");
	is_int(r.keep_ns / NS_PER_S, 7200, "no longer than that");
	is_int(r.log_ns, 0, "and the log for ever");
	policy_free(p);
}

static void
test_limits(void)
{
	struct policy *p = parse("");
	struct policy_limits l = policy_limits(p);

	ok(l.connections >= 1000 && l.sessions >= 1000,
	    "one person may have a thousand shells, each on its own connection: %zu, %zu",
	    l.connections, l.sessions);
	policy_free(p);
	p = parse("defaults: {limits: {sessions: 7}, idle: 3650d}\n");
	is_int((long)policy_limits(p).sessions, 7, "as the policy says");
	is_int((long)policy_limits(p).connections, (long)l.connections, "and as ever");
	policy_free(p);
	p = parse("defaults: {limits: {session_bytes: 2GiB, session_rate: 1MiB, user_rate: 2MiB, "
		  "host_rate: 3MiB, user_day_bytes: 1TiB, host_bytes: 4TiB, host_free: 300000}}\n");
	for (int verb = 0; verb < 2; verb++) {
		(void)may(p, verb ? REQ_SHELL : REQ_EXEC);
		ok(rules.session_bytes == 2ULL << 30 && rules.session_rate == 1 << 20 &&
			rules.user_rate == 2 << 20 && rules.host_rate == 3 << 20 &&
			rules.quota.user_day == 1ULL << 40 && rules.quota.host == 4ULL << 40 &&
			rules.quota.host_free == 300000,
		    "what it may record and put out");
	}
	policy_free(p);
}

static void
test_auditors(void)
{
	struct policy *p = parse("defaults: {record: {auditors: [" AUDITOR "], encrypt: true}}\n");

	(void)may(p, REQ_SHELL);
	ok(rules.auditors && rules.auditors->n == 1 && rules.seal_input && rules.encrypt,
	    "what is typed unseen is sealed where there are auditors, and all of it if asked for");
	is_str(rules.auditors->v[0].name, "alice", "to her");
	is_str(rules.auditors->v[0].id, "6f3868ac2d9ca428", "whose key has this id");
	(void)may(p, REQ_EXEC, .root = true, .no_record = true);
	ok(!rules.seal_input, "not with --no-record");
	policy_free(p);
	p = parse("defaults: {record: {auditors: [" AUDITOR "], seal_input: false}}\n");
	(void)may(p, REQ_SHELL);
	ok(rules.auditors && !rules.seal_input && !rules.encrypt, "not if asked not to");
	policy_free(p);
}

static void
put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
		fchmod(fd, mode) == 0,
	    "wrote %s", path);
	close(fd);
}

static void
test_file(void)
{
	char dir[] = "/tmp/coral-policy.XXXXXX", path[64], link[64];
	struct policy *p;

	if (!ok(mkdtemp(dir) != NULL, "a directory"))
		return;
	snprintf(path, sizeof(path), "%s/policy.yaml", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	put_file(path, example, 0644);
	p = policy_load(path, &last);
	ok(p && !may(p, REQ_EXEC), "in force");
	policy_free(p);
	ok(symlink("policy.yaml", link) == 0 && (p = policy_load(link, &last)), "through a link");
	policy_free(p);
	chmod(path, 0664);
	ok(!policy_load(path, &last) && last.code == ERR_CONFIG, "not when the group may write");
	ok(strstr(last.why, "0664") && last.hint[0], "three parts: %s; %s", last.why, last.hint);
	chmod(path, 0646);
	ok(!policy_load(path, &last), "not when others may write");
	chmod(path, 0644);
	if (geteuid() == 0) {
		ok(chown(path, 65534, 0) == 0 && !policy_load(path, &last), "not another's file");
		ok(strstr(last.why, "65534") && last.hint[0], "three parts: %s; %s", last.why,
		    last.hint);
	}
	unlink(path);
	ok(!policy_load(link, &last) && last.why[0] && last.hint[0], "not a link to nowhere");
	unlink(link);
	ok(!policy_load(dir, &last) && last.why[0] && last.hint[0], "no directory: %s", last.why);
	rmdir(dir);
}

int
main(void)
{
	log_open("test", LOG_LV_ERR);
	test_defaults();
	test_example();
	test_conditions();
	test_argv();
	test_mode_audit();
	test_seccomp();
	test_disconnect();
	test_live();
	test_empty();
	test_wrong();
	test_limits();
	test_auditors();
	test_retention();
	test_file();
	return done_testing();
}
