/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/yaml.h"

#define FILE_MAX (256 * 1024)
#define ROW(key, field, variable, text)                                                            \
	{key, offsetof(struct conf, field), sizeof((struct conf *)0)->field, variable, text}

const struct conf_key conf_keys[] = {
    ROW("service", service, "CORAL_SERVICE", "the target when none is given"),
    ROW("identity", identity, NULL, "private key file for agents over TCP"),
    ROW("color", color, NULL, "auto, always or never"),
    ROW("state_dir", state_dir, "CORAL_STATE_DIR", "recordings and the agent's host key"),
    ROW("runtime_dir", runtime_dir, "CORAL_RUNTIME_DIR", "the agent's socket and what runs now"),
    ROW("agent.address", agent, "CORAL_AGENT", "agent to use: HOST:PORT or a socket's path"),
    ROW("agent.socket", socket, NULL, "the unix socket of the local agent"),
    ROW("agent.listen", listen, NULL, "TCP address to serve as well"),
    ROW("agent.authorized_keys", authorized_keys, NULL, "who may connect over TCP"),
    ROW("agent.proc_root", proc_root, NULL, "the procfs in which to find targets"),
    ROW("agent.environment", environment, NULL, "what the targets belong to: production, staging"),
    {0},
};

static char *
field_of(struct conf *c, const struct conf_key *k)
{
	return (char *)c + k->offset;
}

static int
assign(struct conf *c, const struct conf_key *k, const char *v, const char *from, struct err *e)
{
	if (str_copy(field_of(c, k), v, k->size) < k->size)
		return 0;
	err_set(e, ERR_CONFIG, 0, "the value of %s is too long", k->name);
	return err_why(e, "%s allows %zu bytes", from, k->size - 1);
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
	const char *names[COUNT_OF(conf_keys)];
	const char *near;
	size_t n = 0;

	for (const struct conf_key *k = conf_keys; k->name; k++)
		names[n++] = k->name;
	names[n] = NULL;
	near = str_nearest(name, names);
	err_set(e, ERR_CONFIG, 0, "unknown configuration key \"%s\"", name);
	err_why(e, "in %s", file);
	return near ? err_hint(e, "did you mean \"%s\"? coral.yaml(5) lists the keys", near)
		    : err_hint(e, "coral.yaml(5) lists the keys");
}

static int
apply(struct conf *c, const json_t *map, const char *prefix, const char *file, struct err *e)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)map, name, v) {
		char full[128], number[32];
		const struct conf_key *k;

		snprintf(full, sizeof full, "%s%s", prefix, name);
		if (json_is_object(v) && prefix[0] == '\0' && strcmp(name, "agent") == 0) {
			if (apply(c, v, "agent.", file, e) < 0)
				return -1;
			continue;
		}
		k = find_key(full);
		if (!k)
			return unknown_key(full, file, e);
		snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		if (!json_is_string(v) && !json_is_integer(v)) {
			err_set(e, ERR_CONFIG, 0, "the value of %s is not a text", full);
			return err_why(e, "in %s", file);
		}
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
	int rc = -1;

	buf_init(&text, FILE_MAX);
	if (fd_read_file(AT_FDCWD, path, FILE_MAX, &text) < 0) {
		if (errno == ENOENT && !named)
			rc = 0;
		else
			err_set(e, ERR_CONFIG, errno, "cannot read the configuration %s", path);
		goto out;
	}
	j = yaml_parse((const char *)buf_head(&text), text.len, path, e);
	if (j && !json_is_null(j) && !json_is_object(j)) {
		err_set(e, ERR_CONFIG, 0, "cannot use the configuration %s", path);
		err_why(e, "it is not a mapping of keys to values");
	} else if (j) {
		rc = json_is_null(j) ? 0 : apply(c, j, "", path, e);
	}
out:
	json_decref(j);
	buf_fini(&text);
	return rc;
}

static void
from_environment(struct conf *c)
{
	for (const struct conf_key *k = conf_keys; k->name; k++) {
		const char *v = k->env ? getenv(k->env) : NULL;

		if (v && v[0])
			str_copy(field_of(c, k), v, k->size);
	}
}

