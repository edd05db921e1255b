/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/keyfile.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/sha256.h"
#include "base/str.h"

#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC "openssh-key-v1" /* with its NUL */
#define TYPE "ssh-ed25519"
#define TYPE_LEN (sizeof(TYPE) - 1)
#define COLUMNS 70
/* magic; "none" twice, ""; 1; the public blob; the private part, padded to 8 */
#define PRIVATE_LEN 136
#define WHOLE_LEN (sizeof(MAGIC) + 8 + 8 + 4 + 4 + 4 + KEYFILE_BLOB + 4 + PRIVATE_LEN)

static unsigned char *
put(unsigned char *at, const void *p, size_t n)
{
	memcpy(at, p, n);
	return at + n;
}

static unsigned char *
put_u32(unsigned char *at, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		*at++ = (unsigned char)(v >> shift);
	return at;
}

static unsigned char *
put_string(unsigned char *at, const void *p, size_t n)
{
	return put(put_u32(at, (uint32_t)n), p, n);
}

void
keyfile_blob(unsigned char out[KEYFILE_BLOB], const unsigned char public[KEYFILE_PUBLIC])
{
	put_string(put_string(out, TYPE, TYPE_LEN), public, KEYFILE_PUBLIC);
}

static void
build(unsigned char raw[WHOLE_LEN], const unsigned char *seed, const unsigned char *public)
{
	unsigned char blob[KEYFILE_BLOB], *at = put(raw, MAGIC, sizeof(MAGIC)), *private;

	keyfile_blob(blob, public);
	at = put_string(at, "none", 4);
	at = put_string(at, "none", 4);
	at = put_string(at, "", 0);
	at = put_u32(at, 1);
	at = put_string(at, blob, sizeof(blob));
	at = put_u32(at, PRIVATE_LEN);
	private = at;
	at = put_u32(at, 0);
	at = put_u32(at, 0);
	at = put(at, blob, sizeof(blob));
	at = put_u32(at, KEYFILE_SEED + KEYFILE_PUBLIC);
	at = put(put(at, seed, KEYFILE_SEED), public, KEYFILE_PUBLIC);
	at = put_string(at, "", 0);
	for (unsigned char pad = 1; at < private + PRIVATE_LEN; pad++)
		*at++ = pad;
}

int
keyfile_text(char *out, size_t size, const unsigned char seed[KEYFILE_SEED],
    const unsigned char public[KEYFILE_PUBLIC])
{
	unsigned char raw[WHOLE_LEN];
	char b64[4 * (WHOLE_LEN / 3 + 1) + 1], *at = out;
	size_t n, i;

	build(raw, seed, public);
	n = str_base64(b64, raw, sizeof(raw));
	if (size < sizeof(BEGIN "\n" END "\n") + n + n / COLUMNS + 1)
		return -1;
	at = mempcpy(at, BEGIN "\n", sizeof(BEGIN));
	for (i = 0; i < n; i += COLUMNS) {
		at = mempcpy(at, b64 + i, n - i < COLUMNS ? n - i : COLUMNS);
		*at++ = '\n';
	}
	memcpy(at, END "\n", sizeof(END "\n"));
	explicit_bzero(raw, sizeof(raw));
	explicit_bzero(b64, sizeof(b64));
	return 0;
}

/* The base64 between the two lines, without its line ends; its length, or -1. */
static long
squeeze(const char *text, size_t n, unsigned char *out)
{
	const char *from, *to;
	long len = 0;

	from = memmem(text, n, BEGIN, sizeof(BEGIN) - 1);
	to = memmem(text, n, END, sizeof(END) - 1);
	if (!from || !to || from > to)
		return -1;
	for (from += sizeof(BEGIN) - 1; from < to; from++)
		if (!isspace((unsigned char)*from))
			out[len++] = (unsigned char)*from;
	return len;
}

