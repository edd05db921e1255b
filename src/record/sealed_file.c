/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "record/sealed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/json.h"

#define NONCE_AT 4
#define TAG_AT (NONCE_AT + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
#define TEXT "coral sealed recording 1\n"
#define PLACE (sizeof(TEXT) - 1 + SHA256_SIZE + 1 + 8 + 8)
#define WORD "cEnd"

_Static_assert(
    TAG_AT + crypto_aead_xchacha20poly1305_ietf_ABYTES == SEALED_HEAD, "a head is whole");

int
sealed_file_init(struct sealed_file *f, const struct sealed_key *k, const char *line, size_t n)
{
	struct sha256 h;

	sha2_init(&h);
	sha2_update(&h, line, n);
	if (sha2_final(&h, f->line) < 0)
		return -1;
	return crypto_kdf_derive_from_key(f->key, SEALED_KEY, 2, "coralrec", k->key);
}

/* Of the header what the audit log has in clear as well. */
static json_t *
note_of(const json_t *header)
{
	static const char *const outer[] = {"version", "width", "height", "timestamp"};
	static const char *const inner[] = {"session_id", "started", "verb", "command", "tty",
	    "user", "target", "agent", "recorded", "clock"};
	const json_t *coral = json_object_get(header, "coral");
	json_t *note = json_object(), *about = json_object();

	for (size_t i = 0; i < COUNT_OF(outer); i++)
		json_object_set(note, outer[i], json_object_get(header, outer[i]));
	for (size_t i = 0; i < COUNT_OF(inner); i++)
		json_object_set(about, inner[i], json_object_get(coral, inner[i]));
	json_object_set_new(note, "coral", about);
	return note;
}

char *
sealed_first_line(const struct sealed_key *k, const json_t *header, const struct auditors *to)
{
	json_t *j = json_pack("{ss so so}", "session_id", k->session_id, "sealing",
	    sealed_header(k, to), "note", note_of(header));
	auto_free char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	char *line = NULL;

	json_decref(j);
	if (!text || asprintf(&line, SEALED_MAGIC "%s\n", text + 1) < 0)
		return NULL;
	return line;
}

json_t *
sealed_first_parse(const char *line, size_t n, struct err *e)
{
	if (n >= SEALED_MAGIC_LEN && memcmp(line, SEALED_MAGIC, SEALED_MAGIC_LEN) == 0)
		return json_parse(line, n, e);
	err_set(e, ERR_BAD_FILE, 0, "cannot read an encrypted recording");
	err_why(e, "it does not begin as one");
	return NULL;
}

/* What a frame is bound to. */
static void
place_of(const struct sealed_file *f, enum sealed_kind kind, uint64_t n, uint64_t at,
    unsigned char out[PLACE])
{
	unsigned char *p = out;

	memcpy(p, TEXT, sizeof(TEXT) - 1);
	p += sizeof(TEXT) - 1;
	memcpy(p, f->line, SHA256_SIZE);
	p += SHA256_SIZE;
	*p++ = (unsigned char)kind;
	for (int i = 56; i >= 0; i -= 8)
		*p++ = (unsigned char)(n >> i);
	for (int i = 56; i >= 0; i -= 8)
		*p++ = (unsigned char)(at >> i);
}

static void
begin_head(unsigned char head[SEALED_HEAD], enum sealed_kind kind, size_t len)
{
	head[0] = (unsigned char)kind;
	head[1] = (unsigned char)(len >> 16);
	head[2] = (unsigned char)(len >> 8);
	head[3] = (unsigned char)len;
	/* Never one that counts: a frame that was taken back may be followed by another in its
	 * place. */
	randombytes_buf(head + NONCE_AT, TAG_AT - NONCE_AT);
}

int
sealed_file_put(const struct sealed_file *f, enum sealed_kind kind, uint64_t n, uint64_t at,
    unsigned char head[SEALED_HEAD], unsigned char *p, size_t len)
{
	unsigned char place[PLACE];

	if (len > SEALED_FRAME_MAX)
		return -1;
	begin_head(head, kind, len);
	place_of(f, kind, n, at, place);
	return crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
	    p, head + TAG_AT, NULL, p, len, place, sizeof(place), NULL, head + NONCE_AT, f->key);
}

/* Nothing is encrypted: the note is a part of what is authenticated. */
static size_t
end_place(const struct sealed_file *f, uint64_t n, uint64_t at, const void *note, size_t len,
    unsigned char out[PLACE + SEALED_NOTE_MAX])
{
	place_of(f, SEALED_END, n, at, out);
	memcpy(out + PLACE, note, len);
	return PLACE + len;
}

