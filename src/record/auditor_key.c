/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An auditor's secret key in a file: a JSON object, sealed with a passphrase or not. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/json.h"
#include "base/str.h"
#include "record/auditor.h"

#define B64(n) (((n) + 2) / 3 * 4)
#define SALT crypto_pwhash_argon2id_SALTBYTES
#define NONCE crypto_secretbox_NONCEBYTES
#define BOX (AUDITOR_KEY + crypto_secretbox_MACBYTES)
/* What a file may ask of its reader. */
#define OPS_MAX 16
#define MEMORY_MAX (1024LL * 1024 * 1024)

struct auditor_secret {
	unsigned char key[AUDITOR_KEY];
	unsigned char wrap[crypto_secretbox_KEYBYTES];
	char pass[AUDITOR_PASS_MAX];
	char text[4096];
	unsigned char raw[4096];
};

static struct auditor_secret *
new_secret(struct err *e)
{
	struct auditor_secret *s =
	    mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (s != MAP_FAILED && sodium_init() >= 0 && madvise(s, sizeof(*s), MADV_DONTFORK) == 0 &&
	    madvise(s, sizeof(*s), MADV_DONTDUMP) == 0)
		return s;
	err_set(e, ERR_INTERNAL, errno, "cannot keep a key apart");
	if (s != MAP_FAILED)
		munmap(s, sizeof(*s));
	return NULL;
}

void
auditor_key_free(struct auditor_key *k)
{
	if (!k->secret)
		return;
	explicit_bzero(k->secret, sizeof(*k->secret));
	munmap(k->secret, sizeof(*k->secret));
	k->secret = NULL;
}

static int
derive(struct auditor_secret *s, const unsigned char salt[SALT], unsigned long long ops, size_t mem)
{
	return crypto_pwhash(s->wrap, sizeof(s->wrap), s->pass, strlen(s->pass), salt, ops, mem,
	    crypto_pwhash_ALG_ARGON2ID13);
}

/* The file's text in s->text; what is secret of it is nowhere else. */
static int
put_text(struct auditor_secret *s, const struct auditor *who)
{
	unsigned char salt[SALT], nonce[NONCE];
	char b64[3][B64(BOX) + 1], public[B64(AUDITOR_KEY) + 1];
	int n;

	str_base64(public, who->public, AUDITOR_KEY);
	if (!s->pass[0]) {
		str_base64(b64[0], s->key, AUDITOR_KEY);
		n = snprintf(s->text, sizeof(s->text),
		    "{\"coral_auditor_key\":1,\"name\":\"%s\",\"public\":\"%s\",\"secret\":\"%s\"}"
		    "\n",
		    who->name, public, b64[0]);
		explicit_bzero(b64, sizeof(b64));
		return n;
	}
	randombytes_buf(salt, sizeof(salt));
	randombytes_buf(nonce, sizeof(nonce));
	if (derive(s, salt, crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE) < 0)
		return -1;
	crypto_secretbox_easy(s->raw, s->key, AUDITOR_KEY, nonce, s->wrap);
	str_base64(b64[0], salt, SALT);
	str_base64(b64[1], nonce, NONCE);
	str_base64(b64[2], s->raw, BOX);
	return snprintf(s->text, sizeof(s->text),
	    "{\"coral_auditor_key\":1,\"name\":\"%s\",\"public\":\"%s\",\"kdf\":\"argon2id13\","
	    "\"ops\":%u,\"memory\":%u,\"salt\":\"%s\",\"nonce\":\"%s\",\"box\":\"%s\"}\n",
	    who->name, public, (unsigned)crypto_pwhash_OPSLIMIT_MODERATE,
	    (unsigned)crypto_pwhash_MEMLIMIT_MODERATE, b64[0], b64[1], b64[2]);
}

int
auditor_key_create(
    const char *path, const char *name, const char *pass, struct auditor *who, struct err *e)
{
	struct auditor_key k = {0};
	unsigned char public[AUDITOR_KEY];
	int n, rc = -1;

	if (auditor_key_absent(path, e) < 0 || !(k.secret = new_secret(e)))
		return -1;
	str_copy(k.secret->pass, pass, sizeof(k.secret->pass));
	crypto_box_keypair(public, k.secret->key);
	auditor_of(who, public, name);
	n = put_text(k.secret, who);
	if (n < 0)
		err_set(e, ERR_INTERNAL, ENOMEM, "cannot seal the key with the passphrase");
	else
		rc = auditor_pair_write(path, k.secret->text, (size_t)n, who, e);
	auditor_key_free(&k);
	return rc;
}

static int
not_a_key(const char *path, const char *why, struct err *e)
{
	err_set(e, ERR_BAD_FILE, 0, "cannot use the auditor's key %s", path);
	err_why(e, "%s", why);
	return err_hint(e, "coral keys create --auditor NAME -o FILE makes one");
}

/* Whoever may read it may: that is no reason to have its mode changed. */
static bool
is_public(int fd)
{
	char begin[sizeof(AUDITOR_KIND) - 1];

	return pread(fd, begin, sizeof(begin), 0) == (ssize_t)sizeof(begin) &&
	       memcmp(begin, AUDITOR_KIND, sizeof(begin)) == 0;
}

static int
no_secret(const char *path, struct err *e)
{
	size_t n = strlen(path), suffix = strlen(".pub");

	not_a_key(path, "it is the public half: what is sealed to it opens with the secret one", e);
	if (n <= suffix || strcmp(path + n - suffix, ".pub") != 0)
		return err_hint(e, "name the file that was made beside it");
	return err_hint(e, "name the secret half: %.*s", (int)(n - suffix), path);
}

