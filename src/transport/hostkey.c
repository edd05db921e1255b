/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/hostkey.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"

/* Pages of its own: what a fork shall not inherit is told by the page. */
struct hostkey_secret {
	unsigned char seed[HOSTKEY_SEED];
	char text[4096];
	unsigned char scratch[4096];
};

static struct hostkey_secret *
new_secret(struct err *e)
{
	struct hostkey_secret *s =
	    mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED || madvise(s, sizeof(*s), MADV_DONTFORK) < 0 ||
	    madvise(s, sizeof(*s), MADV_DONTDUMP) < 0) {
		err_set(e, ERR_INTERNAL, errno, "cannot keep the host key apart");
		if (s != MAP_FAILED)
			munmap(s, sizeof(*s));
		return NULL;
	}
	return s;
}

void
hostkey_fini(struct hostkey *k)
{
	if (k->secret) {
		explicit_bzero(k->secret, sizeof(*k->secret));
		munmap(k->secret, sizeof(*k->secret));
	}
	*k = (struct hostkey){0};
}

/* libcrypto wipes what it held of the seed when the key is freed. */
static EVP_PKEY *
take_seed(const struct hostkey_secret *s, unsigned char public[HOSTKEY_PUBLIC])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, s->seed, HOSTKEY_SEED);
	size_t n = HOSTKEY_PUBLIC;

	if (key && (EVP_PKEY_get_raw_public_key(key, public, &n) != 1 || n != HOSTKEY_PUBLIC)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

static int
derive(const struct hostkey_secret *s, unsigned char public[HOSTKEY_PUBLIC])
{
	EVP_PKEY *key = take_seed(s, public);

	EVP_PKEY_free(key);
	return key ? 0 : -1;
}

int
hostkey_sign(const struct hostkey *k, const unsigned char *hash, size_t n,
    unsigned char out[HOSTKEY_SIGNATURE])
{
	unsigned char public[HOSTKEY_PUBLIC];
	size_t len = HOSTKEY_SIGNATURE;
	EVP_MD_CTX *ctx;
	EVP_PKEY *key;
	int rc = -1;

	if (n != HOSTKEY_HASH)
		return -1;
	key = take_seed(k->secret, public);
	ctx = EVP_MD_CTX_new();
	if (key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, out, &len, hash, n) == 1 && len == HOSTKEY_SIGNATURE)
		rc = 0;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return rc;
}

/* What everybody may know of it. */
static int
publish(struct hostkey *k, const unsigned char public[HOSTKEY_PUBLIC])
{
	static const unsigned char nothing[HOSTKEY_SEED];
	unsigned char blob[HOSTKEY_BLOB];
	char b64[4 * (HOSTKEY_BLOB / 3 + 1) + 1];

	hostkey_blob(blob, public);
	str_base64(b64, blob, sizeof(blob));
	snprintf(k->line, sizeof(k->line), "ssh-ed25519 %s", b64);
	return hostkey_text(k->mask, sizeof(k->mask), nothing, public);
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
not_usable(const char *path, struct err *e)
{
	err_set(e, ERR_CONFIG, 0, "the host key %s cannot be used", path);
	err_why(e, "it is not an ed25519 private key of ssh-keygen, without a passphrase");
	return err_hint(e, "move it away: the agent then makes a new one");
}

static int
read_key(struct hostkey *k, const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	unsigned char listed[HOSTKEY_PUBLIC], public[HOSTKEY_PUBLIC];
	struct hostkey_secret *s = k->secret;
	ssize_t n;

	if (fd < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot open the host key %s", path);
	if (check_key_file(fd, path, e) < 0)
		return -1;
	n = read(fd, s->text, sizeof(s->text));
	if (n < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot read the host key %s", path);
	if ((size_t)n == sizeof(s->text) ||
	    hostkey_untext(s->text, (size_t)n, s->scratch, s->seed, listed) < 0 ||
	    derive(s, public) < 0 || memcmp(listed, public, sizeof(public)) != 0)
		return not_usable(path, e);
	if (publish(k, public) < 0)
		return err_set(e, ERR_INTERNAL, 0, "cannot offer the host key %s", path);
	return 0;
}

static int
make_key(struct hostkey_secret *s)
{
	unsigned char public[HOSTKEY_PUBLIC];

	if (getrandom(s->seed, sizeof(s->seed), 0) != (ssize_t)sizeof(s->seed) ||
	    derive(s, public) < 0)
		return -1;
	return hostkey_text(s->text, sizeof(s->text), s->seed, public);
}

/* Whole or not at all: written aside, then linked, so that of two agents one wins. */
static int
create_key(struct hostkey_secret *s, const char *path, struct err *e)
{
	char tmp[4096];
	int fd, rc;

	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= (int)sizeof(tmp))
		return err_set(e, ERR_CONFIG, ENAMETOOLONG, "cannot make the host key");
	if (make_key(s) < 0)
		return err_set(e, ERR_INTERNAL, errno, "cannot make a host key");
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_CONFIG, errno, "cannot make the host key %s", path);
	rc = fd_write_all(fd, s->text, strlen(s->text));
	if (rc == 0)
		rc = fsync(fd);
	if (rc == 0 && link(tmp, path) < 0 && errno != EEXIST)
		rc = -1;
	if (rc < 0)
		err_set(e, ERR_CONFIG, errno, "cannot make the host key %s", path);
	unlink(tmp);
	fd_close(&fd);
	return rc;
}

int
hostkey_load(struct hostkey *k, const char *path, struct err *e)
{
	*k = (struct hostkey){.secret = new_secret(e)};
	if (!k->secret)
		return -1;
	if ((access(path, F_OK) < 0 && errno == ENOENT && create_key(k->secret, path, e) < 0) ||
	    read_key(k, path, e) < 0) {
		hostkey_fini(k);
		return -1;
	}
	explicit_bzero(k->secret->text, sizeof(k->secret->text));
	explicit_bzero(k->secret->scratch, sizeof(k->secret->scratch));
	return 0;
}
