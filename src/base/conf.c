/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/conf.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/yaml.h"

#define FILE_MAX (256 * 1024)
#define ROW(key, field, variable, text)                                                            \
	{                                                                                          \
		key, offsetof(struct conf, field), sizeof((struct conf *)0)->field, variable, text \
	}

const struct conf_key conf_keys[] = {
    ROW("service", service, "CORAL_SERVICE", "the target when none is given"),
    ROW("identity", identity, NULL, "private key file for agents over TCP"),
    ROW("color", color, NULL, "auto, always or never"),
    ROW("share", share, "CORAL_SHARE", "how long a connection is kept for later commands"),
    ROW("state_dir", state_dir, "CORAL_STATE_DIR", "recordings and the agent's host key"),
    ROW("runtime_dir", runtime_dir, "CORAL_RUNTIME_DIR", "the agent's socket and what runs now"),
    ROW("agent.address", agent, "CORAL_AGENT", "agent to use: HOST:PORT or a socket's path"),
    ROW("agent.socket", socket, NULL, "the unix socket of the local agent"),
    ROW("agent.listen", listen, NULL, "TCP address to serve as well"),
    ROW("agent.authorized_keys", authorized_keys, NULL, "who may connect over TCP"),
    ROW("agent.proc_root", proc_root, NULL, "the procfs in which to find targets"),
    ROW("agent.environment", environment, NULL, "what the targets belong to: production, staging"),
    ROW("audit.stdout", audit_stdout, NULL, "auto, true or false: records on standard output too"),
    ROW("audit.heads", heads, NULL, "syslog or a URL: where the hash of the last record goes"),
    ROW("audit.heads_every", heads_every, NULL, "how often it goes there"),
    ROW("archive.compress_after", compress_after, NULL,
	"when a recording that ended is compressed"),
    {0},
};

static const char *const sections[] = {"agent", "audit", "archive", NULL};

static bool
is_section(const char *name)
{
	size_t i = 0;

	while (sections[i] && strcmp(name, sections[i]) != 0)
		i++;
	return sections[i];
}

static char *
field_of(struct conf *c, const struct conf_key *k)
{
	return (char *)c + k->offset;
}

static int
too_long(const char *from, const char *what, size_t n, size_t size, struct err *e)
{
	err_set(e, ERR_CONFIG, 0, "the value of %s is too long", what);
	err_why(e, "in %s it has %zu bytes; at most %zu fit", from, n, size - 1);
	return err_hint(e, "use a shorter value");
}

static int
assign(struct conf *c, const struct conf_key *k, const char *v, const char *from, struct err *e)
{
	size_t n = str_copy(field_of(c, k), v, k->size);

	return n < k->size ? 0 : too_long(from, k->name, n, k->size, e);
}

static const struct conf_key *
find_key(const char *name)
{
	for (const struct conf_key *k = conf_keys; k->name; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

static int
unknown_key(const char *name, const char *file, struct err *e)
{
	const char *names[COUNT_OF(conf_keys) + COUNT_OF(sections)];
	const char *near;
	char within[136];
	size_t n = 0;

	for (const struct conf_key *k = conf_keys; k->name; k++)
		names[n++] = k->name;
	for (size_t i = 0; sections[i]; i++) /* they themselves may be misspelt */
		names[n++] = sections[i];
	names[n] = NULL;
	near = str_nearest(name, names);
	/* "listen" and "lisen": the section was forgotten. */
	snprintf(within, sizeof within, "agent.%s", name);
	near = near ? near : str_nearest(within, names);
	err_set(e, ERR_CONFIG, 0, "unknown configuration key \"%s\"", name);
	err_why(e, "in %s", file);
	return near ? err_hint(e, "did you mean \"%s\"? coral.yaml(5) lists the keys", near)
		    : err_hint(e, "coral.yaml(5) lists the keys");
}

static int
wrong_kind(const char *name, const char *kind, const char *file, struct err *e)
{
	err_set(e, ERR_CONFIG, 0, "the value of %s is not %s", name, kind);
	err_why(e, "in %s", file);
	return err_hint(e, "coral.yaml(5) has an example");
}

static int
apply(struct conf *c, const json_t *map, const char *prefix, const char *file, struct err *e)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)map, name, v)
	{
		char full[128], number[32];
		bool yes_no;
		const struct conf_key *k;

		snprintf(full, sizeof full, "%s%s", prefix, name);
		if (is_section(full)) {
			if (!json_is_object(v) && !json_is_null(v))
				return wrong_kind(full, "a mapping", file, e);
			str_copy(full + strlen(full), ".", 2);
			if (apply(c, v, full, file, e) < 0)
				return -1;
			continue;
		}
		k = find_key(full);
		if (!k)
			return unknown_key(full, file, e);
		yes_no = k->offset == offsetof(struct conf, audit_stdout) && json_is_boolean(v);
		if (!json_is_string(v) && !json_is_integer(v) && !yes_no)
			return wrong_kind(full, "a text", file, e);
		if (yes_no)
			snprintf(number, sizeof number, json_is_true(v) ? "true" : "false");
		else
			snprintf(
			    number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		if (assign(c, k, json_is_string(v) ? json_string_value(v) : number, file, e) < 0)
			return -1;
	}
	return 0;
}

