/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"

/* Pages of its own: what a fork shall not inherit is told by the page. */
struct keyfile_secret {
	unsigned char seed[KEYFILE_SEED];
	char text[4096];
	unsigned char scratch[4096];
};

static struct keyfile_secret *
new_secret(const char *what, struct err *e)
{
	struct keyfile_secret *s =
	    mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED || madvise(s, sizeof(*s), MADV_DONTFORK) < 0 ||
	    madvise(s, sizeof(*s), MADV_DONTDUMP) < 0) {
		err_set(e, ERR_INTERNAL, errno, "cannot keep the %s apart", what);
		if (s != MAP_FAILED)
			munmap(s, sizeof(*s));
		return NULL;
	}
	return s;
}

static void
free_secret(struct keyfile_secret *s)
{
	if (!s)
		return;
	explicit_bzero(s, sizeof(*s));
	munmap(s, sizeof(*s));
}

void
keyfile_fini(struct keyfile *k)
{
	free_secret(k->secret);
	*k = (struct keyfile){0};
}

int
keyfile_sign(const struct keyfile *k, const void *p, size_t n, unsigned char out[ED25_SIGNATURE])
{
	return ed25_sign(k->secret->seed, k->public, p, n, out);
}

static int
check_file(int fd, const char *path, const char *what, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot look at the %s %s", what, path);
	if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_CONFIG, 0, "the %s %s cannot be used", what, path);
		err_why(e, "it is not a regular file");
		return err_hint(
		    e, "remove %s: a new key is made, and who trusts it is to be told", path);
	}
	if (st.st_uid != geteuid()) {
		err_set(e, ERR_CONFIG, 0, "the %s %s is not trusted", what, path);
		err_why(e, "it belongs to uid %u", (unsigned)st.st_uid);
		return err_hint(e, "chown %u %s", (unsigned)geteuid(), path);
	}
	if (st.st_mode & 077) {
		err_set(e, ERR_CONFIG, 0, "the %s %s is not trusted", what, path);
		err_why(e, "its mode is %04o: others may use it", (unsigned)st.st_mode & 07777);
		return err_hint(e, "chmod 600 %s", path);
	}
	return 0;
}

static int
not_usable(const char *path, const char *what, struct err *e)
{
	err_set(e, ERR_CONFIG, 0, "the %s %s cannot be used", what, path);
	err_why(e, "it is not an ed25519 private key of ssh-keygen, without a passphrase");
	return err_hint(e, "move it away: the agent then makes a new one");
}

static int
read_key(struct keyfile *k, const char *path, const char *what, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	unsigned char listed[KEYFILE_PUBLIC];
	struct keyfile_secret *s = k->secret;
	ssize_t n;

	if (fd < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot open the %s %s", what, path);
	if (check_file(fd, path, what, e) < 0)
		return -1;
	n = read(fd, s->text, sizeof(s->text));
	if (n < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot read the %s %s", what, path);
	if ((size_t)n == sizeof(s->text) ||
	    keyfile_untext(s->text, (size_t)n, s->scratch, s->seed, listed) < 0 ||
	    ed25_public(s->seed, k->public) < 0 || memcmp(listed, k->public, sizeof(listed)) != 0)
		return not_usable(path, what, e);
	keyfile_line(k->line, k->public);
	return 0;
}

static int
make_key(struct keyfile_secret *s)
{
	unsigned char public[KEYFILE_PUBLIC];

	if (ed25_make(s->seed, public) < 0)
		return -1;
	return keyfile_text(s->text, sizeof(s->text), s->seed, public);
}

/* Whole or not at all: written aside, then linked, so that of two that make it one wins. */
static int
create(struct keyfile_secret *s, const char *path, const char *what, struct err *e)
{
	char tmp[4096];
	int fd, rc;

	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= (int)sizeof(tmp))
		return err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot make the %s", what);
	if (make_key(s) < 0)
		return err_set(e, ERR_INTERNAL, errno, "cannot make the %s", what);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot make the %s %s", what, path);
	rc = fd_write_all(fd, s->text, strlen(s->text));
	if (rc == 0)
		rc = fsync(fd);
	if (rc == 0)
		rc = link(tmp, path);
	if (rc < 0)
		err_set(e, ERR_CONFIG, errno, "cannot make the %s %s", what, path);
	unlink(tmp);
	fd_close(&fd);
	return rc;
}

int
keyfile_create(const char *path, const char *what, struct err *e)
{
	struct keyfile_secret *s = new_secret(what, e);
	int rc = s ? create(s, path, what, e) : -1;

	free_secret(s);
	return rc;
}

int
keyfile_load(struct keyfile *k, const char *path, const char *what, struct err *e)
{
	struct err why = {0};

	*k = (struct keyfile){.secret = new_secret(what, e)};
	if (!k->secret)
		return -1;
	if (access(path, F_OK) < 0 && errno == ENOENT && create(k->secret, path, what, &why) < 0 &&
	    why.sys != EEXIST) {
		if (e)
			*e = why;
		keyfile_fini(k);
		return -1;
	}
	if (read_key(k, path, what, e) < 0) {
		keyfile_fini(k);
		return -1;
	}
	explicit_bzero(k->secret->text, sizeof(k->secret->text));
	explicit_bzero(k->secret->scratch, sizeof(k->secret->scratch));
	return 0;
}
