/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/authkeys.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/str.h"
#include "transport/authkeys_line.h"
#include "transport/fingerprint.h"

#define FILE_MAX (4 * 1024 * 1024)
#define KEYS_MAX 16384

static int
bad_line(struct err *e, const char *name, size_t line, const char *why)
{
	err_set(e, ERR_CONFIG, 0, "%s cannot be used", name);
	err_why(e, "line %zu: %s", line, why);
	return err_hint(e, "correct line %zu; coral-agent(8) has the format", line);
}

/* Decode and check the base64 in w: it must be one key of the type its line names. */
static int
take_blob(struct authkey *k, const struct authkeys_line *l, const char **why)
{
	unsigned char *blob = malloc(3 * (l->blob_len / 4) + 1);
	size_t type_len = strlen(l->type), n;
	struct rd r;

	*why = "out of memory";
	if (!blob)
		return -1;
	n = str_unbase64(blob, l->blob, l->blob_len);
	r = (struct rd){.p = blob, .n = n == (size_t)-1 ? 0 : n};
	*why = "the key is not valid base64, or is not of the type named";
	if (rd_u32(&r) != type_len || r.n < type_len || memcmp(r.p, l->type, type_len) != 0) {
		free(blob);
		return -1;
	}
	str_copy(k->type, l->type, sizeof(k->type));
	k->blob = blob;
	k->blob_len = n;
	tp_fingerprint(blob, n, k->fingerprint, sizeof(k->fingerprint));
	return 0;
}

static int
take_key(struct authkeys *k, const struct authkeys_line *l, const char **why)
{
	struct authkey *key, *grown;

	*why = "there are too many keys";
	if (k->n >= KEYS_MAX)
		return -1;
	*why = "out of memory";
	if ((k->n & (k->n - 1)) == 0) {
		grown = realloc(k->v, (k->n ? 2 * k->n : 1) * sizeof(*grown));
		if (!grown)
			return -1;
		k->v = grown;
	}
	key = &k->v[k->n];
	memset(key, 0, sizeof(*key));
	if (take_blob(key, l, why) < 0)
		return -1;
	if (authkeys_find(k, key->type, key->blob, key->blob_len)) {
		*why = "the same key is in the file twice";
		free(key->blob);
		return -1;
	}
	str_copy(key->user, l->user, sizeof(key->user));
	str_copy(key->roles, l->roles, sizeof(key->roles));
	k->n++;
	return 0;
}

int
authkeys_parse(struct authkeys *k, const char *text, size_t n, const char *name, struct err *e)
{
	struct authkeys_line l;
	const char *why, *nl;
	size_t line = 0, len;
	int got;

	memset(k, 0, sizeof(*k));
	while (n > 0) {
		nl = memchr(text, '\n', n);
		len = nl ? (size_t)(nl - text) : n;
		line++;
		got = authkeys_line_parse(&l, text, len, &why);
		if (got > 0)
			got = take_key(k, &l, &why);
		if (got < 0) {
			authkeys_fini(k);
			return bad_line(e, name, line, why);
		}
		len += nl != NULL;
		text += len;
		n -= len;
	}
	return 0;
}

/* Whoever may write the file decides who gets in: the same trust as in a configuration. */
int
authkeys_load(struct authkeys *k, const char *path, struct err *e)
{
	struct buf b;
	int rc;

	memset(k, 0, sizeof(*k));
	buf_init(&b, FILE_MAX);
	rc = conf_read_file(path, &b, e);
	if (rc == 0) {
		err_set(e, ERR_CONFIG, ENOENT, "cannot open %s", path);
		rc = err_hint(e, "put one public key a line there, as in ~/.ssh/id_ed25519.pub");
	} else if (rc > 0) {
		rc = authkeys_parse(k, b.len ? (const char *)buf_head(&b) : "", b.len, path, e);
	}
	buf_fini(&b);
	return rc;
}

void
authkeys_fini(struct authkeys *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->v[i].blob);
	free(k->v);
	memset(k, 0, sizeof(*k));
}

const struct authkey *
authkeys_find(const struct authkeys *k, const char *type, const unsigned char *blob, size_t len)
{
	for (size_t i = 0; i < k->n; i++) {
		const struct authkey *key = &k->v[i];

		if (key->blob_len == len && strcmp(key->type, type) == 0 &&
		    memcmp(key->blob, blob, len) == 0)
			return key;
	}
	return NULL;
}
