/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/client_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "transport/fingerprint.h"

#define FILE_MAX (8 * 1024 * 1024)

static int
host_fingerprint(struct tp_client *c, char *out, size_t size)
{
	unsigned char *hash = NULL;
	char *text = NULL;
	ssh_key key = NULL;
	size_t n = 0;
	int rc = -1;

	if (ssh_get_server_publickey(c->ssh, &key) == SSH_OK &&
	    ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &n) == SSH_OK &&
	    (text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, n))) {
		str_copy(out, text, size);
		rc = 0;
	}
	ssh_string_free_char(text);
	ssh_clean_pubkey_hash(&hash);
	ssh_key_free(key);
	return rc;
}

/* Does the comma-separated first field of the line name the host? */
static bool
line_names(const char *line, const char *host)
{
	size_t n = strlen(host), len;

	for (;; line += len + 1) {
		len = strcspn(line, ", \t\n");
		if (len == n && strncmp(line, host, n) == 0)
			return true;
		if (line[len] != ',')
			return false;
	}
}

/* The line of the file that names the host; 0 when none is seen. */
static unsigned
find_line(const char *path, const char *host)
{
	unsigned line = 1, found = 0;
	struct buf b;
	char *p;

	buf_init(&b, FILE_MAX + 1);
	if (fd_read_file(AT_FDCWD, path, FILE_MAX, &b) == 0 && (p = buf_cstr(&b))) {
		while (p && *p && !found) {
			if (line_names(p, host))
				found = line;
			line++;
			p = strchr(p, '\n');
			p += p != NULL;
		}
	}
	buf_fini(&b);
	return found;
}

/* As the file has it: "[host]:port". */
static void
file_name_of(const char *where, char *out, size_t size)
{
	const char *colon = strrchr(where, ':');

	if (where[0] != '[' && colon && strchr(where, ':') == colon)
		snprintf(out, size, "[%.*s]%s", (int)(colon - where), where, colon);
	else if (where[0] != '[')
		snprintf(out, size, "[%s]:7022", where);
	else
		snprintf(out, size, "%s%s", where, strchr(where, ']')[1] ? "" : ":7022");
}

static int
changed(const struct tp_client_opts *o, const char *fp, struct err *e)
{
	char name[300];
	unsigned line;

	file_name_of(o->host, name, sizeof(name));
	line = find_line(o->known_hosts, name);
	err_set(e, ERR_TRANSPORT, 0, "the host key of %s has changed", o->host);
	err_why(e, "it is now %s; %s", fp, o->known_hosts);
	if (line)
		err_why(e, " line %u", line);
	err_why(e, " has another.  Somebody may be in between, or the agent was reinstalled");
	if (line)
		return err_hint(
		    e, "if you know why it changed: sed -i %ud %s", line, o->known_hosts);
	return err_hint(e, "if you know why it changed: remove %s from %s", name, o->known_hosts);
}

/* ~/.config/coral and the like may not be there yet. */
static int
make_parent(const char *path, struct err *e)
{
	char dir[4096];
	char *slash;

	if (str_copy(dir, path, sizeof(dir)) >= sizeof(dir))
		return err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot store the host key");
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	return fd_make_dir(dir, 0700, e);
}

static int
unknown(struct tp_client *c, const struct tp_client_opts *o, const char *fp, struct err *e)
{
	int64_t since = clock_mono();
	bool trusted = o->trust_new && o->trust_new(o->arg, o->host, fp);

	/* A person may have thought long over it. */
	c->deadline += clock_mono() - since;
	if (!trusted) {
		err_set(e, ERR_TRANSPORT, 0, "the host %s is not known", o->host);
		err_why(e, "its key is %s, and %s does not have it", fp, o->known_hosts);
		return err_hint(e,
		    "compare it with what ssh-keygen -lf says of the agent's host key, then run "
		    "coral on a terminal and answer yes");
	}
	if (make_parent(o->known_hosts, e) < 0)
		return -1;
	if (ssh_session_update_known_hosts(c->ssh) == SSH_OK)
		return 0;
	err_set(e, ERR_CONFIG, 0, "cannot store the host key in %s", o->known_hosts);
	err_why(e, "%s", ssh_get_error(c->ssh));
	return err_hint(e, "ls -ld %s", o->known_hosts);
}

int
known_hosts_check(struct tp_client *c, const struct tp_client_opts *o, struct err *e)
{
	char fp[FINGERPRINT_SIZE];

	if (!o->host || !o->known_hosts)
		return err_set(e, ERR_INTERNAL, 0, "no file of known hosts was named");
	if (host_fingerprint(c, fp, sizeof(fp)) < 0)
		return client_lost(c, "looking at the host key", e);
	switch (ssh_session_is_known_server(c->ssh)) {
	case SSH_KNOWN_HOSTS_OK:
		return 0;
	case SSH_KNOWN_HOSTS_CHANGED:
	case SSH_KNOWN_HOSTS_OTHER:
		return changed(o, fp, e);
	case SSH_KNOWN_HOSTS_NOT_FOUND:
	case SSH_KNOWN_HOSTS_UNKNOWN:
		return unknown(c, o, fp, e);
	default:
		err_set(e, ERR_CONFIG, 0, "cannot use %s", o->known_hosts);
		err_why(e, "%s", ssh_get_error(c->ssh));
		return err_hint(e, "ls -ld %s", o->known_hosts);
	}
}
