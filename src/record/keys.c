/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#define AGENT "agent_ed25519"
#define PUB ".pub"
#define WHAT "evidence key"
#define FILE_MAX (64 * 1024)
#define KEYS_MAX 256

/* STATE_DIR/keys/NAME, its directory made. */
static int
path_of(const char *state_dir, const char *name, char *path, size_t size, struct err *e)
{
	char dir[320];

	if (snprintf(dir, sizeof(dir), "%s/keys", state_dir) >= (int)sizeof(dir) ||
	    snprintf(path, size, "%s/%s", dir, name) >= (int)size)
		return err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot keep keys in %s", state_dir);
	return fd_make_dir(dir, 0700, e);
}

void
keys_fini(struct keys_list *l)
{
	free(l->v);
	*l = (struct keys_list){0};
}

static int
too_many(struct err *e)
{
	err_set(e, ERR_LIMIT, 0, "cannot take so many keys");
	err_why(e, "%d fit, as long as there is memory", KEYS_MAX);
	return err_hint(e, "name fewer with --key, or move old ones out of the state directory");
}

static int
add(struct keys_list *l, const char *line, const char *name, const char *path, struct err *e)
{
	unsigned char public[KEYFILE_PUBLIC];
	struct keys_one *grown;

	if (keyfile_unline(line, public) < 0) {
		err_set(e, ERR_BAD_FILE, 0, "cannot read a public key of %s", path);
		err_why(e, "a line is none: ssh-ed25519 and its base64");
		return err_hint(e, "coral keys export prints the one of this agent");
	}
	grown = l->n < KEYS_MAX ? reallocarray(l->v, l->n + 1, sizeof(*l->v)) : NULL;
	if (!grown)
		return too_many(e);
	l->v = grown;
	grown = &l->v[l->n++];
	memcpy(grown->public, public, sizeof(public));
	str_copy(grown->name, name, sizeof(grown->name));
	str_copy(grown->path, path, sizeof(grown->path));
	return 0;
}

/* Every key in the file. */
static int
add_file(struct keys_list *l, const char *path, const char *name, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char text[FILE_MAX], *line, *rest = text;
	size_t before = l->n;
	ssize_t n, len = 0;

	if (fd < 0)
		return err_set(e, ERR_IO, errno, "cannot open the key %s", path);
	while ((n = read(fd, text + len, sizeof(text) - 1 - (size_t)len)) > 0)
		len += n;
	if (n < 0)
		return err_set(e, ERR_IO, errno, "cannot read the key %s", path);
	text[len] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t\r");
		if (*line && *line != '#' && add(l, line, name, path, e) < 0)
			return -1;
	}
	if (l->n > before)
		return 0;
	err_set(e, ERR_BAD_FILE, 0, "cannot read a public key of %s", path);
	err_why(e, "there is none in it");
	return err_hint(e, "coral keys export prints the one of this agent");
}

int
keys_take(struct keys_list *l, const char *spec, struct err *e)
{
	if (strncmp(spec, "ssh-", 4) == 0 && access(spec, F_OK) < 0)
		return add(l, spec, "", "--key", e);
	return add_file(l, spec, "", e);
}

static int
is_agents(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return strncmp(d->d_name, AGENT, sizeof(AGENT) - 1) == 0 && n > sizeof(PUB) &&
	       strcmp(d->d_name + n - sizeof(PUB) + 1, PUB) == 0;
}

/* The one in force has the shortest name. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
	size_t la = strlen((*a)->d_name), lb = strlen((*b)->d_name);

	return la != lb ? (la > lb) - (la < lb) : strcmp((*a)->d_name, (*b)->d_name);
}

int
keys_known(const char *state_dir, struct keys_list *l, struct err *e)
{
	char dir[320], path[400], name[96];
	struct dirent **found;
	int n, rc = 0;

	snprintf(dir, sizeof(dir), "%s/keys", state_dir);
	n = scandir(dir, &found, is_agents, by_name);
	if (n < 0)
		return errno == ENOENT || errno == EACCES
			   ? 0
			   : err_set(e, ERR_IO, errno, "cannot list the keys in %s", dir);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(found[i]->d_name);

		if (rc == 0 && len < sizeof(name) &&
		    snprintf(path, sizeof(path), "%s/%s", dir, found[i]->d_name) <
			(int)sizeof(path)) {
			str_copy(name, found[i]->d_name, sizeof(name));
			name[len - sizeof(PUB) + 1] = '\0';
			rc = add_file(l, path, name, e);
		}
		free(found[i]);
	}
	free(found);
	return rc;
}

const struct keys_one *
keys_find(const struct keys_list *l, const unsigned char public[KEYFILE_PUBLIC])
{
	for (size_t i = 0; i < l->n; i++)
		if (memcmp(l->v[i].public, public, KEYFILE_PUBLIC) == 0)
			return &l->v[i];
	return NULL;
}

/* STATE_DIR/keys/agent_ed25519.pub, and whether it holds k, another, or none that can be read. */
enum public { PUBLIC_NONE, PUBLIC_OTHER, PUBLIC_OURS };