static bool
is_string(struct rd *r, const void *want, size_t n)
{
	uint32_t len = rd_u32(r);
	const unsigned char *p = rd_bytes(r, len);

	return p && len == n && memcmp(p, want, n) == 0;
}

/* A string of n bytes, or NULL. */
static const unsigned char *
take_string(struct rd *r, size_t n)
{
	return rd_u32(r) == n ? rd_bytes(r, n) : NULL;
}

static int
parse(struct rd *r, unsigned char *seed, unsigned char *public)
{
	const unsigned char *p = rd_bytes(r, sizeof(MAGIC));
	uint32_t check;

	if (!p || memcmp(p, MAGIC, sizeof(MAGIC)) != 0 || !is_string(r, "none", 4) ||
	    !is_string(r, "none", 4) || !is_string(r, "", 0) || rd_u32(r) != 1)
		return -1;
	rd_bytes(r, rd_u32(r));
	rd_u32(r);
	check = rd_u32(r);
	if (rd_u32(r) != check || !is_string(r, TYPE, TYPE_LEN))
		return -1;
	p = take_string(r, KEYFILE_PUBLIC);
	if (!p)
		return -1;
	memcpy(public, p, KEYFILE_PUBLIC);
	p = take_string(r, KEYFILE_SEED + KEYFILE_PUBLIC);
	if (!p || memcmp(p + KEYFILE_SEED, public, KEYFILE_PUBLIC) != 0)
		return -1;
	memcpy(seed, p, KEYFILE_SEED);
	return 0;
}

int
keyfile_untext(const char *text, size_t n, unsigned char *scratch, unsigned char seed[KEYFILE_SEED],
    unsigned char public[KEYFILE_PUBLIC])
{
	long len = squeeze(text, n, scratch);
	struct rd r = {.p = scratch};

	/* In place: three bytes out of four never overtake their source. */
	r.n = len < 0 ? (size_t)-1 : str_unbase64(scratch, (const char *)scratch, (size_t)len);
	return r.n == (size_t)-1 ? -1 : parse(&r, seed, public);
}

void
keyfile_line(char out[KEYFILE_LINE], const unsigned char public[KEYFILE_PUBLIC])
{
	unsigned char blob[KEYFILE_BLOB];
	size_t head = TYPE_LEN + 1;

	keyfile_blob(blob, public);
	memcpy(out, TYPE " ", head);
	str_base64(out + head, blob, sizeof(blob));
}

int
keyfile_unline(const char *line, unsigned char public[KEYFILE_PUBLIC])
{
	unsigned char blob[KEYFILE_BLOB + 3], want[KEYFILE_BLOB];
	size_t n;

	if (strncmp(line, TYPE " ", TYPE_LEN + 1) != 0)
		return -1;
	line += TYPE_LEN + 1;
	n = strcspn(line, " \t\r\n");
	if (n != (KEYFILE_BLOB + 2) / 3 * 4 || str_unbase64(blob, line, n) != KEYFILE_BLOB)
		return -1;
	memcpy(public, blob + KEYFILE_BLOB - KEYFILE_PUBLIC, KEYFILE_PUBLIC);
	keyfile_blob(want, public);
	return memcmp(blob, want, sizeof(want)) == 0 ? 0 : -1;
}

void
keyfile_print(char out[KEYFILE_PRINT], const unsigned char public[KEYFILE_PUBLIC])
{
	unsigned char blob[KEYFILE_BLOB], digest[SHA256_SIZE];
	struct sha256 h;

	keyfile_blob(blob, public);
	sha2_init(&h);
	sha2_update(&h, blob, sizeof(blob));
	sha2_final(&h, digest);
	memcpy(out, "SHA256:", 7);
	str_base64(out + 7, digest, sizeof(digest));
	out[strcspn(out, "=")] = '\0';
}

_Static_assert(sizeof(TYPE) + 4 * ((KEYFILE_BLOB + 2) / 3) + 1 <= KEYFILE_LINE, "a line fits");
