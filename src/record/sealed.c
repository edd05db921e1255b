/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/sealed.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

#define CIPHER "xchacha20-poly1305"
#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define PADDED (SEALED_TEXT + 1)
#define KEY_BOX AUDITOR_BOX(SEALED_KEY + STORE_ID_LEN)
#define B64(n) (((n) + 2) / 3 * 4)

_Static_assert(SEALED_BOX == NONCE + PADDED + TAG, "a box holds a padded text");

int
sealed_make(struct sealed_key *k, const char *session_id)
{
	if (sodium_init() < 0 || strlen(session_id) != STORE_ID_LEN)
		return -1;
	crypto_aead_xchacha20poly1305_ietf_keygen(k->key);
	str_copy(k->session_id, session_id, sizeof(k->session_id));
	return 0;
}

/* With the session that it is of: what stands in another's header opens nothing. */
static json_t *
key_box(const struct sealed_key *k, const struct auditor *a)
{
	unsigned char plain[SEALED_KEY + STORE_ID_LEN], box[KEY_BOX];
	char b64[B64(KEY_BOX) + 1];
	int rc;

	memcpy(plain, k->key, SEALED_KEY);
	memcpy(plain + SEALED_KEY, k->session_id, STORE_ID_LEN);
	rc = crypto_box_seal(box, plain, sizeof(plain), a->public);
	explicit_bzero(plain, sizeof(plain));
	if (rc < 0)
		return NULL;
	str_base64(b64, box, sizeof(box));
	return json_pack("{ss ss ss}", "id", a->id, "name", a->name, "box", b64);
}

json_t *
sealed_header(const struct sealed_key *k, const struct auditors *to)
{
	json_t *list = json_array();

	for (size_t i = 0; i < to->n; i++)
		if (json_array_append_new(list, key_box(k, &to->v[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return json_pack("{ss so}", "cipher", CIPHER, "to", list);
}

static int
not_for(const json_t *to, const struct auditor_key *by, struct err *e)
{
	char name[80];
	const json_t *one;
	size_t i;

	err_set(e, ERR_AUTH, 0, "this key does not open the recording");
	err_why(e, "it is %s (%s), and the recording is sealed to", by->who.name, by->who.id);
	json_array_foreach(to, i, one)
	{
		const char *s = json_str(one, "name");

		if (i == AUDITORS_MAX)
			break;
		str_vis(name, sizeof(name), s ? s : "?");
		err_why(e, "%s %s", i ? "," : "", name);
	}
	return err_hint(e, "--key FILE with a key of one of them");
}

int
sealed_take(struct sealed_key *k, const json_t *coral, const struct auditor_key *by, struct err *e)
{
	const json_t *sealing = json_object_get(coral, "sealing");
	const json_t *to = json_object_get(sealing, "to"), *one;
	const char *cipher = json_str(sealing, "cipher"), *id = json_str(coral, "session_id");
	unsigned char plain[SEALED_KEY + STORE_ID_LEN], box[B64(KEY_BOX)];
	size_t i;

	if (!cipher || strcmp(cipher, CIPHER) != 0 || !json_is_array(to) || !id ||
	    !store_id_valid(id)) {
		err_set(e, ERR_BAD_FILE, 0, "cannot open what is sealed");
		if (sealing)
			return err_why(e, "\"sealing\" is not as coral-cast(5) has it");
		err_why(e, "nothing in this recording is sealed to anybody");
		return err_hint(
		    e, "record.auditors, coral-policy(5), is for the sessions that come");
	}
	json_array_foreach(to, i, one)
	{
		const char *whose = json_str(one, "id"), *b64 = json_str(one, "box");

		if (i == AUDITORS_MAX || !whose || strcmp(whose, by->who.id) != 0)
			continue;
		if (b64 && strlen(b64) == B64(KEY_BOX) &&
		    str_unbase64(box, b64, B64(KEY_BOX)) == KEY_BOX &&
		    auditor_key_open(by, box, KEY_BOX, plain, sizeof(plain)) == 0 &&
		    memcmp(plain + SEALED_KEY, id, STORE_ID_LEN) == 0) {
			memcpy(k->key, plain, SEALED_KEY);
			str_copy(k->session_id, id, sizeof(k->session_id));
			explicit_bzero(plain, sizeof(plain));
			return 0;
		}
		explicit_bzero(plain, sizeof(plain));
		err_set(e, ERR_BAD_FILE, 0, "cannot open what is sealed");
		return err_why(e, "the key in its header was altered, or is another session's");
	}
	return not_for(to, by, e);
}

/* One key for each use. */
static void
input_key(const struct sealed_key *k, unsigned char out[SEALED_KEY])
{
	crypto_kdf_derive_from_key(out, SEALED_KEY, 1, "coralinp", k->key);
}

static size_t
place_of(const struct sealed_key *k, uint64_t n, char out[96])
{
	return (size_t)snprintf(
	    out, 96, "coral sealed input 1\n%s\n%llu\n", k->session_id, (unsigned long long)n);
}

int
sealed_put(const struct sealed_key *k, uint64_t n, const unsigned char *p, size_t len,
    char out[SEALED_B64 + 1])
{
	unsigned char box[SEALED_BOX], plain[PADDED], key[SEALED_KEY];
	char place[96];
	size_t padded;
	int rc;

	if (len > SEALED_TEXT)
		return -1;
	memcpy(plain, p, len);
	if (sodium_pad(&padded, plain, len, PADDED, PADDED) < 0 || padded != PADDED)
		return -1;
	input_key(k, key);
	/* Chosen anew each time: a text that was taken back is never followed by another under
	 * the same nonce. */
	randombytes_buf(box, NONCE);
	rc = crypto_aead_xchacha20poly1305_ietf_encrypt(box + NONCE, NULL, plain, PADDED,
	    (unsigned char *)place, place_of(k, n, place), NULL, box, key);
	explicit_bzero(plain, sizeof(plain));
	explicit_bzero(key, sizeof(key));
	str_base64(out, box, sizeof(box));
	return rc;
}

int
sealed_get(
    const struct sealed_key *k, uint64_t n, const char *b64, unsigned char out[SEALED_TEXT + 1])
{
	unsigned char box[SEALED_B64], key[SEALED_KEY];
	char place[96];
	size_t len;
	int rc;

	if (strlen(b64) != SEALED_B64 || str_unbase64(box, b64, SEALED_B64) != SEALED_BOX)
		return -1;
	input_key(k, key);
	rc = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, box + NONCE, PADDED + TAG,
	    (unsigned char *)place, place_of(k, n, place), box, key);
	explicit_bzero(key, sizeof(key));
	if (rc < 0 || sodium_unpad(&len, out, PADDED, PADDED) < 0)
		return -1;
	return (int)len;
}