static const char *const known_variables[] = {"CORAL_CONFIG", "CORAL_STATE_DIR", "CORAL_RUNTIME_DIR",
    "CORAL_COLONY", "CORAL_AGENT", "CORAL_SERVICE", "CORAL_AGENT_MODE", "CORAL_COLONY_ID",
    "CORAL_COLONY_SECRET", NULL};

static void
look_for_strangers(struct conf *c)
{
	for (char **v = environ; v && *v; v++) {
		char name[64];
		const char *near;
		size_t n = strcspn(*v, "=");
		bool known = false;

		if (strncmp(*v, "CORAL_", 6) != 0 || strncmp(*v, "CORAL_TEST_", 11) == 0 ||
		    n >= sizeof name)
			continue;
		memcpy(name, *v, n);
		name[n] = '\0';
		for (size_t i = 0; known_variables[i]; i++)
			known |= strcmp(name, known_variables[i]) == 0;
		near = known ? NULL : str_nearest(name, known_variables);
		if (!known)
			snprintf(c->warning, sizeof c->warning, "unknown variable %s%s%s%s", name,
			    near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
	}
}

static void
user_dir(char *out, size_t size, const char *xdg, const char *below_home)
{
	const char *base = getenv(xdg);
	const char *home = getenv("HOME");

	if (base && base[0] == '/')
		snprintf(out, size, "%s/coral", base);
	else
		snprintf(out, size, "%s/%s/coral", home && home[0] == '/' ? home : "/tmp", below_home);
}

static void
default_dirs(struct conf *c)
{
	if (geteuid() == 0) {
		str_copy(c->config_dir, "/etc/coral", sizeof c->config_dir);
		str_copy(c->state_dir, "/var/lib/coral", sizeof c->state_dir);
		str_copy(c->runtime_dir, "/run/coral", sizeof c->runtime_dir);
		return;
	}
	user_dir(c->config_dir, sizeof c->config_dir, "XDG_CONFIG_HOME", ".config");
	user_dir(c->state_dir, sizeof c->state_dir, "XDG_STATE_HOME", ".local/state");
	user_dir(c->runtime_dir, sizeof c->runtime_dir, "XDG_RUNTIME_DIR", ".local/run");
}

/* CORAL_CONFIG: a file, or the directory that holds config.yaml. */
static void
choose_file(struct conf *c, char *path, size_t size, bool *named)
{
	const char *v = getenv("CORAL_CONFIG");
	struct stat st;
	char *slash;

	*named = v && v[0] && !(stat(v, &st) == 0 && S_ISDIR(st.st_mode));
	if (*named) {
		snprintf(path, size, "%s", v);
		str_copy(c->config_dir, v, sizeof c->config_dir);
		slash = strrchr(c->config_dir, '/');
		str_copy(slash ? slash : c->config_dir, slash ? "" : ".",
		    slash ? 1 : sizeof c->config_dir);
		return;
	}
	if (v && v[0])
		str_copy(c->config_dir, v, sizeof c->config_dir);
	snprintf(path, size, "%s/config.yaml", c->config_dir);
}

/* A user's own agent first; else the host's. */
static void
default_socket(struct conf *c)
{
	if (c->socket[0])
		return;
	snprintf(c->socket, sizeof c->socket, "%.240s/agent.sock", c->runtime_dir);
	if (geteuid() != 0 && !getenv("CORAL_RUNTIME_DIR") && access(c->socket, F_OK) < 0)
		str_copy(c->socket, "/run/coral/agent.sock", sizeof c->socket);
}

int
conf_load(struct conf *c, struct err *e)
{
	char path[sizeof c->config_dir + 16];
	bool named;

	memset(c, 0, sizeof *c);
	default_dirs(c);
	str_copy(c->proc_root, "/proc", sizeof c->proc_root);
	str_copy(c->color, "auto", sizeof c->color);
	choose_file(c, path, sizeof path, &named);
	if (read_file(c, path, named, e) < 0)
		return -1;
	from_environment(c);
	if (!c->service[0] && getenv("SERVICE_NAME"))
		str_copy(c->service, getenv("SERVICE_NAME"), sizeof c->service);
	default_socket(c);
	look_for_strangers(c);
	return 0;
}
