/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/server.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"

static int
export_key(ssh_key key, char *out, size_t size, char *pub, size_t pub_size)
{
	char *text = NULL, *b64 = NULL;
	int rc = -1, n = 0;

	if (ssh_pki_export_privkey_base64(key, NULL, NULL, NULL, &text) == SSH_OK &&
	    ssh_pki_export_pubkey_base64(key, &b64) == SSH_OK) {
		n = snprintf(pub, pub_size, "ssh-ed25519 %s", b64);
		if (str_copy(out, text, size) < size && n > 0 && (size_t)n < pub_size)
			rc = 0;
	}
	if (text)
		explicit_bzero(text, strlen(text));
	ssh_string_free_char(text);
	ssh_string_free_char(b64);
	return rc;
}

int
tp_hostkey_make(char *out, size_t size, char *pub, size_t pub_size, struct err *e)
{
	ssh_key key = NULL;
	int rc;

	ssh_init();
	if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK)
		return err_set(e, ERR_INTERNAL, 0, "cannot make a host key");
	rc = export_key(key, out, size, pub, pub_size);
	ssh_key_free(key);
	if (rc < 0)
		return err_set(e, ERR_INTERNAL, 0, "cannot write the new host key as text");
	return 0;
}

static int
check_key_file(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot look at the host key %s", path);
	if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_CONFIG, 0, "the host key %s cannot be used", path);
		err_why(e, "it is not a regular file");
		return err_hint(
		    e, "remove %s: a new key is made, and clients are to be told", path);
	}
	if (st.st_uid != geteuid()) {
		err_set(e, ERR_CONFIG, 0, "the host key %s is not trusted", path);
		err_why(e, "it belongs to uid %u", (unsigned)st.st_uid);
		return err_hint(e, "chown %u %s", (unsigned)geteuid(), path);
	}
	if (st.st_mode & 077) {
		err_set(e, ERR_CONFIG, 0, "the host key %s is not trusted", path);
		err_why(e, "its mode is %04o: others may use it", (unsigned)st.st_mode & 07777);
		return err_hint(e, "chmod 600 %s", path);
	}
	return 0;
}

static int
read_key(const char *path, char *out, size_t size, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssh_key key = NULL;
	ssize_t n;
	int rc;

	if (fd < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot open the host key %s", path);
	if (check_key_file(fd, path, e) < 0)
		return -1;
	n = read(fd, out, size);
	if (n < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot read the host key %s", path);
	if ((size_t)n < size) {
		out[n] = '\0';
		rc = ssh_pki_import_privkey_base64(out, NULL, NULL, NULL, &key);
		if (rc == SSH_OK && ssh_key_type(key) != SSH_KEYTYPE_ED25519)
			rc = SSH_ERROR;
		ssh_key_free(key);
		if (rc == SSH_OK)
			return 0;
	}
	explicit_bzero(out, size);
	err_set(e, ERR_CONFIG, 0, "the host key %s cannot be used", path);
	err_why(e, "it is not an ed25519 private key without a passphrase");
	return err_hint(e, "move it away: the agent then makes a new one");
}

/* Whole or not at all: written aside, then linked, so that of two agents one wins. */
static int
create_key(const char *path, char *out, size_t size, struct err *e)
{
	char tmp[4096], pub[256];
	int fd, rc;

	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= (int)sizeof(tmp))
		return err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot make the host key");
	if (tp_hostkey_make(out, size, pub, sizeof(pub), e) < 0)
		return -1;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot make the host key %s", path);
	rc = fd_write_all(fd, out, strlen(out));
	if (rc == 0)
		rc = fsync(fd);
	if (rc == 0 && link(tmp, path) < 0 && errno != EEXIST)
		rc = -1;
	if (rc < 0)
		err_set(e, ERR_CONFIG, errno, "cannot make the host key %s", path);
	unlink(tmp);
	fd_close(&fd);
	explicit_bzero(out, size);
	return rc;
}

int
tp_hostkey_load(const char *path, char *out, size_t size, struct err *e)
{
	ssh_init();
	if (access(path, F_OK) < 0 && errno == ENOENT && create_key(path, out, size, e) < 0)
		return -1;
	return read_key(path, out, size, e);
}