static enum public look(const char *pub, const struct keyfile *k)
{
	struct keys_list l = {0};
	enum public is = PUBLIC_NONE;

	if (add_file(&l, pub, "", NULL) == 0)
		is = keys_find(&l, k->public) ? PUBLIC_OURS : PUBLIC_OTHER;
	keys_fini(&l);
	return is;
}

bool
keys_agent_published(const char *state_dir, const struct keyfile *k)
{
	char pub[400];

	return path_of(state_dir, AGENT PUB, pub, sizeof(pub), NULL) == 0 &&
	       look(pub, k) == PUBLIC_OURS;
}

int
keys_agent_load(const char *state_dir, struct keyfile *k, struct err *e)
{
	char path[400];

	return path_of(state_dir, AGENT, path, sizeof(path), e) < 0
		   ? -1
		   : keyfile_load(k, path, WHAT, e);
}

/* Recordings that the old one certified can still be verified. */
static int
keep_old(const char *pub, struct err *e)
{
	char old[460], when[CLOCK_ISO_SIZE], *to = when;

	clock_iso(clock_real(), when);
	for (const char *p = when; *p; p++)
		if (*p != '-' && *p != ':')
			*to++ = *p;
	*to = '\0';
	snprintf(old, sizeof(old), "%.*s-%s" PUB, (int)(strlen(pub) - sizeof(PUB) + 1), pub, when);
	if (link(pub, old) == 0)
		return 0;
	return err_set(e, ERR_CONFIG, errno, "cannot put the public key %s away", pub);
}

int
keys_agent_publish(const char *state_dir, const struct keyfile *k, struct err *e)
{
	char pub[400], tmp[420], line[KEYFILE_LINE + 16];
	auto_close int fd = -1;
	enum public is;
	int n;

	if (path_of(state_dir, AGENT PUB, pub, sizeof(pub), e) < 0)
		return -1;
	is = look(pub, k);
	if (is == PUBLIC_OURS)
		return 0;
	if (is == PUBLIC_OTHER && keep_old(pub, e) < 0)
		return -1;
	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", pub);
	n = snprintf(line, sizeof(line), "%s coral\n", k->line);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd >= 0 && fd_write_all(fd, line, (size_t)n) == 0 && fchmod(fd, 0644) == 0 &&
	    rename(tmp, pub) == 0)
		return 0;
	err_set(e, ERR_CONFIG, errno, "cannot write the public key %s", pub);
	if (fd >= 0)
		unlink(tmp);
	return -1;
}

void
keys_agent_name(char out[KEYS_NAME], const unsigned char public[KEYFILE_PUBLIC])
{
	char print[KEYFILE_PRINT];

	keyfile_print(print, public);
	snprintf(out, KEYS_NAME, AGENT " %s", print);
}

static int
exists_already(const char *path, struct err *e)
{
	err_set(e, ERR_CONFIG, EEXIST, "there is an " WHAT " already");
	err_why(e, "it is %s", path);
	return err_hint(e, "coral keys list; or coral keys create --replace");
}

/* The public half stays in force until the new one is published, which keeps it. */
int
keys_agent_make(const char *state_dir, bool replace, struct keyfile *k, struct err *e)
{
	char path[400];
	int rc = 0;

	if (path_of(state_dir, AGENT, path, sizeof(path), e) < 0 ||
	    keyfile_load(k, path, WHAT, e) < 0)
		return -1;
	if (!keys_agent_published(state_dir, k))
		return 0;
	keyfile_fini(k);
	if (!replace)
		rc = exists_already(path, e);
	else if (unlink(path) < 0)
		rc = err_set(e, ERR_CONFIG, errno, "cannot put the " WHAT " %s away", path);
	return rc < 0 ? -1 : keyfile_load(k, path, WHAT, e);
}