static int
read_file(struct conf *c, const char *path, bool named, struct err *e)
{
	struct buf text;
	json_t *j = NULL;
	int rc;

	buf_init(&text, FILE_MAX + 1);
	rc = conf_read_file(path, &text, e);
	if (rc == 0 && named) {
		err_set(e, ERR_CONFIG, 0, "cannot read the configuration %s", path);
		err_why(e, "CORAL_CONFIG names it, and it is not there");
		rc = err_hint(e, "unset CORAL_CONFIG, or name a file or a directory");
	} else if (rc > 0) {
		j = yaml_parse((const char *)buf_head(&text), text.len, path, e);
		rc = j ? 0 : -1;
		if (j && !json_is_object(j))
			rc = wrong_kind("the file", "a mapping", path, e);
	}
	if (j && rc == 0)
		rc = apply(c, j, "", path, e);
	json_decref(j);
	buf_fini(&text);
	return rc;
}

static int
from_environment(struct conf *c, struct err *e)
{
	for (const struct conf_key *k = conf_keys; k->name; k++) {
		const char *v = k->env ? getenv(k->env) : NULL;

		if (v && v[0] && assign(c, k, v, k->env, e) < 0)
			return -1;
	}
	if (!c->service[0] && getenv("SERVICE_NAME"))
		return assign(c, find_key("service"), getenv("SERVICE_NAME"), "SERVICE_NAME", e);
	return 0;
}

static const char *const known_variables[] = {"CORAL_CONFIG", "CORAL_STATE_DIR",
    "CORAL_RUNTIME_DIR", "CORAL_COLONY", "CORAL_AGENT", "CORAL_SERVICE", "CORAL_AGENT_MODE",
    "CORAL_COLONY_ID", "CORAL_COLONY_SECRET", "CORAL_SHARE", "CORAL_AUDITOR_KEY", NULL};

static void
look_for_strangers(struct conf *c)
{
	for (char **v = environ; v && *v && !c->warning[0]; v++) {
		char name[64], shown[160];
		const char *near;
		size_t n = strcspn(*v, "=");
		bool known = false;

		if (strncmp(*v, "CORAL_", 6) != 0 || strncmp(*v, "CORAL_TEST_", 11) == 0)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)n, *v);
		for (size_t i = 0; known_variables[i]; i++)
			known |= strcmp(name, known_variables[i]) == 0;
		if (known)
			continue;
		near = str_nearest(name, known_variables);
		str_vis(shown, sizeof shown, name);
		snprintf(c->warning, sizeof c->warning, "unknown variable %s%s%s%s", shown,
		    near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
	}
}

static int
user_dir(char *out, size_t size, const char *xdg, const char *below_home, struct err *e)
{
	const char *base = getenv(xdg);
	const char *home = getenv("HOME");
	bool own = base && base[0] == '/';
	int n;

	if (own)
		n = snprintf(out, size, "%s/coral", base);
	else
		n = snprintf(
		    out, size, "%s/%s/coral", home && home[0] == '/' ? home : "/tmp", below_home);
	return (size_t)n < size
		   ? 0
		   : too_long("the environment", own ? xdg : "HOME", (size_t)n, size, e);
}

static int
default_dirs(struct conf *c, struct err *e)
{
	if (geteuid() == 0) {
		str_copy(c->config_dir, "/etc/coral", sizeof c->config_dir);
		str_copy(c->state_dir, "/var/lib/coral", sizeof c->state_dir);
		str_copy(c->runtime_dir, "/run/coral", sizeof c->runtime_dir);
		return 0;
	}
	if (user_dir(c->config_dir, sizeof c->config_dir, "XDG_CONFIG_HOME", ".config", e) < 0 ||
	    user_dir(c->state_dir, sizeof c->state_dir, "XDG_STATE_HOME", ".local/state", e) < 0)
		return -1;
	return user_dir(c->runtime_dir, sizeof c->runtime_dir, "XDG_RUNTIME_DIR", ".local/run", e);
}

