/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"
#include "record/verify_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The session's secret in the corpus: 32 times this. */
#define SECRET 1
/* In a mark's line behind its signature: "}}"] and the newline. */
#define BEHIND 7

static void
look(const uint8_t *p, size_t n)
{
	int fd = memfd_create("cast", MFD_CLOEXEC);
	struct verify_result r;
	uint64_t newlines = 0;

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0 ||
	    verify_fd(fd, "fuzz", &r, NULL) < 0)
		abort();
	close(fd);
	for (size_t i = 0; i < n; i++)
		newlines += p[i] == '\n';
	if (r.good_bytes > r.bytes || r.bytes > n || r.good_lines > r.lines || r.lines > newlines)
		abort();
	/* Sealed is all of it, and what is bad is in the file or at its end. */
	if (r.state == VERIFY_SEALED && (r.good_bytes != n || !r.has_key))
		abort();
	if (r.state == VERIFY_BAD && (r.bad_offset > n || r.bad_line < 1 ||
					 r.bad_line > newlines + 2 || !verify_what_name(r.what)))
		abort();
	if (r.state == VERIFY_OPEN && (r.marks == 0 || !r.has_key))
		abort();
}

/* Sign every mark anew, so that what it lists is believed. */
static void
sign(uint8_t *line, size_t n, const char *id)
{
	unsigned char seed[ED25_SEED], public[ED25_PUBLIC], sig[ED25_SIGNATURE];
	char text[EVIDENCE_TEXT_MAX], b64[4 * (ED25_SIGNATURE / 3 + 1) + 1];
	struct verify_mark m;
	struct sha256 h;

	if (verify_parse(line, n, false, &m) < 0 && verify_parse(line, n, true, &m) < 0)
		return;
	memset(seed, SECRET, sizeof(seed));
	if (sha2_init(&h) < 0)
		abort();
	sha2_update(&h, line, m.signed_len);
	sha2_final(&h, m.m.line);
	m.m.session_id = id;
	if (ed25_public(seed, public) < 0 ||
	    ed25_sign(seed, public, text, evidence_mark_text(text, &m.m), sig) < 0)
		abort();
	memcpy(line + m.signed_len, b64, str_base64(b64, sig, sizeof(sig)));
	if (n != m.signed_len + strlen(b64) + BEHIND)
		abort();
}

/* A recording of an enemy; then one of who has the session's key. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char id[] = "01jd0z5s8w7k3mtq4v9x2c6b1n";
	uint8_t *copy = malloc(n + 1), *nl;
	size_t at = 0;

	if (!copy)
		abort();
	look(p, n);
	memcpy(copy, p, n);
	while (at < n && (nl = memchr(copy + at, '\n', n - at))) {
		sign(copy + at, (size_t)(nl + 1 - (copy + at)), id);
		at = (size_t)(nl + 1 - copy);
	}
	look(copy, n);
	free(copy);
	return 0;
}
