/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Profiles as runtimes write them down: the OCI's, and runc's own. */
#include "target/seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

/* In runc's state.json an action is the place in this list. */
static const struct {
	const char *name;
	uint32_t action;
	bool with_errno;
} actions[] = {
    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, false},
    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP, false},
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false},
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG, false},
    {"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY, false},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false},
};

/* Likewise. */
static const struct {
	const char *name;
	int op;
} operators[] = {
    {"SCMP_CMP_EQ", SCMP_CMP_EQ},
    {"SCMP_CMP_NE", SCMP_CMP_NE},
    {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_LT", SCMP_CMP_LT},
    {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

/* How the two schemas call the same things. */
struct schema {
	const char *action, *error, *archs, *rules, *rule_error, *two;
	bool numbers; /* actions and operators are places in the lists */
};
static const struct schema oci = {
    "defaultAction", "defaultErrnoRet", "architectures", "syscalls", "errnoRet", "valueTwo", false};
static const struct schema runc = {"default_action", "default_errno_ret", "architectures",
    "syscalls", "errnoRet", "value_two", true};

static int
bad(struct err *e, const char *what)
{
	err_set(e, ERR_BAD_FILE, 0, "the seccomp profile cannot be used");
	return err_why(e, "%s", what);
}

struct sc_rule *
sc_profile_add(struct sc_profile *p, const char *name, uint32_t action)
{
	if (p->n == SC_RULES_MAX)
		return NULL;
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		struct sc_rule *grown = realloc(p->rule, room * sizeof(*grown));

		if (!grown)
			return NULL;
		p->rule = grown;
		p->room = room;
	}
	p->rule[p->n] = (struct sc_rule){.name = name, .action = action};
	return &p->rule[p->n++];
}

int
sc_rule_arg(struct sc_rule *r, struct sc_arg arg)
{
	struct sc_arg *grown;

	if (r->nargs == SC_ARGS_MAX)
		return -1;
	grown = realloc(r->arg, (r->nargs + 1) * sizeof(*grown));
	if (!grown)
		return -1;
	r->arg = grown;
	r->arg[r->nargs++] = arg;
	return 0;
}

void
sc_profile_fini(struct sc_profile *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->rule[i].arg);
	for (size_t i = 0; i < p->nnames; i++)
		free(p->names[i]);
	free(p->rule);
	free(p->names);
	memset(p, 0, sizeof(*p));
}

static int
take_action(struct sc_profile *p, const struct schema *s, const json_t *action, const json_t *error,
    uint32_t *out, struct err *e)
{
	const char *name = json_string_value(action);
	json_int_t at = s->numbers && json_is_integer(action) ? json_integer_value(action) : 0;
	json_int_t with = json_is_integer(error) ? json_integer_value(error) : EPERM;
	size_t i;

	for (i = 0; i < COUNT_OF(actions); i++)
		if (s->numbers ? at == (json_int_t)i + 1
			       : name && strcmp(actions[i].name, name) == 0)
			break;
	if (i == COUNT_OF(actions))
		return bad(e, "it has an action that is not known");
	if (error && !json_is_null(error) && !json_is_integer(error))
		return bad(e, "it has an errno that is not a number");
	if (with < 0 || with > UINT16_MAX)
		return bad(e, "it has an errno out of range");
	*out = actions[i].action | (actions[i].with_errno ? (uint32_t)with : 0);
	if (*out == SCMP_ACT_NOTIFY) {
		*out = SCMP_ACT_ERRNO(ENOSYS);
		p->notifies = true;
	}
	return 0;
}

static int
take_operator(const struct schema *s, const json_t *op, int *out)
{
	const char *name = json_string_value(op);
	json_int_t at = s->numbers && json_is_integer(op) ? json_integer_value(op) : 0;

	for (size_t i = 0; i < COUNT_OF(operators); i++) {
		if (s->numbers ? at == (json_int_t)i + 1
			       : name && strcmp(operators[i].name, name) == 0) {
			*out = operators[i].op;
			return 0;
		}
	}
	return -1;
}

static bool
is_list(const json_t *j)
{
	return !j || json_is_null(j) || json_is_array(j);
}

static int
take_args(const struct schema *s, struct sc_rule *r, const json_t *args, struct err *e)
{
	size_t i;
	json_t *one;

	if (!is_list(args))
		return bad(e, "it has arguments that are not a list");
	json_array_foreach(args, i, one)
	{
		struct sc_arg arg = {.value = (uint64_t)json_int(one, "value", 0),
		    .two = (uint64_t)json_int(one, s->two, 0)};
		int64_t index = json_int(one, "index", -1);

		if (index < 0 || index > 5 ||
		    take_operator(s, json_object_get(one, "op"), &arg.op) < 0)
			return bad(e, "it compares an argument in a way that is not known");
		arg.index = (unsigned)index;
		if (sc_rule_arg(r, arg) < 0)
			return bad(e, "it compares too many arguments");
	}
	return 0;
}

static int
take_name(struct sc_profile *p, const struct schema *s, const json_t *rule, const char *name,
    uint32_t action, struct err *e)
{
	struct sc_rule *r;

	if (!name || !*name || strlen(name) > 64)
		return bad(e, "it has a system call without a name");
	r = sc_profile_add(p, name, action);
	if (!r)
		return bad(e, "it names too many system calls");
	return take_args(s, r, json_object_get(rule, "args"), e);
}

static int
take_rule(struct sc_profile *p, const struct schema *s, const json_t *rule, struct err *e)
{
	const json_t *names = json_object_get(rule, "names");
	uint32_t action;
	size_t i;
	json_t *one;

	if (take_action(p, s, json_object_get(rule, "action"), json_object_get(rule, s->rule_error),
		&action, e) < 0)
		return -1;
	if (s->numbers)
		return take_name(p, s, rule, json_str(rule, "name"), action, e);
	if (!json_is_array(names))
		return bad(e, "it has a rule without names");
	json_array_foreach(names, i,
	    one) if (take_name(p, s, rule, json_string_value(one), action, e) < 0) return -1;
	return 0;
}

/* SCMP_ARCH_X86_64, or amd64: what the library does not know, it cannot filter. */
static void
take_arch(struct sc_profile *p, const char *name)
{
	static const char *const go[][2] = {
	    {"amd64", "x86_64"}, {"arm64", "aarch64"}, {"loong64", "loongarch64"}};
	char lower[32];
	uint32_t token;
	size_t n;

	if (strncmp(name, "SCMP_ARCH_", 10) == 0)
		name += 10;
	n = str_copy(lower, name, sizeof(lower));
	for (size_t i = 0; i < n && i < sizeof(lower); i++)
		if (lower[i] >= 'A' && lower[i] <= 'Z')
			lower[i] = (char)(lower[i] - 'A' + 'a');
	for (size_t i = 0; i < COUNT_OF(go); i++)
		if (strcmp(lower, go[i][0]) == 0)
			str_copy(lower, go[i][1], sizeof(lower));
	token = seccomp_arch_resolve_name(lower);
	for (size_t i = 0; i < p->narchs; i++)
		if (p->arch[i] == token)
			return;
	if (token && p->narchs < SC_ARCHS_MAX)
		p->arch[p->narchs++] = token;
}

static void
take_flag(struct sc_profile *p, const char *name)
{
	if (strcmp(name, "SECCOMP_FILTER_FLAG_LOG") == 0)
		p->flags |= SECCOMP_FILTER_FLAG_LOG;
	else if (strcmp(name, "SECCOMP_FILTER_FLAG_SPEC_ALLOW") == 0)
		p->flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
}

static int
take_words(struct sc_profile *p, const json_t *list,
    void (*take)(struct sc_profile *, const char *), struct err *e)
{
	size_t i;
	json_t *one;

	if (!is_list(list))
		return bad(e, "its architectures or flags are not a list");
	json_array_foreach(list, i, one)
	{
		if (!json_is_string(one))
			return bad(e, "its architectures or flags are not names");
		take(p, json_string_value(one));
	}
	return 0;
}

static int
take_profile(const json_t *j, const struct schema *s, struct sc_profile *p, struct err *e)
{
	const json_t *rules = json_object_get(j, s->rules);
	size_t i;
	json_t *one;

	memset(p, 0, sizeof(*p));
	if (!is_list(rules)) {
		return bad(e, "its rules are not a list");
	}
	if (take_action(p, s, json_object_get(j, s->action), json_object_get(j, s->error),
		&p->action, e) < 0 ||
	    take_words(p, json_object_get(j, s->archs), take_arch, e) < 0 ||
	    take_words(p, json_object_get(j, "flags"), take_flag, e) < 0)
		goto fail;
	json_array_foreach(rules, i, one) if (take_rule(p, s, one, e) < 0) goto fail;
	return 0;
fail:
	sc_profile_fini(p);
	return -1;
}

int
sc_profile_oci(const json_t *j, struct sc_profile *out, struct err *e)
{
	return take_profile(j, &oci, out, e);
}

int
sc_profile_runc(const json_t *j, struct sc_profile *out, struct err *e)
{
	return take_profile(j, &runc, out, e);
}