int
sealed_file_put_end(const struct sealed_file *f, uint64_t n, uint64_t at,
    unsigned char head[SEALED_HEAD], const char *note, size_t len)
{
	unsigned char place[PLACE + SEALED_NOTE_MAX], none[1];

	if (len > SEALED_NOTE_MAX)
		return -1;
	begin_head(head, SEALED_END, len);
	return crypto_aead_xchacha20poly1305_ietf_encrypt_detached(none, head + TAG_AT, NULL, none,
	    0, place, end_place(f, n, at, note, len, place), NULL, head + NONCE_AT, f->key);
}

void
sealed_note_tail(unsigned char tail[SEALED_NOTE_TAIL], size_t len)
{
	for (int i = 0; i < 4; i++)
		tail[i] = (unsigned char)(len >> (24 - 8 * i));
	memcpy(tail + 4, WORD, 4);
}

int
sealed_head_parse(const unsigned char head[SEALED_HEAD], size_t *len)
{
	*len = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if ((head[0] == SEALED_DATA || head[0] == SEALED_PACKED) && *len > 0 &&
	    *len <= SEALED_FRAME_MAX)
		return head[0];
	return head[0] == SEALED_END && *len <= SEALED_NOTE_MAX ? SEALED_END : -1;
}

int
sealed_file_get(const struct sealed_file *f, uint64_t n, uint64_t at,
    const unsigned char head[SEALED_HEAD], unsigned char *p, size_t len)
{
	unsigned char place[PLACE + SEALED_NOTE_MAX], none[1];

	if (head[0] == SEALED_END)
		return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(none, NULL, none, 0,
		    head + TAG_AT, place, end_place(f, n, at, p, len, place), head + NONCE_AT,
		    f->key);
	place_of(f, (enum sealed_kind)head[0], n, at, place);
	return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
	    p, NULL, p, len, head + TAG_AT, place, PLACE, head + NONCE_AT, f->key);
}

/* The note behind the last frame, or NULL. */
static json_t *
end_note(int fd, off_t size)
{
	unsigned char tail[SEALED_NOTE_TAIL], word[SEALED_NOTE_TAIL];
	char text[SEALED_NOTE_MAX];
	size_t len;

	if (size < SEALED_NOTE_TAIL ||
	    pread(fd, tail, sizeof(tail), size - SEALED_NOTE_TAIL) != sizeof(tail))
		return NULL;
	len = (size_t)tail[0] << 24 | (size_t)tail[1] << 16 | (size_t)tail[2] << 8 | tail[3];
	sealed_note_tail(word, len);
	if (memcmp(tail, word, sizeof(word)) != 0 || len > sizeof(text) ||
	    size < (off_t)len + SEALED_NOTE_TAIL ||
	    pread(fd, text, len, size - SEALED_NOTE_TAIL - (off_t)len) != (ssize_t)len)
		return NULL;
	return json_parse(text, len, NULL);
}

bool
sealed_is(int fd)
{
	char head[SEALED_MAGIC_LEN];

	return pread(fd, head, sizeof(head), 0) == sizeof(head) &&
	       memcmp(head, SEALED_MAGIC, sizeof(head)) == 0;
}

int
sealed_peek(int fd, bool *is, json_t **begin, json_t **end, struct err *e)
{
	auto_free char *text = malloc(SEALED_LINE_MAX);
	ssize_t n = text ? pread(fd, text, SEALED_LINE_MAX, 0) : -1;
	const char *nl = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
	struct stat st;
	json_t *first;

	*begin = *end = NULL;
	*is = sealed_is(fd);
	if (n < 0 || fstat(fd, &st) < 0)
		return err_set(e, ERR_IO, errno, "cannot read a recording");
	first = *is && nl ? sealed_first_parse(text, (size_t)(nl - text), e) : NULL;
	*begin = json_incref(json_object_get(first, "note"));
	json_decref(first);
	if (!json_is_object(*begin)) {
		json_decref(*begin);
		*begin = NULL;
		err_set(e, ERR_BAD_FILE, 0, "cannot read an encrypted recording");
		return err_why(e, "its first line is damaged");
	}
	*end = end_note(fd, st.st_size);
	if (*end && !json_is_object(*end)) {
		json_decref(*end);
		*end = NULL;
	}
	return 0;
}