static int
read_text(struct auditor_secret *s, const char *path, size_t *len, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_set(e, ERR_IO, errno, "cannot open the auditor's key %s", path);
		return err_hint(e, "--key FILE, or CORAL_AUDITOR_KEY, names it");
	}
	if (!S_ISREG(st.st_mode))
		return not_a_key(path, "it is not a regular file", e);
	if (is_public(fd))
		return no_secret(path, e);
	if (st.st_mode & 077) {
		err_set(e, ERR_CONFIG, 0, "the auditor's key %s is not trusted", path);
		err_why(e, "its mode is %04o: others may use it", (unsigned)st.st_mode & 07777);
		return err_hint(e, "chmod 600 %s", path);
	}
	n = read(fd, s->text, sizeof(s->text));
	if (n < 0)
		return err_set(e, ERR_IO, errno, "cannot read the auditor's key %s", path);
	if ((size_t)n == sizeof(s->text))
		return not_a_key(path, "it is too long", e);
	*len = (size_t)n;
	return 0;
}

/* A value of exactly n bytes. */
static bool
take(struct auditor_secret *s, const json_t *j, const char *key, unsigned char *out, size_t n)
{
	const char *text = json_str(j, key);

	if (!text || strlen(text) != B64(n) || str_unbase64(s->raw, text, B64(n)) != n)
		return false;
	memcpy(out, s->raw, n);
	return true;
}

static int
unwrap(
    struct auditor_secret *s, const json_t *j, const char *path, auditor_ask_fn *ask, struct err *e)
{
	unsigned char salt[SALT], nonce[NONCE], box[BOX];
	int64_t ops = json_int(j, "ops", 0), mem = json_int(j, "memory", 0);
	const char *kdf = json_str(j, "kdf");

	if (!kdf || strcmp(kdf, "argon2id13") != 0 || !take(s, j, "salt", salt, SALT) ||
	    !take(s, j, "nonce", nonce, NONCE) || !take(s, j, "box", box, BOX) || ops < 1 ||
	    ops > OPS_MAX || mem < (int64_t)crypto_pwhash_MEMLIMIT_MIN || mem > MEMORY_MAX)
		return not_a_key(path, "it is damaged, or of a later version", e);
	if (!ask)
		return not_a_key(path, "it has a passphrase, and nobody is asked here", e);
	if (ask(path, s->pass, sizeof(s->pass), e) < 0)
		return -1;
	if (derive(s, salt, (unsigned long long)ops, (size_t)mem) < 0)
		return err_set(e, ERR_INTERNAL, ENOMEM, "cannot open the key %s", path);
	if (crypto_secretbox_open_easy(s->key, box, sizeof(box), nonce, s->wrap) < 0) {
		err_set(e, ERR_AUTH, 0, "cannot open the auditor's key %s", path);
		err_why(e, "the passphrase is not the right one");
		return err_hint(e, "type it again");
	}
	return 0;
}

/* jansson's copy of it. */
static void
wipe_value(const json_t *j, const char *key)
{
	const char *text = json_str(j, key);

	if (text)
		explicit_bzero((char *)(uintptr_t)text, strlen(text));
}

static int
take_key(
    struct auditor_key *k, const json_t *j, const char *path, auditor_ask_fn *ask, struct err *e)
{
	unsigned char public[AUDITOR_KEY], said[AUDITOR_KEY];
	struct auditor_secret *s = k->secret;
	const char *name = json_str(j, "name");

	if (json_int(j, "coral_auditor_key", 0) != 1 || !name || !auditor_name_valid(name) ||
	    !take(s, j, "public", said, AUDITOR_KEY))
		return not_a_key(path, "it is not what coral keys create --auditor wrote", e);
	if (json_str(j, "secret") ? !take(s, j, "secret", s->key, AUDITOR_KEY)
				  : unwrap(s, j, path, ask, e) < 0)
		return e->code ? -1 : not_a_key(path, "its secret is damaged", e);
	if (crypto_scalarmult_base(public, s->key) < 0 || memcmp(public, said, AUDITOR_KEY) != 0)
		return not_a_key(path, "its halves do not belong together", e);
	auditor_of(&k->who, public, name);
	return 0;
}

int
auditor_key_load(struct auditor_key *k, const char *path, auditor_ask_fn *ask, struct err *e)
{
	struct err none = {0};
	json_t *j = NULL;
	size_t n;
	int rc = -1;

	if (!e)
		e = &none;
	*e = none;
	*k = (struct auditor_key){.secret = new_secret(e)};
	n = 0;
	if (!k->secret || read_text(k->secret, path, &n, e) < 0)
		return -1;
	j = json_parse(k->secret->text, n, NULL);
	rc = j ? take_key(k, j, path, ask, e)
	       : not_a_key(path, "it is not what coral keys create --auditor wrote", e);
	wipe_value(j, "secret");
	json_decref(j);
	explicit_bzero(k->secret->text, sizeof(k->secret->text));
	explicit_bzero(k->secret->raw, sizeof(k->secret->raw));
	explicit_bzero(k->secret->pass, sizeof(k->secret->pass));
	return rc;
}

bool
auditor_key_is(const char *path)
{
	static const char begin[] = "{\"coral_auditor_key\":";
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char text[sizeof(begin) - 1];

	return fd >= 0 && read(fd, text, sizeof(text)) == (ssize_t)sizeof(text) &&
	       memcmp(text, begin, sizeof(text)) == 0;
}

int
auditor_key_open(const struct auditor_key *k, const unsigned char *box, size_t box_len,
    unsigned char *out, size_t n)
{
	if (box_len != AUDITOR_BOX(n))
		return -1;
	return crypto_box_seal_open(out, box, box_len, k->who.public, k->secret->key);
}