/* CORAL_CONFIG: a file, or the directory that holds config.yaml. */
static int
choose_file(struct conf *c, char *path, size_t size, bool *named, struct err *e)
{
	const char *v = getenv("CORAL_CONFIG");
	struct stat st;
	char *slash;

	*named = v && v[0] && !(stat(v, &st) == 0 && S_ISDIR(st.st_mode));
	if (v && v[0] && str_copy(c->config_dir, v, sizeof c->config_dir) >= sizeof c->config_dir)
		return too_long(
		    "the environment", "CORAL_CONFIG", strlen(v), sizeof c->config_dir, e);
	if (!*named) {
		snprintf(path, size, "%s/config.yaml", c->config_dir);
		return 0;
	}
	str_copy(path, v, size);
	slash = strrchr(c->config_dir, '/');
	if (!slash)
		str_copy(c->config_dir, ".", sizeof c->config_dir);
	else
		slash[slash == c->config_dir] = '\0';
	return 0;
}

/* A user's own agent first; else the host's, unless a place was asked for. */
static int
default_socket(struct conf *c, bool place_given, struct err *e)
{
	size_t n;

	if (c->socket[0])
		return 0;
	n = (size_t)snprintf(c->socket, sizeof c->socket, "%s/agent.sock", c->runtime_dir);
	if (n >= sizeof c->socket)
		return too_long("the environment", "runtime_dir", n, sizeof c->socket, e);
	if (geteuid() != 0 && !place_given && access(c->socket, F_OK) < 0)
		str_copy(c->socket, "/run/coral/agent.sock", sizeof c->socket);
	return 0;
}

static int
check_words(const struct conf *c, const char *file, struct err *e)
{
	static const char *const colors[] = {"auto", "always", "never", NULL};
	static const char *const outs[] = {"auto", "true", "false", NULL};
	size_t i = 0, k = 0;

	while (colors[i] && strcmp(c->color, colors[i]) != 0)
		i++;
	if (!colors[i])
		return wrong_kind("color", "auto, always or never", file, e);
	while (outs[k] && strcmp(c->audit_stdout, outs[k]) != 0)
		k++;
	return outs[k] ? 0 : wrong_kind("audit.stdout", "auto, true or false", file, e);
}

static int
check_share(struct conf *c, const char *from, struct err *e)
{
	c->share_ns = 0;
	if (strcmp(c->share, "no") == 0 || clock_parse_duration(c->share, &c->share_ns) == 0)
		return 0;
	return wrong_kind("share", "a duration such as 60s, or no", from, e);
}

static int
check_archive(struct conf *c, const char *from, struct err *e)
{
	c->compress_after_ns = -1;
	if (strcmp(c->compress_after, "never") == 0 ||
	    clock_parse_duration(c->compress_after, &c->compress_after_ns) == 0)
		return 0;
	return wrong_kind("archive.compress_after", "a duration such as 1h, or never", from, e);
}

static int
check_heads(struct conf *c, const char *from, struct err *e)
{
	if (c->heads[0] && strcmp(c->heads, "syslog") != 0 &&
	    strncmp(c->heads, "http://", 7) != 0 && strncmp(c->heads, "https://", 8) != 0)
		return wrong_kind("audit.heads", "syslog, or a URL of http or https", from, e);
	if (clock_parse_duration(c->heads_every, &c->heads_ns) == 0 && c->heads_ns >= NS_PER_S)
		return 0;
	return wrong_kind("audit.heads_every", "a duration such as 5m, a second at least", from, e);
}

int
conf_load(struct conf *c, struct err *e)
{
	char path[sizeof c->config_dir + 16], runtime_dir[sizeof c->runtime_dir];
	bool named;

	memset(c, 0, sizeof *c);
	if (default_dirs(c, e) < 0)
		return -1;
	str_copy(runtime_dir, c->runtime_dir, sizeof runtime_dir);
	str_copy(c->proc_root, "/proc", sizeof c->proc_root);
	str_copy(c->color, "auto", sizeof c->color);
	str_copy(c->share, "60s", sizeof c->share);
	str_copy(c->compress_after, "1h", sizeof c->compress_after);
	str_copy(c->heads_every, "5m", sizeof c->heads_every);
	str_copy(c->audit_stdout, "auto", sizeof c->audit_stdout);
	if (choose_file(c, path, sizeof path, &named, e) < 0 || read_file(c, path, named, e) < 0 ||
	    check_words(c, path, e) < 0 || check_share(c, path, e) < 0 ||
	    check_archive(c, path, e) < 0 || check_heads(c, path, e) < 0 ||
	    from_environment(c, e) < 0 || check_share(c, "CORAL_SHARE", e) < 0 ||
	    default_socket(c, strcmp(runtime_dir, c->runtime_dir) != 0, e) < 0)
		return -1;
	look_for_strangers(c);
	return 0;
}
